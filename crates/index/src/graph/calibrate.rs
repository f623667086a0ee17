//! Which ef gives which recall on this graph?
//!
//! Asks questions that lie between the rows (three parts of one row, one part of another, as queries are near but not
//! on the passages), compares with the exact answer, and notes recall@10 at growing ef. Both rows count as absent: with
//! them the walk would be led straight to the neighbourhood, as it is for no question from outside.

use rayon::prelude::*;
use safepassage_error::Result;

use super::search::{Goal, search};
use super::{Flat, Graph, Rows};
use crate::kernel;
use crate::search::TopK;

const QUESTIONS: usize = 96;
const K: usize = 10;
const EFS: [usize; 8] = [16, 32, 48, 64, 96, 160, 320, 640];

/// Recall@10 at one ef.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RecallPoint {
    pub ef: usize,
    pub recall: f32,
}

/// All rows but two, which are put as far from the question as can be.
struct Without<'a> {
    rows: Flat<'a>,
    absent: [u32; 2],
    opposite: Vec<f32>,
}

impl Rows for Without<'_> {
    fn row(&self, row: u32) -> Result<&[f32]> {
        if self.absent.contains(&row) { Ok(&self.opposite) } else { self.rows.row(row) }
    }
}

pub(super) fn measure(graph: &Graph, rows: Flat<'_>) -> Result<Vec<RecallPoint>> {
    let n = graph.rows();
    let stride = (n as usize / QUESTIONS).max(1) as u32;
    let question = |i: usize| {
        let (a, b) = (i as u32 * stride % n, (i as u32 * stride + n / 2 + 1) % n);
        let mix = rows.row(a)?.iter().zip(rows.row(b)?).map(|(x, y)| 0.75 * x + 0.25 * y);
        let mut mix: Vec<f32> = mix.collect();
        kernel::normalise(&mut mix);
        let opposite = mix.iter().map(|x| -x).collect();
        Ok((mix, Without { rows, absent: [a, b], opposite }))
    };
    let asked = (0..QUESTIONS).into_par_iter().map(|i| {
        let (question, others) = question(i)?;
        let mut top = TopK::new(K);
        for row in 0..n {
            top.push(kernel::dot(others.row(row)?, &question), row);
        }
        Ok((question, others, top.into_sorted()))
    });
    let asked = asked.collect::<Result<Vec<_>>>()?;
    let mut curve: Vec<RecallPoint> = Vec::new();
    for ef in EFS {
        let found = asked.par_iter().map(|(question, others, exact)| {
            let found = search(graph, others, question, &|_| true, Goal { k: K, ef, most_visits: u32::MAX })?;
            Ok(found.hits.iter().filter(|(_, row)| exact.iter().any(|(_, other)| other == row)).count())
        });
        let found: usize = found.collect::<Result<Vec<_>>>()?.into_iter().sum();
        let wanted: usize = asked.iter().map(|(_, _, exact)| exact.len()).sum();
        curve.push(RecallPoint { ef, recall: found as f32 / wanted.max(1) as f32 });
        if found == wanted {
            break;
        }
    }
    Ok(curve)
}
