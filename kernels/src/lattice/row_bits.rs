//! Shares of M b over GF(2), for a one-hot matrix M of one party and bits b of the other: what
//! travels, before transfers take the last rounding away.
//!
//! Q holds b, P holds M: a row has a bin in each column, so a row of M has a one in each column's
//! buckets, D of them altogether. A row's result is T bits, of T nodes. Q encrypts b under k small
//! secrets s_i, which all share c_1: coefficient v of ciphertext (j, i) has 2^15 times the bit
//! of bucket j and node i V + v, V = ceil(T / k),
//!
//! ```text
//! c_0(j, i) = -c_1(j) s_i + e + 2^15 b,     p_0(i) = -p_1 s_i + e.
//! ```
//!
//! P adds up: row a of a result is the sum of its buckets' ciphertexts, times X^(a V). Then comes a
//! fresh encryption of zero, C_1 += u p_1 + e_1, C_0(i) += u p_0(i), and C_1 alone leaves, in 10
//! bits a coefficient. **C_0 is P's share and never leaves, nor any rounding of it in the clear**;
//! so it needs no error of its own. Coefficient a V + v of C_0(i) + C_1 s_i is half a bit, plus
//! noise. P's grid of C_0 in quarters is 2 h + l; Q reads its C_1 s_i for either l. The bit is
//! (reading l) ^ h, and one transfer, elsewhere, makes shares of it (docs/homomorphic.md).
//!
//! C_1 hides M by u, which serves once: `Sums` counts its numbers as long as the key lives, and
//! moves the count before a number is used. Everything at Q is without a branch or an address that
//! depends on b or on secrets. P's sums address tables by P's own bins, as `histogram` does.

pub mod ring;

use crate::simd::path::dispatched;
use crate::words::bits::{copy_bits, pack_bits, pack_words, unpack_words};
use crate::words::histogram::Bins;
use crate::words::prg::Stream;
use ring::{
    DEGREE, ERROR_WORDS, Factor, LANES, Polynomial, ShortRing, TERNARY_WORDS, errors, lane, put,
    ternary, uniform,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bits of a coefficient of C_1 that leaves. With 7 there would be wrong bits: see the tests.
pub const SENT_BITS: u32 = 10;
/// Bytes of a C_1 that leaves.
pub const SENT_BYTES: usize = DEGREE * SENT_BITS as usize / 8;
/// Words of the packed bits of a polynomial's coefficients.
const MARKS: usize = DEGREE / 64;
/// Coefficients whose sum over a row's buckets stays in registers.
const TILE: usize = 128;
const TILES: usize = DEGREE / TILE;
/// Buckets whose tiles stay in the second-level cache: 256 KiB.
const NEAR: usize = 1024;
/// Rows, about, and results, at most, that are added up at once where there are more buckets: each
/// of their tiles is then read several times while it is near.
const MANY_ROWS: usize = 4096;
const MANY_RESULTS: usize = 512;
/// Words of P's stream for a result: u, e_1, and one for bits that nobody wants; an even number.
const RESULT_WORDS: u64 = (TERNARY_WORDS + ERROR_WORDS) as u64 + 2;

/// Where bits lie in polynomials.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// T: bits of a row.
    pub nodes: usize,
    /// k: secrets, each for V of the nodes.
    pub groups: usize,
    /// Rows of a result.
    pub rows: usize,
}

impl Layout {
    /// None where the rows of a result do not fit a polynomial.
    pub fn new(nodes: usize, groups: usize, rows: usize) -> Option<Layout> {
        let some = (1..=nodes).contains(&groups) && rows > 0;
        let fits = |layout: &Layout| layout.width().checked_mul(rows).is_some_and(|n| n <= DEGREE);
        some.then_some(Layout { nodes, groups, rows }).filter(fits)
    }

    /// V: coefficients of a row.
    pub fn width(&self) -> usize {
        self.nodes.div_ceil(self.groups)
    }

    /// Results of so many rows.
    pub fn results(&self, rows: usize) -> usize {
        rows.div_ceil(self.rows)
    }

    /// Words of the bits of so many rows, one after the other without a gap.
    pub fn words(&self, rows: usize) -> usize {
        (rows * self.nodes).div_ceil(64)
    }

    /// The first row of a result, and the first that is not of it.
    fn of_result(&self, result: usize, rows: usize) -> (usize, usize) {
        (result * self.rows, rows.min((result + 1) * self.rows))
    }

    /// The nodes of a group.
    fn of_group(&self, group: usize) -> std::ops::Range<usize> {
        let first = (group * self.width()).min(self.nodes);
        first..(first + self.width()).min(self.nodes)
    }

