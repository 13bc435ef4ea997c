//! Sums of one party's words by private bits of the other, where the words stay the same for long:
//! ring-LWE shares of sum_k m_k L_k, for bits m (rows, trees, K) of P and words L (trees, K) of Q,
//! modulo 2^w.
//!
//! The ring is Z_p[X] / (X^2048 + 1), p one prime of 50 bits. Q encrypts each word once under a
//! small secret s, at a coefficient that is its tree's,
//!
//! ```text
//! c_0(t, k) = -c_1(t, k) s + e + round(p L(t, k) / 2^w) X^(t mod S),     p_0 = -p_1 s + e.
//! ```
//!
//! P puts the bits of 256 rows of a word side by side, m_(t,k)(X) = sum_r m_(r,t,k) X^(S r) with
//! S = 2048 / 256, and adds m_(t,k) c(t, k) up over K words of S trees: coefficient S r + t mod S
//! is row r's sum for tree t. A fresh encryption of zero is added, C_1 += u p_1 + e_1, C_0 += u
//! p_0, and C_1 alone leaves, rounded to b bits a coefficient. **C_0 is P's share and never
//! leaves**; so it needs no error of its own. C_1 s is Q's share. As fractions of 2^b both add up to
//! the sum 2^(b - w), plus noise (`he/fixed_sums.py` has bounds).
//!
//! C_1 hides m by u, which serves once: `Sums` counts its numbers as long as the key lives, and
//! moves the count before a number is used. Nothing here has a branch or an address that depends
//! on bits, words or secrets.
//!
//! Polynomials in X^S have S equal words side by side once transformed: a transform of 256 numbers
//! does, and each of its results meets S words of a ciphertext, which lie together.

use crate::lattice::modular::{add, residue, subtract};
use crate::lattice::ntt::{self, LIMIT, Table, fold};
use crate::lattice::ring::{errors, ternary, uniform};
use crate::simd::path::{Path, dispatched};
use crate::simd::residues::Residues;
use crate::words::bits::{pack_words, unpack_bits, unpack_words};
use crate::words::prg::Stream;
use std::sync::atomic::{AtomicU64, Ordering};

/// N.
pub const DEGREE: usize = 2048;
/// Rows of a result.
pub const ROWS: usize = 256;
/// S: trees of a result.
pub const SLOTS: usize = DEGREE / ROWS;
/// Bits of a coefficient of what is encrypted.
pub const BITS: u32 = LIMIT.trailing_zeros();
/// Bytes of a polynomial that is encrypted.
pub const POLYNOMIAL_BYTES: usize = DEGREE * BITS as usize / 8;
/// Products that are added up before they are reduced.
pub const MOST_PRODUCTS: usize = 1 << 10;
/// Polynomials of P's stream for a result: u and e_1.
const RESULT_POLYNOMIALS: u64 = 2;
/// Registers of eight words of a polynomial.
const REGISTERS: usize = DEGREE / 8;

/// How words lie in polynomials, and how precise numbers are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// T.
    pub trees: usize,
    /// K: words of a tree.
    pub words: usize,
    /// w: sums are modulo 2^w.
    pub word_bits: u32,
    /// b: of a coefficient of C_1 that leaves, and of shares.
    pub sent_bits: u32,
}

impl Layout {
    /// None where it cannot be computed.
    pub fn new(
        (trees, words): (usize, usize),
        (word_bits, sent_bits): (u32, u32),
    ) -> Option<Layout> {
        let fits = trees > 0
            && (1..=MOST_PRODUCTS / SLOTS).contains(&words)
            && (1..=sent_bits).contains(&word_bits)
            && (33..BITS).contains(&sent_bits);
        fits.then_some(Layout { trees, words, word_bits, sent_bits })
    }

    /// Results of 256 rows each.
    fn groups(&self) -> usize {
        self.trees.div_ceil(SLOTS)
    }

    fn all_words(&self) -> usize {
        self.trees * self.words
    }

    /// Bytes that the encrypted words and the public key take.
    pub fn upload_bytes(&self) -> usize {
        (self.all_words() + 1) * POLYNOMIAL_BYTES
    }

    /// Words of the tables that P adds up from.
    pub fn table_words(&self) -> usize {
        2 * DEGREE * self.groups() * SLOTS * self.words
    }

    /// Bytes of a C_1.
    pub fn sent_bytes(&self) -> usize {
        DEGREE * self.sent_bits as usize / 8
    }

    /// C_1 of so many rows.
    pub fn results(&self, rows: usize) -> usize {
        rows.div_ceil(ROWS) * self.groups()
    }

