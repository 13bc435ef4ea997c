//! The local parts of strings of words and bits kept where a shared bit is set, all of an element's
//! by one random transfer (`securexgb/mpc/trees/halves.py` has the protocol).
//!
//! A message m of 128 bits becomes as many lanes of 64 bits as an element has words: of one or two
//! lanes it is these itself; of more, lanes 2i and 2i + 1 are H(m ^ i), with H(x) = AES_K(x) ^ x and
//! a key K that the sender draws for this message alone and changes every 8192 elements. The low
//! bits of lane j mask word j, its highest bit masks bit j of the string.

use crate::simd::blocks::{Cipher, Row};
use crate::simd::path::Path;
use crate::words::bits as packing;
use crate::words::private_bits::{give, sent, take};

/// Elements under one key of the hash.
const CHUNK: usize = 8192;

/// Gaps (lanes, n) and strings (lines, ceil(n / 64)) of n elements, lane after lane.
#[derive(Clone, Copy)]
pub struct Offered<'a> {
    /// Words, the half to keep less the other one.
    pub gaps: &'a [u64],
    /// Bits, packed, likewise.
    pub strings: &'a [u64],
    /// The own share of each element's bit.
    pub own: &'a [u8],
    /// Gaps are sent modulo 2^ring_bits.
    pub ring_bits: u32,
}

impl Offered<'_> {
    fn count(&self) -> usize {
        self.own.len()
    }

    /// Words that packed bits of all elements take.
    fn line(&self) -> usize {
        self.count().div_ceil(64)
    }

    fn lanes(&self) -> usize {
        self.gaps.len() / self.count().max(1)
    }

    /// The words to be sent, gap by gap: (1 - 2 b) y for the own bit b.
    fn signed(&self, gap: &[u64], out: &mut [u64]) {
        for (out, (&gap, &bit)) in out.iter_mut().zip(gap.iter().zip(self.own)) {
            let mask = u64::from(bit).wrapping_neg();
            *out = (gap ^ mask).wrapping_sub(mask);
        }
    }

    fn packed_bytes(&self) -> usize {
        packing::packed_length(self.gaps.len(), self.ring_bits).expect("words fit the memory")
    }

    /// Words of a message of so many elements.
    pub fn message_words(&self) -> usize {
        self.line() + self.strings.len() + self.packed_bytes().div_ceil(8)
    }
}

/// The lanes of messages of `count` elements, one or two words each.
fn lanes(messages: &[&[u64]], key: Row, lanes: usize, count: usize) -> Vec<u64> {
    let mut out = vec![0; lanes * count];
    if count == 0 {
        return out;
    }
    if lanes <= messages.len() {
        for (lane, message) in out.chunks_mut(count).zip(messages) {
            lane.copy_from_slice(&message[..count]);
        }
        return out;
    }
    let (mut rows, mut hashed) = (Vec::with_capacity(CHUNK), vec![[0; 2]; CHUNK.min(count)]);
    for first in (0..count).step_by(CHUNK) {
        let last = count.min(first + CHUNK);
        let cipher = Cipher::new([key[0] ^ first as u64, key[1]]);
        rows.clear();
        rows.extend((first..last).map(|at| [messages[0][at], messages[1][at]]));
        for (number, pair) in out.chunks_mut(2 * count).enumerate() {
            let hashed = &mut hashed[..rows.len()];
            cipher.hash(&rows, [number as u64, 0], hashed);
            for (word, lane) in pair.chunks_mut(count).enumerate() {
                lane[first..last].iter_mut().zip(&*hashed).for_each(|(out, row)| *out = row[word]);
            }
        }
    }
    out
}

/// The highest bits of words, packed.
fn tops(words: &[u64], out: &mut [u64]) {
    for (out, words) in out.iter_mut().zip(words.chunks(64)) {
        *out = words.iter().enumerate().fold(0, |bits, (at, word)| bits | (word >> 63) << at);
    }
}

