//! Walks the graph towards a query, keeping only rows that may be kept.
//!
//! Algorithms 2 and 5 of arXiv 1603.09320; rows that may not be kept are walked through and never returned. The walk
//! stops when it has visited more rows than the caller wants to pay for.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use safepassage_error::Result;

use super::{Graph, Rows};
use crate::kernel;
use crate::search::Scored;

/// What is wanted and what may be spent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    /// How many rows.
    pub k: usize,
    /// How many kept candidates are held while walking; at least `k` are.
    pub ef: usize,
    /// How many rows may be visited.
    pub most_visits: u32,
}

/// What the walk found.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// At most k rows with their scores, best first.
    pub hits: Vec<(f32, u32)>,
    /// Whether it stopped because `most_visits` was reached.
    pub gave_up: bool,
}

thread_local! {
    static VISITED: RefCell<(Vec<u32>, u32)> = const { RefCell::new((Vec::new(), 0)) };
}

/// The `k` best rows for which `keep` says yes; `O(ef · m · dim)` when nothing is forbidden.
pub(crate) fn search(
    graph: &Graph,
    vectors: &impl Rows,
    query: &[f32],
    keep: &impl Fn(u32) -> bool,
    goal: Goal,
) -> Result<Outcome> {
    let mut best = Scored { score: kernel::dot(vectors.row(graph.entry())?, query), row: graph.entry() };
    for layer in (1..=graph.top_layer()).rev() {
        loop {
            let before = best;
            for &row in graph.near_on(layer, best.row) {
                best = best.max(Scored { score: kernel::dot(vectors.row(row)?, query), row });
            }
            if best == before {
                break;
            }
        }
    }
    VISITED.with_borrow_mut(|(stamps, stamp)| {
        if stamps.len() < graph.rows() as usize {
            stamps.resize(graph.rows() as usize, 0);
        }
        *stamp = stamp.wrapping_add(1);
        if *stamp == 0 {
            stamps.fill(0);
            *stamp = 1;
        }
        lowest_layer(graph, vectors, query, keep, goal, best, stamps, *stamp)
    })
}

#[expect(clippy::too_many_arguments, reason = "one loop; the thread's visited stamps are passed in")]
fn lowest_layer(
    graph: &Graph,
    vectors: &impl Rows,
    query: &[f32],
    keep: &impl Fn(u32) -> bool,
    goal: Goal,
    start: Scored,
    stamps: &mut [u32],
    stamp: u32,
) -> Result<Outcome> {
    let ef = goal.ef.max(goal.k);
    let mut frontier = BinaryHeap::from([start]);
    let mut kept = BinaryHeap::with_capacity(ef + 1);
    if keep(start.row) {
        kept.push(Reverse(start));
    }
    stamps[start.row as usize] = stamp;
    let mut visits = 1;
    while let Some(next) = frontier.pop() {
        let full = kept.len() >= ef;
        if full && kept.peek().is_some_and(|Reverse(worst)| next < *worst) {
            break;
        }
        for &row in graph.near(next.row) {
            if std::mem::replace(&mut stamps[row as usize], stamp) == stamp {
                continue;
            }
            visits += 1;
            if visits > goal.most_visits {
                return Ok(Outcome { hits: Vec::new(), gave_up: true });
            }
            let found = Scored { score: kernel::dot(vectors.row(row)?, query), row };
            if kept.len() < ef || kept.peek().is_some_and(|Reverse(worst)| found > *worst) {
                frontier.push(found);
                if keep(row) {
                    kept.push(Reverse(found));
                    if kept.len() > ef {
                        kept.pop();
                    }
                }
            }
        }
    }
    let mut hits: Vec<Scored> = kept.into_iter().map(|Reverse(scored)| scored).collect();
    hits.sort_unstable_by(|a, b| b.cmp(a));
    hits.truncate(goal.k);
    Ok(Outcome { hits: hits.into_iter().map(|s| (s.score, s.row)).collect(), gave_up: false })
}