    /// The coefficient of a row of a result, for a tree.
    fn place(row: usize, tree: usize) -> usize {
        SLOTS * (row % ROWS) + tree % SLOTS
    }

    /// Hands out shares: for each coefficient of a result that is wanted its element, tree after
    /// tree. `result` counts groups of a block of rows before blocks.
    fn wanted(&self, result: usize, rows: usize, mut each: impl FnMut(usize, usize)) {
        let (first, group) = (result / self.groups() * ROWS, result % self.groups());
        for tree in group * SLOTS..self.trees.min((group + 1) * SLOTS) {
            for row in first..rows.min(first + ROWS) {
                each(Layout::place(row, tree), tree * rows + row);
            }
        }
    }
}

/// The ring: what both sides compute with, public.
struct FixedRing {
    path: Path,
    table: Table,
    /// Of the transform of polynomials in X^S, as ones of degree 256.
    short: Table,
    /// floor(2^113 / p), so that p / 2^50 > 1 / 2 keeps it in a word.
    reciprocal: u64,
}

impl FixedRing {
    fn new(p: u64) -> Option<FixedRing> {
        let (table, short) = (Table::new(DEGREE, p)?, Table::new(ROWS, p)?);
        let reciprocal = u64::try_from((1u128 << 113) / u128::from(p)).ok()?;
        Some(FixedRing { path: Path::best(), table, short, reciprocal })
    }

    fn transformed(&self, small: &[i64]) -> Vec<u64> {
        ntt::transformed(self.path, &self.table, small)
    }

    /// round(2^bits x / p) modulo 2^bits, for x below p.
    fn fraction(&self, x: u64, bits: u32) -> u64 {
        let place = 113 - bits;
        let scaled = u128::from(x) * u128::from(self.reciprocal) + (1 << (place - 1));
        (scaled >> place) as u64 & ((1 << bits) - 1)
    }
}

/// Q's secret. Encrypts once: with a second encryption the public halves would repeat.
pub struct WordsKey {
    layout: Layout,
    ring: FixedRing,
    secret: Vec<u64>,
}

impl WordsKey {
    /// The secret is drawn from a private stream. None where p does not suit the ring.
    pub fn new(layout: Layout, p: u64, secrets: &Stream) -> Option<WordsKey> {
        let ring = FixedRing::new(p)?;
        let secret = ring.transformed(&ternary(secrets, 0, DEGREE));
        Some(WordsKey { layout, ring, secret })
    }

    /// Overwrites `out` with transformed c_0 of all words (trees, K), then p_0, packed.
    /// `errors_of` is private, `coins` the common stream of c_1 and p_1. **Once a key.**
    pub fn encrypt(&self, (errors_of, coins): (&Stream, &Stream), words: &[u64], out: &mut [u8]) {
        let (p, layout) = (self.ring.table.p, self.layout);
        let mut public = vec![0; DEGREE];
        let mut product = vec![0; DEGREE];
        let half = 1u128 << (layout.word_bits - 1);
        for (number, out) in out.chunks_exact_mut(POLYNOMIAL_BYTES).enumerate() {
            let small = errors(errors_of, number as u64, DEGREE);
            let mut c0: Vec<u64> = small.iter().map(|&e| residue(e, p)).collect();
            if let Some(&word) = words.get(number) {
                let word = word & ((1 << layout.word_bits) - 1);
                let scaled = (u128::from(word) * u128::from(p) + half) >> layout.word_bits;
                // At most p, where the fraction is 1: that is 0.
                let scaled = (scaled as u64).min((scaled as u64).wrapping_sub(p));
                let slot = &mut c0[number / layout.words % SLOTS];
                *slot = add(*slot, scaled, p);
            }
            ntt::forward(self.ring.path, &self.ring.table, &mut c0);
            uniform(coins, p, number as u64, &mut public);
            ntt::pointwise(self.ring.path, &self.ring.table, &public, &self.secret, &mut product);
            for (c0, &product) in c0.iter_mut().zip(&product) {
                *c0 = subtract(*c0, product, p);
            }
            pack_words(self.ring.path, &c0, BITS, out);
        }
    }

