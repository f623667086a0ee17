//! Against another program's figures, and by what must be seen.

use super::*;
use crate::Chance;

fn drawn(seed: u64, n: usize, dim: usize, moved: f32) -> Vec<Vec<f32>> {
    let mut chance = Chance::new(seed);
    // Twelve uniform numbers less six are nearly normal.
    let mut normal = || (0..12).map(|_| chance.below(1 << 20) as f32 / (1 << 20) as f32).sum::<f32>() - 6.0;
    (0..n).map(|_| (0..dim).map(|d| normal() + if d == 0 { moved } else { 0.0 }).collect()).collect()
}

fn slices(rows: &[Vec<f32>]) -> Vec<&[f32]> {
    rows.iter().map(Vec::as_slice).collect()
}

#[test]
fn the_figures_of_another_program() {
    // By numpy and scipy, once: distances by `cdist`, p over all 35 splits.
    let before: [&[f32]; 4] = [&[0.0, 0.0], &[1.0, 0.0], &[0.0, 1.0], &[1.0, 1.0]];
    let after: [&[f32]; 3] = [&[2.0, 0.0], &[3.0, 1.0], &[2.0, 1.0]];
    let found = shift(&before, &after, &DriftSettings::default()).unwrap();
    assert!((found.energy - 2.337_550_604).abs() < 1e-6, "{found:?}");
    assert!((found.energy_p - 1.0 / 35.0).abs() < 0.02, "{found:?}");
    assert!((found.mean_distance - 1.840_893_502_8).abs() < 1e-9);
    assert!((found.mean_angle - 0.125_842_723_8).abs() < 1e-9);
    let [(first, by), (second, little)] = *found.most_moved else { panic!("{found:?}") };
    assert_eq!((first, second), (0, 1));
    assert!((by - 3.772_968_87).abs() < 1e-6 && (little - 0.342_997_17).abs() < 1e-6);
}

#[test]
fn what_moved_is_seen_and_what_did_not_is_not() {
    let settings = DriftSettings { compared: 150, rounds: 199, ..DriftSettings::default() };
    let before = drawn(1, 150, 16, 0.0);
    let same =
        |seed| shift(&slices(&drawn(seed, 40, 4, 0.0)), &slices(&drawn(seed + 50, 40, 4, 0.0)), &settings).unwrap();
    let ps: Vec<f64> = (100..140).map(|seed| same(seed).energy_p).collect();
    let below = |bound: f64| ps.iter().filter(|p| **p <= bound).count();
    assert!(below(0.05) <= 6 && (10..=30).contains(&below(0.5)), "{ps:?}");
    let same = shift(&slices(&before), &slices(&drawn(12, 150, 16, 0.0)), &settings).unwrap();
    let moved = shift(&slices(&before), &slices(&drawn(3, 150, 16, 1.0)), &settings).unwrap();
    assert!(moved.energy_p <= 0.01 && moved.energy > same.energy, "{moved:?}");
    assert_eq!(moved.most_moved[0].0, 0);
    assert!((moved.most_moved[0].1 - 1.0).abs() < 0.3, "{moved:?}");
    let itself = shift(&slices(&before), &slices(&before), &settings).unwrap();
    assert!(itself.energy < 1e-9 && itself.energy_p > 0.9 && itself.standardised == 0.0, "{itself:?}");
    assert!(shift(&[], &slices(&before), &settings).is_none());
}

#[test]
fn a_hub_is_seen() {
    // One vector in the middle of pairs that look away from each other is near to all of them.
    let mut rows = drawn(5, 60, 64, 0.0);
    let even = hubs(&slices(&rows), 100);
    rows.iter_mut().for_each(|row| row[0] += 3.0);
    rows.push((0..64).map(|d| if d == 0 { 1.0 } else { 0.0 }).collect());
    let uneven = hubs(&slices(&rows), 100);
    assert!(uneven.most >= 50, "{uneven:?}");
    assert!(uneven.skewness > even.skewness + 1.0, "{even:?} {uneven:?}");
    assert_eq!(hubs(&slices(&rows[..10]), 100).most, 0);
}

#[test]
fn norms_and_copies() {
    let mut rows = vec![vec![1.0, 0.0]; 40];
    rows.push(vec![9.0, 0.0]);
    let found = norms(&slices(&rows));
    assert_eq!((found.outliers, found.most, found.least), (1, 9.0, 1.0));
    assert_eq!(norms(&slices(&rows[..40])).outliers, 0);
    let drawn = rows.into_iter().map(|values| safepassage::DrawnVector { document: "d".into(), values }).collect();
    let vectors = GenerationVectors {
        generation: 1,
        dim: 4,
        model: serde_json::Value::Null,
        chunks: 41,
        documents: Default::default(),
        drawn,
    };
    assert!((side(&vectors, &DriftSettings::default()).duplicates - 39.0 / 41.0).abs() < 1e-12);
}

#[test]
fn lower_scores_are_seen() {
    let vectors = drawn(7, 100, 8, 0.0);
    let questions = drawn(8, 40, 8, 0.0).concat();
    let settings = DriftSettings { rounds: 199, least_score: Some(0.8), ..DriftSettings::default() };
    let all = slices(&vectors);
    let same = score_shift([&all, &all], [&questions, &questions], 8, &settings).unwrap();
    assert_eq!((same.largest_difference, same.p), (0.0, 1.0));
    let fewer = score_shift([&all, &all[..10]], [&questions, &questions], 8, &settings).unwrap();
    assert!(fewer.p <= 0.01 && fewer.to.mean < fewer.from.mean, "{fewer:?}");
    assert!(fewer.to.below_least_score > fewer.from.below_least_score, "{fewer:?}");
}
