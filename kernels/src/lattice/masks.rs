//! Pads from ring-LWE: long pseudorandom vectors with a short secret.
//!
//! Over R = Z_2^kappa[X] / (X^N + 1) the rows of a vector are cut in blocks of N; block beta of
//! the pad is a = A_beta s + e, with a public uniform A_beta, a fresh ternary s for the whole
//! vector and fresh centred binomial errors e. For a one-hot matrix M the product M^T a is
//! W s + M^T e with W = M^T A: N words a column, however many rows there are. Two pads may have
//! the same s, where their A and e are drawn from different streams.
//!
//! Products are exact: numbers are held modulo two primes p1 p2 > 2^99, reconstructed as
//! signed integers below half of that, and reduced modulo 2^kappa, kappa at most 64.

pub mod matrix;

use crate::lattice::modular::{Factor, Scale, inverse, mixed, power, subtract};
use crate::lattice::ntt::{self, Table};
use crate::lattice::ring::{errors, ternary};
use crate::simd::lanes::eights;
use crate::simd::path::{Path, dispatched};
use crate::simd::residues::Residues;
use crate::words::prg::Stream;

/// Primes of exact products.
pub const PAIR: usize = 2;
/// The most bits of a word.
pub const MOST_BITS: u32 = 64;

/// The low `bits` bits, 1 to 64.
#[inline(always)]
pub fn low_bits(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

/// x < 2^bits, read as signed, modulo a prime; no branch.
#[derive(Clone, Copy)]
pub struct Reduce {
    one: Factor,
    whole: u64,
    bits: u32,
    p: u64,
}

impl Reduce {
    /// Of words of so many bits.
    pub fn new(p: u64, bits: u32) -> Reduce {
        Reduce { one: Factor::new(1, p), whole: power(2, u64::from(bits), p), bits, p }
    }

    /// The residue.
    #[inline(always)]
    pub fn of(&self, x: u64) -> u64 {
        let negative = (x >> (self.bits - 1) & 1).wrapping_neg();
        subtract(self.one.times(x), self.whole & negative, self.p)
    }
}

/// The public polynomials of a matrix with so many rows, and the arithmetic of their products.
pub struct Pads {
    /// N.
    pub degree: usize,
    /// kappa.
    pub bits: u32,
    /// Length of a pad.
    pub rows: usize,
    /// How the transforms run; changes speed only.
    pub path: Path,
    tables: [Table; PAIR],
    /// 1 / p1 modulo p2.
    inverse: Scale,
    /// A, transformed, (blocks, 2, N).
    publics: Vec<u64>,
}

/// A vector's secret, transformed.
pub struct Short([Vec<u64>; PAIR]);

dispatched! {
    /// The centred quotients by p1 modulo p2 of second - first.
    pub fn lift<L: Residues>(
        primes: (u64, u64),
        inverse: Scale,
        first: &[u64],
        second: &mut [u64],
    ) {
        let (p, half) = (L::splat(primes.1), L::splat(primes.1 / 2));
        eights!([first], [second], {
            // Above half, less p2: through a residue that starts at the half.
            let quotient = mixed(p, inverse, first, L::load(second));
            quotient.plus(half).reduce_once(p).minus(half).store(second);
        });
    }
}

impl Pads {
    /// None where the primes do not suit the degree, there are too many bits or no rows.
    pub fn new(
        degree: usize,
        primes: [u64; PAIR],
        bits: u32,
        (coins, rows): (&Stream, usize),
    ) -> Option<Pads> {
        let [first, second] = primes;
        if first == second || !(2..=MOST_BITS).contains(&bits) || rows == 0 {
            return None;
        }
        let tables = [Table::new(degree, first)?, Table::new(degree, second)?];
        let inverse = Scale::new(inverse(first, second), second);
        let blocks = rows.div_ceil(degree);
        let publics = vec![0; blocks * PAIR * degree];
        let path = Path::best();
        let mut pads = Pads { degree, bits, rows, path, tables, inverse, publics };
        pads.draw(coins);
        Some(pads)
    }

    /// Blocks of rows.
    pub fn blocks(&self) -> usize {
        self.rows.div_ceil(self.degree)
    }

    /// Coefficient i of block beta is word beta N + i of the coins.
    fn draw(&mut self, coins: &Stream) {
        let n = self.degree;
        let reduce = self.reductions();
        let mut words = vec![0; n];
        for (block, out) in self.publics.chunks_exact_mut(PAIR * n).enumerate() {
            coins.fill((block * n) as u64, &mut words);
            for (i, word) in words.iter().enumerate() {
                let a = word & low_bits(self.bits);
                for (limb, reduce) in reduce.iter().enumerate() {
                    out[limb * n + i] = reduce.of(a);
                }
            }
            for (table, out) in self.tables.iter().zip(out.chunks_exact_mut(n)) {
                ntt::forward(self.path, table, out);
            }
        }
    }

    fn reductions(&self) -> [Reduce; PAIR] {
        std::array::from_fn(|i| Reduce::new(self.tables[i].p, self.bits))
    }

    /// The signed integers with these residues, far below p1 p2 / 2 in size, are first + p1 times
    /// what becomes of `second` here, centred.
    fn lifted(&self, first: &[u64], second: &mut [u64]) {
        lift(self.path, (self.tables[0].p, self.tables[1].p), self.inverse, first, second);
    }

    /// The signed integer of a pair from `lifted`, modulo 2^64.
    #[inline(always)]
    fn combined(&self, first: u64, second: u64) -> u64 {
        self.tables[0].p.wrapping_mul(second).wrapping_add(first)
    }

    /// Vector `number`'s secret; a number serves one vector.
    pub fn short(&self, secrets: &Stream, number: u64) -> Short {
        let s = ternary(secrets, number, self.degree);
        Short(self.tables.each_ref().map(|table| ntt::transformed(self.path, table, &s)))
    }

    /// Overwrites `out` with block `block` of vector `number`'s pad, (N,) words below 2^kappa.
    pub fn block(
        &self,
        short: &Short,
        (errors_of, number): (&Stream, u64),
        block: usize,
        out: &mut [u64],
    ) {
        let n = self.degree;
        let e = errors(errors_of, number * self.blocks() as u64 + block as u64, n);
        let [first, mut second]: [Vec<u64>; PAIR] = std::array::from_fn(|i| {
            let a = &self.publics[(block * PAIR + i) * n..][..n];
            ntt::product(self.path, &self.tables[i], a, &short.0[i])
        });
        self.lifted(&first, &mut second);
        let mask = low_bits(self.bits);
        for (((out, &e), first), second) in out.iter_mut().zip(&e).zip(first).zip(second) {
            let product = self.combined(first, second);
            *out = product.wrapping_add(e as u64) & mask;
        }
    }

    /// Overwrites `out`, (v, rows), with 2^shift y - a modulo 2^kappa of vectors y (v, rows).
    /// Vector i of these has the pad first + i.
    pub fn masked(
        &self,
        (secrets, errors): (&Stream, &Stream),
        first: u64,
        (vectors, shift): (&[u64], u32),
        out: &mut [u64],
    ) {
        let mask = low_bits(self.bits);
        let mut pad = vec![0; self.degree];
        let lines = vectors.chunks_exact(self.rows).zip(out.chunks_exact_mut(self.rows));
        for (i, (vector, out)) in lines.enumerate() {
            let number = first + i as u64;
            let short = self.short(secrets, number);
            let blocks = vector.chunks(self.degree).zip(out.chunks_mut(self.degree));
            for (block, (vector, out)) in blocks.enumerate() {
                self.block(&short, (errors, number), block, &mut pad);
                for ((out, &y), &a) in out.iter_mut().zip(vector).zip(&pad) {
                    *out = (y << shift).wrapping_sub(a) & mask;
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::words::prg::drawn;

    pub(in crate::lattice) const PRIMES: [u64; PAIR] = [0x3_ffff_ffff_c001, 0x3_ffff_fffc_c001];

    fn pads(degree: usize, bits: u32, rows: usize, path: Path) -> Pads {
        let coins = Stream::new(&[1; 16]);
        let mut pads = Pads::new(degree, PRIMES, bits, (&coins, rows)).unwrap();
        pads.path = path;
        pads
    }

    /// A_beta s + e by the definition.
    pub(in crate::lattice) fn expected(
        degree: usize,
        bits: u32,
        rows: usize,
        number: u64,
    ) -> Vec<u64> {
        let a = drawn(1, rows.div_ceil(degree) * degree);
        let s = ternary(&Stream::new(&[2; 16]), number, degree);
        let blocks = rows.div_ceil(degree) as u64;
        let mut all = Vec::new();
        for (block, a) in a.chunks_exact(degree).enumerate() {
            let e = errors(&Stream::new(&[3; 16]), number * blocks + block as u64, degree);
            for (i, &e) in e.iter().enumerate() {
                let mut sum = e as u64;
                for (j, &s) in s.iter().enumerate() {
                    let s = s as u64;
                    let (place, sign) =
                        if j <= i { (i - j, 1) } else { (i + degree - j, u64::MAX) };
                    sum = sum.wrapping_add(a[place].wrapping_mul(s).wrapping_mul(sign));
                }
                all.push(sum & low_bits(bits));
            }
        }
        all.truncate(rows);
        all
    }

    #[test]
    fn pads_are_the_definition_on_every_path() {
        for (degree, bits, rows) in [(64, 20, 10), (64, 53, 200), (128, 64, 128), (64, 63, 65)] {
            for path in Path::available() {
                let pads = pads(degree, bits, rows, path);
                let (secrets, errors) = (Stream::new(&[2; 16]), Stream::new(&[3; 16]));
                let vectors = vec![5; 2 * rows];
                let mut out = vec![0; 2 * rows];
                pads.masked((&secrets, &errors), 4, (&vectors, 3), &mut out);
                for (i, out) in out.chunks_exact(rows).enumerate() {
                    let a = expected(degree, bits, rows, 4 + i as u64);
                    for (a, &word) in a.iter().zip(out) {
                        assert_eq!(word, 40u64.wrapping_sub(*a) & low_bits(bits));
                    }
                }
            }
        }
    }

    #[test]
    fn residues_are_signed() {
        let p = PRIMES[0];
        for bits in [40, 60, 64] {
            let (reduce, half) = (Reduce::new(p, bits), 1u64 << (bits - 1));
            for x in [0, 1, half - 1, half, low_bits(bits), 12345 << 20] {
                let signed = i128::from(x) - if x < half { 0 } else { 1i128 << bits };
                assert_eq!(i128::from(reduce.of(x)), signed.rem_euclid(i128::from(p)));
            }
        }
    }

    #[test]
    fn what_makes_no_pads_is_refused() {
        let coins = Stream::new(&[1; 16]);
        let [p, q] = PRIMES;
        for (primes, bits) in [([p, p], 60), ([p, q], 65), ([p, q], 1), ([p, q + 2], 60)] {
            assert!(Pads::new(64, primes, bits, (&coins, 10)).is_none());
        }
    }
}
