//! The pseudorandom stream: AES-128 in counter mode, read as words.
//!
//! Block i of the stream is AES_key(i as 16 little-endian bytes); word w is made of the
//! little-endian bytes 8w..8w+8. Any place of the stream is reached at once. The `aes`
//! crate takes AES instructions where the CPU has them and a bit-sliced, constant-time
//! implementation elsewhere.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};

/// Blocks that are encrypted in one call.
const BATCH: usize = 64;

/// One stream; its key schedule is wiped when dropped.
pub struct Stream {
    cipher: Aes128,
}

impl Stream {
    /// The stream of a 16-byte key.
    pub fn new(key: &[u8; 16]) -> Stream {
        Stream { cipher: Aes128::new(&Array::from(*key)) }
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
        let mut batch = [Array::from([0u8; 16]); BATCH];
        for (number, words) in out.chunks_mut(2 * BATCH).enumerate() {
            let counter = first + (number * BATCH) as u64;
            let used = &mut batch[..words.len() / 2];
            for (i, block) in used.iter_mut().enumerate() {
                *block = Array::from(u128::from(counter + i as u64).to_le_bytes());
            }
            self.cipher.encrypt_blocks(used);
            for (pair, block) in words.chunks_exact_mut(2).zip(used.iter()) {
                let value = u128::from_le_bytes((*block).into());
                pair[0] = value as u64;
                pair[1] = (value >> 64) as u64;
            }
        }
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

    /// FIPS 197, appendix C.1.
    #[test]
    fn a_block_is_aes() {
        let key: [u8; 16] = std::array::from_fn(|i| i as u8);
        let plain: [u8; 16] = std::array::from_fn(|i| 0x11 * i as u8);
        let mut block = Array::from(plain);
        Stream::new(&key).cipher.encrypt_block(&mut block);
        let expected = 0x69c4e0d86a7b0430d8cdb78070b4c55a_u128.to_be_bytes();
        assert_eq!(<[u8; 16]>::from(block), expected);
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