    /// Adds Q's shares, modulo 2^b, of received C_1 to those of elements (trees, rows).
    pub fn read(&self, sent: &[u8], rows: usize, shares: &mut [u64]) {
        let (bits, p) = (self.layout.sent_bits, self.ring.table.p);
        let mut words = vec![0; DEGREE];
        for (result, sent) in sent.chunks_exact(self.layout.sent_bytes()).enumerate() {
            unpack_words(self.ring.path, sent, bits, &mut words);
            // Over the integers, 32 bits of C_1 at a time: sums stay below 2^43, far below p.
            let [low, high] = [0, 32].map(|place| {
                let mut plane: Vec<u64> =
                    words.iter().map(|word| word >> place & u64::from(u32::MAX)).collect();
                ntt::forward(self.ring.path, &self.ring.table, &mut plane);
                ntt::product(self.ring.path, &self.ring.table, &plane, &self.secret)
            });
            let signed =
                |word: u64| word.wrapping_sub(p & ((p / 2).wrapping_sub(word) as i64 >> 63) as u64);
            self.layout.wanted(result, rows, |place, element| {
                let sum = signed(low[place]).wrapping_add(signed(high[place]) << 32);
                shares[element] = shares[element].wrapping_add(sum);
            });
        }
    }
}

/// What P adds up with: the ciphertexts, Q's public key, and the stream of encryptions of zero.
pub struct Sums {
    layout: Layout,
    ring: FixedRing,
    /// p_0 and p_1, transformed.
    public: [Vec<u64>; 2],
    private: Stream,
    used: AtomicU64,
}

impl Sums {
    /// From the common coins and what was received; `private` is P's alone, and new. Overwrites
    /// `tables`, which `add_up` wants again: the same register of all words of a group together,
    /// (groups, REGISTERS, S K, 2, 8). They are the caller's, who has large pages for them: read
    /// through from end to end, they take a third less time so.
    pub fn new(
        (layout, p): (Layout, u64),
        (coins, received): (&Stream, &[u8]),
        private: Stream,
        tables: &mut [u64],
    ) -> Option<Sums> {
        let ring = FixedRing::new(p)?;
        let side = SLOTS * layout.words;
        let mut both = [(); 2].map(|()| vec![0; DEGREE]);
        for (number, received) in received.chunks_exact(POLYNOMIAL_BYTES).enumerate() {
            unpack_words(ring.path, received, BITS, &mut both[0]);
            // Whoever sends more than p is wrong for itself alone; here it must be a residue.
            both[0].iter_mut().for_each(|word| *word = (*word).min(word.wrapping_sub(p)));
            uniform(coins, p, number as u64, &mut both[1]);
            if number == layout.all_words() {
                break;
            }
            let (group, word) = (number / side, number % side);
            let pairs = both[0].as_chunks::<8>().0.iter().zip(both[1].as_chunks::<8>().0);
            for (register, (c0, c1)) in pairs.enumerate() {
                let at = 16 * ((group * REGISTERS + register) * side + word);
                tables[at..at + 8].copy_from_slice(c0);
                tables[at + 8..at + 16].copy_from_slice(c1);
            }
        }
        Some(Sums { layout, ring, public: both, private, used: AtomicU64::new(0) })
    }

    /// Results that were made: the number of the next one.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Overwrites `sent` with C_1 and adds P's shares, modulo 2^b, of elements (trees, rows), whose
    /// bits are packed: K lines of them. What the bits choose of P's own words (trees, K) is added.
    pub fn add_up(
        &self,
        tables: &[u64],
        (bits, own): (&[u64], &[u64]),
        rows: usize,
        (sent, shares): (&mut [u8], &mut [u64]),
    ) {
        let layout = self.layout;
        let results = layout.results(rows);
        let first = self.used.fetch_add(results as u64, Ordering::Relaxed);
        let mut marks = vec![0u8; layout.words * shares.len()];
        let lines = bits.chunks_exact(bits.len() / layout.words);
        for (word, (line, marks)) in lines.zip(marks.chunks_exact_mut(shares.len())).enumerate() {
            unpack_bits(line, marks);
            let of_trees = marks.chunks_exact(rows).zip(shares.chunks_exact_mut(rows));
            for (tree, (marks, shares)) in of_trees.enumerate() {
                let known =
                    own[tree * layout.words + word] << (layout.sent_bits - layout.word_bits);
                add_marked(self.ring.path, marks, known, shares);
            }
        }
        let side = SLOTS * layout.words;
        let mut chosen = vec![[0; 8]; ROWS / 8 * side];
        let mut sums = [(); 2].map(|()| vec![0; DEGREE]);
        let tables = tables.as_chunks::<8>().0.as_chunks::<2>().0;
        for (result, sent) in sent.chunks_exact_mut(layout.sent_bytes()).enumerate() {
            let (start, group) = (result / layout.groups() * ROWS, result % layout.groups());
            self.choose(&marks, rows, (start, group), &mut chosen);
            let table = &tables[group * REGISTERS * side..][..REGISTERS * side];
            let [c0, c1] = &mut sums;
            add_products(self.ring.path, &self.ring.table, &chosen, table, c0, c1);
            self.finish(first + result as u64, &mut sums);
            for of in &mut sums {
                of.iter_mut().for_each(|x| *x = self.ring.fraction(*x, layout.sent_bits));
            }
            pack_words(self.ring.path, &sums[1], layout.sent_bits, sent);
            layout.wanted(result, rows, |place, element| {
                shares[element] = shares[element].wrapping_add(sums[0][place]);
            });
        }
    }

