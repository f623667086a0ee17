//! Measures against other programs, by hand, and by law.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A ranking, the grades, and at k = 5 and 20: nDCG, recall, MRR, precision, hit.
type Case = (&'static str, &'static str, [f64; 5], [f64; 5]);

/// Made once by pytrec_eval-terrier 0.5.11 (trec_eval's own code); MRR, which it does not cut at k, by ranx 0.3.21, whose
/// nDCG and recall are the same to nine digits.
#[rustfmt::skip]
const BY_OTHERS: &[Case] = &[
    (
        "d10 d6 d17 d21 d20 d28 d5 d22 d24 d12",
        "d8:1 d23:1 d11:1 d25:1 d22:3 d28:2 d20:1 d16:3 d0:1 d14:1 d7:1 d1:3 d5:1 d3:1 d27:1 d19:1 d13:1 d26:1 d6:1 d29:1",
        [0.133200262045, 0.100000000000, 0.500000000000, 0.400000000000, 1.0],
        [0.256539253873, 0.250000000000, 0.500000000000, 0.250000000000, 1.0],
    ),
    (
        "d18 d0 d19 d21 d22 d10 d2 d9 d11 d25 d15 d24 d5 d27 d16 d26 d23 d28 d4 d12 d17 d6 d29 d14 d3",
        "d0:1 d11:2 d13:1 d5:2 d29:2",
        [0.124213713385, 0.200000000000, 0.500000000000, 0.200000000000, 1.0],
        [0.346161488936, 0.600000000000, 0.500000000000, 0.150000000000, 1.0],
    ),
    (
        "d11 d16 d29 d28 d8 d24 d14 d3 d18 d27",
        "d12:1 d18:1 d26:1 d0:1 d14:1",
        [0.000000000000, 0.000000000000, 0.000000000000, 0.000000000000, 0.0],
        [0.215150796881, 0.400000000000, 0.142857142857, 0.100000000000, 1.0],
    ),
    (
        "d21 d10 d9 d5 d25 d2 d20 d4 d27 d15",
        "d1:2 d13:1 d2:2 d6:2 d10:1",
        [0.124213713385, 0.200000000000, 0.500000000000, 0.200000000000, 1.0],
        [0.264469636313, 0.400000000000, 0.500000000000, 0.100000000000, 1.0],
    ),
    (
        "d7 d23 d19",
        "d23:1 d1:3",
        [0.173765342871, 0.500000000000, 0.500000000000, 0.200000000000, 1.0],
        [0.173765342871, 0.500000000000, 0.500000000000, 0.050000000000, 1.0],
    ),
    (
        "d4 d23 d18",
        "d26:1 d8:1 d14:1 d20:3 d13:2",
        [0.000000000000, 0.000000000000, 0.000000000000, 0.000000000000, 0.0],
        [0.000000000000, 0.000000000000, 0.000000000000, 0.000000000000, 0.0],
    ),
    (
        "d13 d11 d4",
        "d20:3 d28:1",
        [0.000000000000, 0.000000000000, 0.000000000000, 0.000000000000, 0.0],
        [0.000000000000, 0.000000000000, 0.000000000000, 0.000000000000, 0.0],
    ),
    (
        "d4 d14 d19 d5 d16 d28 d15 d22 d10 d23",
        "d27:3",
        [0.000000000000, 0.000000000000, 0.000000000000, 0.000000000000, 0.0],
        [0.000000000000, 0.000000000000, 0.000000000000, 0.000000000000, 0.0],
    ),
];

fn graded(text: &str) -> BTreeMap<String, u32> {
    let pairs = text.split_whitespace().filter_map(|pair| pair.split_once(':'));
    pairs.map(|(id, grade)| (id.to_owned(), grade.parse().unwrap())).collect()
}

