//! Puts the ranking by codes right with exact scores.

use safepassage_error::Result;

use super::TopK;
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

/// Pushes the exact scores of `best`, which are in the order of their scores by codes, until the rest cannot change the
/// best of them any more: until their score by codes is below what `least` says that an exact score needs.
pub(crate) fn rescore<T: Fn(u32) -> u64>(
    vectors: &impl Rows,
    question: &[f32],
    best: &[(i32, u32)],
    top: &mut TopK<T>,
    least: impl Fn(f32) -> i32,
) -> Result<()> {
    best.iter().take(AHEAD).for_each(|&(_, row)| vectors.prefetch(row));
    for (i, &(score, row)) in best.iter().enumerate() {
        if top.bar().is_some_and(|bar| score < least(bar)) {
            return Ok(());
        }
        if let Some(&(_, later)) = best.get(i + AHEAD) {
            vectors.prefetch(later);
        }
        top.push(vectors.score(row, question)?, row);
    }
    Ok(())
}
