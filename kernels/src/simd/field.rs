//! The field of 2^128 elements: polynomials over bits modulo x^128 + x^7 + x^2 + x + 1.
//!
//! An element is two words, bit i of which is the coefficient of x^i; addition is the exclusive or.
//! Products use carry-less multiplication where the processor has it, and integer multiplication
//! with holes between the bits elsewhere. Both take the same time for all elements.
#![allow(unsafe_code)]

use crate::simd::blocks::Row;

/// Sums of products, reduced once.
pub trait Field {
    /// A sum of products that is not reduced yet.
    type Sum: Copy;

    /// Nothing.
    fn zero() -> Self::Sum;
    /// sum + a b.
    fn add(sum: Self::Sum, a: &Row, b: &Row) -> Self::Sum;
    /// The sum as a polynomial of 256 coefficients.
    fn close(sum: Self::Sum) -> [u64; 4];
}

/// A polynomial of 256 coefficients as an element.
#[inline(always)]
pub fn reduced([x0, x1, x2, x3]: [u64; 4]) -> Row {
    // x^128 = x^7 + x^2 + x + 1, from the highest word down.
    let x1 = x1 ^ x3 ^ x3 << 1 ^ x3 << 2 ^ x3 << 7;
    let x2 = x2 ^ x3 >> 63 ^ x3 >> 62 ^ x3 >> 57;
    let x0 = x0 ^ x2 ^ x2 << 1 ^ x2 << 2 ^ x2 << 7;
    [x0, x1 ^ x2 >> 63 ^ x2 >> 62 ^ x2 >> 57]
}

/// On every machine.
pub struct Portable;

/// Classes of bits of a word, five apart: sums of at most 13 products of bits do not meet.
const HOLES: u64 = 0x1084_2108_4210_8421;

/// The product of two words as polynomials.
fn carryless(a: u64, b: u64) -> u128 {
    let class = |word: u64, i: u32| u128::from(word & HOLES.wrapping_shl(i));
    let wide = (0..26).fold(0u128, |mask, i| mask | 1 << (5 * i));
    let mut product = 0;
    for k in 0..5 {
        let mut sum = 0u128;
        for i in 0..5 {
            let part = class(a, i).wrapping_mul(class(b, (k + 5 - i) % 5));
            sum ^= part;
        }
        product ^= sum & wide << k;
    }
    product
}

impl Field for Portable {
    type Sum = [u64; 4];

    fn zero() -> Self::Sum {
        [0; 4]
    }

    fn add(sum: Self::Sum, a: &Row, b: &Row) -> Self::Sum {
        let low = carryless(a[0], b[0]);
        let high = carryless(a[1], b[1]);
        let middle = carryless(a[0], b[1]) ^ carryless(a[1], b[0]);
        [
            sum[0] ^ low as u64,
            sum[1] ^ (low >> 64) as u64 ^ middle as u64,
            sum[2] ^ high as u64 ^ (middle >> 64) as u64,
            sum[3] ^ (high >> 64) as u64,
        ]
    }

    fn close(sum: Self::Sum) -> [u64; 4] {
        sum
    }
}

/// With an instruction for it.
#[cfg(target_arch = "x86_64")]
pub struct Carryless;

#[cfg(target_arch = "x86_64")]
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all, below")]
mod carryless {
    //! SAFETY, throughout: the type is taken only where the processor has PCLMULQDQ, see
    //! `multiplied!`; loads and stores go through references and need no alignment.

    use super::{Carryless, Field, Row};
    use std::arch::x86_64::*;

    impl Field for Carryless {
        type Sum = [__m128i; 3];

        #[inline(always)]
        fn zero() -> Self::Sum {
            unsafe { [_mm_setzero_si128(); 3] }
        }

        #[inline(always)]
        fn add([low, middle, high]: Self::Sum, a: &Row, b: &Row) -> Self::Sum {
            unsafe {
                let a = _mm_loadu_si128(a.as_ptr().cast());
                let b = _mm_loadu_si128(b.as_ptr().cast());
                let cross = _mm_xor_si128(
                    _mm_clmulepi64_si128::<0x01>(a, b),
                    _mm_clmulepi64_si128::<0x10>(a, b),
                );
                [
                    _mm_xor_si128(low, _mm_clmulepi64_si128::<0x00>(a, b)),
                    _mm_xor_si128(middle, cross),
                    _mm_xor_si128(high, _mm_clmulepi64_si128::<0x11>(a, b)),
                ]
            }
        }

