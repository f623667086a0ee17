//! The arithmetic on single rows: quantise, dequantise, normalise.
//!
//! Vectorised for the processor at hand by `rten-simd`, so that safe code built for any x86-64 uses AVX-512.

use rten_simd::ops::{BitOps, FloatOps, NarrowSaturate, NumOps, ToFloat};
use rten_simd::{Isa, SimdOp};
use rten_vecmath::{MinMax, Normalize, NormalizeOptions, Sum, SumSquareSub};

/// Writes `row` to `out` as `u8` and gives `(scale, zero point)`: `row[i] ≈ (out[i] − zero) · scale`.
///
/// The range is the row's own and includes 0. A row that is not finite gives a scale that is not.
pub(super) fn quantise(row: &[f32], out: &mut [u8]) -> (f32, u8) {
    let (low, high) = MinMax::new(row).dispatch();
    let (low, high) = (low.min(0.0), high.max(0.0));
    // The minimum and the maximum skip NaN, the sum keeps it: 0 · NaN is NaN, 0 · finite adds nothing.
    let scale = (high - low) / 255.0 + 0.0 * Sum::new(row).dispatch();
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let zero = (-low * inverse).round_ties_even() as u8;
    Quantise { row, out, inverse, zero: i32::from(zero) }.dispatch();
    (scale, zero)
}

/// `out[i] = round(row[i] · inverse) + zero`, saturating. Both slices have one length.
///
/// As `rten_vecmath::Quantize`, whose closures are calls of their own in our builds and cost twice the time.
struct Quantise<'a> {
    row: &'a [f32],
    out: &'a mut [u8],
    inverse: f32,
    zero: i32,
}

impl SimdOp for Quantise<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Self { row, out, inverse, zero } = self;
        let (float, int, short, byte) = (isa.f32(), isa.i32(), isa.i16(), isa.u8());
        let lanes = float.len();
        let whole = out.len() / (4 * lanes) * 4 * lanes;
        let (factor, offset) = (float.splat(inverse), int.splat(zero));
        for at in (0..whole).step_by(4 * lanes) {
            let [a, b, c, d] = float.load_many::<4>(&row[at..at + 4 * lanes]);
            let a = int.add(float.to_int_round(float.mul(a, factor)), offset);
            let b = int.add(float.to_int_round(float.mul(b, factor)), offset);
            let c = int.add(float.to_int_round(float.mul(c, factor)), offset);
            let d = int.add(float.to_int_round(float.mul(d, factor)), offset);
            let quantised = short.narrow_saturate(int.narrow_saturate(a, b), int.narrow_saturate(c, d));
            byte.store(quantised, &mut out[at..at + 4 * lanes]);
        }
        for (value, byte) in row[whole..].iter().zip(&mut out[whole..]) {
            *byte = ((value * inverse).round_ties_even() as i32 + zero).clamp(0, 255) as u8;
        }
    }
}

/// `out[i] = (sums[i] − zero · weight_sums[i]) · scale · scales[i] + bias[i]`, plus what `out[i]` was if `add`.
///
/// `sums[i]` is the product of a quantised row with the i-th row of weights, `weight_sums[i]` the sum of those weights:
/// the row's zero point is taken out here, in integers. All slices have one length.
pub(super) struct Dequantise<'a> {
    pub sums: &'a [i32],
    pub weight_sums: &'a [i32],
    pub zero: u8,
    pub scale: f32,
    pub scales: &'a [f32],
    pub bias: &'a [f32],
    pub out: &'a mut [f32],
    pub add: bool,
}

