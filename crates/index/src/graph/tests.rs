//! Are graphs whole, the same again, and as good as the judge's?

use std::sync::Arc;

use super::builder::{Builder, NONE};
use super::*;
use crate::code::Int8;
use crate::manifest::Precision;
use crate::search::{TopK, rescore};
use crate::segment::{NewRows, SharedVectors};

pub(super) const DIM: usize = 32;

/// `n` unit vectors around 20 centres; the same for the same seed.
pub(super) fn clustered(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let mut centres_state = 99u64;
    let mut centre = move || {
        centres_state = centres_state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (centres_state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let centres: Vec<f32> = (0..20 * DIM).map(|_| centre()).collect();
    let mut all = Vec::with_capacity(n * DIM);
    for i in 0..n {
        let mut row: Vec<f32> = centres[i % 20 * DIM..][..DIM].iter().map(|c| c + 0.7 * uniform()).collect();
        crate::kernel::normalise(&mut row);
        all.extend(row);
    }
    all
}

fn built(values: &[f32], settings: &GraphSettings) -> (Arc<Int8Writer>, Graph, Vec<u32>) {
    let n = (values.len() / DIM) as u32;
    let row = |row: u32| &values[row as usize * DIM..][..DIM];
    let mut codes = Int8Writer::new(n, DIM, Metric::Cosine, Precision::F32, |r| Ok(row(r).into())).unwrap();
    let built = build(&codes, Metric::Cosine, settings).unwrap();
    let order = built.order.clone();
    codes.reorder(&order, Metric::Cosine);
    let codes = Arc::new(codes);
    let rows: Vec<SharedVectors> = order.iter().map(|&r| row(r).to_vec().into()).collect();
    let rows = NewRows::new(rows.iter(), DIM, Metric::Cosine);
    let graph = built.finish(&order, &codes, Metric::Cosine, &rows).unwrap();
    (codes, graph, order)
}

fn one_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(work)
}

#[test]
fn one_thread_builds_the_same_graph_again() {
    let values = clustered(3000, 1);
    let graph = |seed| {
        let settings = GraphSettings { seed, ..GraphSettings::default() };
        let (_, graph, order) = one_thread(|| built(&values, &settings));
        (graph.lowest().to_vec(), graph.upper().to_vec(), order)
    };
    assert!(graph(1) == graph(1));
    assert!(graph(1) != graph(2));
}

#[test]
fn every_row_is_reachable_and_the_order_names_each_once() {
    for n in [2usize, 3, 17, 33, 500, 4000] {
        let (_, graph, mut order) = built(&clustered(n, 5), &GraphSettings::default());
        graph.verify().unwrap();
        order.sort_unstable();
        assert!(order.into_iter().eq(0..n as u32), "{n}");
    }
    // Many equal rows: every link could lead to a twin.
    let twins = clustered(1, 3).repeat(600);
    built(&twins, &GraphSettings::default()).1.verify().unwrap();
}

#[test]
fn rows_cut_off_are_linked_again_and_nothing_else_is_lost() {
    let values = clustered(2000, 7);
    let row = |row: u32| Ok(values[row as usize * DIM..][..DIM].into());
    let codes = Int8Writer::new(2000, DIM, Metric::Cosine, Precision::F32, row).unwrap();
    let mut links = insert::build(codes.between(Metric::Cosine), 2000, &GraphSettings::default());
    let start = links.upper.last().map_or(links.entry, |top| top.rows[links.entry as usize]);
    let cut: Vec<u32> = (0..2000).filter(|row| row % 9 == 4 && *row != start).collect();
    for link in &mut links.lowest {
        if cut.contains(link) {
            *link = start;
        }
    }
    assert!(connect::unreachable(&links.lowest, links.width, start).len() >= cut.len());
    connect::connect_all(&mut links, start, |_, _, seen| {
        (0..).zip(seen).find(|(_, seen)| **seen).map_or(start, |(row, _)| row)
    });
    assert!(connect::unreachable(&links.lowest, links.width, start).is_empty());
}

#[test]
fn damaged_layers_are_refused() {
    let (_, graph, _) = built(&clustered(500, 5), &GraphSettings::default());
    let (layers, lowest) = (graph.encode_layers(), bytes::Bytes::copy_from_slice(graph.lowest()));
    let open = |layers: &[u8]| Graph::open(crate::blocks::CheckedBytes::made_here(lowest.clone()), layers, 500);
    assert_eq!(open(&layers).unwrap().curves, graph.curves);
    for cut in 0..layers.len() {
        assert!(open(&layers[..cut]).is_err(), "{cut}");
    }
    // Whatever is written there, opening and walking it never panics; what leads nowhere is found.
    for at in (0..layers.len()).step_by(4) {
        let mut damaged = layers.clone();
        damaged[at..at + 4].copy_from_slice(&(NONE - 1).to_le_bytes());
        if let Ok(graph) = open(&damaged) {
            let row = |_| Ok([0.1; DIM][..].to_vec().into());
            let writer = Int8Writer::new(500, DIM, Metric::Cosine, Precision::F32, row).unwrap();
            let codes = Int8::made_here(Arc::new(writer), Metric::Cosine).unwrap();
            let goal = Goal { ef: 10, most_scored: 10_000 };
            drop(walk(&graph, &codes.ask(&[0.1; DIM]), Filter::Nothing, goal));
        }
    }
}

/// Recall@10 of unfiltered walks at `ef`, with the rows scored.
fn recall(values: &[f32], questions: &[f32], settings: &GraphSettings, ef: usize) -> (f64, u64) {
    let (codes, graph, order) = built(values, settings);
    let codes = Int8::made_here(codes, Metric::Cosine).unwrap();
    let rows: Vec<SharedVectors> = order.iter().map(|&r| values[r as usize * DIM..][..DIM].to_vec().into()).collect();
    let rows = NewRows::new(rows.iter(), DIM, Metric::Cosine);
    let (mut found, mut scored) = (0, 0);
    for question in questions.chunks_exact(DIM) {
        let mut exact = TopK::new(10);
        (0..graph.rows()).for_each(|row| exact.push(rows.score(row, question).unwrap(), row));
        let exact = exact.into_sorted();
        let asked = codes.ask(question);
        let goal = Goal { ef, most_scored: u32::MAX };
        let outcome = walk(&graph, &asked, Filter::Nothing, goal).unwrap();
        let mut top = TopK::new(10);
        rescore(&rows, question, &outcome.best, &mut top, |bar| asked.hardly_less(bar)).unwrap();
        found += top.into_sorted().iter().filter(|hit| exact.contains(hit)).count();
        scored += u64::from(outcome.scored);
    }
    (found as f64 / (questions.len() / DIM * 10) as f64, scored)
}

#[test]
#[cfg(feature = "hnsw_rs")]
fn ours_is_as_good_as_the_judges() {
    let (values, questions) = (clustered(6000, 11), clustered(100, 12));
    for ef in [16, 48] {
        let ours = recall(&values, &questions, &GraphSettings::default(), ef);
        let judge = GraphSettings { builder: Builder::HnswRs, ..GraphSettings::default() };
        let judge = recall(&values, &questions, &judge, ef);
        assert!(ours.0 > judge.0 - 0.02, "at ef {ef}: recall {} against {}", ours.0, judge.0);
        assert!(ours.1 as f64 <= judge.1 as f64 * 1.25, "at ef {ef}: {} scores against {}", ours.1, judge.1);
    }
}

/// Rows of topic i % 20 lie around centre i % 20: here the question's own is forbidden, or rows at random are.
#[test]
fn filtered_walks_keep_to_what_is_visible_and_find_it() {
    let (values, questions) = (clustered(6000, 11), clustered(60, 12));
    let (codes, graph, order) = built(&values, &GraphSettings::default());
    let codes = Int8::made_here(codes, Metric::Cosine).unwrap();
    let rows: Vec<SharedVectors> = order.iter().map(|&r| values[r as usize * DIM..][..DIM].to_vec().into()).collect();
    let rows = NewRows::new(rows.iter(), DIM, Metric::Cosine);
    for (own_topic, every) in [(true, 2), (true, 5), (false, 2), (false, 10)] {
        for bridging in [false, true] {
            let (mut found, mut all, mut scored) = (0, 0, 0);
            for (i, question) in questions.chunks_exact(DIM).enumerate() {
                let sees = |row: u32| {
                    let row = order[row as usize] as usize;
                    if own_topic {
                        row % 20 != i % 20 && (row % 20 + i).is_multiple_of(every)
                    } else {
                        (row / 20 + i).is_multiple_of(every)
                    }
                };
                let mut words = vec![0u64; 6000usize.div_ceil(64)];
                (0..6000).filter(|&row| sees(row)).for_each(|row| words[row as usize / 64] |= 1 << (row % 64));
                let bits = Bits { words: &words, len: words.iter().map(|word| u64::from(word.count_ones())).sum() };
                let filter = if bridging { Filter::Bridging(bits) } else { Filter::Through(bits) };
                let asked = codes.ask(question);
                let goal = Goal { ef: 120, most_scored: u32::MAX };
                let outcome = walk(&graph, &asked, filter, goal).unwrap();
                assert!(outcome.best.iter().all(|&(_, row)| sees(row)), "a forbidden row");
                assert!(outcome.best.len() >= 10);
                let mut exact = TopK::new(10);
                (0..6000).filter(|&row| sees(row)).for_each(|row| exact.push(rows.score(row, question).unwrap(), row));
                let exact = exact.into_sorted();
                let mut top = TopK::new(10);
                rescore(&rows, question, &outcome.best, &mut top, |bar| asked.hardly_less(bar)).unwrap();
                found += top.into_sorted().iter().filter(|hit| exact.contains(hit)).count();
                all += 10;
                scored += outcome.scored;
                // Less than this is not enough for anything: it gives up, and says so.
                let goal = Goal { most_scored: 50, ..goal };
                assert!(walk(&graph, &asked, filter, goal).unwrap().gave_up);
            }
            let what = format!("own topic {own_topic}, one in {every}, bridging {bridging}");
            assert!(found * 100 >= all * 95, "{what}: {found} of {all}");
            assert!(scored / 60 < 6000, "{what}: {} rows scored a question", scored / 60);
        }
    }
}

#[test]
fn a_wider_walk_finds_nearly_everything() {
    assert_eq!(GraphSettings::default().builder, Builder::Own);
    let (recall, _) = recall(&clustered(6000, 11), &clustered(100, 12), &GraphSettings::default(), 200);
    assert!(recall > 0.995, "{recall}");
}

/// Where a tight topic that may not be seen lies around the question, rows beside it hardly lead to each other: such a
/// walk must not be taken for an answer. Where half of the rows are missing at random, walks are answers.
#[test]
fn a_walk_that_is_cut_off_says_so_and_others_do_not() {
    let mut state = 11u64;
    let mut even = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    // Twelve dimensions of those there are.
    let mut flat = move |size: f32| (0..DIM).map(|i| if i < 12 { size * even() } else { 0.0 }).collect::<Vec<f32>>();
    let centre = flat(1.0);
    let mut around = |size: f32| centre.iter().zip(flat(size)).map(|(c, x)| c + x).collect::<Vec<f32>>();
    // Seven of sixteen are of the topic.
    let of_the_topic = |row: u32| row * 7 % 16 < 7;
    let topic: Vec<Vec<f32>> = (0..16_000).map(|_| around(0.1)).collect();
    let beside: Vec<f32> = (0..60).flat_map(|_| around(0.3)).collect();
    let anywhere: Vec<f32> = (0..60).flat_map(|_| flat(1.0)).collect();
    let rows = (0..).zip(topic).map(|(row, near)| if of_the_topic(row) { near } else { flat(1.0) });
    let mut values: Vec<f32> = rows.flatten().collect();
    values.chunks_mut(DIM).for_each(|row| assert!(crate::kernel::normalise(row)));
    let (codes, graph, order) = built(&values, &GraphSettings::default());
    let int8 = Int8::made_here(codes, Metric::Cosine).unwrap();
    let given_up = |sees: &dyn Fn(u32) -> bool, questions: &[f32]| {
        let mut words = vec![0u64; order.len().div_ceil(64)];
        for (place, _) in order.iter().enumerate().filter(|(_, row)| sees(**row)) {
            words[place / 64] |= 1 << (place % 64);
        }
        let bits = Bits { words: &words, len: words.iter().map(|word| u64::from(word.count_ones())).sum() };
        let asked = questions.chunks(DIM).map(|question| {
            let mut question = question.to_vec();
            assert!(crate::kernel::normalise(&mut question));
            let goal = Goal { ef: 40, most_scored: u32::MAX };
            walk(&graph, &int8.ask(&question), Filter::Bridging(bits), goal).unwrap()
        });
        asked.filter(|outcome| outcome.gave_up).count()
    };
    let (cut_off, at_random) = (
        given_up(&|row| !of_the_topic(row), &beside),
        given_up(&|row| row.wrapping_mul(0x9E37_79B1) >> 31 == 0, &anywhere),
    );
    assert!(cut_off >= 30 && at_random <= 3, "{cut_off} and {at_random} of 60");
}
