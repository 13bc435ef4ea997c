//! Products of encrypted short secrets with a private matrix: V vectors at once.
//!
//! With D = N / V, k columns side by side and d = D / k, group g of columns b, b + 1, ... has
//! p(X) = sum_cj W[b + c, g d + j] X^(c d + j), of degree below D. A summand is the sum over groups
//! of p times ciphertext; its coefficients v D + c d, all multiples of d, are wanted: product of
//! vector v with column b + c. Z_p[X] / (X^N + 1) falls apart into V rings Z_p[X] / (X^D - zeta), in all of which p is
//! the same polynomial. So in each of them the product is taken as one of integers, at 2 D points:
//! p is transformed once for all V rings, and everything else is a product of matrices, (columns,
//! groups) times (groups, V), at each point. That is how c1 is multiplied. Of c0 only the wanted
//! coefficients count, and these are sums of 4096 k products each: one more product of matrices.
//! Summands leave without the last prime, see `packing`.

pub mod matrices;

use crate::lattice::masks::Reduce;
use crate::lattice::modular::{Scale, inverse, multiply, subtract};
use crate::lattice::ntt::{self, Table};
use crate::lattice::packing::divided;
use crate::lattice::ring::{LIMBS, PACKED, Ring};
use crate::simd::lanes::eights;
use crate::simd::path::{Path, dispatched};
use crate::simd::residues::Residues;
use matrices::{PANEL, Product, add_product, make_ready, transposed};

/// The fewest vectors: so many lie side by side in a strip of a matrix.
const FEWEST: usize = 8;

/// How V secrets of `length` numbers lie in ciphertexts, and columns in plaintexts.
#[derive(Clone, Copy)]
pub struct Spread {
    /// V, a multiple of 8.
    pub vectors: usize,
    /// k, columns side by side.
    pub side: usize,
    /// Numbers of a secret.
    pub length: usize,
    /// N.
    pub degree: usize,
}

impl Spread {
    /// None where the parts do not fit the loops.
    pub fn new(degree: usize, (vectors, side): (usize, usize), length: usize) -> Option<Spread> {
        let spread = Spread { vectors, side, length, degree };
        let fits = vectors.is_power_of_two()
            && (FEWEST..=degree / 32).contains(&vectors)
            && side.is_power_of_two()
            && side <= spread.distance()
            && length.is_power_of_two()
            && length >= 8 * spread.piece();
        fits.then_some(spread)
    }

    /// D.
    pub fn distance(&self) -> usize {
        self.degree / self.vectors
    }

    /// Numbers of each secret in a ciphertext, and how far apart wanted coefficients lie.
    pub fn piece(&self) -> usize {
        self.distance() / self.side
    }

    /// Ciphertexts of a batch.
    pub fn groups(&self) -> usize {
        self.length / self.piece()
    }

    /// Words of prepared ciphertexts: modulo each prime c1 at 2 D points, then c0.
    pub fn words(&self) -> usize {
        LIMBS * (self.points_words() + self.inner() * self.wanted())
    }

    /// Wanted coefficients of a summand.
    fn wanted(&self) -> usize {
        self.vectors * self.side
    }

    /// Numbers that a summand is made of.
    fn inner(&self) -> usize {
        self.length * self.side
    }

    fn points_words(&self) -> usize {
        2 * self.degree * self.groups()
    }

    fn levels(&self) -> u32 {
        self.vectors.trailing_zeros()
    }

    fn table(&self, p: u64) -> Table {
        Table::new(2 * self.distance(), p).expect("a prime that suits N suits its divisors")
    }
}

