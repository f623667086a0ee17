//! Walks the graph towards a question, keeping only rows that may be kept.
//!
//! Three ways, chosen by the planner: everything visible; *through* forbidden rows, which are scored and walked behind
//! but not kept; and *bridging*, where only visible rows are ever scored and forbidden ones are stepped over to their
//! neighbours when too few visible ones are at hand (ACORN-1, arXiv 2403.04871, bounded per node). Under a filter the
//! walk also starts from visible rows all over the segment, so that a forbidden topic does not hold it up. It stops when
//! it has scored more rows than the caller wants to pay for.

use std::cell::RefCell;

use safepassage_error::Result;

use super::Graph;
use super::builder::NONE;
use super::pool::Pool;
use super::visited::Visited;
use crate::code::Asked;

/// Visible rows that a filtered walk starts from.
const SEEDS: usize = 96;
/// A node with fewer visible neighbours than this is bridged to those behind the forbidden ones.
const ENOUGH: usize = 12;
/// A row with fewer visible links than this in one or two steps is a sign that the graph does not hold together where it lies.
const HARDLY_ANY: usize = 4;
/// How many rows one bridged node may bring.
const MOST_BRIDGED: usize = 32;

/// Which rows may be kept, and how the others are treated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Filter<'a> {
    Nothing,
    Through(Bits<'a>),
    Bridging(Bits<'a>),
}

/// A set of rows: bit row % 64 of word row / 64.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bits<'a> {
    pub words: &'a [u64],
    /// How many bits are set.
    pub len: u64,
}

impl Bits<'_> {
    #[inline]
    pub fn contains(&self, row: u32) -> bool {
        self.words.get(row as usize / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }
}

/// What is wanted and what may be spent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    /// How many kept rows are held while walking.
    pub ef: usize,
    /// How many rows may be scored.
    pub most_scored: u32,
}

/// What the walk found.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// At most ef rows with their scores by codes, best first.
    pub best: Vec<(i32, u32)>,
    /// How many rows were scored.
    pub scored: u32,
    /// Whether it is no answer: `most_scored` was reached, or too many rows were met that are cut off from others.
    pub gave_up: bool,
}

#[derive(Default)]
struct Scratch {
    pool: Pool,
    visited: Visited,
    rows: Vec<u32>,
    scores: Vec<i32>,
    forbidden: Vec<u32>,
    cut_off: CutOff,
}

/// How many rows were met that hardly lead to a visible one, even beyond the forbidden ones.
#[derive(Default)]
struct CutOff {
    bridged: u32,
    few: u32,
    hardly_any: bool,
}

impl CutOff {
    /// `reach`: the visible links in one or two steps from a row, with those that lead back to it or to the same row:
    /// where visible rows are sparse and few, rows without others near are no sign that anything is missing.
    fn saw(&mut self, reach: usize) {
        self.few += u32::from(reach < ENOUGH);
        self.hardly_any |= reach < HARDLY_ANY;
    }

    /// Whether the way to the nearest may be missing. Around a large tight forbidden topic a fifth of the rows lead to
    /// few and one in forty to hardly any; at the border of ordinary ones, one in twenty to few.
    fn too_many(&self) -> bool {
        self.hardly_any || self.few * 8 > self.bridged
    }
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// How much of the neighbourhood of a question may be kept: of the links of the row that the upper layers lead to.
pub(crate) fn local_share(graph: &Graph, asked: &impl Asked, bits: Bits<'_>) -> Result<f64> {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.visited.start(graph.rows());
        scratch.descend(graph, asked)?;
        let (mut kept, mut all) = (0u32, 0u32);
        for &row in graph.near(scratch.rows[0])?.iter().take_while(|&&row| row != NONE) {
            for &row in graph.near(row.min(graph.rows() - 1))?.iter().take(8).take_while(|&&row| row != NONE) {
                all += 1;
                kept += u32::from(bits.contains(row));
            }
        }
        Ok(f64::from(kept) / f64::from(all.max(1)))
    })
}

/// The best rows that `filter` keeps; `O(ef · width)` scores when nothing is forbidden.
pub(crate) fn walk(graph: &Graph, asked: &impl Asked, filter: Filter<'_>, goal: Goal) -> Result<Outcome> {
    SCRATCH.with_borrow_mut(|scratch| scratch.walk(graph, asked, filter, goal))
}

