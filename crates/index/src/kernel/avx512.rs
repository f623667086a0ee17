//! AVX-512 VNNI: 64 products and their sums in one instruction.

use std::arch::x86_64::*;

use super::quantise::{self, Quantised};
use super::{LINE, Left};

/// Rows taken together, to hide the latency of each sum and share the loads of the left side.
const TOGETHER: usize = 4;
/// How many rows ahead the memory is asked for.
const AHEAD: usize = 16;

pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni")
}

/// Each of `rows` is within `codes`: [`super::Kernel::dots`] has checked it.
pub(super) fn dots(left: &Left, codes: &[i8], rows: &[u32], out: &mut [i32]) {
    // SAFETY: this function is only taken when `available` says so; rows and lengths were checked by the caller.
    unsafe { dots_vnni(left, codes, rows, out) }
}

pub(super) fn quantise(values: &[f32], scale: f32, out: &mut [i8]) -> Quantised {
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn with_avx512(values: &[f32], scale: f32, out: &mut [i8]) -> Quantised {
        quantise::quantise(values, scale, out)
    }
    // SAFETY: this function is only taken when `available` says so.
    unsafe { with_avx512(values, scale, out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn dots_vnni(left: &Left, codes: &[i8], rows: &[u32], out: &mut [i32]) {
    let stride = left.codes.len();
    let query = left.codes.as_ptr();
    // VNNI multiplies unsigned by signed numbers: the sign bit of each code is flipped, which adds 128.
    let flip = _mm512_set1_epi8(i8::MIN);
    // SAFETY: every row lies within `codes` (checked by the caller), the stride is a multiple of 64, and prefetching
    // has no effect on memory.
    unsafe {
        let at = |row: u32| codes.as_ptr().add(row as usize * stride);
        for &row in rows.iter().take(AHEAD) {
            prefetch_row(at(row), stride);
        }
        let whole = rows.len() / TOGETHER * TOGETHER;
        for i in (0..whole).step_by(TOGETHER) {
            for &row in rows.iter().skip(i + AHEAD).take(TOGETHER) {
                prefetch_row(at(row), stride);
            }
            let (a, b, c, d) = (at(rows[i]), at(rows[i + 1]), at(rows[i + 2]), at(rows[i + 3]));
            let mut sums = [_mm512_setzero_si512(); TOGETHER];
            for byte in (0..stride).step_by(LINE) {
                let asked = _mm512_loadu_si512(query.add(byte).cast());
                for (sum, row) in sums.iter_mut().zip([a, b, c, d]) {
                    let row = _mm512_xor_si512(_mm512_loadu_si512(row.add(byte).cast()), flip);
                    *sum = _mm512_dpbusd_epi32(*sum, row, asked);
                }
            }
            for (out, sum) in out[i..i + TOGETHER].iter_mut().zip(sums) {
                *out = _mm512_reduce_add_epi32(sum).wrapping_sub(left.sum_128);
            }
        }
        for i in whole..rows.len() {
            let row = at(rows[i]);
            let mut sum = _mm512_setzero_si512();
            for byte in (0..stride).step_by(LINE) {
                let codes = _mm512_xor_si512(_mm512_loadu_si512(row.add(byte).cast()), flip);
                sum = _mm512_dpbusd_epi32(sum, codes, _mm512_loadu_si512(query.add(byte).cast()));
            }
            out[i] = _mm512_reduce_add_epi32(sum).wrapping_sub(left.sum_128);
        }
    }
}

/// # Safety
/// None beyond being called where the feature is there: a prefetch of any address is harmless.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn prefetch_row(row: *const i8, stride: usize) {
    for byte in (0..stride).step_by(LINE) {
        // SAFETY: a prefetch never faults; the address is within the codes.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(row.add(byte)) };
    }
}
