//! Writes a vector small: each number times a scale, rounded to int8, with what that leaves out.
//!
//! One plain loop over parts of 16 numbers, compiled once for each set of instructions.

/// What became of a vector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quantised {
    /// The length of what the codes leave out, and of what they keep: never less than they are.
    pub missed: f32,
    pub kept: f32,
    /// The sum of the codes.
    pub sum: i32,
}

/// Numbers taken together.
const PART: usize = 16;
/// Adding 1.5 × 2^23 rounds to the nearest whole number, whose last byte is then that of the sum.
const ROUND: f32 = 12_582_912.0;

/// Sums in parts, so that they can be made side by side.
#[derive(Default)]
struct Sums {
    missed: [f32; PART],
    kept: [f32; PART],
    codes: [i32; PART],
}

impl Sums {
    #[inline(always)]
    fn part(&mut self, values: &[f32; PART], scale: f32, step: f32) -> [i8; PART] {
        let mut codes = [0; PART];
        for i in 0..PART {
            let shifted = (values[i] * scale).clamp(-127.0, 127.0) + ROUND;
            let (decoded, code) = ((shifted - ROUND) * step, shifted.to_bits() as i8);
            let missed = values[i] - decoded;
            self.missed[i] += missed * missed;
            self.kept[i] += decoded * decoded;
            self.codes[i] += i32::from(code);
            codes[i] = code;
        }
        codes
    }
}

/// Puts the codes of `values` into the first of `out`; leaves the rest. Inlined into callers with more instructions.
#[inline(always)]
pub(super) fn quantise(values: &[f32], scale: f32, out: &mut [i8]) -> Quantised {
    let (mut sums, step) = (Sums::default(), 1.0 / scale);
    let (parts, rest) = values.as_chunks::<PART>();
    for (values, out) in parts.iter().zip(out.as_chunks_mut::<PART>().0) {
        *out = sums.part(values, scale, step);
    }
    let mut last = [0.0; PART];
    last[..rest.len()].copy_from_slice(rest);
    let last = sums.part(&last, scale, step);
    out[values.len() - rest.len()..values.len()].copy_from_slice(&last[..rest.len()]);
    // Upwards, whatever was rounded.
    let length = |parts: [f32; PART]| parts.iter().sum::<f32>().sqrt() * 1.0002 + 1e-7;
    Quantised { missed: length(sums.missed), kept: length(sums.kept), sum: sums.codes.iter().sum() }
}