#[test]
fn the_figures_of_trec_eval_and_ranx() {
    for (ranking, grades, at_5, at_20) in BY_OTHERS {
        let (ranking, relevant): (Vec<&str>, _) = (ranking.split_whitespace().collect(), graded(grades));
        for (k, wanted) in [(5, at_5), (20, at_20)] {
            for (measure, wanted) in Measure::ALL.into_iter().zip(wanted) {
                let value = measure.of(&ranking, &relevant, k).unwrap();
                assert!((value - wanted).abs() < 1e-9, "{}@{k} of {ranking:?}: {value}, not {wanted}", measure.name());
            }
        }
    }
}

#[test]
fn by_hand() {
    let relevant = graded("a:3 b:1");
    let ranking = ["x", "a", "y", "b"];
    let ndcg = Measure::Ndcg.of(&ranking, &relevant, 10).unwrap();
    let wanted = (3.0 / 3f64.log2() + 1.0 / 5f64.log2()) / (3.0 + 1.0 / 3f64.log2());
    assert!((ndcg - wanted).abs() < 1e-12);
    assert_eq!(Measure::Mrr.of(&ranking, &relevant, 10), Some(0.5));
    assert_eq!(Measure::Recall.of(&ranking, &relevant, 2), Some(0.5));
    assert_eq!(Measure::Precision.of(&ranking, &relevant, 10), Some(0.2));
    assert_eq!(Measure::Hit.of(&ranking, &relevant, 1), Some(0.0));
    assert_eq!(Measure::Ndcg.of(&ranking, &BTreeMap::new(), 10), None);
    assert_eq!(Measure::Ndcg.of(&ranking, &relevant, 0), None);
}

#[test]
fn precision_at_levels_of_recall_by_hand() {
    let curve = precision_recall(&["a", "x", "b", "y", "z"], &graded("a:1 b:1 c:1 d:1")).unwrap();
    let two_of_three = 2.0 / 3.0;
    let wanted = [1.0, 1.0, 1.0, two_of_three, two_of_three, two_of_three, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(curve, wanted);
}

proptest! {
    #[test]
    fn every_measure_is_a_share_and_the_best_ranking_has_all(
        grades in proptest::collection::btree_map("[a-e][0-9]", 1u32..5, 1..20),
        ranking in proptest::sample::subsequence((0..50).map(|i| format!("{}{}", ["a", "b", "c", "d", "e"][i / 10], i % 10)).collect::<Vec<_>>(), 0..50),
        k in 1usize..30,
        seed in any::<u64>(),
    ) {
        let mut ranking = ranking;
        crate::Chance::new(seed).shuffle(&mut ranking);
        for measure in Measure::ALL {
            let value = measure.of(&ranking, &grades, k).unwrap();
            prop_assert!((0.0..=1.0 + 1e-12).contains(&value), "{}: {value}", measure.name());
        }
        let mut best: Vec<&String> = grades.keys().collect();
        best.sort_by_key(|id| std::cmp::Reverse(grades[*id]));
        for measure in [Measure::Ndcg, Measure::Mrr, Measure::Hit] {
            prop_assert!((measure.of(&best, &grades, k).unwrap() - 1.0).abs() < 1e-12);
        }
        prop_assert_eq!(Measure::Recall.of(&best, &grades, grades.len()), Some(1.0));
        // Documents that are not relevant are all alike: which of them stand where changes nothing.
        let renamed: Vec<String> = ranking.iter().map(|id| if grades.contains_key(id) { id.clone() } else { format!("{id}'") }).collect();
        for measure in Measure::ALL {
            prop_assert_eq!(measure.of(&ranking, &grades, k), measure.of(&renamed, &grades, k));
        }
        // To move a better document up never costs anything.
        for i in 1..ranking.len() {
            let grade = |at: usize| grades.get(&ranking[at]).copied().unwrap_or(0);
            if grade(i) > grade(i - 1) {
                let mut better = ranking.clone();
                better.swap(i, i - 1);
                for measure in Measure::ALL {
                    prop_assert!(measure.of(&better, &grades, k) >= measure.of(&ranking, &grades, k));
                }
            }
        }
    }
}
