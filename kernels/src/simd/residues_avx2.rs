//! Eight numbers below 2^52 in two registers of AVX2, which has no product of such numbers.
//!
//! Floating point has: a double holds a number below 2^52 exactly, and a fused multiply-add
//! rounds but once. With 2^103 added, a product of 103 bits is rounded to a multiple of 2^51, so
//! the bits of that double are its upper half; a second multiply-add gives the rest, exactly, from
//! -2^50 to 2^50. (Emmart, Zheng, Weems, *Faster modular exponentiation using double precision
//! floating point arithmetic on the GPU*, ARITH 2018.) All numbers are zero or normal, so no
//! instruction takes longer for some values than for others.
//!
//! SAFETY, throughout: `dispatched!` takes this type only with a `Path` that proves the
//! instructions present; loads and stores go through references to 64 bytes.
#![allow(unsafe_code)]
#![allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all, above")]

use crate::simd::lanes::{Avx2, Eight, both, inlined};
use crate::simd::residues::Residues;
use std::arch::x86_64::*;

const TWO_52: f64 = (1u64 << 52) as f64;
const TWO_103: f64 = TWO_52 * TWO_52 / 2.0;
/// 3/2 2^52, a multiple of 2^51, beyond 2^103: both lie in one double.
const TWO_103_AND_MORE: f64 = TWO_103 + 1.5 * TWO_52;
/// The exponent of 2^52 and of 2^103: below it lie the 52 bits of a whole number.
const UNITS: u64 = 0x433 << 52;
const UPPER: u64 = 0x466 << 52;
/// What each product adds to low beside its rest.
const LOW_EXCESS: u64 = UNITS + (1 << 51);

const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

/// Two registers of four doubles.
#[derive(Clone, Copy)]
pub struct Doubles([__m256d; 2]);

#[inline(always)]
unsafe fn of_words(words: __m256i) -> __m256d {
    unsafe {
        let units = _mm256_or_si256(words, _mm256_set1_epi64x(UNITS as i64));
        _mm256_sub_pd(_mm256_castsi256_pd(units), _mm256_set1_pd(TWO_52))
    }
}

#[inline(always)]
unsafe fn bits_of(words: __m256i) -> __m256i {
    unsafe { _mm256_castpd_si256(of_words(words)) }
}

#[inline(always)]
unsafe fn reduced(x: __m256i, limit: __m256i) -> __m256i {
    unsafe {
        let rest = _mm256_castsi256_pd(_mm256_sub_epi64(x, limit));
        // By the sign of the rest.
        _mm256_castpd_si256(_mm256_blendv_pd(rest, _mm256_castsi256_pd(x), rest))
    }
}

/// The upper half of a product, in units of 2^51 above 2^103.
#[inline(always)]
unsafe fn upper(a: __m256d, b: __m256d) -> __m256d {
    unsafe { _mm256_fmadd_pd(a, b, _mm256_set1_pd(TWO_103)) }
}

/// What the upper half leaves, plus 3/2 2^52, so that its exponent is always the same.
#[inline(always)]
unsafe fn rest(a: __m256d, b: __m256d, upper: __m256d) -> __m256d {
    unsafe { _mm256_fmadd_pd(a, b, _mm256_sub_pd(_mm256_set1_pd(TWO_103_AND_MORE), upper)) }
}

#[inline(always)]
unsafe fn plus_bits(sum: __m256i, double: __m256d) -> __m256i {
    unsafe { _mm256_add_epi64(sum, _mm256_castpd_si256(double)) }
}

/// x w - quotient p, exactly, where that is below 2^53: near and rest are x w.
#[inline(always)]
unsafe fn remainder(x: __m256d, w: __m256d, quotient: __m256d, p: __m256d) -> __m256d {
    unsafe {
        let near = _mm256_mul_pd(x, w);
        let rest = _mm256_fmsub_pd(x, w, near);
        _mm256_add_pd(_mm256_fnmadd_pd(quotient, p, near), rest)
    }
}