impl Scratch {
    fn walk(&mut self, graph: &Graph, asked: &impl Asked, filter: Filter<'_>, goal: Goal) -> Result<Outcome> {
        self.pool.start(goal.ef);
        self.visited.start(graph.rows());
        self.rows.clear();
        self.cut_off = CutOff::default();
        let mut scored = match filter {
            Filter::Bridging(_) => 0,
            _ => self.descend(graph, asked)?,
        };
        if let Filter::Through(bits) | Filter::Bridging(bits) = filter {
            self.seeds(graph, bits);
        }
        loop {
            scored += self.rows.len() as u32;
            if scored > goal.most_scored {
                return Ok(Outcome { best: Vec::new(), scored, gave_up: true });
            }
            asked.scores(&self.rows, &mut self.scores)?;
            let mut bar = self.pool.bar();
            for (&score, &row) in self.scores.iter().zip(&self.rows) {
                if score < bar {
                    continue;
                }
                let kept = match filter {
                    Filter::Through(bits) => bits.contains(row),
                    Filter::Nothing | Filter::Bridging(_) => true,
                };
                self.pool.push(score, row, kept);
                bar = self.pool.bar();
            }
            let Some(next) = self.pool.next() else { break };
            if let Some(then) = self.pool.peek() {
                graph.prefetch(then);
            }
            self.rows.clear();
            match filter {
                Filter::Bridging(bits) => self.bridge(graph, bits, next)?,
                Filter::Nothing | Filter::Through(_) => {
                    self.visited.meet_all(graph.near(next)?, |_| true, &mut self.rows);
                }
            }
        }
        Ok(Outcome { best: self.pool.kept().collect(), scored, gave_up: self.cut_off.too_many() })
    }

    /// Goes down the upper layers; the row arrived at is the first of `rows`. Returns how many were scored.
    fn descend(&mut self, graph: &Graph, asked: &impl Asked) -> Result<u32> {
        let mut scored = 0;
        let mut node = graph.entry();
        let mut row = graph.start();
        let mut best = None;
        for (depth, layer) in graph.upper().iter().enumerate().rev() {
            loop {
                let links = &layer.links[node as usize * layer.width..][..layer.width];
                let count = links.iter().position(|&link| link == NONE).unwrap_or(layer.width);
                self.rows.clear();
                if best.is_none() {
                    self.rows.push(row);
                }
                let first = self.rows.len();
                self.rows.extend(links[..count].iter().map(|&link| layer.rows[link as usize]));
                scored += self.rows.len() as u32;
                asked.scores(&self.rows, &mut self.scores)?;
                let before = node;
                let mut bar = best.unwrap_or_else(|| self.scores[0]);
                for (i, &score) in self.scores[first..].iter().enumerate() {
                    if score > bar {
                        (bar, node, row) = (score, links[i], self.rows[first + i]);
                    }
                }
                best = Some(bar);
                if node == before {
                    break;
                }
            }
            if depth > 0 {
                let below = &graph.upper()[depth - 1].rows;
                node = below.partition_point(|&other| other < row) as u32;
            }
        }
        self.rows.clear();
        self.visited.meet(row);
        self.rows.push(row);
        Ok(scored)
    }

    /// Adds visible rows from all over the segment.
    fn seeds(&mut self, graph: &Graph, bits: Bits<'_>) {
        let landmarks = graph.landmarks();
        let expected = landmarks.len() as u64 * bits.len / u64::from(graph.rows().max(1));
        let stride = (expected as usize / SEEDS).max(1);
        for &row in landmarks.iter().step_by(stride) {
            if bits.contains(row) && self.visited.meet(row) {
                self.rows.push(row);
            }
        }
        if self.rows.len() < SEEDS / 4 {
            self.seeds_of_words(bits);
        }
    }

    /// As [`Scratch::seeds`], where few landmarks are visible: the first visible row of words far apart.
    fn seeds_of_words(&mut self, bits: Bits<'_>) {
        let stride = (bits.words.len() / (SEEDS * 4)).max(1);
        for (i, word) in bits.words.iter().enumerate().step_by(stride).filter(|(_, word)| **word != 0).take(SEEDS) {
            let row = i as u32 * 64 + word.trailing_zeros();
            if self.visited.meet(row) {
                self.rows.push(row);
            }
        }
    }

    /// The visible neighbours of `node`, and if they are few, those behind its forbidden ones, nearest first.
    fn bridge(&mut self, graph: &Graph, bits: Bits<'_>, node: u32) -> Result<()> {
        self.cut_off.bridged += 1;
        let near = graph.near(node)?;
        self.visited.meet_all(near, |row| bits.contains(row), &mut self.rows);
        let links = || near.iter().copied().take_while(|&row| row != NONE);
        let visible = links().filter(|&row| bits.contains(row)).count();
        if visible >= ENOUGH {
            return Ok(());
        }
        self.forbidden.clear();
        self.forbidden.extend(links().filter(|&row| !bits.contains(row) && row < graph.rows()));
        for &row in &self.forbidden {
            graph.prefetch(row);
        }
        let mut reach = visible;
        for &over in &self.forbidden {
            let behind = graph.near(over)?;
            if reach < ENOUGH {
                reach += behind.iter().filter(|&&row| bits.contains(row)).count();
            }
            if self.visited.meet(over) {
                self.visited.meet_all(behind, |row| bits.contains(row), &mut self.rows);
            }
            if self.rows.len() >= MOST_BRIDGED {
                return Ok(());
            }
        }
        self.cut_off.saw(reach);
        Ok(())
    }
}
