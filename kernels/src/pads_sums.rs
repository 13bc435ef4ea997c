//! Sums per bin of words wider than 64 bits: what the owner of the bins adds up online.
//!
//! A row's word is 2^shift y + m modulo 2^kappa, with the own share y and the received m. Words
//! are cut into parts of 40 bits, so that sums of many rows fit 64, and go through [`histogram`]
//! some rows at a time. Here too the addresses that are touched depend on the caller's own bins.

use crate::histogram::{Bins, histogram};
use crate::pads::{Word, low_bits};
use crate::path::Path;

/// Bits of a part; two parts make a word, and 2^24 of them fit 64 bits.
const PART: u32 = 40;
/// Rows that are cut up at a time: their parts stay in the cache.
const ROWS: usize = 1 << 13;

/// Vectors y (v, rows) and their messages, ceil(bits / 8) bytes a row.
#[derive(Clone, Copy)]
pub struct Masked<'a> {
    /// The own shares.
    pub vectors: &'a [u64],
    /// What was received.
    pub message: &'a [u8],
    /// Length of a vector.
    pub rows: usize,
    /// How far y is shifted.
    pub shift: u32,
    /// kappa, at most 80.
    pub bits: u32,
}

impl Masked<'_> {
    /// Both parts of the words of some rows of a vector.
    fn parts(&self, vector: usize, first: usize, out: (&mut [u64], &mut [u64])) {
        let width = self.bits.div_ceil(8) as usize;
        let at = vector * self.rows + first;
        let outs = out.0.iter_mut().zip(out.1);
        for (i, (&y, (low, high))) in self.vectors[at..].iter().zip(outs).enumerate() {
            let bytes = &self.message[(at + i) * width..];
            // Whole words, where there are so many bytes: what is too much is masked away.
            let received = bytes.first_chunk().copied().unwrap_or_else(|| {
                let mut last = [0; 16];
                last[..width].copy_from_slice(&bytes[..width]);
                last
            });
            let word = Word::from_le_bytes(received) & low_bits(self.bits);
            let word = word.wrapping_add(Word::from(y) << self.shift);
            let word = word & low_bits(self.bits);
            *low = word as u64 & ((1 << PART) - 1);
            *high = (word >> PART) as u64;
        }
    }
}

/// Overwrites `sums`, (v, features, bins, 2), with low and high words of the sums per bin.
pub fn sums(path: Path, bins: Bins<'_>, masked: Masked<'_>, sums: &mut [u64]) {
    let rows = masked.rows;
    let size = bins.features * bins.bins;
    let vectors = masked.vectors.len().checked_div(rows).unwrap_or(0);
    sums.fill(0);
    let mut totals: Vec<Word> = vec![0; vectors * size];
    let mut parts = vec![0; 2 * vectors * ROWS.min(rows)];
    let mut found = vec![0; 2 * vectors * size];
    for first in (0..rows).step_by(ROWS) {
        let count = ROWS.min(rows - first);
        let parts = &mut parts[..2 * vectors * count];
        for (v, parts) in parts.chunks_exact_mut(2 * count).enumerate() {
            masked.parts(v, first, parts.split_at_mut(count));
        }
        let of = &bins.of[first * bins.features..(first + count) * bins.features];
        found.fill(0);
        histogram(path, Bins { of, ..bins }, parts, &mut found);
        for (totals, found) in totals.chunks_mut(size).zip(found.chunks_exact(2 * size)) {
            let (low, high) = found.split_at(size);
            for ((total, &low), &high) in totals.iter_mut().zip(low).zip(high) {
                let sum = Word::from(low).wrapping_add(Word::from(high) << PART);
                *total = total.wrapping_add(sum);
            }
        }
    }
    for (total, out) in totals.iter().zip(sums.chunks_exact_mut(2)) {
        let total = total & low_bits(masked.bits);
        (out[0], out[1]) = (total as u64, (total >> 64) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prg::Stream;

    #[test]
    fn sums_are_the_definition_on_every_path() {
        for (rows, vectors, bits, shift) in [(3, 1, 7, 2), (9000, 3, 76, 16), (20_000, 4, 64, 13)] {
            let (features, count) = (2, 5);
            let of: Vec<u8> = (0..rows * features).map(|i| (i * i % 7 % count) as u8).collect();
            let width = u32::div_ceil(bits, 8) as usize;
            let mut vectors_of = vec![0; vectors * rows];
            Stream::new(&[1; 16]).fill(0, &mut vectors_of);
            let mut message = vec![0; (vectors * rows * width).div_ceil(8)];
            Stream::new(&[2; 16]).fill(0, &mut message);
            let message: Vec<u8> = message.iter().flat_map(|word| word.to_le_bytes()).collect();
            let message = &message[..vectors * rows * width];
            let mut expected = vec![0 as Word; vectors * features * count];
            for at in 0..vectors * rows {
                let mut bytes = [0; 16];
                bytes[..width].copy_from_slice(&message[at * width..][..width]);
                let word = Word::from_le_bytes(bytes) + (Word::from(vectors_of[at]) << shift);
                for feature in 0..features {
                    let bin = usize::from(of[at % rows * features + feature]);
                    let sum = &mut expected[(at / rows * features + feature) * count + bin];
                    *sum = sum.wrapping_add(word);
                }
            }
            let bins = Bins { of: &of, features, bins: count };
            let masked = Masked { vectors: &vectors_of, message, rows, shift, bits };
            for path in Path::available() {
                let mut found = vec![1; 2 * expected.len()];
                sums(path, bins, masked, &mut found);
                for (pair, expected) in found.chunks_exact(2).zip(&expected) {
                    let word = Word::from(pair[1]) << 64 | Word::from(pair[0]);
                    assert_eq!(word, expected & low_bits(bits), "{}", path.name());
                }
            }
        }
    }
}
