//! How alike are two vectors?
//!
//! The one place that calls SIMD: `simsimd` picks AVX-512, AVX2, NEON or SVE once for the machine. [`dot_scalar`] is
//! its twin and judge.

use simsimd::SpatialSimilarity;

/// The inner product of two vectors of the same length; for unit vectors their cosine.
#[inline]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    debug_assert_eq!(a.len(), b.len());
    // simsimd answers `None` only for unequal lengths, which the callers have checked once.
    <f32 as SpatialSimilarity>::dot(a, b).map_or(f32::NEG_INFINITY, |dot| dot as f32)
}

/// As [`dot`], one number after another in f64.
#[cfg(test)]
pub(crate) fn dot_scalar(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>() as f32
}

/// Whether `vector` is of unit norm already, to the last digits of f32.
pub(crate) fn is_unit(vector: &[f32]) -> bool {
    (vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() - 1.0).abs() < 1e-6
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

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(3), failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn simd_equals_scalar(pairs in proptest::collection::vec((-1f32..1.0, -1f32..1.0), 1..700)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let (fast, slow) = (dot(&a, &b), dot_scalar(&a, &b));
            prop_assert!((fast - slow).abs() <= 1e-4 * (1.0 + slow.abs()), "{fast} {slow}");
        }
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