#[inline(always)]
unsafe fn scaled(x: __m256i, w: __m256i, ratio: __m256i, p: __m256i) -> __m256i {
    unsafe {
        let (x, w, p) = (of_words(x), of_words(w), of_words(p));
        // The quotient is within 3/4 of x w / p, the remainder from -3/4 p to 7/4 p.
        let quotient = _mm256_floor_pd(_mm256_mul_pd(x, doubles(ratio_of(ratio))));
        word_of(remainder(x, w, quotient, p), p)
    }
}

/// x y modulo p, where p and 1 / p are doubles: the rounded quotient is off by 3/4 at most.
#[inline(always)]
unsafe fn multiplied(x: __m256i, y: __m256i, p: __m256i, inverse: __m256i) -> __m256i {
    unsafe {
        let (x, y, p) = (of_words(x), of_words(y), doubles(p));
        let near = _mm256_mul_pd(_mm256_mul_pd(x, y), doubles(inverse));
        word_of(remainder(x, y, _mm256_round_pd::<NEAREST>(near), p), p)
    }
}

/// x - p round(x / p), for a number below 2^53: within p / 2 and very little more.
#[inline(always)]
unsafe fn centred(x: __m256i, p: __m256i, inverse: __m256i) -> __m256i {
    unsafe {
        let (x, p, inverse) = (doubles(x), doubles(p), doubles(inverse));
        let quotient = _mm256_round_pd::<NEAREST>(_mm256_mul_pd(x, inverse));
        _mm256_castpd_si256(_mm256_fnmadd_pd(quotient, p, x))
    }
}

/// A number from -p on as a word, with p added where it is negative. (Zero's sign is plus.)
#[inline(always)]
unsafe fn word_of(x: __m256d, p: __m256d) -> __m256i {
    unsafe {
        let result = _mm256_blendv_pd(x, _mm256_add_pd(x, p), x);
        let units = _mm256_add_pd(result, _mm256_set1_pd(TWO_52));
        _mm256_xor_si256(_mm256_castpd_si256(units), _mm256_set1_epi64x(UNITS as i64))
    }
}

/// y w modulo p. With |y| <= c p the rounded quotient is off by 1/2 + c / 4 at most, all sums here
/// are whole numbers below 2^53, and so is the result: within (1/2 + c / 4) p.
#[inline(always)]
unsafe fn times_word(y: __m256i, w: __m256i, ratio: __m256i, p: __m256i) -> __m256i {
    unsafe {
        let (y, w, ratio, p) = (doubles(y), doubles(w), doubles(ratio), doubles(p));
        let quotient = _mm256_round_pd::<NEAREST>(_mm256_mul_pd(y, ratio));
        _mm256_castpd_si256(remainder(y, w, quotient, p))
    }
}

#[inline(always)]
unsafe fn doubles(words: __m256i) -> __m256d {
    unsafe { _mm256_castsi256_pd(words) }
}

/// (ratio + 1/2) / 2^52, which is within 2^-53 of w / p.
#[inline(always)]
unsafe fn ratio_of(ratio: __m256i) -> __m256i {
    unsafe {
        let ratio = _mm256_add_pd(of_words(ratio), _mm256_set1_pd(0.5));
        _mm256_castpd_si256(_mm256_mul_pd(ratio, _mm256_set1_pd(1.0 / TWO_52)))
    }
}

#[inline(always)]
unsafe fn sum(x: __m256i, y: __m256i) -> __m256i {
    unsafe { _mm256_castpd_si256(_mm256_add_pd(doubles(x), doubles(y))) }
}

#[inline(always)]
unsafe fn difference(x: __m256i, y: __m256i) -> __m256i {
    unsafe { _mm256_castpd_si256(_mm256_sub_pd(doubles(x), doubles(y))) }
}