    /// The transforms of the bits of a group's words, each number as often as it is met:
    /// (ROWS / 8, S K, 8). Of trees and rows that are not there, zero.
    fn choose(
        &self,
        marks: &[u8],
        rows: usize,
        (start, group): (usize, usize),
        chosen: &mut [[u64; 8]],
    ) {
        let layout = self.layout;
        let side = SLOTS * layout.words;
        let some = ROWS.min(rows - start);
        chosen.fill([0; 8]);
        let mut values = [0; ROWS];
        for tree in group * SLOTS..layout.trees.min((group + 1) * SLOTS) {
            for word in 0..layout.words {
                let from = &marks[(word * layout.trees + tree) * rows + start..][..some];
                values.fill(0);
                values.iter_mut().zip(from).for_each(|(value, &mark)| *value = u64::from(mark));
                ntt::forward(self.ring.path, &self.ring.short, &mut values);
                let number = (tree % SLOTS) * layout.words + word;
                // Eight blocks of a tile of the transform stand in columns.
                for (tile, values) in values.as_chunks::<64>().0.iter().enumerate() {
                    for column in 0..8 {
                        let registers = std::array::from_fn(|i| values[8 * i + column]);
                        chosen[(8 * tile + column) * side + number] = registers;
                    }
                }
            }
        }
    }

    /// Adds a fresh encryption of zero to transformed sums, and turns them back.
    fn finish(&self, number: u64, sums: &mut [Vec<u64>; 2]) {
        let (ring, p) = (&self.ring, self.ring.table.p);
        let polynomial = number * RESULT_POLYNOMIALS;
        let u = ring.transformed(&ternary(&self.private, polynomial, DEGREE));
        let mut zero = vec![0; DEGREE];
        for (sum, key) in sums.iter_mut().zip(&self.public) {
            ntt::pointwise(ring.path, &ring.table, &u, key, &mut zero);
            sum.iter_mut().zip(&zero).for_each(|(sum, &zero)| *sum = add(*sum, zero, p));
            ntt::inverse(ring.path, &ring.table, sum);
        }
        let e1 = errors(&self.private, polynomial + 1, DEGREE);
        sums[1].iter_mut().zip(e1).for_each(|(sum, e)| *sum = add(*sum, residue(e, p), p));
    }
}

dispatched! {
    /// Adds a word where a mark is set.
    pub fn add_marked(marks: &[u8], word: u64, out: &mut [u64]) {
        for (out, &mark) in out.iter_mut().zip(marks) {
            *out = out.wrapping_add(word & u64::from(mark).wrapping_neg());
        }
    }

    /// Sums over all words of a group, (REGISTERS, S K, 2, 8), times numbers (ROWS / 8, S K, 8):
    /// a register of the numbers meets S of the words.
    pub fn add_products<L: Residues>(
        table: &Table,
        numbers: &[[u64; 8]],
        words: &[[[u64; 8]; 2]],
        c0: &mut [u64],
        c1: &mut [u64],
    ) {
        let side = words.len() / REGISTERS;
        let outs = c0.as_chunks_mut::<8>().0.iter_mut().zip(c1.as_chunks_mut::<8>().0);
        for (at, (words, (c0, c1))) in words.chunks_exact(side).zip(outs).enumerate() {
            let none = (L::splat(0), L::splat(0));
            let (mut first, mut second) = (none, none);
            for (number, [zero, one]) in numbers[at / SLOTS * side..][..side].iter().zip(words) {
                let number = L::load(number).operand();
                first = L::add_product(first, number, L::load(zero).operand());
                second = L::add_product(second, number, L::load(one).operand());
            }
            fold(L::settled(first, side as u64), table).store(c0);
            fold(L::settled(second, side as u64), table).store(c1);
        }
    }
}

#[cfg(test)]
mod tests;
