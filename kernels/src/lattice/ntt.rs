//! The negacyclic number-theoretic transform: products in Z_p[X] / (X^N + 1).
//!
//! Cooley and Tukey forward, Gentleman and Sande back, with lazy reductions: between levels values
//! are what [`Residues`] says. The last three levels work on transposed tiles of 64 words and leave
//! them transposed, so the order of the transformed words is this module's own; pointwise products
//! do not care.

use crate::lattice::modular::{self, Scale, multiply, power, ratio, residue};
use crate::simd::lanes::eights;
use crate::simd::path::{Path, dispatched};
use crate::simd::residues::{MASK, Residues};

/// Largest modulus, exclusive: 4p stays below 2^52.
pub const LIMIT: u64 = 1 << 50;

/// Factors and their 52-bit ratios: one a block for levels of whole registers, seven
/// registers a tile of 64 words for the last three levels.
struct Twiddles {
    factors: Vec<u64>,
    ratios: Vec<u64>,
    tails: Vec<[[u64; 8]; 7]>,
    tail_ratios: Vec<[[u64; 8]; 7]>,
}

impl Twiddles {
    /// From the powers of a root in bit-reversed order.
    fn new(factors: Vec<u64>, p: u64) -> Twiddles {
        let n = factors.len();
        let ratios: Vec<u64> = factors.iter().map(|&w| ratio(w, p)).collect();
        let tail = |of: &[u64], tile: usize| -> [[u64; 8]; 7] {
            std::array::from_fn(|row| {
                let (level, half) = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (2, 3)][row];
                std::array::from_fn(|lane| of[((n / 8 + 8 * tile + lane) << level) + half])
            })
        };
        let tails = (0..n / 64).map(|tile| tail(&factors, tile)).collect();
        let tail_ratios = (0..n / 64).map(|tile| tail(&ratios, tile)).collect();
        Twiddles { factors, ratios, tails, tail_ratios }
    }

    #[inline(always)]
    fn at<L: Residues>(&self, place: usize) -> (L, L) {
        L::twiddle((L::splat(self.factors[place]), L::splat(self.ratios[place])))
    }

    /// The factors of a block and of both blocks that it splits into.
    #[inline(always)]
    fn two_levels<L: Residues>(&self, place: usize) -> [(L, L); 3] {
        [self.at(place), self.at(2 * place), self.at(2 * place + 1)]
    }

    #[inline(always)]
    fn tail<L: Residues>(&self, tile: usize, row: usize) -> (L, L) {
        L::twiddle((L::load(&self.tails[tile][row]), L::load(&self.tail_ratios[tile][row])))
    }
}

/// Everything about one prime p = 1 mod 2N.
pub struct Table {
    /// The prime.
    pub p: u64,
    degree: usize,
    forward: Twiddles,
    inverse: Twiddles,
    /// floor(2^101 / p).
    ratio: u64,
    /// 1, 2^52, 2^104 and 1/N.
    one: Scale,
    shift: Scale,
    shift_twice: Scale,
    of_degree: Scale,
}

impl Table {
    /// The root at a place of the tree of blocks: block i of 2^l has place 2^l + i and splits in
    /// two modulo X^half - root and X^half + root.
    pub fn root(&self, place: usize) -> u64 {
        self.forward.factors[place]
    }

    /// None where p is too large, not 1 mod 2N, or has no root of X^N + 1.
    pub fn new(degree: usize, p: u64) -> Option<Table> {
        if !degree.is_power_of_two() || degree < 64 || !(LIMIT / 2..LIMIT).contains(&p) {
            return None;
        }
        let order = 2 * degree as u64;
        if p % order != 1 {
            return None;
        }
        let root = (2..1000)
            .map(|base| power(base, (p - 1) / order, p))
            .find(|&root| power(root, degree as u64, p) == p - 1)?;
        let powers = |root: u64| {
            let mut reversed = vec![0; degree];
            let mut value = 1;
            for i in 0..degree {
                reversed[i.reverse_bits() >> (usize::BITS - degree.trailing_zeros())] = value;
                value = multiply(value, root, p);
            }
            Twiddles::new(reversed, p)
        };
        let scale = |value: u64| Scale::new(value, p);
        Some(Table {
            p,
            degree,
            forward: powers(root),
            inverse: powers(modular::inverse(root, p)),
            ratio: ((1 << 101) / u128::from(p)) as u64,
            one: scale(1),
            shift: scale(power(2, 52, p)),
            shift_twice: scale(power(2, 104, p)),
            of_degree: scale(modular::inverse(degree as u64, p)),
        })
    }
}

