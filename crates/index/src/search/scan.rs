//! Looks at every visible row: by exact vectors when they are few, else by codes, and then exactly at the best.
//!
//! The codes tell how far off they can be at most. When no row that was left out can still belong among the best, the
//! answer is exact and says so; when exactness was asked for, the rows that still could are scored exactly too.

use safepassage_access::Visible;
use safepassage_error::Result;

use super::rescore::{rescore, score_all};
use super::{TopK, wanted};
use crate::code::{Asked, Int8, Int8Asked};
use crate::graph::Pool;
use crate::segment::Vectors;

/// Up to this many visible rows exact vectors are no slower than codes.
const EXACT_UP_TO: u64 = 96;
/// Rows scored by codes at a time.
const BATCH: usize = 256;
/// Calls `each` with the visible rows, some hundreds at a time.
fn batches(visible: &Visible, mut each: impl FnMut(&[u32]) -> Result<()>) -> Result<()> {
    if visible.len() <= u64::from(visible.segment_rows() / 16) {
        return visible.list().chunks(BATCH).try_for_each(each);
    }
    let mut batch = Vec::with_capacity(BATCH + 64);
    for (at, &word) in (0..).step_by(64).zip(visible.words()) {
        let mut word = word;
        while word != 0 {
            batch.push(at + word.trailing_zeros());
            word &= word - 1;
        }
        if batch.len() >= BATCH {
            each(&batch)?;
            batch.clear();
        }
    }
    each(&batch)
}

/// Puts the best visible rows into `top`; whether it is certain that no better one exists.
pub(super) fn scan<T: Fn(u32) -> u64>(
    codes: Option<&Int8>,
    vectors: &Vectors,
    visible: &Visible,
    question: &[f32],
    k: usize,
    exactly: bool,
    top: &mut TopK<T>,
) -> Result<bool> {
    let Some(codes) = codes.filter(|_| visible.len() > EXACT_UP_TO.max(2 * wanted(k) as u64)) else {
        batches(visible, |rows| score_all(vectors, question, rows, top))?;
        return Ok(true);
    };
    let asked = codes.ask(question);
    let best = best_by_codes(&asked, visible, wanted(k))?;
    let scored = rescore(vectors, &asked, question, &best, top)?;
    let left_out = best.get(scored).or(best.last()).map_or(i32::MIN, |(score, _)| *score);
    let Some(needed) = top.bar().map(|bar| asked.at_least(bar)) else { return Ok(false) };
    if left_out < needed {
        return Ok(true);
    }
    if !exactly {
        return Ok(false);
    }
    let mut scores = Vec::new();
    batches(visible, |batch| {
        asked.scores(batch, &mut scores)?;
        let possible = scores
            .iter()
            .zip(batch)
            .filter(|(score, row)| **score >= needed && !best[..scored].iter().any(|(_, known)| known == *row));
        let possible: Vec<u32> = possible.map(|(_, row)| *row).collect();
        score_all(vectors, question, &possible, top)
    })?;
    Ok(true)
}

fn best_by_codes(asked: &Int8Asked<'_>, visible: &Visible, most: usize) -> Result<Vec<(i32, u32)>> {
    let mut pool = Pool::default();
    pool.start(most);
    let mut scores = Vec::with_capacity(BATCH + 64);
    batches(visible, |rows| {
        asked.scores(rows, &mut scores)?;
        let mut bar = pool.bar();
        for (&score, &row) in scores.iter().zip(rows) {
            if score >= bar {
                pool.push(score, row, true);
                bar = pool.bar();
            }
        }
        Ok(())
    })?;
    Ok(pool.kept().collect())
}