/// Writes the message: flips of own bits by `choices`, strings and gaps masked by both messages;
/// and the shares of choice times string and gap so far.
pub fn offer(
    offered: Offered<'_>,
    (choices, filling): (&[u64], u64),
    (messages, key): ([&[&[u64]]; 2], Row),
    (shares, kept): (&mut [u64], &mut [u64]),
    out: &mut [u64],
) {
    let (count, line) = (offered.count(), offered.line());
    let (flips, rest) = out.split_at_mut(line);
    let (strings, dense) = rest.split_at_mut(offered.strings.len());
    packing::pack_filled(offered.own, choices, filling, flips);
    let [zero, one] = messages.map(|of| lanes(of, key, offered.lanes(), count));
    let (mut words, mut masked) = (vec![0; count], vec![0; offered.gaps.len()]);
    let each = |of| <[u64]>::chunks(of, count.max(1));
    let outputs = shares.chunks_mut(count.max(1)).zip(masked.chunks_mut(count.max(1)));
    for ((share, masked), ((gap, zero), one)) in
        outputs.zip(each(offered.gaps).zip(each(&zero)).zip(each(&one)))
    {
        offered.signed(gap, &mut words);
        sent(Path::best(), &words, [zero, one], 0, share, masked);
    }
    let (mut other, used) = (vec![0; line], u64::MAX >> ((64 - count % 64) % 64));
    let lines = kept.chunks_mut(line.max(1)).zip(strings.chunks_mut(line.max(1)));
    for ((kept, string), ((own, zero), one)) in
        lines.zip(offered.strings.chunks(line.max(1)).zip(each(&zero)).zip(each(&one)))
    {
        tops(zero, kept);
        tops(one, &mut other);
        for (string, ((own, zero), one)) in
            string.iter_mut().zip(own.iter().zip(&*kept).zip(&other))
        {
            *string = own ^ zero ^ one;
        }
        // Nothing masks what stands past the last element.
        string.last_mut().into_iter().for_each(|word| *word &= used);
    }
    let mut bytes = vec![0; offered.packed_bytes()];
    packing::pack_words(Path::best(), &masked, offered.ring_bits, &mut bytes);
    packing::whole_words(&bytes, dense);
}

