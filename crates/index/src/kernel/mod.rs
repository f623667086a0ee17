//! How alike are two vectors?
//!
//! f32 by `simsimd`, which picks the instructions once for the machine. int8 by our own kernels where they are ahead of
//! it (AVX-512 VNNI: 10 ns against 17 for 384 numbers; AVX2), else by `simsimd` (NEON and the rest). [`Kernel`] is
//! picked once; every kernel is tested against [`dot_scalar`] and [`dot_i8_scalar`].

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod quantise;

use std::sync::OnceLock;

use simsimd::SpatialSimilarity;

pub(crate) use quantise::Quantised;

/// Rows of codes are padded with zeros to a multiple of this many bytes: one cache line.
pub(crate) const LINE: usize = 64;

/// A row of int8 codes, padded to [`LINE`], as the left side of many products.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    codes: Vec<i8>,
    /// The kernels with unsigned operands add 128 to every code of the right side; this takes it out again.
    sum_128: i32,
}

impl Left {
    /// An empty one, for [`Left::set`].
    pub fn with_stride(stride: usize) -> Self {
        Self { codes: vec![0; stride], sum_128: 0 }
    }

    /// Makes it the codes of `values`, which have not more numbers than the stride.
    pub fn quantise(&mut self, kernel: Kernel, values: &[f32], scale: f32) -> Quantised {
        let made = kernel.quantise(values, scale, &mut self.codes);
        self.codes[values.len()..].fill(0);
        self.sum_128 = 128 * made.sum;
        made
    }

    /// Takes over `codes`, which has the stride of this row, with the sum of its codes.
    #[inline]
    pub fn set(&mut self, codes: &[i8], sum: i32) {
        self.codes.copy_from_slice(codes);
        self.sum_128 = 128 * sum;
    }
}

/// Products of one row with many others.
type Dots = fn(&Left, &[i8], &[u32], &mut [i32]);

/// Makes codes of a vector.
type Quantise = fn(&[f32], f32, &mut [i8]) -> Quantised;

/// The fastest int8 kernels of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel {
    #[cfg_attr(not(test), expect(dead_code, reason = "tests tell which kernel failed"))]
    name: &'static str,
    dots: Dots,
    quantise: Quantise,
}

impl Kernel {
    /// Picked once for the process.
    pub fn get() -> Self {
        static PICKED: OnceLock<Kernel> = OnceLock::new();
        *PICKED.get_or_init(|| Self::all().remove(0))
    }

    /// Every kernel that this machine can run, fastest first.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if avx512::available() {
                all.push(Self { name: "avx512-vnni", dots: avx512::dots, quantise: avx512::quantise });
            }
            if avx2::available() {
                all.push(Self { name: "avx2", dots: avx2::dots, quantise: avx2::quantise });
            }
        }
        all.push(Self { name: "simsimd", dots: dots_simsimd, quantise: quantise::quantise });
        all
    }

    /// `out[i]` is the inner product of `left` with row `rows[i]` of `codes` (row-major, stride of `left`).
    ///
    /// # Panics
    /// If a row is beyond the end or the lengths differ: callers check rows once, and this keeps it memory-safe.
    #[inline]
    pub fn dots(self, left: &Left, codes: &[i8], rows: &[u32], out: &mut [i32]) {
        let count = codes.len() / left.codes.len().max(1);
        assert!(rows.len() == out.len() && rows.iter().all(|&row| (row as usize) < count), "a row beyond the codes");
        (self.dots)(left, codes, rows, out);
    }

    /// Puts `values` times `scale`, rounded and cut off at ±127, into the first of `out`; values are finite.
    ///
    /// # Panics
    /// If `out` is shorter than `values`.
    #[inline]
    pub fn quantise(self, values: &[f32], scale: f32, out: &mut [i8]) -> Quantised {
        (self.quantise)(values, scale, out)
    }
}

fn dots_simsimd(left: &Left, codes: &[i8], rows: &[u32], out: &mut [i32]) {
    let stride = left.codes.len();
    for (&row, out) in rows.iter().zip(out) {
        let right = &codes[row as usize * stride..][..stride];
        *out = <i8 as SpatialSimilarity>::dot(&left.codes, right).map_or(i32::MIN, |dot| dot as i32);
    }
}

/// Asks for the cache lines of `bytes` before they are needed.
#[inline]
pub(crate) fn prefetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    avx2::prefetch(bytes);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}

/// The inner product of two vectors of the same length; for unit vectors their cosine.
#[inline]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    debug_assert_eq!(a.len(), b.len());
    // simsimd answers `None` only for unequal lengths, which the callers have checked once.
    <f32 as SpatialSimilarity>::dot(a, b).map_or(f32::NEG_INFINITY, |dot| dot as f32)
}

/// The squared distance of two vectors of the same length.
#[inline]
pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    debug_assert_eq!(a.len(), b.len());
    <f32 as SpatialSimilarity>::l2sq(a, b).map_or(f32::INFINITY, |distance| distance as f32)
}

/// As [`dot`], one number after another in f64.
#[cfg(test)]
pub(crate) fn dot_scalar(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>() as f32
}

/// The judge of the int8 kernels.
#[cfg(test)]
pub(crate) fn dot_i8_scalar(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(x, y)| i32::from(*x) * i32::from(*y)).sum()
}