/// low + 2^52 high mod p, fully reduced, for a low below 2^63 and a number from 0 to 2^115; high
/// may be as negative as low allows.
#[inline(always)]
pub fn fold<L: Residues>((low, high): (L, L), table: &Table) -> L {
    let (p, mask) = (L::splat(table.p), L::splat(MASK));
    let high = high.plus(low.above());
    let sum = table
        .one
        .lazily(low.and(mask))
        .plus(table.shift.lazily(high.and(mask)))
        .plus(table.shift_twice.lazily(high.above()));
    let twice = L::splat(2 * table.p);
    sum.reduce_once(L::splat(4 * table.p)).reduce_once(twice).reduce_once(p)
}

/// The pairs of the three levels in a tile of eight registers, and their twiddle registers.
const TAIL: [[(usize, usize, usize); 4]; 3] = [
    [(0, 4, 0), (1, 5, 0), (2, 6, 0), (3, 7, 0)],
    [(0, 2, 1), (1, 3, 1), (4, 6, 2), (5, 7, 2)],
    [(0, 1, 3), (2, 3, 4), (4, 5, 5), (6, 7, 6)],
];

/// Both halves of a block, register by register. A macro, as `eights` is.
macro_rules! halves {
    ($block:expr, |$a:ident, $b:ident| $after:expr, $m:expr) => {
        let (a, b) = $block.split_at_mut($block.len() / 2);
        eights!([], [a, b], {
            let ($a, $b) = (L::load(a), L::load(b));
            let after: (L, L) = $after;
            after.0.centre($m).store(a);
            after.1.centre($m).store(b);
        });
    };
}

/// Four quarters of a block, register by register.
macro_rules! quarters {
    ($block:expr, |$a:ident, $b:ident, $c:ident, $d:ident| $after:expr, $m:expr) => {
        let quarter = $block.len() / 4;
        let (a, b) = $block.split_at_mut(2 * quarter);
        let ((a, b), (c, d)) = (a.split_at_mut(quarter), b.split_at_mut(quarter));
        eights!([], [a, b, c, d], {
            let ($a, $b, $c, $d) = (L::load(a), L::load(b), L::load(c), L::load(d));
            let after: [L; 4] = $after;
            after[0].centre($m).store(a);
            after[1].centre($m).store(b);
            after[2].centre($m).store(c);
            after[3].centre($m).store(d);
        });
    };
}

/// Whether the levels of whole registers do not pair up: then the outermost goes alone.
fn odd_levels(degree: usize) -> bool {
    (degree / 8).trailing_zeros() % 2 == 1
}

/// The most blocks, at most `blocks`, that the transform can start from.
fn blocks_to_start(degree: usize, blocks: usize) -> usize {
    let mut start = if odd_levels(degree) && blocks >= 2 { 2 } else { 1 };
    while 4 * start <= blocks && degree / start >= 32 {
        start *= 4;
    }
    start
}

/// Words below p as the levels want them.
#[inline(always)]
fn enter<L: Residues>(values: &mut [u64]) {
    if L::ENTERS {
        eights!([], [values], L::load(values).enter().store(values));
    }
}

/// Eight registers.
#[inline(always)]
fn loaded<L: Residues>(rows: &[[u64; 8]]) -> [L; 8] {
    let mut registers = [L::splat(0); 8];
    for (register, row) in registers.iter_mut().zip(rows) {
        *register = L::load(row);
    }
    registers
}

