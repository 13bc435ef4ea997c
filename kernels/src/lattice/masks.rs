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

use crate::lattice::modular::{Factor, Scale, inverse, power, subtract};
use crate::lattice::ntt::{self, Table, fold};
use crate::lattice::ring::{errors, ternary};
use crate::simd::lanes::eights;
use crate::simd::path::{Path, dispatched};
use crate::simd::residues::Residues;
use crate::words::histogram::Bins;
use crate::words::prg::Stream;

/// Primes of exact products.
pub const PAIR: usize = 2;
/// The most bits of a word.
pub const MOST_BITS: u32 = 64;
/// Blocks of rows whose sums are exact before they are reduced modulo 2^kappa.
const PASS_ROWS: usize = 1 << 20;
/// Columns that are summed together: their sums stay in the cache.
const TILE: usize = 16;

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
    /// Transformed, (blocks, 2, N): A for pads, A at 1 / X for the matrix.
    publics: Vec<u64>,
}

/// A vector's secret, transformed.
pub struct Short([Vec<u64>; PAIR]);

dispatched! {
    /// Adds the halves of the products a b, word by word.
    pub fn accumulate<L: Residues>(a: &[u64], b: &[u64], low: &mut [u64], high: &mut [u64]) {
        eights!([a, b], [low, high], {
            let none = (L::splat(0), L::splat(0));
            let product = L::settled(L::add_product(none, a.operand(), b.operand()), 1);
            L::load(low).plus(product.0).store(low);
            L::load(high).plus(product.1).store(high);
        });
    }

    /// low = low + 2^52 high modulo p.
    pub fn folded<L: Residues>(table: &Table, low: &mut [u64], high: &[u64]) {
        eights!([high], [low], fold((L::load(low), high), table).store(low));
    }

    /// The centred quotients by p1 modulo p2 of second - first.
    pub fn lift<L: Residues>(
        primes: (u64, u64),
        inverse: Scale,
        first: &[u64],
        second: &mut [u64],
    ) {
        let (p, half) = (L::splat(primes.1), L::splat(primes.1 / 2));
        eights!([first], [second], {
            // p1 < 2 p2: one subtraction reduces.
            let rest = L::load(second).plus(p).minus(first.reduce_once(p)).reduce_once(p);
            // Above half, less p2: through a residue that starts at the half.
            inverse.times(rest).plus(half).reduce_once(p).minus(half).store(second);
        });
    }
}

impl Pads {
    /// None where the primes do not suit the degree, there are too many bits or no rows.
    ///
    /// `mirrored`: for `matrix`; otherwise for pads.
    pub fn new(
        degree: usize,
        primes: [u64; PAIR],
        bits: u32,
        (coins, rows): (&Stream, usize),
        mirrored: bool,
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
        pads.draw(coins, mirrored);
        Some(pads)
    }

    /// Blocks of rows.
    pub fn blocks(&self) -> usize {
        self.rows.div_ceil(self.degree)
    }

