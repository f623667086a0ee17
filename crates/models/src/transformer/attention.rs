//! Here are the queries, keys and values of one text: what does each token take from the others?
//!
//! Scaled dot-product attention (Vaswani et al. 2017, §3.2), one head after the other, in f32, without masks: every text
//! is computed at its own length.

use rten_gemm::{GemmInputA, GemmInputB, GemmOptions};
use rten_simd::SimdOp;
use rten_tensor::NdTensorView;
use rten_vecmath::Softmax;
use safepassage_error::Result;

use super::buffer::Buffer;
use super::linear::{Kernels, kernel_refused};

#[derive(Default)]
pub(super) struct Scratch {
    scores: Buffer<f32>,
    head: Buffer<f32>,
}

/// `qkv` is n × 3·hidden, row-major, of one text: queries, keys, values side by side; `context` is n × hidden.
pub(super) fn attend(
    kernels: &Kernels,
    heads: usize,
    hidden: usize,
    qkv: &[f32],
    context: &mut [f32],
    scratch: &mut Scratch,
) -> Result<()> {
    let tokens = qkv.len() / (3 * hidden);
    let width = hidden / heads;
    let scores_scale = 1.0 / (width as f32).sqrt();
    let all = NdTensorView::from_data([tokens, 3 * hidden], qkv);
    let (scores, head) = (scratch.scores.slice(tokens * tokens), scratch.head.slice(tokens * width));
    for first in (0..hidden).step_by(width) {
        let part = |offset: usize| all.slice((.., offset + first..offset + first + width));
        let (queries, keys, values) = (part(0), part(hidden), part(2 * hidden));
        let scaled = GemmOptions { alpha: scores_scale, ..GemmOptions::default() };
        kernels
            .float
            .gemm(scores, GemmInputA::Unpacked(queries), GemmInputB::Unpacked(keys.transposed()), scaled)
            .map_err(kernel_refused)?;
        for row in scores.chunks_exact_mut(tokens) {
            Softmax::new_mut(row).dispatch();
        }
        let weights = NdTensorView::from_data([tokens, tokens], &*scores);
        kernels
            .float
            .gemm(head, GemmInputA::Unpacked(weights), GemmInputB::Unpacked(values), GemmOptions::default())
            .map_err(kernel_refused)?;
        for (from, to) in head.chunks_exact(width).zip(context.chunks_exact_mut(hidden)) {
            to[first..first + width].copy_from_slice(from);
        }
    }
    Ok(())
}