/// Ciphertexts (groups, 2, 3, N), transformed, made ready for `products`: modulo each prime
/// first c1, strips of eight vectors at each point, (2 D, V / 8, groups, 8), then the coefficients
/// of c0 that meet coefficient m of p, for each group, in strips: (k V / 8, groups, D, 8).
pub fn prepare(ring: &Ring, spread: Spread, ciphertexts: &[u64], out: &mut [u64]) {
    let (n, d, groups, vectors) = (ring.degree, spread.distance(), spread.groups(), spread.vectors);
    let strip = 8 * spread.inner();
    let mut scratch = vec![0; n];
    let mut points = vec![0; 2 * n];
    for (limb, out) in out.chunks_exact_mut(spread.words() / LIMBS).enumerate() {
        let (table, small) = (&ring.tables[limb], spread.table(ring.p(limb)));
        let (c1, c0) = out.split_at_mut(spread.points_words());
        for g in 0..groups {
            let of = |part: usize| &ciphertexts[((g * 2 + part) * LIMBS + limb) * n..][..n];
            scratch.copy_from_slice(of(1));
            ntt::inverse(ring.path, table, &mut scratch);
            ntt::forward_levels(ring.path, table, spread.levels(), &mut scratch);
            for (part, points) in scratch.chunks_exact(d).zip(points.chunks_exact_mut(2 * d)) {
                ntt::forward_short(ring.path, &small, part, points);
            }
            for (number, points) in points.chunks_exact(8 * 2 * d).enumerate() {
                let to = (&mut c1[8 * (number * groups + g)..], groups * vectors);
                transposed(ring.path, (8, 2 * d), (points, 2 * d), to);
            }
            scratch.copy_from_slice(of(0));
            ntt::inverse(ring.path, table, &mut scratch);
            for (number, strip) in c0.chunks_exact_mut(strip).enumerate() {
                let lines = strip.as_chunks_mut::<8>().0[g * d..].iter_mut().take(d);
                for (m, line) in lines.enumerate() {
                    // X^(i d - m); below zero it is -X^(N + i d - m).
                    for (i, word) in (8 * number..).zip(line) {
                        *word = match (i * spread.piece()).checked_sub(m) {
                            Some(place) => scratch[place],
                            None => subtract(0, scratch[n + i * spread.piece() - m], table.p),
                        };
                    }
                }
            }
        }
        make_ready(ring.path, out);
    }
}

/// What [`products`] works in, kept from one call to the next: fresh memory is slow.
#[derive(Default)]
pub struct Room {
    numbers: Vec<u64>,
    low: Vec<u64>,
    turned: Vec<u64>,
    wanted: Vec<u64>,
    sums: PointSums,
}

/// Sums at all points, (2 D, summands, V), and what they are made from.
#[derive(Default)]
struct PointSums {
    plain: Vec<u64>,
    line: Vec<u64>,
    out: Vec<u64>,
}

/// Zeros, as many as are asked for.
fn cleared(words: &mut Vec<u64>, count: usize) {
    words.clear();
    words.resize(count, 0);
}

/// Overwrites `out`, (summands, 2, 2, N), with summands as coefficients, divided by 2^halvings and
/// without the last prime: prepared ciphertexts times columns (columns, length), numbers modulo
/// 2^bits, k to a summand. Of c0 all but the wanted coefficients are left zero.
pub fn products(
    (ring, room): (&Ring, &mut Room),
    spread: Spread,
    prepared: &[u64],
    (columns, bits): (&[u64], u32),
    halvings: u32,
    out: &mut [u64],
) {
    let n = ring.degree;
    let count = out.len() / (2 * PACKED * n);
    let halvings = ring.halvings(halvings);
    let Room { numbers, low, turned, wanted, sums } = room;
    numbers.resize(count * spread.inner(), 0);
    low.resize(2 * count * n, 0);
    turned.resize(2 * n, 0);
    let parts = prepared.chunks_exact(spread.words() / LIMBS).enumerate();
    // The last prime's residues first: they are divided out of the others'.
    for (limb, prepared) in parts.rev() {
        let (c1, c0) = prepared.split_at(spread.points_words());
        arranged(spread, &Reduce::new(ring.p(limb), bits), columns, numbers);
        let small = spread.table(ring.p(limb));
        point_sums(ring, (spread, &small), c1, numbers, sums);
        make_ready(ring.path, numbers);
        wanted_sums(ring, (spread, limb), c0, numbers, wanted);
        let mut summed = |i: usize, values: &mut [u64]| {
            let (summand, part) = (i / 2, i % 2);
            if part == 0 {
                values.fill(0);
                let sums = &wanted[summand * spread.wanted()..][..spread.wanted()];
                for (word, &sum) in values.iter_mut().step_by(spread.piece()).zip(sums) {
                    *word = halvings[limb].single(sum);
                }
            } else {
                // This summand's sums at each point lie `count` summands apart.
                let of = (&sums.out[summand * spread.vectors..], count * spread.vectors);
                let rows = (2 * spread.distance(), spread.vectors);
                transposed(ring.path, rows, of, (turned, rows.0));
                let tables = (&ring.tables[limb], &small);
                interpolated(ring.path, spread, tables, (turned, halvings[limb]), values);
            }
        };
        for (i, low) in low.chunks_exact_mut(n).enumerate() {
            if limb == PACKED {
                summed(i, low);
            } else {
                let values = &mut out[(i * PACKED + limb) * n..][..n];
                summed(i, values);
                let primes = (ring.p(limb), ring.p(PACKED));
                divided(ring.path, primes, ring.last_inverse[limb], low, values);
            }
        }
    }
}

