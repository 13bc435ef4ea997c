//! Products of encrypted short secrets with a private matrix: V vectors at once.
//!
//! With D = N / V, column b and group g have p(X) = sum_j W[b, g D + j] X^j, of degree below D, and
//! the summand of a column is the sum over groups of p times ciphertext; its coefficients v D are
//! wanted. Z_p[X] / (X^N + 1) falls apart into V rings Z_p[X] / (X^D - zeta), in all of which p is
//! the same polynomial. So in each of them the product is taken as one of integers, at 2 D points:
//! p is transformed once for all V rings, and everything else is a product of matrices, (columns,
//! groups) times (groups, V), at each point. That is how c1 is multiplied. Of c0 only the wanted
//! coefficients count, and these are sums of 4096 products each: one more product of matrices.

use crate::lattice::masks::Reduce;
use crate::lattice::modular::{Scale, inverse, multiply, subtract};
use crate::lattice::ntt::{self, Table, fold};
use crate::lattice::ring::{LIMBS, Ring};
use crate::simd::lanes::eights;
use crate::simd::path::dispatched;
use crate::simd::residues::Residues;

/// The fewest vectors: so many lie side by side in a product of matrices.
const SIDE: usize = 16;
/// Products that are added before they are reduced: far below 2^11.
const PANEL: usize = 512;

/// How V secrets of `length` numbers lie in ciphertexts.
#[derive(Clone, Copy)]
pub struct Spread {
    /// V, a multiple of 16.
    pub vectors: usize,
    /// Numbers of a secret, a multiple of 8 D.
    pub length: usize,
    /// N.
    pub degree: usize,
}

impl Spread {
    /// None where the parts do not fit the loops.
    pub fn new(degree: usize, vectors: usize, length: usize) -> Option<Spread> {
        let fits = vectors.is_power_of_two()
            && (SIDE..=degree / 32).contains(&vectors)
            && length.is_power_of_two()
            && length >= 8 * (degree / vectors);
        fits.then_some(Spread { vectors, length, degree })
    }

    /// D.
    pub fn distance(&self) -> usize {
        self.degree / self.vectors
    }

    /// Ciphertexts of a batch.
    pub fn groups(&self) -> usize {
        self.length / self.distance()
    }

