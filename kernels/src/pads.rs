//! Pads from ring-LWE: long pseudorandom vectors with a short secret.
//!
//! Over R = Z_2^kappa[X] / (X^N + 1) the rows of a vector are cut in blocks of N; block beta of
//! the pad is a = A_beta s + e, with a public uniform A_beta, a fresh ternary s for the whole
//! vector and fresh centred binomial errors e. For a one-hot matrix M the product M^T a is
//! W s + M^T e with W = M^T A: N words a column, however many rows there are.
//!
//! Products are exact: numbers are held modulo two primes p1 p2 > 2^99, reconstructed as
//! signed integers below half of that, and reduced modulo 2^kappa.

use crate::bfv_lanes::{Engine, Lanes, on_engine};
use crate::bfv_ring::{errors, residue, subtract, ternary};
use crate::histogram::Bins;
use crate::modular::{Factor, Scale, power};
use crate::ntt::{self, Constants, Table, fold};
use crate::prg::Stream;

/// Primes of exact products.
pub const PAIR: usize = 2;
/// The most bits of a word: 2^20 of them, signed, add up to less than p1 p2 / 2.
pub const MOST_BITS: u32 = 79;
/// Blocks of rows whose sums are exact before they are reduced modulo 2^kappa.
const PASS_ROWS: usize = 1 << 20;
/// Columns that are summed together: their sums stay in the cache.
const TILE: usize = 16;

/// A number modulo 2^kappa, kappa at most 128.
pub type Word = u128;

/// The low `bits` bits.
#[inline(always)]
pub fn low_bits(bits: u32) -> Word {
    Word::MAX >> (128 - bits)
}

/// x < 2^bits, read as signed, modulo a prime; no branch.
#[derive(Clone, Copy)]
pub struct Reduce {
    one: Factor,
    shift: Factor,
    whole: u64,
    bits: u32,
    p: u64,
}

impl Reduce {
    /// Of words of so many bits.
    pub fn new(p: u64, bits: u32) -> Reduce {
        Reduce {
            one: Factor::new(1, p),
            shift: Factor::new(power(2, 64, p), p),
            whole: power(2, u64::from(bits), p),
            bits,
            p,
        }
    }

    /// The residue.
    #[inline(always)]
    pub fn of(&self, x: Word) -> u64 {
        let sum = self.one.times(x as u64) + self.shift.times((x >> 64) as u64);
        let sum = sum.min(sum.wrapping_sub(self.p));
        let negative = ((x >> (self.bits - 1)) as u64 & 1).wrapping_neg();
        subtract(sum, self.whole & negative, self.p)
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
    pub engine: Engine,
    tables: [Table; PAIR],
    /// 1 / p1 modulo p2.
    inverse: Scale,
    /// Transformed, (blocks, 2, N): A for pads, A at 1 / X for the matrix.
    publics: Vec<u64>,
}

/// A vector's secret, transformed.
pub struct Short([Vec<u64>; PAIR]);

#[inline(always)]
fn accumulate_body<L: Lanes>(a: &[u64], b: &[u64], low: &mut [u64], high: &mut [u64]) {
    let inputs = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    let sums = low.as_chunks_mut::<8>().0.iter_mut().zip(high.as_chunks_mut::<8>().0);
    for ((a, b), (low, high)) in inputs.zip(sums) {
        let (a, b) = (L::load(a), L::load(b));
        L::load(low).add_low(a, b).store(low);
        L::load(high).add_high(a, b).store(high);
    }
}

on_engine! {
    /// Adds the halves of the products a b, word by word.
    pub fn accumulate = accumulate_body(a: &[u64], b: &[u64], low: &mut [u64], high: &mut [u64]);
}

#[inline(always)]
fn folded_body<L: Lanes>(c: &Constants, low: &mut [u64], high: &[u64]) {
    for (low, high) in low.as_chunks_mut::<8>().0.iter_mut().zip(high.as_chunks::<8>().0) {
        fold(L::load(low), L::load(high), c).store(low);
    }
}

on_engine! {
    /// low = low + 2^52 high modulo p.
    pub fn folded = folded_body(c: &Constants, low: &mut [u64], high: &[u64]);
}

#[inline(always)]
fn lift_body<L: Lanes>(primes: (u64, u64), inverse: Scale, first: &[u64], second: &mut [u64]) {
    let (p, half) = (L::splat(primes.1), L::splat(primes.1 / 2));
    for (x, y) in first.as_chunks::<8>().0.iter().zip(second.as_chunks_mut::<8>().0) {
        // p1 < 2 p2: one subtraction reduces.
        let rest = L::load(y).plus(p).minus(L::load(x).reduce_once(p)).reduce_once(p);
        let quotient = inverse.times(rest);
        // Above half, less p2: through a residue that starts at the half.
        quotient.plus(half).reduce_once(p).minus(half).store(y);
    }
}

on_engine! {
    /// The centred quotients by p1 modulo p2 of second - first.
    pub fn lift = lift_body(primes: (u64, u64), inverse: Scale, first: &[u64], second: &mut [u64]);
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
        let inverse = Scale::new(power(first % second, second - 2, second), second);
        let blocks = rows.div_ceil(degree);
        let publics = vec![0; blocks * PAIR * degree];
        let engine = Engine::best();
        let mut pads = Pads { degree, bits, rows, engine, tables, inverse, publics };
        pads.draw(coins, mirrored);
        Some(pads)
    }

