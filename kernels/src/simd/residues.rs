//! Eight numbers below 2^52 side by side, for arithmetic modulo primes below 2^50.
//!
//! Every kernel of the homomorphic scheme is generic over [`Residues`]. Three implementations give
//! the same words once these are reduced: `Portable` anywhere, `Avx512` with its 52-bit
//! multiply-add, `Avx2` with the multiply-add of floating point. Nothing here branches on a value
//! or indexes by one.
#![allow(unsafe_code)]

use crate::simd::lanes::{Eight, Portable, inlined};

/// The low 52 bits.
pub const MASK: u64 = (1 << 52) - 1;

/// Words modulo a prime.
pub trait Residues: Eight {
    /// Factors of `add_product`.
    type Operand: Copy;
    /// x - limit where x >= limit, else x; for x and limit below 2^63.
    fn reduce_once(self, limit: Self) -> Self;
    /// Each word's bits from 52 on.
    #[inline(always)]
    fn above(self) -> Self {
        self.shift_right::<52>()
    }
    /// The words, below 2^51, as `kept` wants them.
    fn ready(self) -> Self;
    /// Words that are ready, as factors: for those that serve often it pays to keep them so.
    fn kept(self) -> Self::Operand;
    /// The words, below 2^51, as factors.
    #[inline(always)]
    fn operand(self) -> Self::Operand {
        self.ready().kept()
    }
    /// Adds a b to sums that begin as zeros and mean something once `settled`.
    fn add_product(sums: (Self, Self), a: Self::Operand, b: Self::Operand) -> (Self, Self);
    /// The sum low + 2^52 high of so many products, at most 2^10: low is below 2^63 then, high may
    /// be as negative as low allows.
    fn settled(sums: (Self, Self), products: u64) -> (Self, Self);
    /// self w mod p in [0, 2p), for w below p and the ratio floor(2^52 w / p).
    fn times(self, factor: (Self, Self), p: Self) -> Self;
    /// self other mod p, below p, for words below p. `ratio`: floor(2^101 / p); with what `modulus`
    /// says of p, between 2^49 and 2^50.
    fn product(self, other: Self, modulus: (Self, Self), ratio: Self) -> Self;
    /// Word j of row i becomes word i of row j.
    fn transpose(rows: [Self; 8]) -> [Self; 8];

    // The levels of a transform, on words or on what `enter` makes of them: up to three levels are
    // taken from what is centred. Words stay below 4p < 2^52 (Harvey, J. Symb. Comp. 2014).

    /// Whether `enter` changes words.
    const ENTERS: bool = false;
    /// p as the levels want it.
    #[inline(always)]
    fn modulus(p: u64) -> (Self, Self) {
        (Self::splat(p), Self::splat(2 * p))
    }
    /// A factor below p and its ratio as the levels want them.
    #[inline(always)]
    fn twiddle(factor: (Self, Self)) -> (Self, Self) {
        factor
    }
    /// A word below p as the levels want it.
    #[inline(always)]
    fn enter(self) -> Self {
        self
    }
    /// (x + w y, x - w y).
    #[inline(always)]
    fn apart(x: Self, y: Self, w: (Self, Self), (p, twice): (Self, Self)) -> (Self, Self) {
        let x = x.reduce_once(twice);
        let y = y.times(w, p);
        (x.plus(y), x.minus(y).plus(twice))
    }
    /// (x + y, (x - y) w); words stay below 2p.
    #[inline(always)]
    fn together(x: Self, y: Self, w: (Self, Self), (p, twice): (Self, Self)) -> (Self, Self) {
        (x.plus(y).reduce_once(twice), x.minus(y).plus(twice).times(w, p))
    }
    /// A number nearer to zero.
    #[inline(always)]
    fn centre(self, _modulus: (Self, Self)) -> Self {
        self
    }
    /// The word below p.
    #[inline(always)]
    fn leave(self, (p, twice): (Self, Self)) -> Self {
        self.reduce_once(twice).reduce_once(p)
    }
}

#[inline(always)]
fn product(a: u64, b: u64) -> u128 {
    u128::from(a & MASK) * u128::from(b & MASK)
}

