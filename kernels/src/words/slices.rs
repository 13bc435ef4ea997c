//! Bit slices: the transpose between words and bit positions.
//!
//! Slice j holds bit j of 64 elements in each of its words, so that one instruction of a
//! boolean circuit works on 64 elements. Eight blocks of 64 x 64 bits are transposed side
//! by side, lane by lane, which compiles to vector code.

use crate::simd::lanes::{Lanes, eight, put_eight};
use crate::simd::path::{Path, dispatched};

const LANES: usize = 8;
/// Slices up to which a byte of each word is looked at, and no word transposed.
pub const FEW: usize = 8;

/// Eight blocks of 64 words, interleaved: `block[k][lane]` is word k of block `lane`.
type Blocks = [[u64; LANES]; 64];

/// Transposes each lane's 64 x 64 bits: bit j of word k becomes bit k of word j
/// (Warren, Hacker's Delight, section 7-3).
///
/// With fewer rows, 16 or 32 of them, the first steps have been taken: row k holds the low
/// bits of words k, k + rows, ..., side by side.
#[inline(always)]
fn transpose<L: Lanes>(rows: &mut [[u64; LANES]]) {
    if rows.len() > 32 {
        transpose_step::<L, 32>(rows, 0x0000_0000_ffff_ffff);
    }
    if rows.len() > 16 {
        transpose_step::<L, 16>(rows, 0x0000_ffff_0000_ffff);
    }
    transpose_step::<L, 8>(rows, 0x00ff_00ff_00ff_00ff);
    transpose_step::<L, 4>(rows, 0x0f0f_0f0f_0f0f_0f0f);
    transpose_step::<L, 2>(rows, 0x3333_3333_3333_3333);
    transpose_step::<L, 1>(rows, 0x5555_5555_5555_5555);
}

/// Swaps the off-diagonal squares of SIZE x SIZE bits.
#[inline(always)]
fn transpose_step<L: Lanes, const SIZE: u32>(blocks: &mut [[u64; LANES]], low: u64) {
    let low = L::splat(low);
    for pair in blocks.chunks_exact_mut(2 * SIZE as usize) {
        let (above, below) = pair.split_at_mut(SIZE as usize);
        for (a, b) in above.iter_mut().zip(below) {
            let (upper, lower) = (L::load(a), L::load(b));
            let swap = upper.shift_right::<SIZE>().xor(lower).and(low);
            upper.xor(swap.shift_left::<SIZE>()).store(a);
            lower.xor(swap).store(b);
        }
    }
}

/// The first `width` slices, at most ROWS, from word `start` of rows of `all` words on.
#[inline(always)]
fn to_slices_by<L: Lanes, const ROWS: usize>(
    words: &[u64],
    width: usize,
    (all, start): (usize, usize),
    out: &mut [u64],
) {
    let length = words.len().div_ceil(64);
    let low = u64::MAX >> (64 - ROWS);
    for (group, chunk) in words.chunks(64 * LANES).enumerate() {
        let mut rows = [[0; LANES]; ROWS];
        for (lane, block) in chunk.chunks(64).enumerate() {
            let mut joined = [0; ROWS];
            for (field, block) in block.chunks(ROWS).enumerate() {
                for (sum, word) in joined.iter_mut().zip(block) {
                    *sum |= (word & low) << (ROWS * field);
                }
            }
            for (row, word) in rows.iter_mut().zip(joined) {
                row[lane] = word;
            }
        }
        transpose::<L>(&mut rows);
        let first = group * LANES;
        let lines = out.chunks_mut(all).zip(&rows).take(width);
        lines.for_each(|(line, row)| put_eight(*row, &mut line[..start + length], start + first));
    }
}

/// The same of at most eight slices, of the first words of rows: a byte of each of 64 rows, whose
/// bits are the slices' words.
#[inline(always)]
fn few_slices<L: Lanes, const N: usize>(
    rows: &[[u64; N]],
    width: usize,
    (all, start): (usize, usize),
    out: &mut [u64],
) {
    for (block, rows) in rows.chunks(64).enumerate() {
        let mut bytes = [0; 64];
        for (byte, row) in bytes.iter_mut().zip(rows) {
            *byte = row[0] as u8;
        }
        let words = L::bits_of_bytes(&bytes);
        for (slice, word) in words[..width].iter().enumerate() {
            out[slice * all + start + block] = *word;
        }
    }
}

