//! Looks at every visible row: by exact vectors when they are few, else by codes, and then exactly at the best.
//!
//! The answer is exact either way. Codes tell how far off they can be at most, so every row that could still belong
//! among the best is scored exactly; on real vectors that is three or so for each one wanted.

use std::borrow::Cow;

use safepassage_access::Visible;
use safepassage_error::Result;

use super::TopK;
use super::rescore::{rescore, score_all};
use crate::code::{Asked, Int8};
use crate::graph::{MOST_ROWS, Pool};
use crate::segment::Vectors;

/// Up to this many visible rows exact vectors are no slower than codes.
const EXACT_UP_TO: u64 = 96;
/// Rows scored by codes at a time.
const BATCH: usize = 256;

/// The visible rows, ascending: as they are remembered if they are a small part, else made for this scan.
fn rows_of(visible: &Visible) -> Cow<'_, [u32]> {
    if visible.len() <= u64::from(visible.segment_rows() / 16) {
        return visible.list().into();
    }
    let mut rows = Vec::with_capacity(visible.len() as usize);
    for (at, &word) in (0..).step_by(64).zip(visible.words()) {
        let mut word = word;
        while word != 0 {
            rows.push(at + word.trailing_zeros());
            word &= word - 1;
        }
    }
    rows.into()
}

/// Puts the `k` best visible rows into `top`; no better ones exist.
pub(super) fn scan<T: Fn(u32) -> u64>(
    codes: Option<&Int8>,
    vectors: &Vectors,
    visible: &Visible,
    question: &[f32],
    k: usize,
    top: &mut TopK<T>,
) -> Result<()> {
    let rows = rows_of(visible);
    let few = EXACT_UP_TO.max((k as u64).saturating_mul(4));
    let Some(codes) = codes.filter(|_| visible.len() > few && visible.segment_rows() <= MOST_ROWS) else {
        return score_all(vectors, question, &rows, top);
    };
    let asked = codes.ask(question);
    let mut pool = Pool::default();
    pool.start(k);
    let (mut scores, mut part) = (Vec::with_capacity(rows.len()), Vec::with_capacity(BATCH));
    for rows in rows.chunks(BATCH) {
        asked.scores(rows, &mut part)?;
        let mut bar = pool.bar();
        for (&score, &row) in part.iter().zip(rows) {
            if score >= bar {
                pool.push(score, row, true);
                bar = pool.bar();
            }
        }
        scores.extend_from_slice(&part);
    }
    let first: Vec<(i32, u32)> = pool.kept().collect();
    let best: Vec<u32> = first.iter().map(|(_, row)| *row).collect();
    score_all(vectors, question, &best, top)?;
    let needed = top.bar().map_or(i32::MIN, |bar| asked.at_least(bar));
    let mut possible = Vec::new();
    for (scores, rows) in scores.chunks(BATCH).zip(rows.chunks(BATCH)) {
        if scores.iter().any(|&score| score >= needed) {
            let enough = scores.iter().zip(rows).filter(|(score, _)| **score >= needed);
            possible.extend(enough.map(|(&score, &row)| (score, row)).filter(|found| !first.contains(found)));
        }
    }
    possible.sort_unstable_by_key(|&(score, row)| (std::cmp::Reverse(score), row));
    rescore(vectors, question, &possible, top, |bar| asked.at_least(bar))
}
