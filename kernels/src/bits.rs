//! Dense packing: single bits into words, and words into a stream of short ones.

/// Gathers the lowest bit of each byte; bit i of word w is element 64w + i. The rest of
/// the last word is zero.
pub fn pack_bits(bits: &[u8]) -> Vec<u64> {
    bits.chunks(64)
        .map(|chunk| {
            let (eights, rest) = chunk.as_chunks::<8>();
            let mut word = 0;
            for (i, eight) in eights.iter().enumerate() {
                word |= gather(u64::from_le_bytes(*eight)) << (8 * i);
            }
            for (i, &bit) in rest.iter().enumerate() {
                word |= u64::from(bit & 1) << (8 * eights.len() + i);
            }
            word
        })
        .collect()
}

/// The lowest bits of eight bytes as one byte.
fn gather(bytes: u64) -> u64 {
    (bytes & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// The first `count` bits as bytes 0 or 1; `words` has ceil(count / 64) words.
pub fn unpack_bits(words: &[u64], count: usize) -> Vec<u8> {
    let mut bits = Vec::with_capacity(words.len() * 64);
    for word in words {
        for byte in word.to_le_bytes() {
            bits.extend_from_slice(&spread(byte).to_le_bytes());
        }
    }
    bits.truncate(count);
    bits
}

/// The bits of one byte as eight bytes 0 or 1.
fn spread(byte: u8) -> u64 {
    let copies = u64::from(byte).wrapping_mul(0x0101_0101_0101_0101);
    let single = copies & 0x8040_2010_0804_0201;
    // Each byte holds one bit or nothing: move it down to bit 0 by a carry into bit 7.
    let high = (single + 0x7f7f_7f7f_7f7f_7f7f_u64 - (single & 0x8000_0000_0000_0000)) | single;
    (high >> 7) & 0x0101_0101_0101_0101
}

/// Bytes that hold `count` numbers of `bits` bits.
pub fn packed_length(count: usize, bits: u32) -> Option<usize> {
    count.checked_mul(bits as usize).map(|total| total.div_ceil(8))
}

/// The low `bits` (1 to 64) bits of each word, one after the other, little-endian.
pub fn pack_words(words: &[u64], bits: u32) -> Vec<u8> {
    let length = packed_length(words.len(), bits).expect("a slice of words fits the memory");
    let mut data = Vec::with_capacity(length + 8);
    let mask = u64::MAX >> (64 - bits);
    let mut pending = 0u128;
    let mut filled = 0;
    for &word in words {
        pending |= u128::from(word & mask) << filled;
        filled += bits;
        if filled >= 64 {
            data.extend_from_slice(&(pending as u64).to_le_bytes());
            pending >>= 64;
            filled -= 64;
        }
    }
    data.extend_from_slice(&(pending as u64).to_le_bytes());
    data.truncate(length);
    data
}

/// Undoes [`pack_words`]; `data` has `packed_length(count, bits)` bytes.
pub fn unpack_words(data: &[u8], count: usize, bits: u32) -> Vec<u64> {
    let mask = u64::MAX >> (64 - bits);
    let (whole, rest) = data.as_chunks::<8>();
    let mut tail = [0; 8];
    tail[..rest.len()].copy_from_slice(rest);
    let mut source =
        whole.iter().map(|bytes| u64::from_le_bytes(*bytes)).chain([u64::from_le_bytes(tail)]);
    let mut pending = 0u128;
    let mut filled = 0;
    (0..count)
        .map(|_| {
            if filled < bits {
                pending |= u128::from(source.next().unwrap_or(0)) << filled;
                filled += 64;
            }
            let word = pending as u64 & mask;
            pending >>= bits;
            filled -= bits;
            word
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(count: usize) -> Vec<u64> {
        let mut out = vec![0; count];
        crate::prg::Stream::new(&[1; 16]).fill(0, &mut out);
        out
    }

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
            let mut packed = words(count.div_ceil(64));
            if count % 64 != 0 {
                *packed.last_mut().unwrap() &= (1 << (count % 64)) - 1;
            }
            assert_eq!(pack_bits(&unpack_bits(&packed, count)), packed);
        }
    }

    #[test]
    fn words_round_trip_at_every_width() {
        let source = words(100);
        for bits in 1..=64 {
            for count in [0, 1, 2, 63, 64, 65, 100] {
                let data = pack_words(&source[..count], bits);
                assert_eq!(data.len(), packed_length(count, bits).unwrap());
                let expected: Vec<u64> =
                    source[..count].iter().map(|w| w & (u64::MAX >> (64 - bits))).collect();
                assert_eq!(unpack_words(&data, count, bits), expected);
            }
        }
    }
}