    /// Puts marks of one group's coefficients, of the rows `first..last`, to the bits of all rows.
    fn scatter(&self, marks: &[u64], group: usize, rows: (usize, usize), out: &mut [u64]) {
        let nodes = self.of_group(group);
        for row in rows.0..rows.1 {
            let from = (row - rows.0) * self.width();
            copy_bits(marks, from, nodes.len(), out, row * self.nodes + nodes.start);
        }
    }
}

/// Q's secrets. Encrypts once: with a second encryption the public halves would repeat.
pub struct BitsKey {
    layout: Layout,
    ring: ShortRing,
    secrets: Vec<Factor>,
}

impl BitsKey {
    /// The secrets are drawn from a private stream.
    pub fn new(layout: Layout, secrets: &Stream) -> BitsKey {
        let ring = ShortRing::new();
        let secret = |i: usize| ring.factor(&ternary(secrets, (i * TERNARY_WORDS) as u64));
        let secrets = (0..layout.groups).map(secret).collect();
        BitsKey { layout, secrets, ring }
    }

    /// Overwrites `out` with the ciphertexts of bits (D, ceil(T / 64)): (k, D + 1, N), p_0 last.
    /// `errors_of` is private, `coins` the common stream of c_1 and p_1. **Once a key.**
    pub fn encrypt(&self, (errors_of, coins): (&Stream, &Stream), bits: &[u64], out: &mut [u16]) {
        let line = self.layout.nodes.div_ceil(64);
        let polynomials = bits.len() / line + 1;
        let mut side = [[0; LANES]; DEGREE];
        let mut products = vec![[0; LANES]; DEGREE];
        for first in (0..polynomials).step_by(LANES) {
            let numbers = first..polynomials.min(first + LANES);
            for number in numbers.clone() {
                put(&mut side, number - first, &uniform(coins, number).map(|x| x as i16));
            }
            let public = self.ring.many(&side);
            for (group, secret) in self.secrets.iter().enumerate() {
                self.ring.multiply(&public, secret, &mut products);
                for number in numbers.clone() {
                    let at = group * polynomials + number;
                    let e = errors(errors_of, (at * ERROR_WORDS) as u64);
                    let product = lane(&products, number - first);
                    let out = &mut out[at * DEGREE..][..DEGREE];
                    for ((out, product), e) in out.iter_mut().zip(product).zip(e) {
                        *out = (e as u16).wrapping_sub(product);
                    }
                    if let Some(bits) = bits.chunks_exact(line).nth(number) {
                        add_bits(bits, self.layout.of_group(group), out);
                    }
                }
            }
        }
    }

    /// Both readings of received C_1 (results, SENT_BYTES), bits of all rows without a gap: what
    /// the bit is where P's h is zero and its l zero, or one. The outputs are zero before.
    pub fn read(&self, sent: &[u8], rows: usize, zero: &mut [u64], one: &mut [u64]) {
        let mut words = vec![0; DEGREE];
        let mut side = [[0; LANES]; DEGREE];
        let mut products = vec![[0; LANES]; DEGREE];
        let mut marks = [[0u64; MARKS]; 2];
        for (step, sent) in sent.chunks(LANES * SENT_BYTES).enumerate() {
            for (i, sent) in sent.chunks_exact(SENT_BYTES).enumerate() {
                unpack_words(self.ring.path(), sent, SENT_BITS, &mut words);
                // Centred: 1024 of them come to 2^19 at most.
                let half = 1 << (SENT_BITS - 1);
                put(&mut side, i, &std::array::from_fn(|j| (words[j] as i16 ^ half) - half));
            }
            let received = self.ring.many(&side);
            for (group, secret) in self.secrets.iter().enumerate() {
                self.ring.multiply(&received, secret, &mut products);
                for i in 0..sent.len() / SENT_BYTES {
                    let range = self.layout.of_result(step * LANES + i, rows);
                    let product = lane(&products, i);
                    let mut flags = [[0u8; DEGREE]; 2];
                    let [first, second] = &mut flags;
                    readings(self.ring.path(), &product, first, second);
                    for (flags, marks) in flags.iter().zip(&mut marks) {
                        pack_bits(flags, marks);
                    }
                    self.layout.scatter(&marks[0], group, range, zero);
                    self.layout.scatter(&marks[1], group, range, one);
                }
            }
        }
    }
}

/// Adds 2^15 where a bit is set.
fn add_bits(bits: &[u64], nodes: std::ops::Range<usize>, out: &mut [u16]) {
    for (node, out) in nodes.zip(out) {
        let bit = (bits[node / 64] >> (node % 64)) as u16 & 1;
        *out = out.wrapping_add(bit << 15);
    }
}