/// The shares of bit times gap and string, in place of those of `offer`, from the other party's
/// message and what the own choices chose of it.
pub fn accept(
    offered: Offered<'_>,
    came: &[u64],
    choices: &[u64],
    (chosen, key): (&[&[u64]], Row),
    (shares, kept): (&mut [u64], &mut [u64]),
) {
    let (count, line) = (offered.count(), offered.line());
    let (flips, rest) = came.split_at(line);
    let (strings, dense) = rest.split_at(offered.strings.len());
    let known = lanes(chosen, key, offered.lanes(), count);
    let mut received = vec![0; offered.gaps.len()];
    let bytes = packing::bytes_of(dense, offered.packed_bytes());
    packing::unpack_words(Path::best(), &bytes, offered.ring_bits, &mut received);
    let (mut theirs, mut own_choices) = (vec![0; count], vec![0; count]);
    packing::unpack_bits(flips, &mut theirs);
    packing::unpack_bits(choices, &mut own_choices);
    let each = |of| <[u64]>::chunks(of, count.max(1));
    let mut words = vec![0; count];
    for (share, ((gap, known), received)) in shares
        .chunks_mut(count.max(1))
        .zip(each(offered.gaps).zip(each(&known)).zip(each(&received)))
    {
        offered.signed(gap, &mut words);
        give(Path::best(), &words, &theirs, share);
        take(Path::best(), known, 0, received, &own_choices, offered.own, share);
        for (share, (&gap, &bit)) in share.iter_mut().zip(gap.iter().zip(offered.own)) {
            *share = share.wrapping_add(gap & u64::from(bit).wrapping_neg());
        }
    }
    let (mut own, mut masks) = (vec![0; line], vec![0; line]);
    packing::pack_bits(offered.own, &mut own);
    for (kept, ((string, known), came)) in kept
        .chunks_mut(line.max(1))
        .zip(offered.strings.chunks(line.max(1)).zip(each(&known)).zip(strings.chunks(line.max(1))))
    {
        tops(known, &mut masks);
        for at in 0..line {
            let by_bits = string[at] & (own[at] ^ flips[at]);
            kept[at] ^= by_bits ^ masks[at] ^ (came[at] & choices[at]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    const COUNT: usize = CHUNK + 71;
    const LINE: usize = COUNT.div_ceil(64);

    fn flags(seed: u8) -> Vec<u8> {
        drawn(seed, COUNT).iter().map(|word| (word & 1) as u8).collect()
    }

    /// Shares of both parties add up to bit times gap and string, at any number of lanes.
    #[test]
    fn shares_add_up_to_what_is_kept() {
        for lanes in [1, 2, 4, 8] {
            let lines = lanes - 1;
            let gaps = [1, 2].map(|seed| drawn(seed, lanes * COUNT));
            let strings = [3, 4].map(|seed| {
                let mut words = drawn(seed, lines * LINE);
                let used = u64::MAX >> (64 * LINE - COUNT);
                words.iter_mut().skip(LINE - 1).step_by(LINE).for_each(|word| *word &= used);
                words
            });
            let own = [5, 6].map(flags);
            let width = 1 + usize::from(lanes > 1);
            // Of the transfers from party p: both messages of one or two words, and choices.
            let messages = [7, 9].map(|seed| [seed, seed + 1].map(|key| drawn(key, width * COUNT)));
            let choices = [11, 12].map(|seed| drawn(seed, LINE));
            let keys = [[1, 2], [3, 4]];
            let offered = [0, 1].map(|party: usize| Offered {
                gaps: &gaps[party],
                strings: &strings[party],
                own: &own[party],
                ring_bits: 39,
            });
            let ends = |party: usize| messages[party].each_ref().map(|of| split(of));
            let mut shares = [(); 2].map(|()| (vec![0; lanes * COUNT], vec![0; lines * LINE]));
            let sent = [0, 1].map(|party: usize| {
                let mut out = vec![0; offered[party].message_words()];
                let [zero, one] = ends(party);
                let (words, kept) = &mut shares[party];
                offer(
                    offered[party],
                    (&choices[party], 5),
                    ([&zero, &one], keys[party]),
                    (words, kept),
                    &mut out,
                );
                out
            });
            for party in [0, 1] {
                let other = 1 - party;
                let [zero, one] = messages[other].each_ref();
                let chosen: Vec<u64> = (0..width * COUNT)
                    .map(|at| {
                        let element = at % COUNT;
                        let choice = choices[party][element / 64] >> (element % 64) & 1;
                        [zero[at], one[at]][choice as usize]
                    })
                    .collect();
                let (words, kept) = &mut shares[party];
                accept(
                    offered[party],
                    &sent[other],
                    &choices[party],
                    (&split(&chosen), keys[other]),
                    (words, kept),
                );
            }
            for (at, (gap, more)) in gaps[0].iter().zip(&gaps[1]).enumerate() {
                let element = at % COUNT;
                let bit = u64::from(own[0][element] ^ own[1][element]);
                let found = shares[0].0[at].wrapping_add(shares[1].0[at]);
                let expected = gap.wrapping_add(*more).wrapping_mul(bit);
                assert_eq!(found << 25, expected << 25, "{lanes} lanes");
            }
            for line in 0..lines {
                for element in 0..COUNT {
                    let of =
                        |words: &[u64]| words[line * LINE + element / 64] >> (element % 64) & 1;
                    let bit = u64::from(own[0][element] ^ own[1][element]);
                    let expected = bit & (of(&strings[0]) ^ of(&strings[1]));
                    assert_eq!(of(&shares[0].1) ^ of(&shares[1].1), expected, "{lanes} lanes");
                }
            }
        }
    }

    fn split(words: &[u64]) -> Vec<&[u64]> {
        words.chunks(COUNT).collect()
    }
}
