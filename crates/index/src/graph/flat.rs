//! How is a graph laid out, in memory and on disk?
//!
//! `graph.bin`: the lowest layer, rows × width little-endian u32, the best link first, filled up with [`NONE`]; mapped
//! and checked page by page. `layers.bin`: everything else (counts, recall curves, upper layers), small, read and
//! checked when the graph is opened.

use bytes::Bytes;
use safepassage_error::{Error, Result};

use super::builder::{Links, NONE, Upper};
use super::curve::Curve;
use super::pool::MOST_ROWS;
use crate::blocks::CheckedBytes;

const MAGIC: &[u8; 8] = b"SPGRPH02";
/// A graph on which no walk reaches it is not kept.
const LEAST_RECALL: f32 = 0.5;

/// A graph over the rows of one segment.
#[derive(Debug)]
pub(crate) struct Graph {
    lowest: CheckedBytes,
    rows: u32,
    width: usize,
    upper: Vec<Upper>,
    /// A node of the highest layer.
    entry: u32,
    /// What was measured on it, for each kind of filter.
    pub(super) curves: Vec<Curve>,
    /// What a row costs on a scan by codes: nanoseconds of one core, measured when the graph was built.
    pub(super) scan_ns: f32,
}

struct Owned(Vec<u32>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

impl Graph {
    pub(super) fn made_here(links: Links, rows: u32) -> Self {
        let lowest = CheckedBytes::made_here(Bytes::from_owner(Owned(links.lowest)));
        Self {
            lowest,
            rows,
            width: links.width,
            upper: links.upper,
            entry: links.entry,
            curves: Vec::new(),
            scan_ns: 1.0,
        }
    }

    /// What a row costs on a scan by codes: nanoseconds of one core.
    pub fn scan_ns(&self) -> f32 {
        self.scan_ns
    }

    /// What was measured for a share of visible rows near `share`.
    pub fn measured(&self, share: f64, bridging: bool, own_topic: bool) -> Option<&Curve> {
        let far = |curve: &Curve| (f64::from(curve.kind.share) / share).ln().abs();
        let fits = |curve: &&Curve| match curve.kind.share < 1.0 {
            true => curve.kind.bridging == bridging && curve.kind.own_topic == own_topic && share < 1.0,
            false => share >= 1.0 && !bridging,
        };
        self.curves.iter().filter(fits).min_by(|a, b| far(a).total_cmp(&far(b)))
    }

    /// Whether any kind of walk finds most of what is near: on rows without any structure none does, and the scan
    /// answers.
    pub fn is_worth_keeping(&self) -> bool {
        self.curves.iter().flat_map(|curve| &curve.points).any(|point| point.recall >= LEAST_RECALL)
    }

    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// The nearest layer above the lowest: every sixteenth row or so.
    pub(super) fn landmarks(&self) -> &[u32] {
        self.upper.first().map_or(&[], |layer| &layer.rows)
    }

    pub(super) fn upper(&self) -> &[Upper] {
        &self.upper
    }

    pub(super) fn entry(&self) -> u32 {
        self.entry
    }

    /// The links of `row` on the lowest layer; ends at the first [`NONE`].
    ///
    /// # Errors
    /// `Corrupted` if the bytes are not what was written.
    #[inline]
    pub(super) fn near(&self, row: u32) -> Result<&[u32]> {
        let bytes = self.width * 4;
        let from = row as usize * bytes;
        let near = self.lowest.get(from..from + bytes)?;
        bytemuck::try_cast_slice(near).map_err(|_| Error::corrupted("read graph", "the file is not aligned for u32"))
    }

    /// Asks for the links of `row` before they are needed.
    #[inline]
    pub(super) fn prefetch(&self, row: u32) {
        let bytes = self.width * 4;
        let from = row as usize * bytes;
        if let Some(near) = self.lowest.touched().get(from..from + bytes) {
            crate::kernel::prefetch(near);
        }
    }

    /// # Errors
    /// `Corrupted` if a link leads nowhere or a row cannot be reached.
    pub fn verify(&self) -> Result<()> {
        let links = (0..self.rows).map(|row| self.near(row));
        let mut flat = Vec::with_capacity(self.rows as usize * self.width);
        for near in links {
            flat.extend_from_slice(near?);
        }
        if flat.iter().any(|&link| link != NONE && link >= self.rows) {
            return Err(Error::corrupted("verify graph", "a link leads nowhere"));
        }
        match super::connect::unreachable(&flat, self.width, self.start()).first() {
            None => Ok(()),
            Some(row) => Err(Error::corrupted("verify graph", "a row cannot be reached").with("row", row)),
        }
    }

    /// Checks some pages that nobody has read yet.
    pub fn check_ahead(&self) -> Result<()> {
        self.lowest.check_ahead()
    }

    /// The row behind the entry.
    pub(super) fn start(&self) -> u32 {
        self.upper.last().map_or(self.entry, |top| top.rows[self.entry as usize])
    }

    /// The bytes of `graph.bin`.
    pub fn lowest(&self) -> &[u8] {
        self.lowest.touched()
    }

    /// The bytes of `layers.bin`.
    pub fn encode_layers(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let mut put = |n: u32| out.extend_from_slice(&n.to_le_bytes());
        let counts = [self.rows, self.width as u32, self.entry, self.curves.len() as u32, self.upper.len() as u32];
        counts.into_iter().for_each(&mut put);
        put(self.scan_ns.to_bits());
        self.curves.iter().flat_map(Curve::numbers).for_each(&mut put);
        for layer in &self.upper {
            [layer.rows.len() as u32, layer.width as u32].into_iter().for_each(&mut put);
            layer.rows.iter().chain(&layer.links).copied().for_each(&mut put);
        }
        out
    }

    /// Opens `graph.bin` with what [`Graph::encode_layers`] wrote.
    ///
    /// # Errors
    /// `Corrupted`.
    pub fn open(lowest: CheckedBytes, layers: &[u8], rows: u32) -> Result<Self> {
        let corrupted = |what| Error::corrupted("open graph", what);
        let numbers = layers.strip_prefix(MAGIC).filter(|rest| rest.len() % 4 == 0);
        let numbers = numbers.ok_or_else(|| corrupted("not a graph of this format"))?;
        let mut numbers = numbers.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let mut take = |n: u64| {
            let n = usize::try_from(n).unwrap_or(usize::MAX);
            let taken: Vec<u32> = numbers.by_ref().take(n).collect();
            if taken.len() == n { Ok(taken) } else { Err(corrupted("it ends too early")) }
        };
        let counts = take(5)?;
        let (width, entry) = (counts[1] as usize, counts[2]);
        let fits = counts[0] == rows
            && (1..=MOST_ROWS).contains(&rows)
            && width > 0
            && lowest.len() as u64 == u64::from(rows) * width as u64 * 4;
        if !fits {
            return Err(corrupted("counts do not match the segment"));
        }
        let scan_ns = f32::from_bits(take(1)?[0]);
        let curves: Vec<Curve> = (0..counts[3]).map(|_| Curve::read(&mut take)).collect::<Result<_>>()?;
        if !curves.iter().map(|curve| curve.ns).chain([scan_ns]).all(|ns| ns > 0.0) {
            return Err(corrupted("a cost is not above zero"));
        }
        let mut upper: Vec<Upper> = Vec::new();
        for _ in 0..counts[4] {
            let sizes = take(2)?;
            let layer = Upper {
                width: sizes[1] as usize,
                rows: take(sizes[0].into())?,
                links: take(u64::from(sizes[0]) * u64::from(sizes[1]))?,
            };
            let below = |row: &u32| match upper.last() {
                None => *row < rows,
                Some(lower) => lower.rows.binary_search(row).is_ok(),
            };
            let fits = layer.rows.windows(2).all(|pair| pair[0] < pair[1])
                && layer.rows.iter().all(below)
                && layer.links.iter().all(|&node| node == NONE || node < sizes[0]);
            if !fits {
                return Err(corrupted("rows and links of a layer do not fit together"));
            }
            upper.push(layer);
        }
        let nodes = upper.last().map_or(rows as usize, |top| top.rows.len());
        if numbers.next().is_some() || entry as usize >= nodes {
            return Err(corrupted("its end or its entry does not fit"));
        }
        Ok(Self { lowest, rows, width, upper, entry, curves, scan_ns })
    }
}
