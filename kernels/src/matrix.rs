//! Products of vectors with a matrix of words, held or drawn from the keystream.
//!
//! A tile of TALL vectors x WIDE columns is summed over a block of rows in registers; the
//! block of the matrix (about 256 KiB) stays in the second-level cache while all
//! vectors pass over it.

use crate::path::{Path, dispatched};
use crate::prg::Stream;

/// Columns in one tile.
const WIDE: usize = 32;
/// Vectors in one tile.
const TALL: usize = 4;
/// Words of the matrix in one block of rows.
const BLOCK: usize = 32 * 1024;

/// Rows that make up one block.
fn block_rows(columns: usize) -> usize {
    (BLOCK / columns.max(1)).max(1)
}

/// A few rows of a matrix, the rows that they are in the vectors, and the sums.
pub struct Block<'a> {
    /// The words of these rows, row-major.
    pub matrix: &'a [u64],
    /// Columns of the matrix.
    pub columns: usize,
    /// All vectors, (v, rows), row-major.
    pub vectors: &'a [u64],
    /// Length of a vector.
    pub rows: usize,
    /// Row of the matrix with which this block starts.
    pub first: usize,
}

/// The sums of one tile over the rows of a block.
#[inline(always)]
fn tile<const V: usize, const C: usize>(
    block: &Block<'_>,
    vector: usize,
    column: usize,
    sums: &mut [u64],
) {
    let count = block.matrix.len() / block.columns;
    let weights: [&[u64]; V] =
        std::array::from_fn(|v| &block.vectors[(vector + v) * block.rows + block.first..][..count]);
    let mut total = [[0u64; C]; V];
    for (i, row) in block.matrix.chunks_exact(block.columns).enumerate() {
        let cells: &[u64; C] = row[column..].first_chunk().expect("the tile lies in the row");
        for v in 0..V {
            let weight = weights[v][i];
            for c in 0..C {
                total[v][c] = total[v][c].wrapping_add(cells[c].wrapping_mul(weight));
            }
        }
    }
    for (v, total) in total.iter().enumerate() {
        let sums = &mut sums[(vector + v) * block.columns + column..][..C];
        for (sum, part) in sums.iter_mut().zip(total) {
            *sum = sum.wrapping_add(*part);
        }
    }
}

#[inline(always)]
fn strip<const V: usize>(block: &Block<'_>, vector: usize, sums: &mut [u64]) {
    let mut column = 0;
    while column + WIDE <= block.columns {
        tile::<V, WIDE>(block, vector, column, sums);
        column += WIDE;
    }
    while column + 8 <= block.columns {
        tile::<V, 8>(block, vector, column, sums);
        column += 8;
    }
    while column < block.columns {
        tile::<V, 1>(block, vector, column, sums);
        column += 1;
    }
}

#[inline(always)]
fn add_block_body(block: &Block<'_>, sums: &mut [u64]) {
    if block.columns == 0 || block.rows == 0 {
        return;
    }
    let vectors = block.vectors.len() / block.rows;
    let mut vector = 0;
    while vector + TALL <= vectors {
        strip::<TALL>(block, vector, sums);
        vector += TALL;
    }
    while vector < vectors {
        strip::<1>(block, vector, sums);
        vector += 1;
    }
}

dispatched! {
    /// Adds the product of all vectors with these rows to `sums`, (v, columns).
    pub fn add_block = add_block_body(block: &Block<'_>, sums: &mut [u64]);
}

/// Adds `vectors @ matrix`, (v, rows) times (rows, columns), to `sums`; all row-major.
pub fn product(path: Path, matrix: &[u64], columns: usize, vectors: &[u64], sums: &mut [u64]) {
    let rows = matrix.len().checked_div(columns).unwrap_or(0);
    let step = block_rows(columns);
    for (number, matrix) in matrix.chunks((step * columns).max(1)).enumerate() {
        let first = number * step;
        let block = Block { matrix, columns, vectors, rows, first };
        add_block(path, &block, sums);
    }
}

/// Adds `vectors @ U` to `sums`, U being the words of the stream from `start` on as a
/// row-major matrix of `columns` and as many rows as a vector has words.
pub fn stream_product(
    path: Path,
    (stream, start): (&Stream, u64),
    columns: usize,
    vectors: &[u64],
    sums: &mut [u64],
) {
    if sums.is_empty() {
        return;
    }
    let rows = vectors.len() / (sums.len() / columns);
    let step = block_rows(columns);
    let mut buffer = vec![0; step.min(rows) * columns];
    for first in (0..rows).step_by(step) {
        let count = step.min(rows - first);
        let matrix = &mut buffer[..count * columns];
        stream.fill(start + (first * columns) as u64, matrix);
        let block = Block { matrix, columns, vectors, rows, first };
        add_block(path, &block, sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_the_definition() {
        let stream = Stream::new(&[3; 16]);
        for (rows, columns, count) in
            [(1, 1, 1), (5, 7, 3), (70, 45, 9), (2000, 33, 5), (0, 4, 2), (4, 0, 2)]
        {
            let mut matrix = vec![0; rows * columns];
            stream.fill(11, &mut matrix);
            let mut vectors = vec![0; count * rows];
            stream.fill(1 << 40, &mut vectors);
            let mut expected = vec![0u64; count * columns];
            for v in 0..count {
                for r in 0..rows {
                    for c in 0..columns {
                        let term = vectors[v * rows + r].wrapping_mul(matrix[r * columns + c]);
                        expected[v * columns + c] = expected[v * columns + c].wrapping_add(term);
                    }
                }
            }
            for path in Path::available() {
                let mut sums = vec![0; count * columns];
                product(path, &matrix, columns, &vectors, &mut sums);
                assert_eq!(sums, expected, "{}", path.name());
                sums.fill(0);
                stream_product(path, (&stream, 11), columns, &vectors, &mut sums);
                assert_eq!(sums, expected, "{}", path.name());
            }
        }
    }
}
