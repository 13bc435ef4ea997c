//! Sums per bin, and the masked one-hot matrix of bins.
//!
//! The addresses that are touched depend on the bins. They are the caller's own data, in
//! its own process, and the values added stay shares; nobody else is told the time taken.

use crate::simd::path::dispatched;
use crate::words::prg::Stream;

/// Words of one feature tile of the table: half of a usual second-level cache.
const TILE: usize = 32 * 1024;

/// The bins of one party's columns.
#[derive(Clone, Copy)]
pub struct Bins<'a> {
    /// Bin of each row and feature, (rows, features), row-major; all below `bins`.
    pub of: &'a [u8],
    /// Number of columns.
    pub features: usize,
    /// Bins of a feature.
    pub bins: usize,
}

impl Bins<'_> {
    /// Whether every bin lies below the number of bins.
    pub fn fit(&self) -> bool {
        usize::from(self.of.iter().copied().fold(0, u8::max)) < self.bins || self.of.is_empty()
    }

    fn rows(&self) -> usize {
        self.of.len().checked_div(self.features).unwrap_or(0)
    }
}

/// Adds V vectors at once; the table keeps their V sums of a bin side by side, so that an
/// update is one short vector addition.
#[inline(always)]
fn add<const V: usize>(bins: Bins<'_>, values: [&[u64]; V], sums: &mut [u64]) {
    let per_tile = (TILE / (V * bins.bins)).clamp(1, bins.features);
    let mut table = vec![[0u64; V]; per_tile * bins.bins];
    let size = bins.features * bins.bins;
    for first in (0..bins.features).step_by(per_tile) {
        let count = per_tile.min(bins.features - first);
        table.fill([0; V]);
        for (row, of) in bins.of.chunks_exact(bins.features).enumerate() {
            let value: [u64; V] = std::array::from_fn(|v| values[v][row]);
            let features = table.chunks_exact_mut(bins.bins);
            for (&bin, feature) in of[first..first + count].iter().zip(features) {
                let cell = &mut feature[usize::from(bin)];
                for v in 0..V {
                    cell[v] = cell[v].wrapping_add(value[v]);
                }
            }
        }
        for v in 0..V {
            let out = &mut sums[v * size + first * bins.bins..][..count * bins.bins];
            for (sum, cell) in out.iter_mut().zip(&table) {
                *sum = cell[v];
            }
        }
    }
}

/// Adds V vectors at once as often as there are so many; the values and sums that are left.
#[inline(always)]
fn add_most<'a, const V: usize>(
    bins: Bins<'_>,
    (mut values, mut sums): (&'a [u64], &'a mut [u64]),
) -> (&'a [u64], &'a mut [u64]) {
    let (rows, size) = (bins.rows(), bins.features * bins.bins);
    while values.len() >= V * rows {
        let (now, later) = values.split_at(V * rows);
        let (out, rest) = sums.split_at_mut(V * size);
        add::<V>(bins, std::array::from_fn(|v| &now[v * rows..(v + 1) * rows]), out);
        (values, sums) = (later, rest);
    }
    (values, sums)
}

dispatched! {
    /// Wrapping sums of each vector's values in every bin: `values` (v, rows), `sums`
    /// (v, features, bins), zero before. The bins fit.
    pub fn histogram(bins: Bins<'_>, values: &[u64], sums: &mut [u64]) {
        if bins.rows() > 0 && bins.bins > 0 {
            let left = add_most::<8>(bins, (values, sums));
            let left = add_most::<4>(bins, left);
            let left = add_most::<2>(bins, left);
            add_most::<1>(bins, left);
        }
    }
}

/// Overwrites `masked` with the matrix M - U, row-major (rows, features x bins): M is one in
/// the column of each feature's bin, U the words of the stream from `start` on. The bins fit.
pub fn masked_matrix(bins: Bins<'_>, stream: &Stream, start: u64, masked: &mut [u64]) {
    let columns = bins.features * bins.bins;
    if masked.is_empty() {
        return;
    }
    // A block at a time: drawn, negated and marked while it is in the cache.
    let step = (TILE / columns).max(1);
    let blocks = masked.chunks_mut(step * columns).zip(bins.of.chunks(step * bins.features));
    for (number, (block, of)) in blocks.enumerate() {
        stream.fill(start + (number * step * columns) as u64, block);
        for word in block.iter_mut() {
            *word = word.wrapping_neg();
        }
        for (row, of) in block.chunks_exact_mut(columns).zip(of.chunks_exact(bins.features)) {
            for (feature, &bin) in row.chunks_exact_mut(bins.bins).zip(of) {
                let cell = &mut feature[usize::from(bin)];
                *cell = cell.wrapping_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::path::Path;
    use crate::words::prg::drawn;

    fn bins(rows: usize, features: usize, bins: usize) -> Vec<u8> {
        drawn(4, rows * features).iter().map(|w| (w % bins as u64) as u8).collect()
    }

    #[test]
    fn every_path_is_the_definition() {
        for (rows, features, count, vectors) in
            [(1, 1, 1, 1), (100, 3, 5, 2), (300, 10, 32, 15), (50, 40, 256, 8)]
        {
            let of = bins(rows, features, count);
            let bins = Bins { of: &of, features, bins: count };
            assert!(bins.fit());
            let values = drawn(5, vectors * rows);
            let mut expected = vec![0u64; vectors * features * count];
            for v in 0..vectors {
                for r in 0..rows {
                    for f in 0..features {
                        let at = (v * features + f) * count + usize::from(of[r * features + f]);
                        expected[at] = expected[at].wrapping_add(values[v * rows + r]);
                    }
                }
            }
            for path in Path::available() {
                let mut sums = vec![0; expected.len()];
                histogram(path, bins, &values, &mut sums);
                assert_eq!(sums, expected, "{}", path.name());
            }
        }
    }

    #[test]
    fn mask_and_matrix_add_up() {
        let of = bins(500, 4, 9);
        let bins = Bins { of: &of, features: 4, bins: 9 };
        let stream = Stream::new(&[6; 16]);
        let mut masked = vec![0; 500 * 36];
        masked_matrix(bins, &stream, 3, &mut masked);
        for (at, (e, u)) in masked.iter().zip(stream.words(3, 500 * 36)).enumerate() {
            let (row, column) = (at / 36, at % 36);
            let hit = usize::from(of[row * 4 + column / 9]) == column % 9;
            assert_eq!(e.wrapping_add(u), u64::from(hit));
        }
    }

    #[test]
    fn a_bin_out_of_range_does_not_fit() {
        assert!(!Bins { of: &[0, 3], features: 1, bins: 3 }.fit());
        assert!(Bins { of: &[], features: 0, bins: 0 }.fit());
    }
}
