//! W = M^T A of a one-hot matrix M and public polynomials A: what the owner of bins multiplies
//! encrypted secrets with.
//!
//! Row b of W, taken times the coefficients of s, is the sum of A s over the rows in bin b; so it
//! is the sum over all blocks of A at 1 / X times the polynomial that is one where a row lies in
//! bin b. Transforms of these take most of the time. One serves all A that are asked for (that of
//! g and that of h), and one prime is enough: A is cut in two halves, of at most 32 bits each, whose
//! sums over many rows stay below half a prime of 50 bits.

use super::{MOST_BITS, low_bits};
use crate::lattice::modular::{Factor, subtract};
use crate::lattice::ntt::{self, Table};
use crate::simd::path::Path;
use crate::words::histogram::Bins;
use crate::words::prg::Stream;
use std::ops::Range;

const HALVES: usize = 2;
/// Sums are below 2^48 in size, a prime is above 2^49.
const SUM_BITS: u32 = 48;
/// Blocks whose residues add up within words.
const MOST_BLOCKS: usize = 256;

/// One public A at 1 / X.
struct Public {
    /// kappa, at most 64.
    bits: u32,
    /// Transformed, (blocks, halves, N), the low half first.
    halves: Vec<u64>,
}

impl Public {
    /// Of the low half, which is not the smaller one.
    fn low_half(&self) -> u32 {
        self.bits.div_ceil(2)
    }
}

/// The public polynomials of a matrix with so many rows.
pub struct Matrix {
    /// N.
    pub degree: usize,
    /// Rows of M.
    pub rows: usize,
    /// How the transforms run; changes speed only.
    pub path: Path,
    table: Table,
    publics: Vec<Public>,
}

impl Matrix {
    /// For A of so many bits from each of the coins. None where the prime does not suit the degree,
    /// a number of bits is not 2 to 64, or there are no rows.
    pub fn new((degree, p): (usize, u64), coins: &[(u32, Stream)], rows: usize) -> Option<Matrix> {
        let fit = coins.iter().all(|(bits, _)| (2..=MOST_BITS).contains(bits));
        if !fit || rows == 0 {
            return None;
        }
        let table = Table::new(degree, p)?;
        let mut made = Matrix { degree, rows, path: Path::best(), table, publics: Vec::new() };
        made.publics = coins.iter().map(|(bits, coins)| made.drawn(*bits, coins)).collect();
        Some(made)
    }

    /// How many A there are.
    pub fn count(&self) -> usize {
        self.publics.len()
    }

    /// Coefficient i of block beta is word beta N + i of the coins.
    fn drawn(&self, bits: u32, coins: &Stream) -> Public {
        let n = self.degree;
        let halves = vec![0; self.rows.div_ceil(n) * HALVES * n];
        let mut public = Public { bits, halves };
        let (shift, mut words) = (public.low_half(), vec![0; n]);
        for (block, out) in public.halves.chunks_exact_mut(HALVES * n).enumerate() {
            coins.fill((block * n) as u64, &mut words);
            for (i, word) in words.iter().enumerate() {
                let a = word & low_bits(bits);
                for (half, part) in [a & low_bits(shift), a >> shift].into_iter().enumerate() {
                    // At 1 / X: X^-i = -X^(N - i).
                    let (place, part) = match i {
                        0 => (0, part),
                        _ => (n - i, subtract(0, part, self.table.p)),
                    };
                    out[half * n + place] = part;
                }
            }
            out.chunks_exact_mut(n).for_each(|out| ntt::forward(self.path, &self.table, out));
        }
        public
    }

    /// Overwrites `out`, (A, columns, N), with W modulo 2^kappa of each A in the range.
    pub fn of(&self, bins: Bins<'_>, which: Range<usize>, out: &mut [u64]) {
        let (n, publics) = (self.degree, &self.publics[which]);
        let size = bins.features * bins.bins * n;
        let rows = publics.iter().map(|of| 1usize << (SUM_BITS - of.low_half())).min();
        let blocks = rows.map_or(1, |rows| (rows / n).clamp(1, MOST_BLOCKS));
        let mut own = vec![0; self.rows];
        let mut ones = vec![0; n];
        let mut sums = vec![0; publics.len() * HALVES * n];
        out.fill(0);
        for feature in 0..bins.features {
            let rows = bins.of.chunks_exact(bins.features);
            own.iter_mut().zip(rows).for_each(|(own, row)| *own = row[feature]);
            for bin in 0..bins.bins {
                let column = (feature * bins.bins + bin) * n;
                for (pass, own) in own.chunks(blocks * n).enumerate() {
                    sums.fill(0);
                    for (block, own) in own.chunks(n).enumerate() {
                        // Also where no row has this bin: the time does not depend on bins.
                        ones.fill(0);
                        for (one, &of) in ones.iter_mut().zip(own) {
                            *one = u64::from(usize::from(of) == bin);
                        }
                        ntt::forward(self.path, &self.table, &mut ones);
                        self.add_block(publics, pass * blocks + block, &ones, &mut sums);
                    }
                    let sums = sums.chunks_exact_mut(HALVES * n);
                    for (number, (public, sums)) in publics.iter().zip(sums).enumerate() {
                        let out = &mut out[number * size + column..][..n];
                        self.add_sums(public, sums, out);
                    }
                }
            }
        }
    }