    /// Words of prepared ciphertexts: modulo each prime c1 at 2 D points, then c0.
    pub fn words(&self) -> usize {
        LIMBS * (self.points_words() + self.length * self.vectors)
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

dispatched! {
    /// Column j of `from`, (rows, columns), becomes row j of `to`, which are `stride` words apart.
    pub fn transposed<L: Residues>(from: (&[u64], usize), to: (&mut [u64], usize)) {
        let ((from, columns), (to, stride)) = (from, to);
        let rows = from.len() / columns;
        for i in (0..rows).step_by(8) {
            for j in (0..columns).step_by(8) {
                let mut block = [L::splat(0); 8];
                for (r, row) in block.iter_mut().enumerate() {
                    *row = L::load(&from[(i + r) * columns + j..].as_chunks::<8>().0[0]);
                }
                for (c, row) in L::transpose(block).into_iter().enumerate() {
                    row.store(&mut to[(j + c) * stride + i..].as_chunks_mut::<8>().0[0]);
                }
            }
        }
    }
}

/// A product of matrices modulo p: a (rows, inner), rows `stride` words apart, times b (inner, V).
pub struct Product<'a> {
    table: &'a Table,
    a: &'a [u64],
    stride: usize,
    b: &'a [u64],
    inner: usize,
    vectors: usize,
}

#[inline(always)]
fn add_rows<L: Residues, const R: usize, const S: usize>(
    of: &Product<'_>,
    first: usize,
    out: &mut [u64],
) {
    let p = L::splat(of.table.p);
    let rows: [&[u64]; R] = std::array::from_fn(|r| &of.a[(first + r) * of.stride..][..of.inner]);
    for v in (0..of.vectors).step_by(8 * S) {
        let mut sums = [[(L::splat(0), L::splat(0)); S]; R];
        for (g, b) in of.b.chunks_exact(of.vectors).enumerate() {
            let b = b[v..v + 8 * S].as_chunks::<8>().0;
            let mut side = [L::splat(0).operand(); S];
            for (operand, b) in side.iter_mut().zip(b) {
                *operand = L::load(b).operand();
            }
            for (sums, row) in sums.iter_mut().zip(rows) {
                let a = L::splat(row[g]).operand();
                for (sum, &b) in sums.iter_mut().zip(&side) {
                    *sum = L::add_product(*sum, a, b);
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (x, sum) in sums.into_iter().enumerate() {
                let place = (first + r) * of.vectors + v + 8 * x;
                let out = &mut out[place..].as_chunks_mut::<8>().0[0];
                let sum = fold(L::settled(sum, of.inner as u64), of.table);
                L::load(out).plus(sum).reduce_once(p).store(out);
            }
        }
    }
}

dispatched! {
    /// Adds the product, (rows, V), to `out`; at most `PANEL` inner products.
    pub fn add_product<L: Residues>(of: &Product<'_>, out: &mut [u64]) {
        if L::WIDE {
            add_all::<L, 4, 2>(of, out);
        } else {
            add_all::<L, 2, 1>(of, out);
        }
    }
}

/// R rows at a time, 8 S vectors side by side: as many sums as registers hold.
#[inline(always)]
fn add_all<L: Residues, const R: usize, const S: usize>(of: &Product<'_>, out: &mut [u64]) {
    let rows = out.len() / of.vectors;
    let mut first = 0;
    while first + R <= rows {
        add_rows::<L, R, S>(of, first, out);
        first += R;
    }
    for row in first..rows {
        add_rows::<L, 1, S>(of, row, out);
    }
}

/// Ciphertexts (groups, 2, 3, N), transformed, made ready for `products`: modulo each prime
/// first c1, (2 D, groups, V), then the coefficients of c0 that meet number j: (length, V).
pub fn prepare(ring: &Ring, spread: Spread, ciphertexts: &[u64], out: &mut [u64]) {
    let (n, d, groups, vectors) = (ring.degree, spread.distance(), spread.groups(), spread.vectors);
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
            transposed(ring.path, (&points, 2 * d), (&mut c1[g * vectors..], groups * vectors));
            scratch.copy_from_slice(of(0));
            ntt::inverse(ring.path, table, &mut scratch);
            for (j, line) in c0[g * d * vectors..].chunks_exact_mut(vectors).take(d).enumerate() {
                // X^(v D - j); below zero it is -X^(N - j).
                line[0] = if j == 0 { scratch[0] } else { subtract(0, scratch[n - j], table.p) };
                for (v, word) in line.iter_mut().enumerate().skip(1) {
                    *word = scratch[v * d - j];
                }
            }
        }
    }
}

/// Overwrites `out`, (columns, 2, 3, N), with summands as coefficients, divided by 2^halvings modulo
/// q: prepared ciphertexts times columns (columns, length), numbers modulo 2^bits. Of c0 all but the
/// wanted coefficients are left zero.
pub fn products(
    ring: &Ring,
    spread: Spread,
    prepared: &[u64],
    (columns, bits): (&[u64], u32),
    halvings: u32,
    out: &mut [u64],
) {
    let (n, d, length) = (ring.degree, spread.distance(), spread.length);
    let count = columns.len() / length;
    let halvings = ring.halvings(halvings);
    let mut numbers = vec![0; count * length];
    out.fill(0);
    for (limb, prepared) in prepared.chunks_exact(spread.words() / LIMBS).enumerate() {
        let (c1, c0) = prepared.split_at(spread.points_words());
        let reduce = Reduce::new(ring.p(limb), bits);
        let lines = numbers.chunks_exact_mut(length).zip(columns.chunks_exact(length));
        for (numbers, words) in lines {
            for (number, &word) in numbers.iter_mut().zip(words) {
                *number = reduce.of(word);
            }
        }
        let wanted = wanted_sums(ring, (spread, limb), c0, &numbers);
        let points = point_sums(ring, (spread, limb), c1, &numbers);
        let mut line = vec![0; 2 * n];
        for column in 0..count {
            let place = column * 2 * LIMBS * n;
            let sums = &wanted[column * spread.vectors..][..spread.vectors];
            let first = &mut out[place + limb * n..][..n];
            for (word, &sum) in first.iter_mut().step_by(d).zip(sums) {
                *word = halvings[limb].single(sum);
            }
            let second = &mut out[place + (LIMBS + limb) * n..][..n];
            // One column's sums at all points, (2 D, V).
            for (k, line) in line.chunks_exact_mut(spread.vectors).enumerate() {
                let at = (k * count + column) * spread.vectors;
                line.copy_from_slice(&points[at..at + spread.vectors]);
            }
            interpolated(ring, (spread, limb), &line, halvings[limb], second);
        }
    }
}

/// Sums over all numbers of number times coefficient of c0, (columns, V).
fn wanted_sums(
    ring: &Ring,
    (spread, limb): (Spread, usize),
    c0: &[u64],
    numbers: &[u64],
) -> Vec<u64> {
    let (length, vectors) = (spread.length, spread.vectors);
    let mut sums = vec![0; numbers.len() / length * vectors];
    for first in (0..length).step_by(PANEL) {
        let inner = PANEL.min(length - first);
        let of = Product {
            table: &ring.tables[limb],
            a: &numbers[first..],
            stride: length,
            b: &c0[first * vectors..(first + inner) * vectors],
            inner,
            vectors,
        };
        add_product(ring.path, &of, &mut sums);
    }
    sums
}

/// Sums over all groups at all points, (2 D, columns, V).
fn point_sums(
    ring: &Ring,
    (spread, limb): (Spread, usize),
    c1: &[u64],
    numbers: &[u64],
) -> Vec<u64> {
    let (d, groups, vectors) = (spread.distance(), spread.groups(), spread.vectors);
    let count = numbers.len() / spread.length;
    let small = spread.table(ring.p(limb));
    let mut plain = vec![0; 2 * d * count * groups];
    let mut line = vec![0; 2 * d * groups];
    for (column, numbers) in numbers.chunks_exact(spread.length).enumerate() {
        for (short, line) in numbers.chunks_exact(d).zip(line.chunks_exact_mut(2 * d)) {
            ntt::forward_short(ring.path, &small, short, line);
        }
        let to = (&mut plain[column * groups..], count * groups);
        transposed(ring.path, (&line, 2 * d), to);
    }
    let mut sums = vec![0; 2 * d * count * vectors];
    let inputs = plain.chunks_exact(count * groups).zip(c1.chunks_exact(groups * vectors));
    for (sums, (a, b)) in sums.chunks_exact_mut(count * vectors).zip(inputs) {
        let of =
            Product { table: &ring.tables[limb], a, stride: groups, b, inner: groups, vectors };
        add_product(ring.path, &of, sums);
    }
    sums
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

/// The polynomial with these values at 2 D points of V rings, (2 D, V), times the factor.
fn interpolated(
    ring: &Ring,
    (spread, limb): (Spread, usize),
    values: &[u64],
    factor: Scale,
    out: &mut [u64],
) {
    let (d, vectors, p) = (spread.distance(), spread.vectors, ring.p(limb));
    let (table, small) = (&ring.tables[limb], spread.table(p));
    let mut turned = vec![0; values.len()];
    transposed(ring.path, (values, vectors), (&mut turned, 2 * d));
    let parts = turned.chunks_exact_mut(2 * d).zip(out.chunks_exact_mut(d));
    for (i, (turned, out)) in parts.enumerate() {
        ntt::inverse(ring.path, &small, turned);
        let root = table.root(vectors + i);
        wrapped(ring.path, p, Scale::new(multiply(root, root, p), p), turned, out);
    }
    let factor = Scale::new(factor.single(inverse(vectors as u64, p)), p);
    ntt::inverse_levels(ring.path, table, spread.levels(), factor, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lattice::ntt::tests::add_negacyclic;
    use crate::lattice::ring::tests::{polynomials, rings};
    use crate::words::prg::drawn;

    #[test]
    fn leaves_are_the_definition_on_every_path() {
        let (n, vectors, length, bits) = (512, 16, 256, 57);
        let spread = Spread::new(n, vectors, length).unwrap();
        let (d, groups, columns) = (spread.distance(), spread.groups(), 5);
        for ring in rings(n) {
            let path = ring.path;
            let plain = polynomials(&ring, 1, groups * 2 * LIMBS);
            let mut ciphertexts = plain.clone();
            for (i, words) in ciphertexts.chunks_exact_mut(n).enumerate() {
                ntt::forward(path, &ring.tables[i % LIMBS], words);
            }
            let mut matrix = drawn(5, columns * length);
            matrix.iter_mut().for_each(|word| *word &= (1 << bits) - 1);
            let mut prepared = vec![0; spread.words()];
            prepare(&ring, spread, &ciphertexts, &mut prepared);
            let mut summands = vec![1; columns * 2 * LIMBS * n];
            products(&ring, spread, &prepared, (&matrix, bits), 1, &mut summands);
            for (i, summand) in summands.chunks_exact(n).enumerate() {
                let (column, part, limb) = (i / (2 * LIMBS), i / LIMBS % 2, i % LIMBS);
                let p = ring.p(limb);
                let reduce = Reduce::new(p, bits);
                let mut expected = vec![0; n];
                for g in 0..groups {
                    let c = &plain[((g * 2 + part) * LIMBS + limb) * n..][..n];
                    let numbers = &matrix[column * length + g * d..][..d];
                    let numbers: Vec<u64> = numbers.iter().map(|&w| reduce.of(w)).collect();
                    add_negacyclic(&numbers, c, p, &mut expected);
                }
                for (i, (&found, sum)) in summand.iter().zip(expected).enumerate() {
                    let half = multiply(sum, p.div_ceil(2), p);
                    let half = if part == 1 || i % d == 0 { half } else { 0 };
                    assert_eq!(found, half, "{} part {part} place {i}", path.name());
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (vectors, length) in [(8, 4096), (24, 4096), (512, 4096), (16, 2048), (64, 4000)] {
            assert!(Spread::new(8192, vectors, length).is_none(), "{vectors} {length}");
        }
    }
}
