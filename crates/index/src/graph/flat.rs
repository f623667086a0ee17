//! How is a graph laid out, in memory and on disk?
//!
//! Little-endian u32 after a magic: rows, entry, layers, recall points; then the recall curve as (ef, recall × 10,000);
//! then per layer its rows (none for layer 0, which has all), the ends of their links, and the links.

use safepassage_error::{Error, Result};

use super::builder::Links;
use super::search::{Goal, search};
use super::{Rows, calibrate::RecallPoint};

const MAGIC: &[u8; 8] = b"SPGRPH01";

/// One layer: the links of row `rows[i]` (of row i on layer 0) are `links[ends[i - 1]..ends[i]]`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layer {
    rows: Vec<u32>,
    ends: Vec<u32>,
    links: Vec<u32>,
}

impl Layer {
    fn of(&self, i: usize) -> &[u32] {
        let from = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.links[from as usize..self.ends[i] as usize]
    }
}

/// A graph over the rows of one segment.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Graph {
    rows: u32,
    entry: u32,
    layers: Vec<Layer>,
    /// Recall@10 measured at growing ef.
    pub(super) recall: Vec<RecallPoint>,
}

impl Graph {
    pub(super) fn from_links(links: Links) -> Self {
        let rows = links.layers.first().map_or(0, Vec::len) as u32;
        let flatten = |(depth, layer): (usize, Vec<(u32, Vec<u32>)>)| {
            let mut flat = Layer::default();
            for (row, near) in layer {
                flat.links.extend(near);
                flat.ends.push(flat.links.len() as u32);
                if depth > 0 {
                    flat.rows.push(row);
                }
            }
            flat
        };
        Self {
            rows,
            entry: links.entry,
            layers: links.layers.into_iter().enumerate().map(flatten).collect(),
            recall: Vec::new(),
        }
    }

    pub fn rows(&self) -> u32 {
        self.rows
    }

    pub(super) fn entry(&self) -> u32 {
        self.entry
    }

    pub(super) fn top_layer(&self) -> usize {
        self.layers.len().saturating_sub(1)
    }

    /// The links of `row` on the lowest layer.
    #[inline]
    pub(super) fn near(&self, row: u32) -> &[u32] {
        self.layers[0].of(row as usize)
    }

    /// The links of `row` on `layer` above the lowest; none if it is not on it.
    pub(super) fn near_on(&self, layer: usize, row: u32) -> &[u32] {
        let layer = &self.layers[layer];
        layer.rows.binary_search(&row).map_or(&[], |i| layer.of(i))
    }

    /// The smallest measured ef whose recall is halfway from `recall` to 1, or `None` if even the largest misses it:
    /// half of the allowed loss is kept for queries that are harder than the ones measured.
    pub fn ef_for(&self, recall: f32) -> Option<usize> {
        let wanted = recall + (1.0 - recall) / 2.0;
        self.recall.iter().find(|point| point.recall >= wanted).map(|point| point.ef)
    }

    fn unreachable(&self) -> (Vec<bool>, Vec<u32>) {
        let mut seen = vec![false; self.rows as usize];
        let mut open = vec![self.entry];
        seen[self.entry as usize] = true;
        while let Some(row) = open.pop() {
            for &next in self.near(row) {
                if !std::mem::replace(&mut seen[next as usize], true) {
                    open.push(next);
                }
            }
        }
        let missing = (0..self.rows).filter(|&row| !seen[row as usize]).collect();
        (seen, missing)
    }

    /// Links every row that cannot be reached from the entry to the nearest row that can.
    pub(super) fn connect_all(&mut self, vectors: impl Rows) -> Result<()> {
        loop {
            let (seen, missing) = self.unreachable();
            if missing.is_empty() {
                return Ok(());
            }
            let mut added = std::collections::BTreeMap::<u32, Vec<u32>>::new();
            for &row in &missing {
                let goal = Goal { k: 1, ef: 64, most_visits: u32::MAX };
                let keep = |candidate: u32| seen[candidate as usize];
                let near = search(self, &vectors, vectors.row(row)?, &keep, goal)?.hits;
                added.entry(near.first().map_or(self.entry, |(_, near)| *near)).or_default().push(row);
            }
            let old = std::mem::take(&mut self.layers[0]);
            let layer = &mut self.layers[0];
            for row in 0..self.rows {
                layer.links.extend_from_slice(old.of(row as usize));
                layer.links.extend(added.get(&row).into_iter().flatten());
                layer.ends.push(layer.links.len() as u32);
            }
        }
    }

    /// # Errors
    /// `Corrupted` if a row cannot be reached.
    pub fn verify_reachable(&self) -> Result<()> {
        match self.unreachable().1.first() {
            None => Ok(()),
            Some(row) => Err(Error::corrupted("verify graph", "a row cannot be reached").with("row", row)),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let mut put = |n: u32| out.extend_from_slice(&n.to_le_bytes());
        [self.rows, self.entry, self.layers.len() as u32, self.recall.len() as u32].into_iter().for_each(&mut put);
        for point in &self.recall {
            put(point.ef as u32);
            put((point.recall * 10_000.0) as u32);
        }
        for layer in &self.layers {
            [layer.rows.len(), layer.links.len()].into_iter().for_each(|n| put(n as u32));
            [&layer.rows, &layer.ends, &layer.links].into_iter().flatten().copied().for_each(&mut put);
        }
        out
    }

    /// Reads what [`Graph::encode`] wrote and checks every bound, so that searching need not.
    ///
    /// # Errors
    /// `Corrupted`.
    pub fn read(bytes: &[u8], rows: u32) -> Result<Self> {
        let corrupted = |what| Error::corrupted("read graph", what);
        let numbers = bytes.strip_prefix(MAGIC).filter(|rest| rest.len() % 4 == 0);
        let numbers = numbers.ok_or_else(|| corrupted("not a graph of this format"))?;
        let mut numbers = numbers.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let mut take = |n: u32| {
            let taken: Vec<u32> = numbers.by_ref().take(n as usize).collect();
            if taken.len() == n as usize { Ok(taken) } else { Err(corrupted("it ends too early")) }
        };
        let counts = take(4)?;
        let mut graph = Self { rows: counts[0], entry: counts[1], ..Self::default() };
        if graph.rows != rows || graph.entry >= rows || counts[2] == 0 {
            return Err(corrupted("counts do not match the segment"));
        }
        for _ in 0..counts[3] {
            let point = take(2)?;
            graph.recall.push(RecallPoint { ef: point[0] as usize, recall: point[1] as f32 / 10_000.0 });
        }
        for depth in 0..counts[2] {
            let sizes = take(2)?;
            let listed = take(sizes[0])?;
            let ends = take(if depth == 0 { rows } else { sizes[0] })?;
            let links = take(sizes[1])?;
            let fits = listed.is_sorted()
                && listed.iter().chain(&links).all(|&row| row < rows)
                && ends.is_sorted()
                && ends.last().copied().unwrap_or(0) == sizes[1];
            if !fits || (depth == 0 && !listed.is_empty()) {
                return Err(corrupted("rows, ends and links do not fit together"));
            }
            graph.layers.push(Layer { rows: listed, ends, links });
        }
        Ok(graph)
    }
}
