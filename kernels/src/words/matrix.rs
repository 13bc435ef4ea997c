//! Products of vectors with a matrix of words, held or drawn from the keystream.
//!
//! A tile of TALL vectors x 8 WIDE columns is summed over a block of rows in registers; the
//! block of the matrix (about 256 KiB) stays in the second-level cache while all
//! vectors pass over it.

use crate::simd::lanes::Lanes;
use crate::simd::path::{Path, dispatched};
use crate::words::prg::Stream;

/// Columns in one tile, in lanes of eight.
const WIDE: usize = 4;
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

/// The sums of V vectors with W x 8 columns over the rows of a block.
#[inline(always)]
fn tile<L: Lanes, const V: usize, const W: usize>(
    block: &Block<'_>,
    vector: usize,
    column: usize,
    sums: &mut [u64],
) {
    let count = block.matrix.len() / block.columns;
    let weights: [&[u64]; V] =
        std::array::from_fn(|v| &block.vectors[(vector + v) * block.rows + block.first..][..count]);
    let mut total = [[L::empty_sum(); W]; V];
    for (i, row) in block.matrix.chunks_exact(block.columns).enumerate() {
        let (cells, _) = row[column..].as_chunks::<8>();
        let cells: [L; W] = std::array::from_fn(|w| L::load(&cells[w]));
        for v in 0..V {
            let factor = L::factor(weights[v][i]);
            for w in 0..W {
                total[v][w] = cells[w].multiply_add(factor, total[v][w]);
            }
        }
    }
    for (v, total) in total.iter().enumerate() {
        let (sums, _) = sums[(vector + v) * block.columns + column..].as_chunks_mut::<8>();
        for (sum, &part) in sums.iter_mut().zip(total) {
            L::add_sum(part, sum);
        }
    }
}

/// The sums of V vectors with the columns from `column` on, one by one.
#[inline(always)]
fn edge<const V: usize>(block: &Block<'_>, vector: usize, column: usize, sums: &mut [u64]) {
    for (i, row) in block.matrix.chunks_exact(block.columns).enumerate() {
        for v in vector..vector + V {
            let weight = block.vectors[v * block.rows + block.first + i];
            let sums = &mut sums[v * block.columns + column..][..block.columns - column];
            for (sum, cell) in sums.iter_mut().zip(&row[column..]) {
                *sum = sum.wrapping_add(cell.wrapping_mul(weight));
            }
        }
    }
}

#[inline(always)]
fn strip<L: Lanes, const V: usize>(block: &Block<'_>, vector: usize, sums: &mut [u64]) {
    let mut column = 0;
    while L::WIDE && column + 8 * WIDE <= block.columns {
        tile::<L, V, WIDE>(block, vector, column, sums);
        column += 8 * WIDE;
    }
    while column + 8 <= block.columns {
        tile::<L, V, 1>(block, vector, column, sums);
        column += 8;
    }
    edge::<V>(block, vector, column, sums);
}

dispatched! {
    /// Adds the product of all vectors with these rows to `sums`, (v, columns).
    pub fn add_block<L: Lanes>(block: &Block<'_>, sums: &mut [u64]) {
        if block.columns == 0 || block.rows == 0 {
            return;
        }
        let vectors = block.vectors.len() / block.rows;
        let mut vector = 0;
        while vector + TALL <= vectors {
            strip::<L, TALL>(block, vector, sums);
            vector += TALL;
        }
        while vector < vectors {
            strip::<L, 1>(block, vector, sums);
            vector += 1;
        }
    }
}

/// Adds `vectors @ matrix`, (v, rows) times (rows, columns), to `sums`; all row-major.
pub fn product(path: Path, matrix: &[u64], columns: usize, vectors: &[u64], sums: &mut [u64]) {
    // Copied block by block, in order: the tiles' own order is hard on the memory.
    let draw = |first: usize, block: &mut [u64]| {
        block.copy_from_slice(&matrix[first..first + block.len()]);
    };
    product_of(path, draw, columns, vectors, sums);
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
    let draw = |first: usize, block: &mut [u64]| stream.fill(start + first as u64, block);
    product_of(path, draw, columns, vectors, sums);
}

/// Both products; `draw` writes the words of the matrix from a given one on.
fn product_of(
    path: Path,
    draw: impl Fn(usize, &mut [u64]),
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
        let matrix = &mut buffer[..step.min(rows - first) * columns];
        draw(first * columns, matrix);
        add_block(path, &Block { matrix, columns, vectors, rows, first }, sums);
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
            let matrix = stream.words(11, rows * columns);
            let vectors = stream.words(1 << 40, count * rows);
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