    /// Blocks of rows.
    pub fn blocks(&self) -> usize {
        self.rows.div_ceil(self.degree)
    }

    /// Coefficient i of block beta is made of words 2 (beta N + i) and the next of the coins.
    fn draw(&mut self, coins: &Stream, mirrored: bool) {
        let n = self.degree;
        let reduce = self.reductions();
        let mut words = vec![0; 2 * n];
        for (block, out) in self.publics.chunks_exact_mut(PAIR * n).enumerate() {
            coins.fill((block * 2 * n) as u64, &mut words);
            for (i, pair) in words.as_chunks::<2>().0.iter().enumerate() {
                let a = (Word::from(pair[1]) << 64 | Word::from(pair[0])) & low_bits(self.bits);
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
                ntt::forward(self.engine, table, out);
            }
        }
    }

    fn reductions(&self) -> [Reduce; PAIR] {
        std::array::from_fn(|i| Reduce::new(self.tables[i].p, self.bits))
    }

    /// The signed integers with these residues, far below p1 p2 / 2 in size, are first + p1 times
    /// what becomes of `second` here, centred.
    fn lifted(&self, first: &[u64], second: &mut [u64]) {
        lift(self.engine, (self.tables[0].p, self.tables[1].p), self.inverse, first, second);
    }

    /// The signed integer of a pair from `lifted`, modulo 2^128.
    #[inline(always)]
    fn combined(&self, first: u64, second: u64) -> Word {
        let product = i128::from(self.tables[0].p as i64) * i128::from(second as i64);
        (product as Word).wrapping_add(Word::from(first))
    }

    /// Vector `number`'s secret; a number serves one vector.
    pub fn short(&self, secrets: &Stream, number: u64) -> Short {
        let s = ternary(secrets, number, self.degree);
        Short(std::array::from_fn(|i| {
            let table = &self.tables[i];
            let mut words: Vec<u64> = s.iter().map(|&x| residue(x, table.p)).collect();
            ntt::forward(self.engine, table, &mut words);
            words
        }))
    }

    /// Overwrites `out` with block `block` of vector `number`'s pad, (N,) words below 2^kappa.
    pub fn block(
        &self,
        short: &Short,
        (errors_of, number): (&Stream, u64),
        block: usize,
        out: &mut [Word],
    ) {
        let n = self.degree;
        let e = errors(errors_of, number * self.blocks() as u64 + block as u64, n);
        let [first, mut second]: [Vec<u64>; PAIR] = std::array::from_fn(|i| {
            let table = &self.tables[i];
            let a = &self.publics[(block * PAIR + i) * n..][..n];
            let mut product = vec![0; n];
            ntt::multiply(self.engine, &table.constants, a, &short.0[i], &mut product);
            ntt::inverse(self.engine, table, &mut product);
            product
        });
        self.lifted(&first, &mut second);
        let mask = low_bits(self.bits);
        for (((out, &e), first), second) in out.iter_mut().zip(&e).zip(first).zip(second) {
            let product = self.combined(first, second);
            *out = product.wrapping_add(e as i128 as Word) & mask;
        }
    }