dispatched! {
    /// The transform whose first levels have been done: `blocks` is 1 or what `blocks_to_start`
    /// says.
    pub fn forward_from<L: Residues>(table: &Table, blocks: usize, values: &mut [u64]) {
        let (m, tw) = (L::modulus(table.p), &table.forward);
        enter::<L>(values);
        let mut blocks = blocks;
        if odd_levels(table.degree) && blocks == 1 {
            halves!(values, |x, y| L::apart(x, y, tw.at(1), m), m);
            blocks = 2;
        }
        // Two levels at once: the values pass through the registers half as often.
        while table.degree / blocks >= 32 {
            for (i, block) in values.chunks_exact_mut(table.degree / blocks).enumerate() {
                let [outer, low, high] = tw.two_levels(blocks + i);
                quarters!(block, |a, b, c, d| {
                    let (a, c) = L::apart(a, c, outer, m);
                    let (b, d) = L::apart(b, d, outer, m);
                    let (a, b) = L::apart(a, b, low, m);
                    let (c, d) = L::apart(c, d, high, m);
                    [a, b, c, d]
                }, m);
            }
            blocks *= 4;
        }
        for (number, tile) in values.as_chunks_mut::<64>().0.iter_mut().enumerate() {
            let (rows, _) = tile.as_chunks_mut::<8>();
            let mut e = L::transpose(loaded(rows));
            for level in TAIL {
                for (x, y, w) in level {
                    (e[x], e[y]) = L::apart(e[x], e[y], tw.tail(number, w), m);
                }
            }
            for (row, e) in rows.iter_mut().zip(e) {
                e.leave(m).store(row);
            }
        }
    }

    /// Undoes `forward`.
    pub fn inverse<L: Residues>(table: &Table, values: &mut [u64]) {
        let (m, tw) = (L::modulus(table.p), &table.inverse);
        for (number, tile) in values.as_chunks_mut::<64>().0.iter_mut().enumerate() {
            let (rows, _) = tile.as_chunks_mut::<8>();
            let mut e = loaded::<L>(rows).map(|word| word.enter().centre(m));
            for level in TAIL.iter().rev() {
                for &(x, y, w) in level {
                    (e[x], e[y]) = L::together(e[x], e[y], tw.tail(number, w), m);
                }
            }
            for (row, e) in rows.iter_mut().zip(L::transpose(e)) {
                e.centre(m).store(row);
            }
        }
        let mut size = 32;
        while size <= table.degree {
            for (i, block) in values.chunks_exact_mut(size).enumerate() {
                let [outer, low, high] = tw.two_levels(table.degree / size + i);
                quarters!(block, |a, b, c, d| {
                    let (a, b) = L::together(a, b, low, m);
                    let (c, d) = L::together(c, d, high, m);
                    let (a, c) = L::together(a, c, outer, m);
                    let (b, d) = L::together(b, d, outer, m);
                    [a, b, c, d]
                }, m);
            }
            size *= 4;
        }
        if odd_levels(table.degree) {
            halves!(values, |x, y| L::together(x, y, tw.at(1), m), m);
        }
        let of_degree = table.of_degree;
        eights!([], [values], of_degree.times(L::load(values).leave(m)).store(values));
    }

    /// The first levels of the transform, plainly: 2^levels blocks of at least 8 words, below p.
    /// Block i then holds the polynomial modulo X^size - `Table::root(2^levels + i)`^2.
    pub fn forward_levels<L: Residues>(table: &Table, levels: u32, values: &mut [u64]) {
        let m = L::modulus(table.p);
        enter::<L>(values);
        for level in 0..levels {
            for (i, block) in values.chunks_exact_mut(table.degree >> level).enumerate() {
                let w = table.forward.at((1 << level) + i);
                halves!(block, |x, y| L::apart(x, y, w, m), m);
            }
        }
        eights!([], [values], L::load(values).leave(m).store(values));
    }

    /// Undoes `forward_levels`, times the factor, which has to undo 2^levels too.
    pub fn inverse_levels<L: Residues>(
        table: &Table,
        levels: u32,
        factor: Scale,
        values: &mut [u64],
    ) {
        let m = L::modulus(table.p);
        enter::<L>(values);
        for level in (0..levels).rev() {
            for (i, block) in values.chunks_exact_mut(table.degree >> level).enumerate() {
                let w = table.inverse.at((1 << level) + i);
                halves!(block, |x, y| L::together(x, y, w, m), m);
            }
        }
        eights!([], [values], factor.times(L::load(values).leave(m)).store(values));
    }

    /// out = a b mod p, word by word; all below p.
    pub fn pointwise<L: Residues>(table: &Table, a: &[u64], b: &[u64], out: &mut [u64]) {
        let (m, ratio) = (L::modulus(table.p), L::splat(table.ratio));
        eights!([a, b], [out], a.product(b, m, ratio).store(out));
    }

    /// Adds words below p, a b mod p, to what stays below 2^64.
    pub fn add_pointwise<L: Residues>(table: &Table, a: &[u64], b: &[u64], sums: &mut [u64]) {
        let (m, ratio) = (L::modulus(table.p), L::splat(table.ratio));
        eights!([a, b], [sums], a.product(b, m, ratio).plus(L::load(sums)).store(sums));
    }
}

/// The transform of N words below p, in place; the order of the result is our own.
pub fn forward(path: Path, table: &Table, values: &mut [u64]) {
    forward_from(path, table, 1, values);
}

/// The transform of a polynomial of degree below short.len(), a power of two. While the upper
/// halves of all blocks are zero, a level does nothing but copy: those levels are left out.
pub fn forward_short(path: Path, table: &Table, short: &[u64], values: &mut [u64]) {
    let blocks = blocks_to_start(table.degree, table.degree / short.len());
    for block in values.chunks_exact_mut(table.degree / blocks) {
        let (own, rest) = block.split_at_mut(short.len());
        own.copy_from_slice(short);
        rest.fill(0);
    }
    forward_from(path, table, blocks, values);
}

/// The transform of small signed coefficients.
pub fn transformed(path: Path, table: &Table, coefficients: &[i64]) -> Vec<u64> {
    let mut words: Vec<u64> = coefficients.iter().map(|&x| residue(x, table.p)).collect();
    forward(path, table, &mut words);
    words
}

/// The product of two transformed polynomials, as coefficients.
pub fn product(path: Path, table: &Table, a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut product = vec![0; table.degree];
    pointwise(path, table, a, b, &mut product);
    inverse(path, table, &mut product);
    product
}

#[cfg(test)]
pub(crate) mod tests;