/// Of four rows the halves with this number, a square of four, turned.
#[inline(always)]
unsafe fn turned([a, b, c, d]: [Avx2; 4], half: usize) -> [__m256i; 4] {
    let (a, b, c, d) = (a.0[half], b.0[half], c.0[half], d.0[half]);
    unsafe {
        let (even, odd) = (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
        let (other_even, other_odd) = (_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
        [
            _mm256_permute2x128_si256::<0x20>(even, other_even),
            _mm256_permute2x128_si256::<0x20>(odd, other_odd),
            _mm256_permute2x128_si256::<0x31>(even, other_even),
            _mm256_permute2x128_si256::<0x31>(odd, other_odd),
        ]
    }
}

impl Residues for Avx2 {
    type Operand = Doubles;
    const ENTERS: bool = true;

    inlined! {
        fn reduce_once(self, limit: Self) -> Self { Avx2(both!(reduced(self, limit))) }
        fn ready(self) -> Self { Avx2(both!(bits_of(self))) }
        fn kept(self) -> Doubles { Doubles(both!(doubles(self))) }
        fn add_product((low, high): (Self, Self), a: Doubles, b: Doubles) -> (Self, Self) {
            let upper = Doubles(both!(upper(a, b)));
            let rest = Doubles(both!(rest(a, b, upper)));
            (Avx2(both!(plus_bits(low, rest))), Avx2(both!(plus_bits(high, upper))))
        }
        fn settled((low, high): (Self, Self), products: u64) -> (Self, Self) {
            let high = high.minus(Self::splat(UPPER.wrapping_mul(products)));
            let odd = high.and(Self::splat(1)).shift_left::<51>();
            // Rests may be negative: 2^52 for each of them goes from high to low.
            let excess = Self::splat(LOW_EXCESS.wrapping_sub(1 << 52).wrapping_mul(products));
            (low.minus(excess).plus(odd), high.shift_right::<1>().minus(Self::splat(products)))
        }
        fn times(self, (w, ratio): (Self, Self), p: Self) -> Self {
            Avx2(both!(scaled(self, w, ratio, p)))
        }
        fn product(self, other: Self, (p, inverse): (Self, Self), _ratio: Self) -> Self {
            Avx2(both!(multiplied(self, other, p, inverse)))
        }
        fn modulus(p: u64) -> (Self, Self) {
            let [p, inverse] = [p as f64, 1.0 / p as f64].map(f64::to_bits);
            (Self::splat(p), Self::splat(inverse))
        }
        fn twiddle((w, ratio): (Self, Self)) -> (Self, Self) {
            (w.ready(), Avx2(both!(ratio_of(ratio))))
        }
        fn enter(self) -> Self { self.ready() }
        fn apart(x: Self, y: Self, (w, ratio): (Self, Self), (p, _): (Self, Self)) -> (Self, Self) {
            let y = Avx2(both!(times_word(y, w, ratio, p)));
            (Avx2(both!(sum(x, y))), Avx2(both!(difference(x, y))))
        }
        fn together(x: Self, y: Self, (w, ratio): (Self, Self), (p, _): (Self, Self)) -> (Self, Self) {
            let apart = Avx2(both!(difference(x, y)));
            (Avx2(both!(sum(x, y))), Avx2(both!(times_word(apart, w, ratio, p))))
        }
        fn centre(self, (p, inverse): (Self, Self)) -> Self {
            Avx2(both!(centred(self, p, inverse)))
        }
        fn leave(self, modulus: (Self, Self)) -> Self {
            let (x, p) = (self.centre(modulus).kept(), modulus.0.kept());
            Avx2(both!(word_of(x, p)))
        }
        fn transpose([a, b, c, d, e, f, g, h]: [Self; 8]) -> [Self; 8] {
            // Squares of four, each turned; the two off the diagonal change places.
            let (upper, lower) = ([a, b, c, d], [e, f, g, h]);
            let (a, b, c, d) = unsafe {
                (turned(upper, 0), turned(lower, 0), turned(upper, 1), turned(lower, 1))
            };
            [
                Avx2([a[0], b[0]]),
                Avx2([a[1], b[1]]),
                Avx2([a[2], b[2]]),
                Avx2([a[3], b[3]]),
                Avx2([c[0], d[0]]),
                Avx2([c[1], d[1]]),
                Avx2([c[2], d[2]]),
                Avx2([c[3], d[3]]),
            ]
        }
    }
}