/// Bit j of element i goes to bit i % 64 of `out[j * ceil(n / 64) + i / 64]`, for
/// j < width <= 64; bits past the last element are zero.
pub fn to_slices(path: Path, words: &[u64], width: usize, out: &mut [u64]) {
    to_slices_within(path, words, width, (words.len().div_ceil(64), 0), out);
}

dispatched! {
    /// The same into longer rows: `place` is their length and the word to begin at.
    pub fn to_slices_within<L: Lanes>(
        words: &[u64],
        width: usize,
        place: (usize, usize),
        out: &mut [u64],
    ) {
        match width {
            0..=FEW => few_slices::<L, 1>(words.as_chunks().0, width, place, out),
            9..=16 => to_slices_by::<L, 16>(words, width, place, out),
            17..=32 => to_slices_by::<L, 32>(words, width, place, out),
            _ => to_slices_by::<L, 64>(words, width, place, out),
        }
    }

    /// The same of the first words of rows, at most `FEW` slices.
    pub fn first_words_to_slices<L: Lanes>(
        rows: &[[u64; 2]],
        width: usize,
        place: (usize, usize),
        out: &mut [u64],
    ) {
        few_slices::<L, 2>(rows, width, place, out);
    }

    /// Undoes [`to_slices`]: `slices` has `width` rows of ceil(out.len() / 64) words. Bits
    /// `width` and above of the elements are zero.
    pub fn from_slices<L: Lanes>(slices: &[u64], width: usize, out: &mut [u64]) {
        let length = out.len().div_ceil(64);
        for (group, chunk) in out.chunks_mut(64 * LANES).enumerate() {
            let mut blocks: Blocks = [[0; LANES]; 64];
            let first = group * LANES;
            let lines = blocks.iter_mut().zip(slices.chunks(length)).take(width);
            lines.for_each(|(row, line)| *row = eight(line, first));
            transpose::<L>(&mut blocks);
            for (lane, block) in chunk.chunks_mut(64).enumerate() {
                for (word, row) in block.iter_mut().zip(&blocks) {
                    *word = row[lane];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_the_definition_and_returns() {
        for path in Path::available() {
            for (count, width) in [
                (0, 3),
                (1, 64),
                (63, 1),
                (64, 20),
                (65, 64),
                (1000, 33),
                (700, 8),
                (515, 16),
                (90, 2),
            ] {
                let words = crate::words::prg::drawn(2, count);
                let length = count.div_ceil(64);
                let mut slices = vec![0; width * length];
                to_slices(path, &words, width, &mut slices);
                for (i, word) in words.iter().enumerate() {
                    for j in 0..width {
                        assert_eq!(slices[j * length + i / 64] >> (i % 64) & 1, word >> j & 1);
                    }
                }
                let mut longer = vec![7; width * (length + 5)];
                to_slices_within(path, &words, width, (length + 5, 3), &mut longer);
                for (row, slice) in
                    longer.chunks_exact(length + 5).zip(slices.chunks(length.max(1)))
                {
                    assert_eq!([&row[..3], &row[3 + length..]].concat(), [7; 5]);
                    assert_eq!(row[3..3 + length], *slice);
                }
                if width <= FEW {
                    let rows: Vec<[u64; 2]> = words.iter().map(|word| [*word, !word]).collect();
                    let mut first = vec![7; slices.len()];
                    first_words_to_slices(path, &rows, width, (length, 0), &mut first);
                    assert_eq!(first, slices, "{}", path.name());
                }
                let mut back = vec![u64::MAX; count];
                from_slices(path, &slices, width, &mut back);
                let expected: Vec<u64> =
                    words.iter().map(|w| w & (u64::MAX >> (64 - width))).collect();
                assert_eq!(back, expected, "{}", path.name());
            }
        }
    }
}