    /// Adds one block's products to sums, (A, halves, N).
    fn add_block(&self, publics: &[Public], block: usize, ones: &[u64], sums: &mut [u64]) {
        let n = self.degree;
        let place = block * HALVES * n..(block + 1) * HALVES * n;
        let halves = publics.iter().flat_map(|of| of.halves[place.clone()].chunks_exact(n));
        for (half, sums) in halves.zip(sums.chunks_exact_mut(n)) {
            ntt::add_pointwise(self.path, &self.table, half, ones, sums);
        }
    }

    /// Adds the integers that sums of both halves stand for to the words of a row of W.
    fn add_sums(&self, public: &Public, sums: &mut [u64], out: &mut [u64]) {
        let (n, p) = (self.degree, self.table.p);
        let one = Factor::new(1, p);
        for sums in sums.chunks_exact_mut(n) {
            sums.iter_mut().for_each(|sum| *sum = one.times(*sum));
            ntt::inverse(self.path, &self.table, sums);
        }
        let signed = |residue: u64| {
            let above_half = (p / 2).wrapping_sub(residue) >> 63;
            residue.wrapping_sub(p & above_half.wrapping_neg())
        };
        let (first, second) = sums.split_at(n);
        for ((out, &low), &high) in out.iter_mut().zip(first).zip(second) {
            let sum = signed(low).wrapping_add(signed(high) << public.low_half());
            *out = out.wrapping_add(sum) & low_bits(public.bits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lattice::masks::tests::{PRIMES, expected};
    use crate::lattice::ring::{errors, ternary};

    #[test]
    fn every_matrix_times_the_secret_is_the_sum_of_the_pad_without_its_errors() {
        let (degree, features, count, number) = (64, 3, 7, 9);
        let coins = [40, 57, 64].map(|bits| (bits, Stream::new(&[1; 16])));
        let s = ternary(&Stream::new(&[2; 16]), number, degree);
        // The second one takes more than one pass.
        for rows in [200, (MOST_BLOCKS + 3) * degree] {
            let of: Vec<u8> = (0..rows * features).map(|i| (i * i % 11 % count) as u8).collect();
            let bins = Bins { of: &of, features, bins: count };
            let blocks = rows.div_ceil(degree) as u64;
            let a = expected(degree, 64, rows, number);
            let e = |block| errors(&Stream::new(&[3; 16]), number * blocks + block, degree);
            let e: Vec<i64> = (0..blocks).flat_map(e).collect();
            let mut sums = vec![0u64; features * count];
            for (row, of) in of.chunks_exact(features).enumerate() {
                for (feature, &of) in of.iter().enumerate() {
                    let sum = &mut sums[feature * count + usize::from(of)];
                    *sum = sum.wrapping_add(a[row].wrapping_sub(e[row] as u64));
                }
            }
            for path in Path::available() {
                let mut matrix = Matrix::new((degree, PRIMES[0]), &coins, rows).unwrap();
                matrix.path = path;
                let size = features * count * degree;
                let mut all = vec![0; 3 * size];
                matrix.of(bins, 0..3, &mut all);
                for ((bits, _), w) in coins.iter().zip(all.chunks_exact(size)) {
                    for (w, sum) in w.chunks_exact(degree).zip(&sums) {
                        let term = |(&w, &s): (&u64, &i64)| w.wrapping_mul(s as u64);
                        let found = w.iter().zip(&s).map(term).fold(0, u64::wrapping_add);
                        assert_eq!((found ^ sum) & low_bits(*bits), 0, "{} {rows}", path.name());
                        assert!(w.iter().all(|w| *w <= low_bits(*bits)));
                    }
                }
                let mut second = vec![0; size];
                matrix.of(bins, 1..2, &mut second);
                assert_eq!(second, all[size..2 * size]);
            }
        }
    }

    #[test]
    fn what_makes_no_matrix_is_refused() {
        let made = |p, bits, rows| {
            let coins = [(40, Stream::new(&[1; 16])), (bits, Stream::new(&[2; 16]))];
            Matrix::new((64, p), &coins, rows).is_some()
        };
        let [p, _] = PRIMES;
        assert!(made(p, 64, 10));
        for (p, bits, rows) in [(p + 2, 60, 10), (p, 65, 10), (p, 1, 10), (p, 60, 0)] {
            assert!(!made(p, bits, rows));
        }
    }
}