        #[inline(always)]
        fn close(sum: Self::Sum) -> [u64; 4] {
            let [low, middle, high] = sum.map(|part| {
                let mut words = [0; 2];
                unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), part) };
                words
            });
            [low[0], low[1] ^ middle[0], high[0] ^ middle[1], high[1]]
        }
    }
}

/// Whether the processor multiplies polynomials.
#[cfg(target_arch = "x86_64")]
pub(crate) fn is_fast() -> bool {
    is_x86_feature_detected!("pclmulqdq")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi2")
}

/// Makes a function that is generic over `F: Field` one that takes the machine's best.
macro_rules! multiplied {
    ($(#[$meta:meta])* pub fn $name:ident<F: Field $(, const $n:ident: usize)?>(
        $($arg:ident: $type:ty),* $(,)?
    ) $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code)]
        pub fn $name $(<const $n: usize>)? ($($arg: $type),*) {
            #[inline(always)]
            fn body<F: $crate::simd::field::Field $(, const $n: usize)?>($($arg: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "pclmulqdq,avx2,bmi2")]
                fn fast $(<const $n: usize>)? ($($arg: $type),*) {
                    body::<$crate::simd::field::Carryless $(, $n)?>($($arg),*)
                }
                if $crate::simd::field::is_fast() {
                    // SAFETY: the processor has these instructions.
                    return unsafe { fast $(::<$n>)? ($($arg),*) };
                }
            }
            body::<$crate::simd::field::Portable $(, $n)?>($($arg),*)
        }
    };
}
pub(crate) use multiplied;

/// The product of two elements.
#[inline(always)]
pub fn product<F: Field>(a: &Row, b: &Row) -> Row {
    reduced(F::close(F::add(F::zero(), a, b)))
}

multiplied! {
    /// Adds factor x to each sum, x the row of the same number.
    pub fn add_multiples<F: Field>(sums: &mut [Row], rows: &[Row], factor: Row) {
        for (sum, row) in sums.iter_mut().zip(rows) {
            let made = product::<F>(row, &factor);
            *sum = [sum[0] ^ made[0], sum[1] ^ made[1]];
        }
    }
}

/// x times an element.
#[inline(always)]
pub fn doubled(element: Row) -> Row {
    let over = (element[1] >> 63).wrapping_neg();
    [element[0] << 1 ^ over & 0x87, element[1] << 1 | element[0] >> 63]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    /// Bit by bit, as it is defined.
    fn slow(a: Row, b: Row) -> Row {
        let mut sum = [0; 2];
        for bit in (0..128).rev() {
            sum = doubled(sum);
            let mask = (b[bit / 64] >> (bit % 64) & 1).wrapping_neg();
            sum = [sum[0] ^ a[0] & mask, sum[1] ^ a[1] & mask];
        }
        sum
    }

    #[test]
    fn products_are_those_of_the_definition_on_every_path() {
        let words = drawn(3, 4 * 200);
        let mut pairs: Vec<[Row; 2]> = words.as_chunks::<2>().0.as_chunks::<2>().0.to_vec();
        pairs.extend([[[1, 0], [u64::MAX; 2]], [[0, 1 << 63]; 2], [[0; 2]; 2], [[u64::MAX; 2]; 2]]);
        for [a, b] in pairs {
            assert_eq!(product::<Portable>(&a, &b), slow(a, b));
            let mut sums = [[7, 9]];
            add_multiples(&mut sums, &[a], b);
            let expected = slow(a, b);
            assert_eq!(sums, [[7 ^ expected[0], 9 ^ expected[1]]]);
        }
    }

    #[test]
    fn x_to_the_127_and_one_more_is_the_polynomial() {
        assert_eq!(doubled([0, 1 << 63]), [0x87, 0]);
        assert_eq!(slow([2, 0], [0, 1 << 63]), [0x87, 0]);
    }
}