    /// The messages of vectors (v, rows): 2^shift y - a modulo 2^kappa, ceil(kappa / 8) bytes a
    /// row, lowest first. Vector i of these has the pad first + i.
    pub fn masked(
        &self,
        (secrets, errors): (&Stream, &Stream),
        first: u64,
        (vectors, shift): (&[u64], u32),
        out: &mut [u8],
    ) {
        let width = self.bits.div_ceil(8) as usize;
        let mut pad = vec![0; self.degree];
        let lines = vectors.chunks_exact(self.rows).zip(out.chunks_exact_mut(self.rows * width));
        for (i, (vector, out)) in lines.enumerate() {
            let number = first + i as u64;
            let short = self.short(secrets, number);
            let blocks = vector.chunks(self.degree).zip(out.chunks_mut(self.degree * width));
            for (block, (vector, out)) in blocks.enumerate() {
                self.block(&short, (errors, number), block, &mut pad);
                packed(vector, &pad, (shift, self.bits), out);
            }
        }
    }

    /// Overwrites `out`, (columns, 2, N), with W = M^T A modulo 2^kappa: low and high words.
    /// Row b of W, taken times the coefficients of s, is the sum of A s over the rows in bin b.
    pub fn matrix(&self, bins: Bins<'_>, out: &mut [u64]) {
        let (n, columns) = (self.degree, bins.features * bins.bins);
        out.fill(0);
        let mut sums = vec![0; TILE * PAIR * 2 * n];
        let mut ones = vec![0; TILE * n];
        let mut scratch = vec![0; n];
        for first in (0..columns).step_by(TILE) {
            let tile = first..columns.min(first + TILE);
            let out = &mut out[tile.start * 2 * n..tile.end * 2 * n];
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
                for (sums, out) in sums.chunks_exact_mut(4 * n).zip(out.chunks_exact_mut(2 * n)) {
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
            ntt::forward(self.engine, &self.tables[i], scratch);
            let (low, high) = sums.split_at_mut(n);
            let a = &self.publics[(block * PAIR + i) * n..][..n];
            accumulate(self.engine, a, scratch, low, high);
        }
    }

    /// Adds the integers that lazy sums stand for to the words of a row of W.
    fn add_sums(&self, sums: &mut [u64], out: &mut [u64]) {
        let n = self.degree;
        for (table, sums) in self.tables.iter().zip(sums.chunks_exact_mut(2 * n)) {
            let (low, high) = sums.split_at_mut(n);
            folded(self.engine, &table.constants, low, high);
            ntt::inverse(self.engine, table, low);
        }
        let (first, second) = sums.split_at_mut(2 * n);
        self.lifted(&first[..n], &mut second[..n]);
        let (low, high) = out.split_at_mut(n);
        for (j, (low, high)) in low.iter_mut().zip(high).enumerate() {
            let word = Word::from(*high) << 64 | Word::from(*low);
            let word = word.wrapping_add(self.combined(first[j], second[j]));
            let word = word & low_bits(self.bits);
            (*low, *high) = (word as u64, (word >> 64) as u64);
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

/// 2^shift y - a modulo 2^bits, ceil(bits / 8) bytes each.
fn packed(vector: &[u64], pad: &[Word], (shift, bits): (u32, u32), out: &mut [u8]) {
    let width = bits.div_ceil(8) as usize;
    for (i, (&y, &a)) in vector.iter().zip(pad).enumerate() {
        let word = (Word::from(y) << shift).wrapping_sub(a) & low_bits(bits);
        let bytes = word.to_le_bytes();
        // Whole words, where there is room: what is too much is overwritten by the next.
        match out[i * width..].first_chunk_mut() {
            Some(whole) => *whole = bytes,
            None => out[i * width..][..width].copy_from_slice(&bytes[..width]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMES: [u64; PAIR] = [0x3_ffff_ffff_c001, 0x3_ffff_fffc_c001];

    fn pads(degree: usize, bits: u32, rows: usize, mirrored: bool, engine: Engine) -> Pads {
        let coins = Stream::new(&[1; 16]);
        let mut pads = Pads::new(degree, PRIMES, bits, (&coins, rows), mirrored).unwrap();
        pads.engine = engine;
        pads
    }

    /// A_beta s + e by the definition.
    fn expected(degree: usize, bits: u32, rows: usize, number: u64) -> Vec<Word> {
        let mut coins = vec![0; 2 * rows.div_ceil(degree) * degree];
        Stream::new(&[1; 16]).fill(0, &mut coins);
        let a: Vec<Word> = coins
            .chunks_exact(2)
            .map(|pair| Word::from(pair[1]) << 64 | Word::from(pair[0]))
            .collect();
        let s = ternary(&Stream::new(&[2; 16]), number, degree);
        let blocks = rows.div_ceil(degree) as u64;
        let mut all = Vec::new();
        for (block, a) in a.chunks_exact(degree).enumerate() {
            let e = errors(&Stream::new(&[3; 16]), number * blocks + block as u64, degree);
            for (i, &e) in e.iter().enumerate() {
                let mut sum = e as i128 as Word;
                for (j, &s) in s.iter().enumerate() {
                    let s = s as i128 as Word;
                    let (place, sign) =
                        if j <= i { (i - j, 1) } else { (i + degree - j, Word::MAX) };
                    sum = sum.wrapping_add(a[place].wrapping_mul(s).wrapping_mul(sign));
                }
                all.push(sum & low_bits(bits));
            }
        }
        all.truncate(rows);
        all
    }

    #[test]
    fn pads_are_the_definition_on_every_engine() {
        for (degree, bits, rows) in [(64, 20, 10), (64, 73, 200), (128, 64, 128), (64, 79, 65)] {
            for engine in Engine::available() {
                let pads = pads(degree, bits, rows, false, engine);
                let (secrets, errors) = (Stream::new(&[2; 16]), Stream::new(&[3; 16]));
                let vectors = vec![5; 2 * rows];
                let width = bits.div_ceil(8) as usize;
                let mut out = vec![0; 2 * rows * width];
                pads.masked((&secrets, &errors), 4, (&vectors, 3), &mut out);
                for (i, out) in out.chunks_exact(rows * width).enumerate() {
                    let a = expected(degree, bits, rows, 4 + i as u64);
                    for (a, bytes) in a.iter().zip(out.chunks_exact(width)) {
                        let mut word = [0; 16];
                        word[..width].copy_from_slice(bytes);
                        let expected = (40 as Word).wrapping_sub(*a) & low_bits(bits);
                        assert_eq!(Word::from_le_bytes(word), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn the_matrix_times_the_secret_is_the_sum_of_the_pad_without_its_errors() {
        let (degree, bits, rows, features, count) = (64, 73, 200, 3, 7);
        let of: Vec<u8> = (0..rows * features).map(|i| (i * i % 11 % count) as u8).collect();
        let bins = Bins { of: &of, features, bins: count };
        for engine in Engine::available() {
            let mut w = vec![0; features * count * 2 * degree];
            pads(degree, bits, rows, true, engine).matrix(bins, &mut w);
            let s = ternary(&Stream::new(&[2; 16]), 9, degree);
            let a = expected(degree, bits, rows, 9);
            let e: Vec<i64> = (0..4)
                .flat_map(|block| errors(&Stream::new(&[3; 16]), 9 * 4 + block, degree))
                .collect();
            for (column, w) in w.chunks_exact(2 * degree).enumerate() {
                let mut sum: Word = 0;
                for (j, &s) in s.iter().enumerate() {
                    let w = Word::from(w[degree + j]) << 64 | Word::from(w[j]);
                    sum = sum.wrapping_add(w.wrapping_mul(s as i128 as Word));
                }
                let mut expected: Word = 0;
                for row in 0..rows {
                    if usize::from(of[row * features + column / count]) == column % count {
                        let term = a[row].wrapping_sub(e[row] as i128 as Word);
                        expected = expected.wrapping_add(term);
                    }
                }
                assert_eq!(sum & low_bits(bits), expected & low_bits(bits), "{}", engine.name());
            }
        }
    }

    #[test]
    fn residues_are_signed() {
        let p = PRIMES[0];
        let reduce = Reduce::new(p, 70);
        for x in [0, 1, (1 << 69) - 1, 1 << 69, (1 << 70) - 1, 12345 << 50] {
            let signed = if x < 1 << 69 { x as i128 } else { x as i128 - (1 << 70) };
            assert_eq!(i128::from(reduce.of(x)), signed.rem_euclid(i128::from(p)));
        }
    }

    #[test]
    fn what_makes_no_pads_is_refused() {
        let coins = Stream::new(&[1; 16]);
        let [p, q] = PRIMES;
        for (primes, bits) in [([p, p], 70), ([p, q], 80), ([p, q], 1), ([p, q + 2], 70)] {
            assert!(Pads::new(64, primes, bits, (&coins, 10), false).is_none());
        }
    }
}