    /// Coefficient i of block beta is word beta N + i of the coins.
    fn draw(&mut self, coins: &Stream, mirrored: bool) {
        let n = self.degree;
        let reduce = self.reductions();
        let mut words = vec![0; n];
        for (block, out) in self.publics.chunks_exact_mut(PAIR * n).enumerate() {
            coins.fill((block * n) as u64, &mut words);
            for (i, word) in words.iter().enumerate() {
                let a = word & low_bits(self.bits);
                for (limb, reduce) in reduce.iter().enumerate() {
                    let word = reduce.of(a);
                    // At 1 / X: X^-i = -X^(N - i).
                    let (place, word) = match (mirrored, i) {
                        (false, _) | (true, 0) => (i, word),
                        (true, _) => (n - i, subtract(0, word, reduce.p)),
                    };
                    out[limb * n + place] = word;
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

    /// Overwrites `out`, (columns, N), with W = M^T A modulo 2^kappa.
    /// Row b of W, taken times the coefficients of s, is the sum of A s over the rows in bin b.
    pub fn matrix(&self, bins: Bins<'_>, out: &mut [u64]) {
        let (n, columns) = (self.degree, bins.features * bins.bins);
        out.fill(0);
        let mut sums = vec![0; TILE * PAIR * 2 * n];
        let mut ones = vec![0; TILE * n];
        let mut scratch = vec![0; n];
        for first in (0..columns).step_by(TILE) {
            let tile = first..columns.min(first + TILE);
            let out = &mut out[tile.start * n..tile.end * n];
            let sums = &mut sums[..tile.len() * PAIR * 2 * n];
            let ones = &mut ones[..tile.len() * n];
            for start in (0..self.blocks()).step_by(PASS_ROWS / n) {
                sums.fill(0);
                for block in start..self.blocks().min(start + PASS_ROWS / n) {
                    ones.fill(0);
                    one_hot(bins, block * n, tile.start, (n, ones));
                    for (ones, sums) in ones.chunks_exact(n).zip(sums.chunks_exact_mut(4 * n)) {
                        // Also where no row has this bin: the time does not depend on bins.
                        self.add_block(block, ones, &mut scratch, sums);
                    }
                }
                for (sums, out) in sums.chunks_exact_mut(4 * n).zip(out.chunks_exact_mut(n)) {
                    self.add_sums(sums, out);
                }
            }
        }
    }

    /// Adds one block's product with 0/1 coefficients to lazy sums (2, low and high, N).
    fn add_block(&self, block: usize, ones: &[u64], scratch: &mut [u64], sums: &mut [u64]) {
        let n = self.degree;
        for (i, sums) in sums.chunks_exact_mut(2 * n).enumerate() {
            scratch.copy_from_slice(ones);
            ntt::forward(self.path, &self.tables[i], scratch);
            let (low, high) = sums.split_at_mut(n);
            let a = &self.publics[(block * PAIR + i) * n..][..n];
            accumulate(self.path, a, scratch, low, high);
        }
    }

    /// Adds the integers that lazy sums stand for to the words of a row of W.
    fn add_sums(&self, sums: &mut [u64], out: &mut [u64]) {
        let n = self.degree;
        for (table, sums) in self.tables.iter().zip(sums.chunks_exact_mut(2 * n)) {
            let (low, high) = sums.split_at_mut(n);
            folded(self.path, table, low, high);
            ntt::inverse(self.path, table, low);
        }
        let (first, second) = sums.split_at_mut(2 * n);
        self.lifted(&first[..n], &mut second[..n]);
        for (j, out) in out.iter_mut().enumerate() {
            *out = out.wrapping_add(self.combined(first[j], second[j])) & low_bits(self.bits);
        }
    }
}

/// Sets coefficient i of each column of the tile where row first_row + i lies in it.
fn one_hot(bins: Bins<'_>, first_row: usize, first: usize, (n, ones): (usize, &mut [u64])) {
    let columns = first..first + ones.len() / n;
    let features = columns.start / bins.bins..columns.end.div_ceil(bins.bins);
    let rows = bins.of[first_row * bins.features..].chunks_exact(bins.features).take(n);
    for (i, of) in rows.enumerate() {
        for feature in features.clone() {
            let column = feature * bins.bins + usize::from(of[feature]);
            if columns.contains(&column) {
                ones[(column - columns.start) * n + i] = 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    const PRIMES: [u64; PAIR] = [0x3_ffff_ffff_c001, 0x3_ffff_fffc_c001];

    fn pads(degree: usize, bits: u32, rows: usize, mirrored: bool, path: Path) -> Pads {
        let coins = Stream::new(&[1; 16]);
        let mut pads = Pads::new(degree, PRIMES, bits, (&coins, rows), mirrored).unwrap();
        pads.path = path;
        pads
    }

    /// A_beta s + e by the definition.
    fn expected(degree: usize, bits: u32, rows: usize, number: u64) -> Vec<u64> {
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
    fn many_products_at_the_edges_add_up_on_every_path() {
        let table = Table::new(64, PRIMES[0]).unwrap();
        let most = (1 << 51) - 1;
        let edges = [0, 1, 2, 1 << 25, (1 << 26) - 1, 1 << 50, most - 1, most];
        let a: Vec<u64> = (0..64).map(|i| edges[i / 8]).collect();
        let b: Vec<u64> = (0..64).map(|i| edges[i % 8]).collect();
        for times in [1, 3, 1 << 10] {
            for path in Path::available() {
                let (mut low, mut high) = (vec![0; 64], vec![0; 64]);
                for _ in 0..times {
                    accumulate(path, &a, &b, &mut low, &mut high);
                }
                folded(path, &table, &mut low, &high);
                for (i, &found) in low.iter().enumerate() {
                    let product = u128::from(a[i]) * u128::from(b[i]);
                    let expected = product * times % u128::from(table.p);
                    assert_eq!(u128::from(found), expected, "{} {i} {times}", path.name());
                }
            }
        }
    }

    #[test]
    fn pads_are_the_definition_on_every_path() {
        for (degree, bits, rows) in [(64, 20, 10), (64, 53, 200), (128, 64, 128), (64, 63, 65)] {
            for path in Path::available() {
                let pads = pads(degree, bits, rows, false, path);
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
    fn the_matrix_times_the_secret_is_the_sum_of_the_pad_without_its_errors() {
        let (degree, bits, rows, features, count) = (64, 57, 200, 3, 7);
        let of: Vec<u8> = (0..rows * features).map(|i| (i * i % 11 % count) as u8).collect();
        let bins = Bins { of: &of, features, bins: count };
        for path in Path::available() {
            let mut w = vec![0; features * count * degree];
            pads(degree, bits, rows, true, path).matrix(bins, &mut w);
            let s = ternary(&Stream::new(&[2; 16]), 9, degree);
            let a = expected(degree, bits, rows, 9);
            let e: Vec<i64> = (0..4)
                .flat_map(|block| errors(&Stream::new(&[3; 16]), 9 * 4 + block, degree))
                .collect();
            for (column, w) in w.chunks_exact(degree).enumerate() {
                let mut sum = 0u64;
                for (&w, &s) in w.iter().zip(&s) {
                    sum = sum.wrapping_add(w.wrapping_mul(s as u64));
                }
                let mut expected = 0u64;
                for row in 0..rows {
                    if usize::from(of[row * features + column / count]) == column % count {
                        let term = a[row].wrapping_sub(e[row] as u64);
                        expected = expected.wrapping_add(term);
                    }
                }
                assert_eq!(sum & low_bits(bits), expected & low_bits(bits), "{}", path.name());
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
            assert!(Pads::new(64, primes, bits, (&coins, 10), false).is_none());
        }
    }
}
