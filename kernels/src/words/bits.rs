//! Dense packing: single bits into words, and words into a stream of short ones.

use crate::simd::path::dispatched;

/// Gathers the lowest bit of each byte into ceil(n / 64) words; bit i of word w is element
/// 64w + i. The rest of the last word is zero.
pub fn pack_bits(bits: &[u8], out: &mut [u64]) {
    for (word, chunk) in out.iter_mut().zip(bits.chunks(64)) {
        let (eights, rest) = chunk.as_chunks::<8>();
        *word = 0;
        for (i, eight) in eights.iter().enumerate() {
            *word |= gather(u64::from_le_bytes(*eight)) << (8 * i);
        }
        for (i, &bit) in rest.iter().enumerate() {
            *word |= u64::from(bit & 1) << (8 * eights.len() + i);
        }
    }
}

/// Bits packed and masked by `masks`, of as many words; where they do not fill the last one, what
/// stands past them is of `filling`, random bits.
pub fn pack_filled(bits: &[u8], masks: &[u64], filling: u64, out: &mut [u64]) {
    pack_bits(bits, out);
    if let (used @ 1.., Some(last)) = (bits.len() % 64, out.last_mut()) {
        *last ^= filling << used;
    }
    out.iter_mut().zip(masks).for_each(|(word, mask)| *word ^= mask);
}

/// Words of bytes, little-endian; the last one is filled up with zeros.
pub fn whole_words(bytes: &[u8], out: &mut [u64]) {
    for (word, bytes) in out.iter_mut().zip(bytes.chunks(8)) {
        let mut eight = [0; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(eight);
    }
}

/// The bytes of words, little-endian, of which so many are wanted.
pub fn bytes_of(words: &[u64], count: usize) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).take(count).collect()
}