impl SimdOp for Dequantise<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Self { sums, weight_sums, zero, scale, scales, bias, out, add } = self;
        let zero = i32::from(zero);
        let (float, int) = (isa.f32(), isa.i32());
        let lanes = float.len();
        let whole = out.len() / lanes * lanes;
        let row_scale = float.splat(scale);
        let row_zero = int.splat(zero);
        for at in (0..whole).step_by(lanes) {
            let lane = at..at + lanes;
            let scales = float.mul(row_scale, float.load(&scales[lane.clone()]));
            let bias = float.load(&bias[lane.clone()]);
            let before = if add { float.load(&out[lane.clone()]) } else { float.zero() };
            let offset = int.mul(row_zero, int.load(&weight_sums[lane.clone()]));
            let sums = int.to_float(int.sub(int.load(&sums[lane.clone()]), offset));
            float.store(float.mul_add(sums, scales, float.add(bias, before)), &mut out[lane]);
        }
        for at in whole..out.len() {
            let before = if add { out[at] } else { 0.0 };
            let sum = sums[at] - zero * weight_sums[at];
            out[at] = (sum as f32).mul_add(scale * scales[at], bias[at] + before);
        }
    }
}

/// Layer normalisation with learned weight and bias, of each row of `rows` in place.
pub(super) struct LayerNorm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub epsilon: f32,
}

impl LayerNorm {
    pub fn apply(&self, rows: &mut [f32]) {
        let columns = self.weight.len();
        for row in rows.chunks_exact_mut(columns) {
            let mean = Sum::new(row).dispatch() / columns as f32;
            let variance = SumSquareSub::new(row, mean).dispatch() / columns as f32;
            let options = NormalizeOptions {
                pre_scale_bias: mean,
                scale: 1.0 / (variance + self.epsilon).sqrt(),
                element_scale: Some(&self.weight),
                bias: 0.0,
                element_bias: Some(&self.bias),
            };
            Normalize::new_mut(row, options).dispatch();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers in −1..1 from a fixed sequence.
    fn row(length: usize) -> Vec<f32> {
        (0..length).map(|i| ((i * 7919 + 13) % 1000) as f32 / 500.0 - 1.0).collect()
    }

    #[test]
    fn quantised_rows_are_within_half_a_step_for_every_length() {
        for length in [1, 3, 15, 16, 17, 64, 384, 385] {
            let row = row(length);
            let mut out = vec![7; length];
            let (scale, zero) = quantise(&row, &mut out);
            for (value, byte) in row.iter().zip(&out) {
                let back = (f32::from(*byte) - f32::from(zero)) * scale;
                assert!((back - value).abs() <= scale * 0.501 + 1e-6, "{value} became {back}, scale {scale}");
            }
        }
    }

    #[test]
    fn a_row_that_is_not_finite_stays_so() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 20, 39] {
                let mut row = row(40);
                row[at] = bad;
                assert!(!quantise(&row, &mut [0; 40]).0.is_finite(), "{bad} at {at}");
            }
        }
    }

    #[test]
    fn a_row_of_zeros_is_exact() {
        let mut out = [9; 20];
        assert_eq!(quantise(&[0.0; 20], &mut out), (0.0, 0));
        assert_eq!(out, [0; 20]);
    }

    #[test]
    fn dequantise_equals_the_plain_loop() {
        for length in [1, 15, 16, 33] {
            let sums: Vec<i32> = (0..length).map(|i| i * 1000 - 7000).collect();
            let (scales, bias) = (row(sums.len()), row(sums.len() + 1)[1..].to_vec());
            for add in [false, true] {
                let before = row(sums.len());
                let mut out = before.clone();
                let weight_sums: Vec<i32> = sums.iter().map(|sum| sum / 3 - 5).collect();
                Dequantise {
                    sums: &sums,
                    weight_sums: &weight_sums,
                    zero: 3,
                    scale: 0.01,
                    scales: &scales,
                    bias: &bias,
                    out: &mut out,
                    add,
                }
                .dispatch();
                for i in 0..sums.len() {
                    let expected = (sums[i] - 3 * weight_sums[i]) as f32 * 0.01 * scales[i]
                        + bias[i]
                        + if add { before[i] } else { 0.0 };
                    assert!((out[i] - expected).abs() < 1e-4, "{} is not {expected}", out[i]);
                }
            }
        }
    }
}
