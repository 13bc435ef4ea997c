//! The pseudorandom stream: AES-128 in counter mode, read as words.
//!
//! Block i of the stream is AES_key(i as 16 little-endian bytes); word w is made of the
//! little-endian bytes 8w..8w+8. Any place of the stream is reached at once.

use crate::simd::blocks::Cipher;

/// One stream; its key schedule is wiped when dropped.
pub struct Stream {
    cipher: Cipher,
}

impl Stream {
    /// The stream of a 16-byte key.
    pub fn new(key: &[u8; 16]) -> Stream {
        let words = key.as_chunks().0;
        Stream { cipher: Cipher::new([0, 1].map(|half| u64::from_le_bytes(words[half]))) }
    }

    /// Overwrites `out` with the words `start..start + out.len()` of the stream.
    ///
    /// The caller sees to it that the range ends below 2^64.
    pub fn fill(&self, start: u64, out: &mut [u64]) {
        let (mut block, mut out) = (start / 2, out);
        if start % 2 == 1 && !out.is_empty() {
            let mut pair = [0; 2];
            self.blocks(block, &mut pair);
            out[0] = pair[1];
            out = &mut out[1..];
            block += 1;
        }
        let (pairs, last) = out.split_at_mut(out.len() & !1);
        self.blocks(block, pairs);
        if let [word] = last {
            let mut pair = [0; 2];
            self.blocks(block + pairs.len() as u64 / 2, &mut pair);
            *word = pair[0];
        }
    }

    /// The words `start..start + count` of the stream.
    pub fn words(&self, start: u64, count: usize) -> Vec<u64> {
        let mut words = vec![0; count];
        self.fill(start, &mut words);
        words
    }

    /// Whole blocks from `first` on; `out` has an even length.
    fn blocks(&self, first: u64, out: &mut [u64]) {
        self.cipher.count(first, out.as_chunks_mut().0);
    }
}

/// Words for a test, of the seed's stream.
#[cfg(test)]
pub(crate) fn drawn(seed: u8, count: usize) -> Vec<u64> {
    Stream::new(&[seed; 16]).words(0, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_counted_blocks() {
        let (stream, key) = (Stream::new(&[7; 16]), [0x0707_0707_0707_0707; 2]);
        let mut blocks: Vec<[u64; 2]> = (5..9).map(|counter| [counter, 0]).collect();
        Cipher::new(key).encrypt(&mut blocks);
        assert_eq!(stream.words(10, 8), blocks.as_flattened());
    }

    #[test]
    fn any_window_equals_the_stream() {
        let (stream, whole) = (Stream::new(&[7; 16]), drawn(7, 1000));
        let windows = [(0, 1), (1, 1), (1, 2), (2, 1), (3, 300), (128, 872), (999, 1), (5, 0)];
        for (start, count) in windows {
            assert_eq!(stream.words(start as u64, count), whole[start..start + count]);
        }
    }
}
