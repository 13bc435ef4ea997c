//! Keys of 128 bits, and what trees do with them: no branch or address depends on one.

use crate::words::prg::Stream;

/// A 128-bit key, the low word first.
pub type Key = [u64; 2];

/// Its bytes, the lowest first.
pub fn bytes(key: Key) -> [u8; 16] {
    (u128::from(key[0]) | u128::from(key[1]) << 64).to_le_bytes()
}

/// Its stream.
#[inline(always)]
pub fn stream(key: Key) -> Stream {
    Stream::new(&bytes(key))
}

/// The exclusive or.
pub fn xor(a: Key, b: Key) -> Key {
    [a[0] ^ b[0], a[1] ^ b[1]]
}

/// The key where the mask is all ones, zero where it is zero.
pub fn masked(key: Key, mask: u64) -> Key {
    [key[0] & mask, key[1] & mask]
}

/// All ones where the two numbers are equal, else zero.
pub fn equal(a: u64, b: u64) -> u64 {
    let difference = a ^ b;
    ((difference | difference.wrapping_neg()) >> 63).wrapping_sub(1)
}