/// What an implementation with `add_low` and `add_high` multiplies by: the low 52 bits of a
/// product, and its bits from 52 on.
macro_rules! products_by_halves {
    () => {
        type Operand = Self;

        inlined! {
            fn ready(self) -> Self { self }
            fn kept(self) -> Self { self }
            fn add_product((low, high): (Self, Self), a: Self, b: Self) -> (Self, Self) {
                (low.add_low(a, b), high.add_high(a, b))
            }
            fn settled(sums: (Self, Self), _products: u64) -> (Self, Self) { sums }
            fn times(self, (w, ratio): (Self, Self), p: Self) -> Self {
                let zero = Self::splat(0);
                let quotient = zero.add_high(self, ratio);
                let minus_p = Self::splat(MASK + 1).minus(p);
                zero.add_low(self, w).add_low(quotient, minus_p).and(Self::splat(MASK))
            }
            fn product(self, other: Self, (p, twice): (Self, Self), ratio: Self) -> Self {
                let zero = Self::splat(0);
                let (low, high) = (zero.add_low(self, other), zero.add_high(self, other));
                // The product's bits from 49 on; the quotient is too small by 2 or less.
                let top = high.shift_left::<3>().plus(low.shift_right::<49>());
                let quotient = zero.add_high(top, ratio);
                let minus_p = Self::splat(MASK + 1).minus(p);
                let rest = low.add_low(quotient, minus_p).and(Self::splat(MASK));
                rest.reduce_once(twice).reduce_once(p)
            }
        }
    };
}

impl Portable {
    inlined! {
        fn add_low(self, a: Self, b: Self) -> Self {
            self.plus(a.zip(b, |a, b| product(a, b) as u64 & MASK))
        }
        fn add_high(self, a: Self, b: Self) -> Self {
            self.plus(a.zip(b, |a, b| (product(a, b) >> 52) as u64))
        }
    }
}

impl Residues for Portable {
    products_by_halves!();

    inlined! {
        fn reduce_once(self, limit: Self) -> Self { self.zip(self.minus(limit), u64::min) }
        fn transpose(rows: [Self; 8]) -> [Self; 8] {
            std::array::from_fn(|j| Portable(std::array::from_fn(|i| rows[i].0[j])))
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::undocumented_unsafe_blocks, reason = "one reason for all, below")]
mod x86 {
    //! SAFETY, throughout: `dispatched!` takes this type only with a `Path` that proves the
    //! instructions present; loads and stores go through references to 64 bytes.

    use super::{MASK, Residues};
    use crate::simd::lanes::{Avx512, Eight, inlined};
    use std::arch::x86_64::*;

    impl Avx512 {
        inlined! {
            fn add_low(self, a: Self, b: Self) -> Self {
                Avx512(unsafe { _mm512_madd52lo_epu64(self.0, a.0, b.0) })
            }
            fn add_high(self, a: Self, b: Self) -> Self {
                Avx512(unsafe { _mm512_madd52hi_epu64(self.0, a.0, b.0) })
            }
        }
    }

    impl Residues for Avx512 {
        products_by_halves!();

        #[inline(always)]
        fn reduce_once(self, limit: Self) -> Self {
            Avx512(unsafe { _mm512_min_epu64(self.0, self.minus(limit).0) })
        }
        #[inline(always)]
        fn transpose(rows: [Self; 8]) -> [Self; 8] {
            // Words within pairs, then pairs of words, then halves of registers.
            let pairs: [__m512i; 8] = std::array::from_fn(|i| unsafe {
                let (a, b) = (rows[i & !1].0, rows[i | 1].0);
                if i % 2 == 0 { _mm512_unpacklo_epi64(a, b) } else { _mm512_unpackhi_epi64(a, b) }
            });
            // Row i of `quads`: 128-bit parts of rows {i, i + 2} of a group of four.
            let quads: [__m512i; 8] = std::array::from_fn(|i| unsafe {
                let (a, b) = (pairs[i & !2], pairs[i | 2]);
                if i & 2 == 0 {
                    _mm512_shuffle_i64x2::<0b10_00_10_00>(a, b)
                } else {
                    _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b)
                }
            });
            let whole: [__m512i; 8] = std::array::from_fn(|i| unsafe {
                let (a, b) = (quads[i & !4], quads[i | 4]);
                if i & 4 == 0 {
                    _mm512_shuffle_i64x2::<0b10_00_10_00>(a, b)
                } else {
                    _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b)
                }
            });
            // Bits of the word's number come out in the order (0, 1, 2) of i.
            whole.map(Avx512)
        }
    }
}
