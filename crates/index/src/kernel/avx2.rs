//! AVX2: 16 products and their sums in pairs in one instruction.

use std::arch::x86_64::*;

use super::quantise::{self, Quantised};
use super::{LINE, Left};

/// How many rows ahead the memory is asked for.
const AHEAD: usize = 6;

pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx2")
}

/// Each of `rows` is within `codes`: [`super::Kernel::dots`] has checked it.
pub(super) fn dots(left: &Left, codes: &[i8], rows: &[u32], out: &mut [i32]) {
    // SAFETY: this function is only taken when `available` says so; rows and lengths were checked by the caller.
    unsafe { dots_avx2(left, codes, rows, out) }
}

pub(super) fn quantise(values: &[f32], scale: f32, out: &mut [i8]) -> Quantised {
    #[target_feature(enable = "avx2")]
    fn with_avx2(values: &[f32], scale: f32, out: &mut [i8]) -> Quantised {
        quantise::quantise(values, scale, out)
    }
    // SAFETY: this function is only taken when `available` says so.
    unsafe { with_avx2(values, scale, out) }
}

#[target_feature(enable = "avx2")]
unsafe fn dots_avx2(left: &Left, codes: &[i8], rows: &[u32], out: &mut [i32]) {
    let stride = left.codes.len();
    let query = left.codes.as_ptr();
    let bytes: &[u8] = bytemuck::cast_slice(codes);
    for (i, &row) in rows.iter().enumerate() {
        if let Some(&later) = rows.get(i + AHEAD) {
            prefetch(&bytes[later as usize * stride..][..stride]);
        }
        // SAFETY: the row lies within `codes` (checked by the caller) and the stride is a multiple of 64.
        out[i] = unsafe {
            let row = codes.as_ptr().add(row as usize * stride);
            let mut sum = _mm256_setzero_si256();
            for byte in (0..stride).step_by(16) {
                let a = _mm256_cvtepi8_epi16(_mm_loadu_si128(row.add(byte).cast()));
                let b = _mm256_cvtepi8_epi16(_mm_loadu_si128(query.add(byte).cast()));
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
            }
            let halves = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
            let pairs = _mm_add_epi32(halves, _mm_shuffle_epi32::<0b01_00_11_10>(halves));
            _mm_cvtsi128_si32(_mm_add_epi32(pairs, _mm_shuffle_epi32::<0b10_11_00_01>(pairs)))
        };
    }
}

/// Asks for the cache lines of `bytes`.
#[inline]
pub(super) fn prefetch(bytes: &[u8]) {
    for line in bytes.chunks(LINE) {
        // SAFETY: the address is that of a live slice, and a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
}
