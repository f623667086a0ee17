//! The seam behind which graphs are built: rows in, links out.
//!
//! Today hnsw_rs. It works on shared locks and spins up all cores, so the graph differs from run to run.

use hnsw_rs::prelude::{Distance, Hnsw};

use super::{Flat, GraphSettings};
use crate::kernel;

const MOST_LAYERS: usize = 16;

/// What a builder gives: for every layer, lowest first, the links of each row on it; and where to enter.
pub(super) struct Links {
    pub entry: u32,
    pub layers: Vec<Vec<(u32, Vec<u32>)>>,
}

/// One minus the cosine; hnsw_rs panics on negative distances, so rounding is cut off at zero.
#[derive(Clone, Copy)]
struct Cosine;

impl Distance<f32> for Cosine {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        (1.0 - kernel::dot(a, b)).max(0.0)
    }
}

pub(super) fn build(rows: Flat<'_>, settings: &GraphSettings) -> Links {
    let n = rows.values.len() / rows.dim;
    let hnsw = Hnsw::<f32, Cosine>::new(settings.m, n, MOST_LAYERS, settings.ef_construction, Cosine);
    let numbered: Vec<(&[f32], usize)> = rows.values.chunks_exact(rows.dim).zip(0..).collect();
    hnsw.parallel_insert_slice(&numbered);

    let mut links = Links { entry: 0, layers: Vec::new() };
    let mut highest = 0;
    for point in hnsw.get_point_indexation() {
        let row = point.get_origin_id() as u32;
        let top = usize::from(point.get_point_id().0);
        if links.layers.len() <= top {
            links.layers.resize_with(top + 1, Vec::new);
        }
        if top > highest || links.layers[0].is_empty() {
            (highest, links.entry) = (top.max(highest), row);
        }
        for (layer, near) in point.get_neighborhood_id().into_iter().enumerate().take(top + 1) {
            let near = near.into_iter().map(|neighbour| neighbour.d_id as u32).collect();
            links.layers[layer].push((row, near));
        }
    }
    links.layers.iter_mut().for_each(|layer| layer.sort_unstable_by_key(|(row, _)| *row));
    links
}
