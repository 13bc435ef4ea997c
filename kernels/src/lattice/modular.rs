//! Numbers modulo a prime below 2^50. What touches secrets has neither a division nor a branch.

use crate::simd::residues::Residues;

/// a b mod p, with a division: for what is public or done once.
pub fn multiply(a: u64, b: u64, p: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(p)) as u64
}

/// a + b modulo p.
#[inline(always)]
pub fn add(a: u64, b: u64, p: u64) -> u64 {
    let sum = a + b;
    sum.min(sum.wrapping_sub(p))
}

/// a - b modulo p.
#[inline(always)]
pub fn subtract(a: u64, b: u64, p: u64) -> u64 {
    let rest = a.wrapping_sub(b);
    rest.min(rest.wrapping_add(p))
}

/// A signed number below 2^62 modulo p.
#[inline(always)]
pub fn residue(x: i64, p: u64) -> u64 {
    (x as u64).wrapping_add(p & (x >> 63) as u64)
}

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

/// floor(2^52 w / p), for w below p.
pub fn ratio(w: u64, p: u64) -> u64 {
    ((u128::from(w) << 52) / u128::from(p)) as u64
}

/// A constant factor modulo p with its quotient of 52 bits, for lanes below 2^52.
#[derive(Clone, Copy)]
pub struct Scale {
    value: u64,
    ratio: u64,
    p: u64,
}

impl Scale {
    /// The factor `value`, below p.
    pub fn new(value: u64, p: u64) -> Scale {
        Scale { value, ratio: ratio(value, p), p }
    }

    /// x value mod p for one x below p.
    pub fn single(self, x: u64) -> u64 {
        multiply(x, self.value, self.p)
    }

    /// x value mod p, below 2p, for x below 2^52.
    #[inline(always)]
    pub fn lazily<L: Residues>(self, x: L) -> L {
        x.times((L::splat(self.value), L::splat(self.ratio)), L::splat(self.p))
    }

    /// x value mod p, fully reduced, for x below 2^52.
    #[inline(always)]
    pub fn times<L: Residues>(self, x: L) -> L {
        self.lazily(x).reduce_once(L::splat(self.p))
    }
}

/// v of first + p1 v, the number with residues `first` modulo p1 and `second` modulo p2 (here p):
/// below p2. `inverse` is 1 / p1; p1 < 2 p2, so that one subtraction reduces.
#[inline(always)]
pub fn mixed<L: Residues>(p: L, inverse: Scale, first: L, second: L) -> L {
    inverse.times(second.plus(p).minus(first.reduce_once(p)).reduce_once(p))
}

/// base^exponent mod p.
pub fn power(base: u64, mut exponent: u64, p: u64) -> u64 {
    let (mut square, mut result) = (base % p, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, square, p);
        }
        square = multiply(square, square, p);
        exponent >>= 1;
    }
    result
}

/// 1 / x mod p.
pub fn inverse(x: u64, p: u64) -> u64 {
    power(x, p - 2, p)
}
