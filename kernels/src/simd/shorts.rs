//! Sixteen words of 16 bits side by side; see [`crate::simd::lanes`] for why and how.
#![allow(unsafe_code)]

use crate::simd::lanes::Portable;
#[cfg(target_arch = "x86_64")]
use crate::simd::lanes::{Avx2, Avx512};

/// Words of a register.
pub const SHORTS: usize = 16;

/// Signed words, modulo 2^16.
pub trait Shorts: Copy {
    /// The sixteen words.
    fn load(words: &[i16; SHORTS]) -> Self;
    /// Overwrites the sixteen words.
    fn store(self, words: &mut [i16; SHORTS]);
    /// The word in all lanes.
    fn splat(word: i16) -> Self;
    /// self + other.
    fn plus(self, other: Self) -> Self;
    /// self - other.
    fn minus(self, other: Self) -> Self;
    /// The lower half of the product.
    fn times_low(self, other: Self) -> Self;
    /// The upper half of the product.
    fn times_high(self, other: Self) -> Self;
    /// floor(self / 2^10).
    fn shifted_by_ten(self) -> Self;
    /// self where other < than, otherwise zero.
    fn where_less(self, other: Self, than: Self) -> Self;
}

/// Lanes that have sixteen words too.
pub trait HasShorts {
    /// Them.
    type Shorts: Shorts;
}

/// Plain words.
#[derive(Clone, Copy)]
pub struct PortableShorts([i16; SHORTS]);

impl PortableShorts {
    #[inline(always)]
    fn zip(self, other: Self, combine: impl Fn(i16, i16) -> i16) -> Self {
        PortableShorts(std::array::from_fn(|lane| combine(self.0[lane], other.0[lane])))
    }
}

impl HasShorts for Portable {
    type Shorts = PortableShorts;
}

impl Shorts for PortableShorts {
    #[inline(always)]
    fn load(words: &[i16; SHORTS]) -> Self {
        PortableShorts(*words)
    }
    #[inline(always)]
    fn store(self, words: &mut [i16; SHORTS]) {
        *words = self.0;
    }
    #[inline(always)]
    fn splat(word: i16) -> Self {
        PortableShorts([word; SHORTS])
    }
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.zip(other, i16::wrapping_add)
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.zip(other, i16::wrapping_sub)
    }
    #[inline(always)]
    fn times_low(self, other: Self) -> Self {
        self.zip(other, i16::wrapping_mul)
    }
    #[inline(always)]
    fn times_high(self, other: Self) -> Self {
        self.zip(other, |a, b| ((i32::from(a) * i32::from(b)) >> 16) as i16)
    }
    #[inline(always)]
    fn shifted_by_ten(self) -> Self {
        PortableShorts(self.0.map(|word| word >> 10))
    }
    #[inline(always)]
    fn where_less(self, other: Self, than: Self) -> Self {
        let mask = other.zip(than, |a, b| -i16::from(a < b));
        self.zip(mask, |word, mask| word & mask)
    }
}

#[cfg(target_arch = "x86_64")]
impl HasShorts for Avx2 {
    type Shorts = x86::Avx2Shorts;
}

// One register of AVX2 here too: what is computed is short, and sixteen polynomials fill it.
#[cfg(target_arch = "x86_64")]
impl HasShorts for Avx512 {
    type Shorts = x86::Avx2Shorts;
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all, below")]
mod x86 {
    //! SAFETY, throughout: the instruction set is present (docs of `lanes`), and loads and stores
    //! go through references to 32 bytes, with instructions that need no alignment.

    use super::{SHORTS, Shorts};
    use std::arch::x86_64::*;

    /// One register.
    #[derive(Clone, Copy)]
    pub struct Avx2Shorts(__m256i);

    impl Shorts for Avx2Shorts {
        #[inline(always)]
        fn load(words: &[i16; SHORTS]) -> Self {
            Avx2Shorts(unsafe { _mm256_loadu_si256(words.as_ptr().cast()) })
        }
        #[inline(always)]
        fn store(self, words: &mut [i16; SHORTS]) {
            unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), self.0) }
        }
        #[inline(always)]
        fn splat(word: i16) -> Self {
            Avx2Shorts(unsafe { _mm256_set1_epi16(word) })
        }
        #[inline(always)]
        fn plus(self, other: Self) -> Self {
            Avx2Shorts(unsafe { _mm256_add_epi16(self.0, other.0) })
        }
        #[inline(always)]
        fn minus(self, other: Self) -> Self {
            Avx2Shorts(unsafe { _mm256_sub_epi16(self.0, other.0) })
        }
        #[inline(always)]
        fn times_low(self, other: Self) -> Self {
            Avx2Shorts(unsafe { _mm256_mullo_epi16(self.0, other.0) })
        }
        #[inline(always)]
        fn times_high(self, other: Self) -> Self {
            Avx2Shorts(unsafe { _mm256_mulhi_epi16(self.0, other.0) })
        }
        #[inline(always)]
        fn shifted_by_ten(self) -> Self {
            Avx2Shorts(unsafe { _mm256_srai_epi16::<10>(self.0) })
        }
        #[inline(always)]
        fn where_less(self, other: Self, than: Self) -> Self {
            Avx2Shorts(unsafe { _mm256_and_si256(self.0, _mm256_cmpgt_epi16(than.0, other.0)) })
        }
    }
}