/// The lowest bits of eight bytes as one byte.
fn gather(bytes: u64) -> u64 {
    (bytes & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The first bits as bytes 0 or 1; `words` has ceil(out.len() / 64) words.
pub fn unpack_bits(words: &[u64], out: &mut [u8]) {
    for (chunk, word) in out.chunks_mut(64).zip(words) {
        for (eight, byte) in chunk.chunks_mut(8).zip(word.to_le_bytes()) {
            eight.copy_from_slice(&spread(byte).to_le_bytes()[..eight.len()]);
        }
    }
}

/// The bits of one byte as eight bytes 0 or 1.
fn spread(byte: u8) -> u64 {
    let copies = u64::from(byte).wrapping_mul(0x0101_0101_0101_0101);
    let single = copies & 0x8040_2010_0804_0201;
    // Each byte holds one bit or nothing: move it down to bit 0 by a carry into bit 7.
    let high = (single + 0x7f7f_7f7f_7f7f_7f7f_u64 - (single & 0x8000_0000_0000_0000)) | single;
    (high >> 7) & 0x0101_0101_0101_0101
}

/// Adds (or) `count` bits of `source` from bit `from` on to `out` from bit `at` on, where it is zero.
pub fn copy_bits(source: &[u64], from: usize, count: usize, out: &mut [u64], at: usize) {
    let (mut from, mut at, mut left) = (from, at, count);
    while left > 0 {
        // What is left of the word that is written to.
        let taken = left.min(64 - at % 64);
        let (word, shift) = (from / 64, from % 64);
        let next = source.get(word + 1).copied().unwrap_or(0);
        let bits = source[word] >> shift | next << 1 << (63 - shift);
        out[at / 64] |= (bits & u64::MAX >> (64 - taken)) << (at % 64);
        (from, at, left) = (from + taken, at + taken, left - taken);
    }
}

/// Bytes that hold `count` numbers of `bits` bits.
pub fn packed_length(count: usize, bits: u32) -> Option<usize> {
    count.checked_mul(bits as usize).map(|total| total.div_ceil(8))
}

/// 64 numbers of any width are a whole number of words; one more takes what spills over.
type Group = [u64; 65];

/// Where number i of a group begins: its word, and the bit in it.
#[inline(always)]
fn place(i: usize, bits: u32) -> (usize, u32) {
    let at = i * bits as usize;
    (at / 64 % 64, (at % 64) as u32)
}

dispatched! {
    /// The low `bits` (1 to 64) bits of each word, one after the other, little-endian; `out`
    /// has `packed_length(words.len(), bits)` bytes.
    pub fn pack_words(words: &[u64], bits: u32, out: &mut [u8]) {
        let mask = u64::MAX >> (64 - bits);
        for (chunk, bytes) in words.chunks(64).zip(out.chunks_mut(8 * bits as usize)) {
            let mut group: Group = [0; 65];
            let mut pending = 0;
            for (i, word) in chunk.iter().enumerate() {
                let (at, shift) = place(i, bits);
                pending |= (word & mask) << shift;
                group[at] = pending;
                let spilled = (word & mask) >> 1 >> (63 - shift);
                group[at + 1] = spilled;
                pending = if shift + bits >= 64 { spilled } else { pending };
            }
            for (eight, word) in bytes.chunks_mut(8).zip(group) {
                eight.copy_from_slice(&word.to_le_bytes()[..eight.len()]);
            }
        }
    }

    /// Undoes [`pack_words`]; `data` has `packed_length(out.len(), bits)` bytes.
    pub fn unpack_words(data: &[u8], bits: u32, out: &mut [u64]) {
        let mask = u64::MAX >> (64 - bits);
        for (chunk, bytes) in out.chunks_mut(64).zip(data.chunks(8 * bits as usize)) {
            let mut group: Group = [0; 65];
            let (eights, rest) = bytes.as_chunks::<8>();
            for (word, eight) in group.iter_mut().zip(eights) {
                *word = u64::from_le_bytes(*eight);
            }
            for (i, &byte) in rest.iter().enumerate() {
                group[eights.len()] |= u64::from(byte) << (8 * i);
            }
            for (i, word) in chunk.iter_mut().enumerate() {
                let (at, shift) = place(i, bits);
                *word = (group[at] >> shift | group[at + 1] << 1 << (63 - shift)) & mask;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::path::Path;
    use crate::words::prg::drawn;

    #[test]
    fn every_byte_spreads_and_gathers() {
        for byte in 0..=255u8 {
            let spread = spread(byte);
            for (i, value) in spread.to_le_bytes().into_iter().enumerate() {
                assert_eq!(value, byte >> i & 1);
            }
            assert_eq!(gather(spread), u64::from(byte));
        }
    }

    #[test]
    fn bits_round_trip() {
        for count in [0usize, 1, 7, 8, 63, 64, 65, 200] {
            let mut packed = drawn(1, count.div_ceil(64));
            if count % 64 != 0 {
                *packed.last_mut().unwrap() &= (1 << (count % 64)) - 1;
            }
            let mut bytes = vec![9; count];
            unpack_bits(&packed, &mut bytes);
            let mut back = vec![9; packed.len()];
            pack_bits(&bytes, &mut back);
            assert_eq!(back, packed);
        }
    }

    #[test]
    fn words_are_packed_as_defined_and_return() {
        let source = drawn(1, 150);
        let cases = (1..=64).flat_map(|bits| [0, 1, 63, 64, 65, 150].map(|count| (bits, count)));
        for (bits, count) in cases {
            let short: Vec<u64> =
                source[..count].iter().map(|word| word & (u64::MAX >> (64 - bits))).collect();
            for path in Path::available() {
                let mut data = vec![9; packed_length(count, bits).unwrap()];
                pack_words(path, &source[..count], bits, &mut data);
                for (at, byte) in data.iter().enumerate() {
                    for (i, place) in (8 * at..8 * at + 8).enumerate() {
                        let word = short.get(place / bits as usize).unwrap_or(&0);
                        assert_eq!(u64::from(byte >> i & 1), word >> (place % bits as usize) & 1);
                    }
                }
                let mut back = vec![9; count];
                unpack_words(path, &data, bits, &mut back);
                assert_eq!(back, short, "{}", path.name());
            }
        }
    }
}
