//! The local halves of a private bit times the other party's word, by a random transfer
//! (`securexgb/mpc/multiplex.py` has the protocol): messages m0 and m1 at the sender, a choice c
//! and m_c at the receiver. y + m0 - m1 is sent; c times it, plus m_c, is one share of c y and -m0
//! the other. Where the bit is not c ("flipped") both change the sign and the sender adds y.
//!
//! Bits are bytes 0 or 1. They become masks of all ones or none: nothing branches.

use crate::simd::path::{Path, dispatched};
use crate::words::bits as packing;

/// -x where the mask is all ones, x where it is zero.
#[inline(always)]
fn negated(x: u64, mask: u64) -> u64 {
    (x ^ mask).wrapping_sub(mask)
}

/// All ones for a bit that is set.
#[inline(always)]
fn mask(bit: u64) -> u64 {
    bit.wrapping_neg()
}

dispatched! {
    /// What the sender of `words` sends, and its share of c y. Messages lie above `shift` bits, and
    /// whatever is above them makes results right in the bits that they have.
    pub fn sent(
        words: &[u64],
        messages: [&[u64]; 2],
        shift: u32,
        share: &mut [u64],
        masked: &mut [u64],
    ) {
        let inputs = words.iter().zip(messages[0].iter().zip(messages[1]));
        for ((share, masked), (&y, (&zero, &one))) in share.iter_mut().zip(masked).zip(inputs) {
            let (zero, one) = (zero >> shift, one >> shift);
            *share = zero.wrapping_neg();
            *masked = y.wrapping_sub(one).wrapping_add(zero);
        }
    }

    /// The sender's share of b y, in place of its share of c y.
    pub fn give(words: &[u64], flips: &[u8], share: &mut [u64]) {
        for (share, (&y, &flip)) in share.iter_mut().zip(words.iter().zip(flips)) {
            let other = y.wrapping_sub(*share);
            *share ^= (*share ^ other) & mask(u64::from(flip));
        }
    }

    /// Adds the receiver's share of b y to `share`, from m_c above `shift` bits and what has come.
    pub fn take(
        chosen: &[u64],
        shift: u32,
        received: &[u64],
        choices: &[u8],
        bits: &[u8],
        share: &mut [u64],
    ) {
        let inputs = chosen.iter().zip(received).zip(choices.iter().zip(bits));
        for (share, ((&known, &word), (&choice, &bit))) in share.iter_mut().zip(inputs) {
            let part = (known >> shift).wrapping_add(word & mask(u64::from(choice)));
            *share = share.wrapping_add(negated(part, mask(u64::from(choice ^ bit))));
        }
    }
}

/// The message of a party in `multiplex_apart`: flips of its `bits`, packed and filled up, then its
/// `words` masked by both `messages`, modulo 2^`ring_bits`; `share` of what it offers so far.
pub fn apart_sent(
    (bits, choices, filling): (&[u8], &[u64], u64),
    (words, messages, ring_bits): (&[u64], [&[u64]; 2], u32),
    share: &mut [u64],
    out: &mut [u64],
) {
    let (flips, dense) = out.split_at_mut(choices.len());
    packing::pack_filled(bits, choices, filling, flips);
    let mut masked = vec![0; words.len()];
    sent(Path::best(), words, messages, 0, share, &mut masked);
    let size = packing::packed_length(words.len(), ring_bits).expect("words fit the memory");
    let mut bytes = vec![0; size];
    packing::pack_words(Path::best(), &masked, ring_bits, &mut bytes);
    packing::whole_words(&bytes, dense);
}

/// Its shares of all products, once the other party's message `came`: of its own bits' with words,
/// `kept`, which holds those with its own words so far, and of its own `words`', `given`.
pub fn apart_came(
    came: &[u64],
    (bits, choices, chosen, kept): (&[u8], &[u64], &[u64], &mut [u64]),
    (words, given): (&[u64], &mut [u64]),
    ring_bits: u32,
) {
    let (flips, dense) = came.split_at(words.len().div_ceil(64));
    let mut other = vec![0; words.len()];
    packing::unpack_bits(flips, &mut other);
    give(Path::best(), words, &other, given);
    let size = packing::packed_length(bits.len(), ring_bits).expect("words fit the memory");
    let mut received = vec![0; bits.len()];
    packing::unpack_words(Path::best(), &packing::bytes_of(dense, size), ring_bits, &mut received);
    let mut own = vec![0; bits.len()];
    packing::unpack_bits(choices, &mut own);
    take(Path::best(), chosen, 0, &received, &own, bits, kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    const COUNT: usize = 203;

    fn flags(key: u8) -> Vec<u8> {
        drawn(key, COUNT).iter().map(|word| (word & 1) as u8).collect()
    }

    fn chosen(zero: &[u64], one: &[u64], choices: &[u8]) -> Vec<u64> {
        let pairs = zero.iter().zip(one).zip(choices);
        pairs.map(|((&zero, &one), &choice)| [zero, one][usize::from(choice)]).collect()
    }

    #[test]
    fn shares_add_up_to_bits_times_words_on_every_path() {
        let [zero, one, words, before] = [1, 2, 3, 4].map(|key| drawn(key, COUNT));
        let (choices, bits) = (flags(5), flags(6));
        let flips: Vec<u8> = choices.iter().zip(&bits).map(|(a, b)| a ^ b).collect();
        for path in Path::available() {
            for shift in [0, 40] {
                let (mut given, mut masked) = (vec![9; COUNT], vec![9; COUNT]);
                sent(path, &words, [&zero, &one], shift, &mut given, &mut masked);
                give(path, &words, &flips, &mut given);
                let mut taken = before.clone();
                let known = chosen(&zero, &one, &choices);
                take(path, &known, shift, &masked, &choices, &bits, &mut taken);
                for i in 0..COUNT {
                    let sum = given[i].wrapping_add(taken[i]).wrapping_sub(before[i]);
                    assert_eq!(sum, words[i] * u64::from(bits[i]), "{}", path.name());
                }
            }
        }
    }
}
