//! The seam behind which graphs are built: codes in, links out.
//!
//! Ours ([`super::insert`]) unless the settings say otherwise; with the feature `hnsw_rs` also that crate, as the judge
//! of ours.

#[cfg(feature = "hnsw_rs")]
use super::GraphSettings;
#[cfg(feature = "hnsw_rs")]
use crate::code::Int8Writer;

/// No link: fills up a row's list.
pub(crate) const NONE: u32 = u32::MAX;

/// What a builder gives.
#[derive(Debug)]
pub(crate) struct Links {
    /// Links per row on the lowest layer.
    pub width: usize,
    /// rows × width, the best first, filled up with [`NONE`].
    pub lowest: Vec<u32>,
    /// The layers above, lowest first.
    pub upper: Vec<Upper>,
    /// Where to begin: a node of the highest layer.
    pub entry: u32,
}

/// A layer above the lowest. Links are between its nodes; node i is row `rows[i]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upper {
    pub width: usize,
    pub rows: Vec<u32>,
    /// nodes × width, filled up with [`NONE`].
    pub links: Vec<u32>,
}

/// Who builds the graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Builder {
    /// Ours: on int8 codes.
    #[default]
    Own,
    /// hnsw_rs on f32: several times slower, not the same from run to run; cosine and unit vectors only.
    #[cfg(feature = "hnsw_rs")]
    HnswRs,
}

/// As [`super::insert::build`], by hnsw_rs.
#[cfg(feature = "hnsw_rs")]
pub(super) fn hnsw_rs(codes: &Int8Writer, settings: &GraphSettings) -> Links {
    use hnsw_rs::prelude::{Distance, Hnsw};

    /// The squared distance of codes; hnsw_rs panics on NaN and negative distances, which this never is.
    #[derive(Clone, Copy)]
    struct Squared;
    impl Distance<i8> for Squared {
        fn eval(&self, a: &[i8], b: &[i8]) -> f32 {
            <i8 as simsimd::SpatialSimilarity>::l2sq(a, b).map_or(f32::MAX, |distance| distance as f32)
        }
    }

    let n = codes.rows as usize;
    let hnsw = Hnsw::<i8, Squared>::new(settings.m, n, 16, settings.ef_construction, Squared);
    let numbered: Vec<(&[i8], usize)> = (0..codes.rows).map(|row| (codes.row(row), row as usize)).collect();
    hnsw.parallel_insert_slice(&numbered);

    let mut layers: Vec<Vec<(u32, Vec<u32>)>> = Vec::new();
    let mut entry = (0, 0);
    for point in hnsw.get_point_indexation() {
        let (row, top) = (point.get_origin_id() as u32, usize::from(point.get_point_id().0));
        entry = entry.max((top, row));
        if layers.len() <= top {
            layers.resize_with(top + 1, Vec::new);
        }
        for (layer, near) in point.get_neighborhood_id().into_iter().enumerate().take(top + 1) {
            layers[layer].push((row, near.into_iter().map(|neighbour| neighbour.d_id as u32).collect()));
        }
    }
    let mut flat = layers.into_iter().enumerate().map(|(depth, mut layer)| {
        layer.sort_unstable_by_key(|(row, _)| *row);
        let rows: Vec<u32> = layer.iter().map(|(row, _)| *row).collect();
        let width = if depth == 0 { settings.m * 2 } else { settings.m };
        let node = |row: &u32| rows.binary_search(row).ok().map(|node| node as u32);
        let filled = |near: &Vec<u32>| {
            let near: Vec<u32> = near.iter().filter_map(node).chain(std::iter::repeat(NONE)).take(width).collect();
            near
        };
        Upper { width, links: layer.iter().flat_map(|(_, near)| filled(near)).collect(), rows }
    });
    let lowest = flat.next().map(|layer| layer.links).unwrap_or_default();
    let upper: Vec<Upper> = flat.collect();
    let entry = upper.last().map_or(entry.1, |top| top.rows.partition_point(|&row| row < entry.1) as u32);
    Links { width: settings.m * 2, lowest, upper, entry }
}
