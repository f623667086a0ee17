//! Here are rows of numbers: what does this linear layer make of them?
//!
//! `out = input · weightᵀ + bias`, the weight packed once for the processor at hand. A float weight is multiplied in f32.
//! An int8 weight is multiplied with the rows quantised to u8, each by its own range, in exact integers; on a processor
//! whose int8 kernel may saturate (x86-64 without VNNI) it is turned into f32 when loaded.

use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::SimdOp;
use rten_tensor::NdTensorView;
use safepassage_error::{Error, Kind, Result};

use super::buffer::Buffer;
use super::rows::{Dequantise, quantise};
use super::weights::Matrix;

/// How int8 weights are multiplied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arithmetic {
    /// In int8 where the processor does it exactly, else in f32.
    #[default]
    Fastest,
    /// In f32: the reference that int8 is measured against.
    Float,
}

/// The matrix kernels of the processor at hand. Cheap to make, and made per batch: they do not move between threads.
pub(super) struct Kernels {
    pub float: GemmExecutor<f32>,
    int8: Option<GemmExecutor<u8, i8, i32>>,
}

impl Kernels {
    pub fn new(arithmetic: Arithmetic) -> Self {
        let int8 = GemmExecutor::<u8, i8, i32>::new();
        let use_int8 = arithmetic == Arithmetic::Fastest && !int8.may_saturate();
        Self { float: GemmExecutor::new(), int8: use_int8.then_some(int8) }
    }
}

/// Room for quantised rows, their scales and zero points, and their integer products.
#[derive(Default)]
pub(super) struct Scratch {
    bytes: Buffer<u8>,
    ranges: Buffer<(f32, u8)>,
    sums: Buffer<i32>,
}

/// Whether a layer's output replaces what is there or is added to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Replace,
    Add,
}

enum Weight {
    Float(PackedBMatrix<f32>),
    Int8 { packed: PackedBMatrix<i8>, scales: Vec<f32>, sums: Vec<i32> },
}

pub(super) struct Linear {
    weight: Weight,
    bias: Vec<f32>,
    inputs: usize,
}

impl Linear {
    /// Packs layers that read the same `inputs`-wide rows into one whose outputs stand side by side.
    ///
    /// Each part is `(weight, bias)`, the weight `bias.len()` × `inputs`.
    pub fn pack(kernels: &Kernels, parts: Vec<(Matrix, Vec<f32>)>, inputs: usize) -> Self {
        let all_int8 = parts.iter().all(|(weight, _)| matches!(weight, Matrix::Int8 { .. }));
        let (weights, biases): (Vec<Matrix>, Vec<Vec<f32>>) = parts.into_iter().unzip();
        let bias = biases.concat();
        let weight = match &kernels.int8 {
            Some(int8) if all_int8 => {
                let (mut all, mut all_scales) = (Vec::with_capacity(bias.len() * inputs), Vec::new());
                for weight in weights {
                    if let Matrix::Int8 { values, scales } = weight {
                        all.extend(values);
                        all_scales.extend(scales);
                    }
                }
                let view = NdTensorView::from_data([bias.len(), inputs], all.as_slice());
                let sums =
                    all.chunks_exact(inputs).map(|row| row.iter().map(|value| i32::from(*value)).sum()).collect();
                Weight::Int8 { packed: int8.prepack_b(view.transposed()), scales: all_scales, sums }
            }
            _ => {
                let all: Vec<f32> = weights.iter().flat_map(|weight| weight.to_floats(inputs)).collect();
                let view = NdTensorView::from_data([bias.len(), inputs], all.as_slice());
                Weight::Float(kernels.float.prepack_b(view.transposed()))
            }
        };
        Self { weight, bias, inputs }
    }

    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// `input` is n × inputs, `out` n × outputs, both row-major.
    pub fn apply(
        &self,
        kernels: &Kernels,
        input: &[f32],
        out: &mut [f32],
        write: Write,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let rows = input.len() / self.inputs;
        match (&self.weight, &kernels.int8) {
            (Weight::Float(packed), _) => {
                let options = GemmOptions {
                    beta: if write == Write::Add { 1.0 } else { 0.0 },
                    bias: Some(BiasVector::Row(&self.bias)),
                    ..GemmOptions::default()
                };
                let input = NdTensorView::from_data([rows, self.inputs], input);
                kernels
                    .float
                    .gemm(out, GemmInputA::Unpacked(input), GemmInputB::Packed(packed), options)
                    .map_err(kernel_refused)
            }
            (Weight::Int8 { packed, scales, sums: weight_sums }, Some(int8)) => {
                let bytes = scratch.bytes.slice(input.len());
                let ranges = scratch.ranges.slice(rows);
                let row_bytes = bytes.chunks_exact_mut(self.inputs);
                for ((row, bytes), range) in input.chunks_exact(self.inputs).zip(row_bytes).zip(ranges.iter_mut()) {
                    *range = quantise(row, bytes);
                }
                let sums = scratch.sums.slice(out.len());
                // The kernel is not given the zero points: rten-gemm 0.27 packs those of the first eight rows for all.
                let input = NdTensorView::from_data([rows, self.inputs], &*bytes);
                int8.gemm(sums, GemmInputA::Unpacked(input), GemmInputB::Packed(packed), GemmOptions::default())
                    .map_err(kernel_refused)?;
                let width = self.outputs();
                let rows = sums.chunks_exact(width).zip(ranges).zip(out.chunks_exact_mut(width));
                for ((sums, range), out) in rows {
                    let add = write == Write::Add;
                    let (scale, zero) = *range;
                    Dequantise { sums, weight_sums, zero, scale, scales, bias: &self.bias, out, add }.dispatch();
                }
                Ok(())
            }
            (Weight::Int8 { .. }, None) => {
                Err(Error::new(Kind::Internal, "embed", "int8 weights were packed for other kernels"))
            }
        }
    }
}

