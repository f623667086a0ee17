//! Puts the ranking by codes right with exact scores.

use safepassage_error::Result;

use super::TopK;
use crate::code::Int8Asked;
use crate::graph::Rows;

/// How many rows ahead exact vectors are asked for.
const AHEAD: usize = 4;

/// Pushes the exact scores of `rows`.
pub(super) fn score_all<T: Fn(u32) -> u64>(
    vectors: &impl Rows,
    question: &[f32],
    rows: &[u32],
    top: &mut TopK<T>,
) -> Result<()> {
    rows.iter().take(AHEAD).for_each(|&row| vectors.prefetch(row));
    for (i, &row) in rows.iter().enumerate() {
        if let Some(&later) = rows.get(i + AHEAD) {
            vectors.prefetch(later);
        }
        top.push(vectors.score(row, question)?, row);
    }
    Ok(())
}

/// Pushes the exact scores of `best`, which are in the order of their scores by codes, until the rest would hardly
/// change the best of them any more; returns how many were pushed.
pub(crate) fn rescore<T: Fn(u32) -> u64>(
    vectors: &impl Rows,
    asked: &Int8Asked<'_>,
    question: &[f32],
    best: &[(i32, u32)],
    top: &mut TopK<T>,
) -> Result<usize> {
    best.iter().take(AHEAD).for_each(|&(_, row)| vectors.prefetch(row));
    let mut needed = i32::MIN;
    for (i, &(score, row)) in best.iter().enumerate() {
        if score < needed {
            return Ok(i);
        }
        if let Some(&(_, later)) = best.get(i + AHEAD) {
            vectors.prefetch(later);
        }
        top.push(vectors.score(row, question)?, row);
        needed = top.bar().map_or(i32::MIN, |bar| asked.hardly_less(bar));
    }
    Ok(best.len())
}