/// Whether `vector` is of unit norm already, to the last digits of f32.
pub(crate) fn is_unit(vector: &[f32]) -> bool {
    (dot(vector, vector) - 1.0).abs() < 1e-6
}

/// Scales `vector` to unit norm in place, if it is not; `false` (and no change) if it is zero or not finite.
pub(crate) fn normalise(vector: &mut [f32]) -> bool {
    if is_unit(vector) {
        return true;
    }
    // Four sums side by side.
    let mut sums = [0.0f64; 4];
    for part in vector.chunks(4) {
        part.iter().zip(&mut sums).for_each(|(x, sum)| *sum += f64::from(*x).powi(2));
    }
    let norm = sums.iter().sum::<f64>().sqrt();
    let usable = norm.is_finite() && norm > 1e-30;
    if usable {
        let inverse = 1.0 / norm;
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) * inverse) as f32);
    }
    usable
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn padded(codes: &[i8]) -> Vec<i8> {
        let mut padded = codes.to_vec();
        padded.resize(codes.len().next_multiple_of(LINE), 0);
        padded
    }

    fn sum(codes: &[i8]) -> i32 {
        codes.iter().map(|&code| i32::from(code)).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(3), failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn simd_equals_scalar(pairs in proptest::collection::vec((-1f32..1.0, -1f32..1.0), 1..700)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let (fast, slow) = (dot(&a, &b), dot_scalar(&a, &b));
            prop_assert!((fast - slow).abs() <= 1e-4 * (1.0 + slow.abs()), "{fast} {slow}");
            let slow: f32 = a.iter().zip(&b).map(|(x, y)| (x - y).powi(2)).sum();
            prop_assert!((squared_distance(&a, &b) - slow).abs() <= 1e-3 * (1.0 + slow));
        }

        #[test]
        fn every_int8_kernel_equals_scalar(
            rows in (1usize..500, 1usize..9).prop_flat_map(|(dim, n)| {
                proptest::collection::vec(proptest::collection::vec(any::<i8>(), dim), n)
            }),
        ) {
            let rows: Vec<Vec<i8>> = rows.iter().map(|row| padded(row)).collect();
            let flat = rows.concat();
            let asked: Vec<u32> = (0..rows.len() as u32).rev().chain([0]).collect();
            let mut left = Left::with_stride(rows[0].len());
            for kernel in Kernel::all() {
                for row in &rows {
                    left.set(row, sum(row));
                    let mut out = vec![0; asked.len()];
                    kernel.dots(&left, &flat, &asked, &mut out);
                    let right: Vec<i32> = asked.iter().map(|&r| dot_i8_scalar(row, &rows[r as usize])).collect();
                    prop_assert_eq!(&out, &right, "{}", kernel.name);
                }
            }
        }

        #[test]
        fn every_kernel_quantises_as_the_definition_says(
            values in proptest::collection::vec(-3f32..3.0, 1..200),
            scale in 1f32..90.0,
        ) {
            let codes: Vec<i8> = values.iter().map(|x| (x * scale).clamp(-127.0, 127.0).round_ties_even() as i8).collect();
            let length = |squares: f64| squares.sqrt();
            let decoded: Vec<f64> = codes.iter().map(|&code| f64::from(code) / f64::from(scale)).collect();
            let kept = length(decoded.iter().map(|x| x * x).sum());
            let missed = length(values.iter().zip(&decoded).map(|(x, y)| (f64::from(*x) - y).powi(2)).sum());
            for kernel in Kernel::all() {
                let mut out = vec![99; values.len() + 3];
                let made = kernel.quantise(&values, scale, &mut out);
                prop_assert_eq!(&out[..values.len()], &codes, "{}", kernel.name);
                prop_assert_eq!(&out[values.len()..], &[99; 3]);
                prop_assert_eq!(made.sum, sum(&codes));
                for (bound, length) in [(made.missed, missed), (made.kept, kept)] {
                    let bound = f64::from(bound);
                    prop_assert!(bound >= length && bound <= length * 1.0003 + 1e-5, "{} {bound} {length}", kernel.name);
                }
            }
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        for dim in [64, 384, 4096, 65_536] {
            for (a, b) in [(-128, -128), (-128, 127), (127, 127)] {
                let mut left = Left::with_stride(dim);
                left.set(&vec![a; dim], i32::from(a) * dim as i32);
                let right = vec![b; dim];
                for kernel in Kernel::all() {
                    let mut out = [0];
                    kernel.dots(&left, &right, &[0], &mut out);
                    assert_eq!(out[0], i32::from(a) * i32::from(b) * dim as i32, "{} {dim}", kernel.name);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "beyond")]
    fn a_row_beyond_the_end_is_never_read() {
        Kernel::get().dots(&Left::with_stride(LINE), &[0; 2 * LINE], &[2], &mut [0]);
    }

    #[test]
    fn what_has_no_direction_is_refused() {
        for mut bad in [vec![0.0; 3], vec![f32::NAN, 1.0], vec![f32::INFINITY, 1.0]] {
            assert!(!normalise(&mut bad));
        }
        let mut huge = vec![3e38f32, 3e38];
        assert!(normalise(&mut huge));
        assert!((dot(&huge, &huge) - 1.0).abs() < 1e-5);
    }
}
