//! Eight words side by side: what the compiler's own vectorising does not do well enough.
//!
//! A kernel that is generic over [`Lanes`] names each vector instruction it wants; every
//! implementation computes the same words. The unsafe calls are the instructions of AVX2
//! and AVX-512: `dispatched!` takes those types only with a `Path` that proves them present.
#![allow(unsafe_code)]

/// Eight words of a row from word `at` on, zeros past its end.
#[inline(always)]
pub fn eight(row: &[u64], at: usize) -> [u64; 8] {
    row[at..].first_chunk().copied().unwrap_or_else(|| last(&row[at..]))
}

/// Puts eight words into a row from word `at` on; those past its end are dropped.
#[inline(always)]
pub fn put_eight(words: [u64; 8], row: &mut [u64], at: usize) {
    match row[at..].first_chunk_mut() {
        Some(eight) => *eight = words,
        None => put_last(words, &mut row[at..]),
    }
}

/// Fewer than eight. Not inlined, as `put_last`: else both cases become one copy of any length, a
/// call for eight words.
#[cold]
#[inline(never)]
fn last(row: &[u64]) -> [u64; 8] {
    let mut words = [0; 8];
    words[..row.len()].copy_from_slice(row);
    words
}

#[cold]
#[inline(never)]
fn put_last(words: [u64; 8], row: &mut [u64]) {
    row.copy_from_slice(&words[..row.len()]);
}

/// Eight words, as every kind of lanes has them; shifts are by a constant below 64.
pub trait Eight: Copy {
    /// Whether there are 32 registers, for sixteen sums, or 16, for four.
    const WIDE: bool;

    /// The eight words.
    fn load(words: &[u64; 8]) -> Self;
    /// Overwrites the eight words.
    fn store(self, words: &mut [u64; 8]);
    /// The word in all lanes.
    fn splat(word: u64) -> Self;
    /// self + other modulo 2^64.
    fn plus(self, other: Self) -> Self;
    /// self - other modulo 2^64.
    fn minus(self, other: Self) -> Self;
    /// The common bits.
    fn and(self, other: Self) -> Self;
    /// The bits in which they differ.
    fn xor(self, other: Self) -> Self;
    fn shift_left<const BITS: u32>(self) -> Self;
    fn shift_right<const BITS: u32>(self) -> Self;
}

/// Sums of products modulo 2^64.
pub trait Lanes: Eight {
    /// A running sum of products, in whatever form the machine adds up fastest.
    type Sum: Copy;
    /// A factor that is the same in all lanes, prepared for many products.
    type Factor: Copy;

    fn factor(word: u64) -> Self::Factor;
    fn empty_sum() -> Self::Sum;
    /// sum + self * factor in every lane.
    fn multiply_add(self, factor: Self::Factor, sum: Self::Sum) -> Self::Sum;
    /// words + sum in every lane.
    fn add_sum(sum: Self::Sum, words: &mut [u64; 8]);

    /// Bit k of word j is bit j of byte k.
    fn bits_of_bytes(bytes: &[u8; 64]) -> [u64; 8];
}

/// `eights!([inputs], [outputs], body)` goes through slices of words of one length, eight words at
/// a time. In the body the name of an input stands for its words as lanes `L`, that of an output
/// for the place where they lie. A macro: closures are not sure to be inlined, and without that no
/// instruction is.
macro_rules! eights {
    ([$($input:ident),*], [$first:ident $(, $output:ident)*], $body:expr) => {
        let all = $first.as_chunks_mut::<8>().0.iter_mut();
        $(let all = all.zip($output.as_chunks_mut::<8>().0);)*
        $(let all = all.zip($input.as_chunks::<8>().0);)*
        for eights!(@ $first, $($output)* $($input)*) in all {
            $(let $input = L::load($input);)*
            $body;
        }
    };
    // The pattern of an item of so many zips.
    (@ $nested:pat, $next:ident $($rest:ident)*) => { eights!(@ ($nested, $next), $($rest)*) };
    (@ $nested:pat,) => { $nested };
}
pub(crate) use eights;

