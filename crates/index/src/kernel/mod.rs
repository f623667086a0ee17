//! How alike are two vectors?
//!
//! f32 by `simsimd`, which picks the instructions once for the machine. int8 by our own kernels where they are ahead of
//! it (AVX-512 VNNI: 10 ns against 17 for 384 numbers; AVX2), else by `simsimd` (NEON and the rest). [`Kernel`] is
//! picked once; every kernel is tested against [`dot_scalar`] and [`dot_i8_scalar`].

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

use std::sync::OnceLock;

use simsimd::SpatialSimilarity;

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

    /// Takes over `codes`, which has the stride of this row.
    pub fn set(&mut self, codes: &[i8]) {
        self.set_summed(codes, codes.iter().map(|&c| i32::from(c)).sum());
    }

    /// As [`Left::set`], with the sum of the codes known.
    #[inline]
    pub fn set_summed(&mut self, codes: &[i8], sum: i32) {
        self.codes.copy_from_slice(codes);
        self.sum_128 = 128 * sum;
    }
}

/// Products of one row with many others.
type Dots = fn(&Left, &[i8], &[u32], &mut [i32]);

/// The fastest int8 kernel of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel {
    #[cfg_attr(not(test), expect(dead_code, reason = "tests tell which kernel failed"))]
    name: &'static str,
    dots: Dots,
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
                all.push(Self { name: "avx512-vnni", dots: avx512::dots });
            }
            if avx2::available() {
                all.push(Self { name: "avx2", dots: avx2::dots });
            }
        }
        all.push(Self { name: "simsimd", dots: dots_simsimd });
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

/// Scales `vector` to unit norm in place; `false` (and no change) if it is zero or not finite.
pub(crate) fn normalise(vector: &mut [f32]) -> bool {
    let norm = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let usable = norm.is_finite() && norm > 1e-30;
    if usable {
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32);
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
                    left.set(row);
                    let mut out = vec![0; asked.len()];
                    kernel.dots(&left, &flat, &asked, &mut out);
                    let right: Vec<i32> = asked.iter().map(|&r| dot_i8_scalar(row, &rows[r as usize])).collect();
                    prop_assert_eq!(&out, &right, "{}", kernel.name);
                }
            }
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        for dim in [64, 384, 4096, 65_536] {
            for (a, b) in [(-128, -128), (-128, 127), (127, 127)] {
                let mut left = Left::with_stride(dim);
                left.set(&vec![a; dim]);
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