dispatched! {
    /// The upper half of x + (l + 1) / 4 for both l, x being 10 bits of a product.
    pub fn readings(product: &[u16], zero: &mut [u8], one: &mut [u8]) {
        let quarter = 1 << (SENT_BITS - 2);
        for ((&x, zero), one) in product.iter().zip(zero).zip(one) {
            *zero = (x.wrapping_add(quarter) >> (SENT_BITS - 1)) as u8 & 1;
            *one = (x.wrapping_add(2 * quarter) >> (SENT_BITS - 1)) as u8 & 1;
        }
    }
}

/// What P adds up with: the ciphertexts, Q's public key, and the stream of encryptions of zero.
pub struct Sums {
    layout: Layout,
    buckets: usize,
    ring: ShortRing,
    /// (k + 1, TILES, D): c_1 first.
    tables: Vec<[u16; TILE]>,
    /// p_1, and every p_0.
    public: Vec<Factor>,
    private: Stream,
    used: AtomicU64,
}

/// What a request gives, of all its rows: `sent` (results, SENT_BYTES), the upper and the lower
/// bit of P's grid, zero before.
pub struct Grid<'a> {
    /// C_1.
    pub sent: &'a mut [u8],
    /// h.
    pub high: &'a mut [u64],
    /// l, and random bits past the last row's.
    pub low: &'a mut [u64],
}

impl Sums {
    /// From the common coins and received (k, D + 1, N); `private` is P's alone, and new.
    pub fn new(layout: Layout, coins: &Stream, received: &[u16], private: Stream) -> Sums {
        let ring = ShortRing::new();
        let polynomials = received.len() / layout.groups / DEGREE;
        let buckets = polynomials - 1;
        let mut tables = vec![[0; TILE]; (layout.groups + 1) * TILES * buckets];
        let mut put = |part: usize, bucket: usize, polynomial: &[u16]| {
            for (tile, values) in polynomial.as_chunks::<TILE>().0.iter().enumerate() {
                tables[(part * TILES + tile) * buckets + bucket] = *values;
            }
        };
        let factor = |polynomial: &Polynomial| ring.factor(&polynomial.map(|x| x as i16));
        let mut public = vec![factor(&uniform(coins, buckets))];
        for bucket in 0..buckets {
            put(0, bucket, &uniform(coins, bucket));
        }
        for (group, received) in received.chunks_exact(polynomials * DEGREE).enumerate() {
            let (ciphertexts, key) = received.split_at(buckets * DEGREE);
            for (bucket, polynomial) in ciphertexts.chunks_exact(DEGREE).enumerate() {
                put(group + 1, bucket, polynomial);
            }
            public.push(factor(&std::array::from_fn(|j| key[j])));
        }
        Sums { layout, buckets, ring, tables, public, private, used: AtomicU64::new(0) }
    }

    /// D.
    pub fn buckets(&self) -> usize {
        self.buckets
    }

    /// Results that were made: the number of the next one.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The results of these rows, whose bins fit and have D buckets.
    pub fn add_up(&self, bins: Bins<'_>, mut grid: Grid<'_>) {
        let per_row = bins.features;
        let rows = bins.of.len() / per_row;
        let results = self.layout.results(rows);
        let first = self.used.fetch_add(results as u64, Ordering::Relaxed);
        // Columns whose tiles are near together, and results that are worth a pass over all tiles.
        let block = (NEAR / bins.bins).clamp(1, per_row);
        let many = MANY_ROWS.div_ceil(self.layout.rows).min(MANY_RESULTS);
        let together = if block < per_row { many.next_multiple_of(LANES) } else { LANES };
        let together = together.min(results.next_multiple_of(LANES));
        let per_part = together * 2 * DEGREE;
        let mut sums = vec![0u16; (self.layout.groups + 1) * per_part];
        let mut places = Vec::new();
        for start in (0..results).step_by(together) {
            let end = results.min(start + together);
            let range = start * self.layout.rows..rows.min(end * self.layout.rows);
            let own = &bins.of[range.start * per_row..range.end * per_row];
            places.clear();
            for first in (0..per_row).step_by(block) {
                for of in own.chunks_exact(per_row) {
                    let some = of.iter().enumerate().skip(first).take(block);
                    places.extend(
                        some.map(|(column, &bin)| (column * bins.bins) as u32 + u32::from(bin)),
                    );
                }
            }
            sums.fill(0);
            for (part, sums) in sums.chunks_exact_mut(per_part).enumerate() {
                for tile in 0..TILES {
                    let at = (part * TILES + tile) * self.buckets;
                    let table = &self.tables[at..at + self.buckets];
                    for (number, places) in places.chunks(block * range.len()).enumerate() {
                        let columns = block.min(per_row - number * block);
                        let place = (columns, tile * TILE);
                        add_rows(self.ring.path(), self.layout, table, places, place, sums);
                    }
                }
            }
            let sums = |result: usize, part: usize| -> &[u16] {
                &sums[part * per_part + (result - start) * 2 * DEGREE..][..2 * DEGREE]
            };
            for start in (start..end).step_by(LANES) {
                let some = start..end.min(start + LANES);
                self.finish((first, some), sums, rows, &mut grid);
            }
        }
        let used = rows * self.layout.nodes % 64;
        if let (Some(last), 1..) = (grid.low.last_mut(), used) {
            let mut word = [0];
            self.private.fill((first + results as u64) * RESULT_WORDS - 2, &mut word);
            *last |= word[0] << used;
        }
    }