/// The coefficients of all summands' p, (summands, groups, k, d), modulo a prime; where columns
/// (columns, length) are missing, zero.
fn arranged(spread: Spread, reduce: &Reduce, columns: &[u64], numbers: &mut [u64]) {
    let (piece, distance) = (spread.piece(), spread.distance());
    let last = numbers.len() - spread.inner();
    numbers[last..].fill(0);
    for (column, words) in columns.chunks_exact(spread.length).enumerate() {
        let (summand, place) = (column / spread.side, column % spread.side * piece);
        let groups = numbers[summand * spread.inner()..].chunks_exact_mut(distance);
        for (group, words) in groups.zip(words.chunks_exact(piece)) {
            for (number, &word) in group[place..].iter_mut().zip(words) {
                *number = reduce.of(word);
            }
        }
    }
}

/// Sums over all numbers, made ready, of number times coefficient of c0, (summands, k V).
fn wanted_sums(
    ring: &Ring,
    (spread, limb): (Spread, usize),
    c0: &[u64],
    numbers: &[u64],
    sums: &mut Vec<u64>,
) {
    let (length, vectors) = (spread.inner(), spread.wanted());
    cleared(sums, numbers.len() / length * vectors);
    for first in (0..length).step_by(PANEL) {
        let inner = PANEL.min(length - first);
        let of = Product {
            table: &ring.tables[limb],
            a: &numbers[first..],
            stride: length,
            b: &c0[8 * first..],
            apart: 8 * length,
            inner,
            vectors,
        };
        add_product(ring.path, &of, sums);
    }
}

/// Sums over all groups at all points.
fn point_sums(
    ring: &Ring,
    (spread, small): (Spread, &Table),
    c1: &[u64],
    numbers: &[u64],
    PointSums { plain, line, out }: &mut PointSums,
) {
    let (d, groups, vectors) = (spread.distance(), spread.groups(), spread.vectors);
    let count = numbers.len() / spread.inner();
    plain.resize(2 * d * count * groups, 0);
    line.resize(2 * d * groups, 0);
    for (summand, numbers) in numbers.chunks_exact(spread.inner()).enumerate() {
        for (short, line) in numbers.chunks_exact(d).zip(line.chunks_exact_mut(2 * d)) {
            ntt::forward_short(ring.path, small, short, line);
        }
        make_ready(ring.path, line);
        let to = (&mut plain[summand * groups..], count * groups);
        transposed(ring.path, (groups, 2 * d), (line, 2 * d), to);
    }
    cleared(out, 2 * d * count * vectors);
    let inputs = plain.chunks_exact(count * groups).zip(c1.chunks_exact(groups * vectors));
    for (sums, (a, b)) in out.chunks_exact_mut(count * vectors).zip(inputs) {
        let (stride, apart, inner) = (groups, 8 * groups, groups);
        let of = Product { table: small, a, stride, b, apart, inner, vectors };
        add_product(ring.path, &of, sums);
    }
}

dispatched! {
    /// A polynomial of 2 D coefficients modulo X^D - zeta.
    pub fn wrapped<L: Residues>(p: u64, zeta: Scale, values: &[u64], out: &mut [u64]) {
        let (low, high) = values.split_at(out.len());
        eights!([low, high], [out], {
            low.plus(zeta.times(high)).reduce_once(L::splat(p)).store(out);
        });
    }
}

