//! Numbers modulo a prime below 2^50: constant factors and powers, without a division or a branch.

use crate::simd::residues::Residues;

/// A constant factor modulo p, with its quotient by p: of 64 bits, for single words.
#[derive(Clone, Copy, Default)]
pub struct Factor {
    value: u64,
    ratio: u64,
    p: u64,
}

impl Factor {
    /// The factor `value`, below p.
    pub fn new(value: u64, p: u64) -> Factor {
        Factor { value, ratio: ((u128::from(value) << 64) / u128::from(p)) as u64, p }
    }

    /// x value mod p, for any word x.
    #[inline(always)]
    pub fn times(self, x: u64) -> u64 {
        let quotient = ((u128::from(x) * u128::from(self.ratio)) >> 64) as u64;
        let rest = x.wrapping_mul(self.value).wrapping_sub(quotient.wrapping_mul(self.p));
        rest.min(rest.wrapping_sub(self.p))
    }
}

/// A constant factor modulo p with its quotient of 52 bits, for lanes below 2^52.
#[derive(Clone, Copy)]
pub struct Scale {
    pair: (u64, u64),
    p: u64,
}

impl Scale {
    /// The factor `value`, below p.
    pub fn new(value: u64, p: u64) -> Scale {
        Scale { pair: (value, ((u128::from(value) << 52) / u128::from(p)) as u64), p }
    }

    /// x value mod p for one x below p.
    pub fn single(self, x: u64) -> u64 {
        (u128::from(x) * u128::from(self.pair.0) % u128::from(self.p)) as u64
    }

    /// x value mod p, fully reduced, for x below 2^52.
    #[inline(always)]
    pub fn times<L: Residues>(self, x: L) -> L {
        let p = L::splat(self.p);
        x.times((L::splat(self.pair.0), L::splat(self.pair.1)), p).reduce_once(p)
    }
}

/// base^exponent mod p.
pub fn power(base: u64, mut exponent: u64, p: u64) -> u64 {
    let multiply = |a: u64, b: u64| (u128::from(a) * u128::from(b) % u128::from(p)) as u64;
    let (mut square, mut result) = (base % p, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, square);
        }
        square = multiply(square, square);
        exponent >>= 1;
    }
    result
}