/// The shapes are fixed when a model is loaded, so this is a fault of ours.
pub(super) fn kernel_refused(error: rten_gemm::GemmError) -> Error {
    Error::new(Kind::Internal, "embed", "the matrix kernel refused its input").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        let hash = |i: usize| ((i * 31 + seed) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        (0..count).map(|i| hash(i) as f32 / (1u32 << 23) as f32 - 1.0).collect()
    }

    /// int8 weights of `outputs` × `inputs` with their bias, and the same in f32 as a plain loop sees them.
    fn layer(outputs: usize, inputs: usize) -> (Matrix, Vec<f32>, Vec<f32>) {
        let values: Vec<i8> = numbers(outputs * inputs, 1).iter().map(|value| (value * 127.0) as i8).collect();
        let scales: Vec<f32> = (0..outputs).map(|row| 0.001 * (row + 1) as f32).collect();
        let floats = values.iter().enumerate().map(|(i, value)| f32::from(*value) * scales[i / inputs]).collect();
        (Matrix::Int8 { values, scales }, numbers(outputs, 2), floats)
    }

    #[test]
    fn both_paths_equal_the_plain_loop() {
        for (rows, inputs, outputs) in [
            (1, 8, 4),
            (5, 32, 16),
            (7, 40, 33),
            (64, 384, 96),
            (9, 1536, 48),
            (130, 20, 200),
            (300, 384, 1152),
            (300, 1536, 384),
        ] {
            let (matrix, bias, floats) = layer(outputs, inputs);
            let input = numbers(rows * inputs, 3);
            for arithmetic in [Arithmetic::Fastest, Arithmetic::Float] {
                let kernels = Kernels::new(arithmetic);
                let matrix = match &matrix {
                    Matrix::Int8 { values, scales } => Matrix::Int8 { values: values.clone(), scales: scales.clone() },
                    Matrix::Float(values) => Matrix::Float(values.clone()),
                };
                let linear = Linear::pack(&kernels, vec![(matrix, bias.clone())], inputs);
                let mut out = vec![9.0; rows * outputs];
                linear.apply(&kernels, &input, &mut out, Write::Replace, &mut Scratch::default()).unwrap();
                let replaced = out.clone();
                linear.apply(&kernels, &input, &mut out, Write::Add, &mut Scratch::default()).unwrap();
                for row in 0..rows {
                    for column in 0..outputs {
                        let weights = &floats[column * inputs..(column + 1) * inputs];
                        let terms = weights.iter().zip(&input[row * inputs..(row + 1) * inputs]);
                        let expected = bias[column] + terms.map(|(a, b)| a * b).sum::<f32>();
                        // Half a step of 2/255 per input, as a random walk of `inputs` steps, six deviations.
                        let largest = weights.iter().fold(0f32, |most, value| most.max(value.abs()));
                        let tolerance = 0.004 * largest * (inputs as f32).sqrt() * 3.5 + 1e-4;
                        let at = row * outputs + column;
                        assert!(
                            (replaced[at] - expected).abs() <= tolerance,
                            "{arithmetic:?} {rows}×{inputs}×{outputs} at {row},{column}: {} is not {expected}",
                            replaced[at]
                        );
                        assert!(
                            (out[at] - 2.0 * replaced[at]).abs() <= 1e-4 * (1.0 + expected.abs()),
                            "adding doubles"
                        );
                    }
                }
            }
        }
    }
}
