//! Products of matrices modulo a prime, for [`crate::lattice::products`].

use crate::lattice::ntt::{Table, fold};
use crate::simd::lanes::eights;
use crate::simd::path::dispatched;
use crate::simd::residues::Residues;

/// Products that are added before they are reduced: at most 2^10, and so many rows of a strip stay
/// in the first cache.
pub const PANEL: usize = 256;

dispatched! {
    /// Column j of `from`, rows so many words apart, becomes row j of `to`, as far apart as is said
    /// there; the shape is (rows, columns).
    pub fn transposed<L: Residues>(
        shape: (usize, usize),
        from: (&[u64], usize),
        to: (&mut [u64], usize),
    ) {
        let ((rows, columns), (from, apart), (to, stride)) = (shape, from, to);
        for i in (0..rows).step_by(8) {
            for j in (0..columns).step_by(8) {
                let mut block = [L::splat(0); 8];
                for (r, row) in block.iter_mut().enumerate() {
                    *row = L::load(&from[(i + r) * apart + j..].as_chunks::<8>().0[0]);
                }
                for (c, row) in L::transpose(block).into_iter().enumerate() {
                    row.store(&mut to[(j + c) * stride + i..].as_chunks_mut::<8>().0[0]);
                }
            }
        }
    }
}

dispatched! {
    /// Words below p as what `Product` takes.
    pub fn make_ready<L: Residues>(words: &mut [u64]) {
        eights!([], [words], L::load(words).ready().store(words));
    }
}

/// A product of matrices modulo p, of numbers made ready: a (rows, inner), rows `stride` words
/// apart, times b (inner, V), in strips of eight columns, (inner, 8), which begin `apart` words
/// from one another: what is read again for each row lies together.
pub struct Product<'a> {
    /// Of p.
    pub table: &'a Table,
    /// See above.
    pub a: &'a [u64],
    /// Words.
    pub stride: usize,
    /// See above.
    pub b: &'a [u64],
    /// Words.
    pub apart: usize,
    /// Products that are added.
    pub inner: usize,
    /// V.
    pub vectors: usize,
}

/// R rows of a, from the `first` on, times S strips.
#[inline(always)]
fn add_rows<L: Residues, const R: usize, const S: usize>(
    of: &Product<'_>,
    (first, strip): (usize, usize),
    out: &mut [u64],
) {
    let p = L::splat(of.table.p);
    let rows: [&[u64]; R] = std::array::from_fn(|r| &of.a[(first + r) * of.stride..][..of.inner]);
    let strips: [&[[u64; 8]]; S] =
        std::array::from_fn(|s| &of.b[(strip + s) * of.apart..].as_chunks().0[..of.inner]);
    let mut sums = [[(L::splat(0), L::splat(0)); S]; R];
    for g in 0..of.inner {
        let mut side = [L::splat(0).kept(); S];
        for (operand, b) in side.iter_mut().zip(strips) {
            *operand = L::load(&b[g]).kept();
        }
        for (sums, row) in sums.iter_mut().zip(rows) {
            let a = L::splat(row[g]).kept();
            for (sum, &b) in sums.iter_mut().zip(&side) {
                *sum = L::add_product(*sum, a, b);
            }
        }
    }
    for (r, sums) in sums.into_iter().enumerate() {
        for (s, sum) in sums.into_iter().enumerate() {
            let place = (first + r) * of.vectors + 8 * (strip + s);
            let out = &mut out[place..].as_chunks_mut::<8>().0[0];
            let sum = fold(L::settled(sum, of.inner as u64), of.table);
            L::load(out).plus(sum).reduce_once(p).store(out);
        }
    }
}

dispatched! {
    /// Adds the product, (rows, V), to `out`; at most `PANEL` inner products.
    pub fn add_product<L: Residues>(of: &Product<'_>, out: &mut [u64]) {
        if L::WIDE && of.vectors.is_multiple_of(16) {
            add_all::<L, 4, 2>(of, out);
        } else {
            add_all::<L, 1, 1>(of, out);
        }
    }
}

/// R rows at a time, S strips: as many sums as registers hold.
#[inline(always)]
fn add_all<L: Residues, const R: usize, const S: usize>(of: &Product<'_>, out: &mut [u64]) {
    let rows = out.len() / of.vectors;
    for strip in (0..of.vectors / 8).step_by(S) {
        let mut first = 0;
        while first + R <= rows {
            add_rows::<L, R, S>(of, (first, strip), out);
            first += R;
        }
        for row in first..rows {
            add_rows::<L, 1, S>(of, (row, strip), out);
        }
    }
}