    /// Makes C_1 of at most `LANES` results fit to leave, and marks the grid of their C_0. The
    /// results of a request have the numbers from `first` on.
    fn finish<'s>(
        &self,
        (first, results): (u64, std::ops::Range<usize>),
        sums: impl Fn(usize, usize) -> &'s [u16] + Copy,
        rows: usize,
        grid: &mut Grid<'_>,
    ) {
        let start = |result: usize| (first + result as u64) * RESULT_WORDS;
        let mut side = [[0; LANES]; DEGREE];
        for result in results.clone() {
            put(&mut side, result - results.start, &ternary(&self.private, start(result)));
        }
        let u = self.ring.many(&side);
        let mut products = vec![[0; LANES]; DEGREE];
        for (part, key) in self.public.iter().enumerate() {
            self.ring.multiply(&u, key, &mut products);
            for result in results.clone() {
                let (product, sums) = (lane(&products, result - results.start), sums(result, part));
                if part == 0 {
                    let e1 = errors(&self.private, start(result) + TERNARY_WORDS as u64);
                    let mut c1 = [0u64; DEGREE];
                    let terms = product.iter().zip(&e1).map(|(z, &e)| z.wrapping_add(e as u16));
                    for ((j, c1), term) in c1.iter_mut().enumerate().zip(terms) {
                        let half = 1 << (15 - SENT_BITS);
                        let whole = sums[j].wrapping_sub(sums[j + DEGREE]).wrapping_add(term);
                        *c1 = u64::from(whole.wrapping_add(half) >> (16 - SENT_BITS));
                    }
                    let sent = &mut grid.sent[result * SENT_BYTES..][..SENT_BYTES];
                    pack_words(self.ring.path(), &c1, SENT_BITS, sent);
                    continue;
                }
                let (mut flags, mut marks) = ([[0u8; DEGREE]; 2], [0u64; MARKS]);
                let [upper, lower] = &mut flags;
                quarters(self.ring.path(), sums, &product, upper, lower);
                let range = self.layout.of_result(result, rows);
                for (flags, out) in flags.iter().zip([&mut *grid.high, &mut *grid.low]) {
                    pack_bits(flags, &mut marks);
                    self.layout.scatter(&marks, part - 1, range, out);
                }
            }
        }
    }
}

dispatched! {
    /// The nearest quarter of sum + product, in its two bits. X^1024 = -1 is still to be applied to
    /// the sum.
    pub fn quarters(sums: &[u16], product: &[u16], high: &mut [u8], low: &mut [u8]) {
        let (sums, above) = sums.split_at(DEGREE);
        let values = sums.iter().zip(above).zip(product);
        for (((&sum, &above), &z), (high, low)) in values.zip(high.iter_mut().zip(low)) {
            let quarter = sum.wrapping_sub(above).wrapping_add(z).wrapping_add(1 << 13) >> 14;
            *high = (quarter >> 1) as u8;
            *low = quarter as u8 & 1;
        }
    }
}

dispatched! {
    /// Adds a tile of rows' buckets, `places` (rows, columns), to sums (results, 2 N).
    pub fn add_rows(
        layout: Layout,
        table: &[[u16; TILE]],
        places: &[u32],
        columns: (usize, usize),
        sums: &mut [u16],
    ) {
        let (columns, first) = columns;
        let results = places.chunks(columns * layout.rows).zip(sums.chunks_exact_mut(2 * DEGREE));
        for (rows, sums) in results {
            for (a, places) in rows.chunks_exact(columns).enumerate() {
                let mut sum = [0u16; TILE];
                for &place in places {
                    for (sum, &word) in sum.iter_mut().zip(&table[place as usize]) {
                        *sum = sum.wrapping_add(word);
                    }
                }
                let out = &mut sums[a * layout.width() + first..][..TILE];
                for (out, sum) in out.iter_mut().zip(sum) {
                    *out = out.wrapping_add(sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