/// The polynomial with these values at 2 D points of V rings, (V, 2 D), times the factor; the
/// values are used up.
fn interpolated(
    path: Path,
    spread: Spread,
    (table, small): (&Table, &Table),
    (values, factor): (&mut [u64], Scale),
    out: &mut [u64],
) {
    let (d, vectors, p) = (spread.distance(), spread.vectors, table.p);
    let parts = values.chunks_exact_mut(2 * d).zip(out.chunks_exact_mut(d));
    for (i, (turned, out)) in parts.enumerate() {
        ntt::inverse(path, small, turned);
        let root = table.root(vectors + i);
        wrapped(path, p, Scale::new(multiply(root, root, p), p), turned, out);
    }
    let factor = Scale::new(factor.single(inverse(vectors as u64, p)), p);
    ntt::inverse_levels(path, table, spread.levels(), factor, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lattice::ntt::tests::add_negacyclic;
    use crate::lattice::ring::tests::{polynomials, rings};
    use crate::words::prg::drawn;

    /// A summand by its definition, (2, 2, N), where ciphertexts are `plain` and every number is
    /// halved once: of c0 the wanted coefficients alone.
    fn summand(ring: &Ring, spread: Spread, plain: &[u64], columns: &[u64], bits: u32) -> Vec<u64> {
        let (n, d, piece) = (ring.degree, spread.distance(), spread.piece());
        let mut sums = vec![0; 2 * LIMBS * n];
        for (i, sums) in sums.chunks_exact_mut(n).enumerate() {
            let (p, reduce) = (ring.p(i % LIMBS), Reduce::new(ring.p(i % LIMBS), bits));
            for g in 0..spread.groups() {
                let mut numbers = vec![0; d];
                let columns = columns.chunks_exact(spread.length);
                for (words, numbers) in columns.zip(numbers.chunks_exact_mut(piece)) {
                    for (number, &word) in numbers.iter_mut().zip(&words[g * piece..]) {
                        *number = reduce.of(word);
                    }
                }
                add_negacyclic(&numbers, &plain[(g * 2 * LIMBS + i) * n..][..n], p, sums);
            }
            sums.iter_mut().for_each(|word| *word = multiply(*word, p.div_ceil(2), p));
        }
        let last = ring.p(PACKED);
        let parts = sums.chunks_exact(LIMBS * n).enumerate();
        let divided = parts.flat_map(|(part, sums)| {
            (0..PACKED * n).map(move |i| {
                // round(x / P): x minus what it is modulo P, from -P / 2 to P / 2.
                let p = ring.p(i / n);
                let low = (sums[PACKED * n + i % n] + last / 2) % last;
                let high = (sums[i] + last / 2 + 2 * p - low) % p;
                let wanted = part == 1 || i % piece == 0;
                if wanted { multiply(high, inverse(last % p, p), p) } else { 0 }
            })
        });
        divided.collect()
    }

    #[test]
    fn summands_are_the_definition_on_every_path() {
        let (n, length, bits, columns) = (512, 256, 57, 5);
        let mut matrix = drawn(5, columns * length);
        matrix.iter_mut().for_each(|word| *word &= (1 << bits) - 1);
        for (vectors, side) in [(16, 1), (8, 4)] {
            let spread = Spread::new(n, (vectors, side), length).unwrap();
            let mut expected = Vec::new();
            for ring in rings(n) {
                let plain = polynomials(&ring, 1, (spread.groups() * 2, LIMBS));
                let mut ciphertexts = plain.clone();
                for (i, words) in ciphertexts.chunks_exact_mut(n).enumerate() {
                    ntt::forward(ring.path, &ring.tables[i % LIMBS], words);
                }
                let mut prepared = vec![0; spread.words()];
                prepare(&ring, spread, &ciphertexts, &mut prepared);
                let mut found = vec![1; columns.div_ceil(side) * 2 * PACKED * n];
                let room = &mut Room::default();
                products((&ring, room), spread, &prepared, (&matrix, bits), 1, &mut found);
                if expected.is_empty() {
                    let parts = matrix.chunks(side * length);
                    let whole = parts.flat_map(|of| summand(&ring, spread, &plain, of, bits));
                    expected = whole.collect();
                }
                assert!(found == expected, "{} {vectors} {side}", ring.path.name());
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let fits = |vectors, side, length| Spread::new(8192, (vectors, side), length).is_some();
        let lengths = [(4, 4096), (24, 4096), (512, 4096), (8, 2048), (64, 4000)];
        assert_eq!(lengths.into_iter().find(|&(vectors, length)| fits(vectors, 1, length)), None);
        assert_eq!([0, 3, 2048].into_iter().find(|&side| fits(8, side, 4096)), None);
    }
}