/// Has all functions of an implementation inlined: without that no instruction is.
macro_rules! inlined {
    ($(fn $name:ident $(<const $bits:ident: u32>)? ($($arguments:tt)*) $(-> $result:ty)? $body:block)*) => {
        $(#[inline(always)] fn $name $(<const $bits: u32>)? ($($arguments)*) $(-> $result)? $body)*
    };
}
pub(super) use inlined;

/// Plain words.
#[derive(Clone, Copy)]
pub struct Portable(pub(super) [u64; 8]);

impl Portable {
    #[inline(always)]
    pub(super) fn zip(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        Portable(std::array::from_fn(|lane| combine(self.0[lane], other.0[lane])))
    }
}

impl Eight for Portable {
    const WIDE: bool = false;

    inlined! {
        fn load(words: &[u64; 8]) -> Self { Portable(*words) }
        fn store(self, words: &mut [u64; 8]) { *words = self.0; }
        fn splat(word: u64) -> Self { Portable([word; 8]) }
        fn plus(self, other: Self) -> Self { self.zip(other, u64::wrapping_add) }
        fn minus(self, other: Self) -> Self { self.zip(other, u64::wrapping_sub) }
        fn and(self, other: Self) -> Self { self.zip(other, |a, b| a & b) }
        fn xor(self, other: Self) -> Self { self.zip(other, |a, b| a ^ b) }
        fn shift_left<const BITS: u32>(self) -> Self { Portable(self.0.map(|word| word << BITS)) }
        fn shift_right<const BITS: u32>(self) -> Self { Portable(self.0.map(|word| word >> BITS)) }
    }
}

impl Lanes for Portable {
    type Sum = Portable;
    type Factor = u64;

    inlined! {
        fn factor(word: u64) -> u64 { word }
        fn empty_sum() -> Self { Portable([0; 8]) }
        fn multiply_add(self, factor: u64, sum: Self) -> Self {
            self.zip(sum, |word, sum| sum.wrapping_add(word.wrapping_mul(factor)))
        }
        fn add_sum(sum: Self, words: &mut [u64; 8]) { Portable(*words).plus(sum).store(words); }
        fn bits_of_bytes(bytes: &[u8; 64]) -> [u64; 8] {
            let mut words = [0; 8];
            for (eighth, bytes) in bytes.as_chunks::<8>().0.iter().enumerate() {
                let square = transposed_square(u64::from_le_bytes(*bytes));
                for (word, byte) in words.iter_mut().zip(square.to_le_bytes()) {
                    *word |= u64::from(byte) << (8 * eighth);
                }
            }
            words
        }
    }
}

/// Bit k of byte j is bit j of byte k (Warren, Hacker's Delight, section 7-3).
#[inline(always)]
fn transposed_square(square: u64) -> u64 {
    let swapped = |square: u64, by: u32, mask: u64| {
        let swap = (square ^ square >> by) & mask;
        square ^ swap ^ swap << by
    };
    let square = swapped(square, 7, 0x00aa_00aa_00aa_00aa);
    let square = swapped(square, 14, 0x0000_cccc_0000_cccc);
    swapped(square, 28, 0x0000_0000_f0f0_f0f0)
}

/// An operation on both registers of `Avx2` values. Closures are not sure to be inlined, and
/// without that no instruction is.
#[cfg(target_arch = "x86_64")]
macro_rules! both {
    ($each:ident($($of:expr),*)) => {
        unsafe { [$each($($of.0[0]),*), $each($($of.0[1]),*)] }
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use both;

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all, below")]
mod x86 {
    //! SAFETY, throughout: the instruction set is present (module docs), and loads and
    //! stores go through references to 64 bytes, with instructions that need no alignment.

    use super::{Eight, Lanes};
    use std::arch::x86_64::*;

    /// Two registers of four words.
    #[derive(Clone, Copy)]
    pub struct Avx2(pub(in crate::simd) [__m256i; 2]);

    /// AVX2 multiplies 32-bit halves only. x w mod 2^64 = low(x) low(w) + 2^32 (low(x)
    /// high(w) + high(x) low(w)); the two parts are summed apart and joined at the end.
    #[derive(Clone, Copy)]
    pub struct Halves {
        low: Avx2,
        cross: Avx2,
    }

    impl Avx2 {
        #[inline(always)]
        fn each(self, operation: impl Fn(__m256i) -> __m256i) -> Self {
            Avx2([operation(self.0[0]), operation(self.0[1])])
        }
        /// The products of the low halves.
        #[inline(always)]
        fn times(self, factor: __m256i) -> Self {
            self.each(|a| unsafe { _mm256_mul_epu32(a, factor) })
        }
    }

    impl Eight for Avx2 {
        const WIDE: bool = false;

        inlined! {
            fn load(words: &[u64; 8]) -> Self {
                let at = words.as_ptr().cast::<__m256i>();
                Avx2(unsafe { [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))] })
            }
            fn store(self, words: &mut [u64; 8]) {
                let at = words.as_mut_ptr().cast::<__m256i>();
                unsafe {
                    _mm256_storeu_si256(at, self.0[0]);
                    _mm256_storeu_si256(at.add(1), self.0[1]);
                }
            }
            fn splat(word: u64) -> Self { Avx2([unsafe { _mm256_set1_epi64x(word as i64) }; 2]) }
            fn plus(self, other: Self) -> Self { Avx2(both!(_mm256_add_epi64(self, other))) }
            fn minus(self, other: Self) -> Self { Avx2(both!(_mm256_sub_epi64(self, other))) }
            fn and(self, other: Self) -> Self { Avx2(both!(_mm256_and_si256(self, other))) }
            fn xor(self, other: Self) -> Self { Avx2(both!(_mm256_xor_si256(self, other))) }
            fn shift_left<const BITS: u32>(self) -> Self {
                self.each(|a| unsafe { _mm256_sll_epi64(a, _mm_cvtsi32_si128(BITS as i32)) })
            }
            fn shift_right<const BITS: u32>(self) -> Self {
                self.each(|a| unsafe { _mm256_srl_epi64(a, _mm_cvtsi32_si128(BITS as i32)) })
            }
        }
    }

    impl Lanes for Avx2 {
        type Sum = Halves;
        type Factor = [__m256i; 2];

        inlined! {
            fn factor(word: u64) -> [__m256i; 2] {
                unsafe { [_mm256_set1_epi64x(word as i64), _mm256_set1_epi64x((word >> 32) as i64)] }
            }
            fn empty_sum() -> Halves { Halves { low: Self::splat(0), cross: Self::splat(0) } }
            fn multiply_add(self, [low, high]: [__m256i; 2], sum: Halves) -> Halves {
                let cross = self.times(high).plus(self.shift_right::<32>().times(low));
                Halves { low: sum.low.plus(self.times(low)), cross: sum.cross.plus(cross) }
            }
            fn add_sum(sum: Halves, words: &mut [u64; 8]) {
                let total = sum.low.plus(sum.cross.shift_left::<32>());
                Self::load(words).plus(total).store(words);
            }
            fn bits_of_bytes(bytes: &[u8; 64]) -> [u64; 8] {
                let at = bytes.as_ptr().cast::<__m256i>();
                let mut halves = unsafe { [_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))] };
                let mut words = [0; 8];
                for word in words.iter_mut().rev() {
                    let [low, high] = halves.map(|half| unsafe { _mm256_movemask_epi8(half) });
                    *word = u64::from(low as u32) | u64::from(high as u32) << 32;
                    halves = halves.map(|half| unsafe { _mm256_add_epi8(half, half) });
                }
                words
            }
        }
    }

    /// One register of eight words.
    #[derive(Clone, Copy)]
    pub struct Avx512(pub(in crate::simd) __m512i);

    impl Eight for Avx512 {
        const WIDE: bool = true;

        inlined! {
            fn load(words: &[u64; 8]) -> Self {
                Avx512(unsafe { _mm512_loadu_si512(words.as_ptr().cast()) })
            }
            fn store(self, words: &mut [u64; 8]) {
                unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), self.0) }
            }
            fn splat(word: u64) -> Self { Avx512(unsafe { _mm512_set1_epi64(word as i64) }) }
            fn plus(self, other: Self) -> Self { Avx512(unsafe { _mm512_add_epi64(self.0, other.0) }) }
            fn minus(self, other: Self) -> Self { Avx512(unsafe { _mm512_sub_epi64(self.0, other.0) }) }
            fn and(self, other: Self) -> Self { Avx512(unsafe { _mm512_and_si512(self.0, other.0) }) }
            fn xor(self, other: Self) -> Self { Avx512(unsafe { _mm512_xor_si512(self.0, other.0) }) }
            fn shift_left<const BITS: u32>(self) -> Self {
                Avx512(unsafe { _mm512_sll_epi64(self.0, _mm_cvtsi32_si128(BITS as i32)) })
            }
            fn shift_right<const BITS: u32>(self) -> Self {
                Avx512(unsafe { _mm512_srl_epi64(self.0, _mm_cvtsi32_si128(BITS as i32)) })
            }
        }
    }

    impl Lanes for Avx512 {
        type Sum = Avx512;
        type Factor = Avx512;

        inlined! {
            fn factor(word: u64) -> Self { Self::splat(word) }
            fn empty_sum() -> Self { Self::splat(0) }
            fn multiply_add(self, factor: Self, sum: Self) -> Self {
                sum.plus(Avx512(unsafe { _mm512_mullo_epi64(self.0, factor.0) }))
            }
            fn add_sum(sum: Self, words: &mut [u64; 8]) { Self::load(words).plus(sum).store(words); }
            fn bits_of_bytes(bytes: &[u8; 64]) -> [u64; 8] {
                let mut left = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
                let mut words = [0; 8];
                for word in words.iter_mut().rev() {
                    *word = unsafe { _mm512_movepi8_mask(left) };
                    left = unsafe { _mm512_add_epi8(left, left) };
                }
                words
            }
        }
    }
}
