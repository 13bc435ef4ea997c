//! Rounding to one party: what each of its two messages is made of, and what is opened
//! (`securexgb/mpc/numbers/round_to.py` has the protocol and its reasons).
//!
//! Numbers of a level stand side by side: element i of level l is number l n + i. Bits become masks
//! of all ones or none: nothing branches on one, and nothing is read at a place that is secret.

use crate::simd::path::Path;
use crate::words::bits;

/// How numbers are rounded: public.
#[derive(Clone, Copy)]
pub struct Rounding {
    /// Numbers are shared modulo 2^`ring_bits`.
    pub ring_bits: u32,
    /// That are rounded off, at least one.
    pub bits: u32,
    /// What a number is multiplied by before.
    pub factor: u64,
    /// Of what is opened, its sign included.
    pub result_bits: u32,
    /// Of what the sender sends for each bit.
    pub entry_bits: u32,
}

/// All ones for a bit that is set.
#[inline(always)]
fn mask(bit: u64) -> u64 {
    (bit & 1).wrapping_neg()
}

/// The lowest bits of a word.
fn low(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

/// The first word, or the second one where the mask is set.
#[inline(always)]
fn one_of(first: u64, second: u64, is_second: u64) -> u64 {
    first ^ (first ^ second) & is_second
}

impl Rounding {
    /// Whether all numbers fit words.
    pub fn is_fit(&self) -> bool {
        let factor_bits = u64::BITS - self.factor.leading_zeros();
        let is_within = |bits: u32| (1..=64).contains(&bits);
        self.bits >= 1
            && self.factor >= 1
            && self.ring_bits >= self.bits + 2
            && self.ring_bits + factor_bits <= 64
            && is_within(self.result_bits)
            && is_within(self.entry_bits)
    }

    /// Transfers of `count` numbers: a bit for each level, and the highest one.
    pub fn transfers(&self, count: usize) -> usize {
        (self.bits as usize + 1) * count
    }

    /// Random words that the second message of `count` numbers takes.
    pub fn random_words(&self, count: usize) -> usize {
        let upper = self.bits as usize - 1;
        (2 * upper + 1) * count + (upper * count).div_ceil(64)
    }

    /// Entries of the second message.
    pub fn entries(&self, count: usize) -> usize {
        4 * self.bits as usize * count
    }

    /// Bit l of the receiver's part, or its highest bit at the last level.
    fn asked(&self, level: u32, own: u64) -> u64 {
        let part = own.wrapping_mul(self.factor);
        let bit = if level < self.bits { part >> level } else { own >> (self.ring_bits - 1) };
        bit & 1
    }

    /// The receiver's message: flips of its bits, packed; `filling` is what stands past them.
    pub fn ask(&self, own: &[u64], choices: &[u64], filling: u64, out: &mut [u64]) {
        let levels = (0..=self.bits).flat_map(|level| own.iter().map(move |&own| (level, own)));
        let asked: Vec<u8> = levels.map(|(level, own)| self.asked(level, own) as u8).collect();
        bits::pack_filled(&asked, choices, filling, out);
    }

    /// What the receiver opens, signed: `chosen`, two words a transfer in two lines.
    pub fn open(&self, own: &[u64], chosen: [&[u64]; 2], sent: &[u8], out: &mut [u64]) {
        let (count, bits) = (own.len(), self.bits as usize);
        let mut entries = vec![0; self.entries(count)];
        bits::unpack_words(Path::best(), sent, self.entry_bits, &mut entries);
        let entry = |row: usize, i: usize| entries[row * count + i];
        for (i, (&own, out)) in own.iter().zip(out).enumerate() {
            let ones = |level: usize| mask(self.asked(level as u32, own));
            let mut opened = one_of(entry(0, i), entry(1, i), ones(0)) ^ chosen[0][i];
            for level in 1..bits {
                let (first, x) = (4 * level, ones(level));
                let found = [0, 1].map(|place| {
                    let sent = one_of(entry(first + place, i), entry(first + 2 + place, i), x);
                    sent ^ chosen[place][level * count + i]
                });
                let chosen = one_of(found[0], found[1], mask(opened));
                opened = (chosen ^ opened >> 1) & low(self.entry_bits);
            }
            let wraps = one_of(entry(2, i), entry(3, i), ones(bits)) ^ chosen[0][bits * count + i];
            let part = own.wrapping_mul(self.factor);
            let total = opened.wrapping_add(wraps).wrapping_add(part >> self.bits);
            let unused = 64 - self.result_bits;
            *out = ((total << unused) as i64 >> unused) as u64;
        }
    }

    /// The sender's message, packed. `flips`: the receiver's, packed; `ends`: both messages of the
    /// transfers, two words each in two lines; `random`: `random_words`.
    pub fn answer(
        &self,
        own: &[u64],
        ends: [[&[u64]; 2]; 2],
        flips: &[u64],
        random: &[u64],
        out: &mut [u8],
    ) {
        let (count, bits) = (own.len(), self.bits as usize);
        let upper = bits - 1;
        let (masks, random) = random.split_at(count);
        let (keys, pointers) = random.split_at(2 * upper * count);
        let offset = 1u64 << (self.ring_bits - 2);
        let added = (1u64 << (self.bits - 1)).wrapping_sub(offset.wrapping_mul(self.factor));
        let wrapped = (self.factor << self.ring_bits >> self.bits).wrapping_neg();
        let mut entries = vec![0; self.entries(count)];
        for (i, &own) in own.iter().enumerate() {
            let pad = |x: usize, place: usize, level: usize| {
                let at = level * count + i;
                let swap = mask(flips[at / 64] >> (at % 64) ^ x as u64);
                one_of(ends[0][place][at], ends[1][place][at], swap)
            };
            let part = own.wrapping_mul(self.factor).wrapping_add(added);
            let key = |place: usize, level: usize| {
                keys[(place * upper + level) * count + i] & low(self.entry_bits - 1 - level as u32)
            };
            let pointer = |level: usize| {
                let at = level * count + i;
                pointers[at / 64] >> (at % 64) & 1
            };
            // What is opened at a level, for the carry 0 and 1.
            let values = |level: usize| {
                if level == upper {
                    let last = (part >> self.bits).wrapping_add(masks[i]);
                    return [last, last.wrapping_add(1)].map(|value| value & low(self.result_bits));
                }
                let pointer = pointer(level);
                [key(0, level) << 1 | pointer, key(1, level) << 1 | pointer ^ 1]
            };
            let set = |level: usize| part >> level & 1;
            let lowest = values(0);
            entries[i] = lowest[0] ^ pad(0, 0, 0);
            entries[count + i] = one_of(lowest[0], lowest[1], mask(set(0))) ^ pad(1, 0, 0);
            let top = mask(own >> (self.ring_bits - 1));
            entries[2 * count + i] = (top & wrapped).wrapping_sub(masks[i]) ^ pad(0, 0, bits);
            entries[3 * count + i] = wrapped.wrapping_sub(masks[i]) ^ pad(1, 0, bits);
            for level in 1..bits {
                let values = values(level);
                for place in [0, 1] {
                    let carry = pointer(level - 1) ^ place as u64;
                    let key = one_of(key(0, level - 1), key(1, level - 1), mask(carry));
                    for (x, after) in
                        [set(level) & carry, set(level) | carry].into_iter().enumerate()
                    {
                        let value = one_of(values[0], values[1], mask(after));
                        let row = 4 * level + 2 * x + place;
                        entries[row * count + i] = value ^ key ^ pad(x, place, level);
                    }
                }
            }
        }
        bits::pack_words(Path::best(), &entries, self.entry_bits, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    #[test]
    fn what_is_opened_is_the_rounded_number() {
        for (bits, factor) in [(20, 1), (14, 15_625u64), (1, 3), (16, 625)] {
            let width = u64::BITS - factor.leading_zeros();
            let ring_bits = 40;
            let result_bits = ring_bits - bits + width;
            let entry_bits = result_bits + bits - 1;
            let how = Rounding { ring_bits, bits, factor, result_bits, entry_bits };
            assert!(how.is_fit());
            let most = (1i64 << (ring_bits - 2)) - 1;
            let mut values = vec![0, 1, -1, most, -most, (1 << bits) / 2, -(1 << bits) / 2];
            values.extend(drawn(9, 60).iter().map(|&word| word as i64 >> 27));
            let count = values.len();
            let offset = 1u64 << (ring_bits - 2);
            let first: Vec<u64> =
                drawn(1, count).iter().map(|word| word & low(ring_bits)).collect();
            let pairs = first.iter().zip(&values);
            let second: Vec<u64> = pairs
                .map(|(&first, &value)| {
                    (value as u64).wrapping_add(offset).wrapping_sub(first) & low(ring_bits)
                })
                .collect();
            let transfers = how.transfers(count);
            let ends: [[Vec<u64>; 2]; 2] =
                [0, 1].map(|end| [0, 1].map(|line| drawn(2 + 2 * end + line, transfers)));
            let choices = drawn(7, transfers.div_ceil(64));
            let chosen: [Vec<u64>; 2] = [0, 1].map(|line| {
                let one = |at: usize| ends[(choices[at / 64] >> (at % 64) & 1) as usize][line][at];
                (0..transfers).map(one).collect()
            });
            let mut flips = vec![0; choices.len()];
            how.ask(&first, &choices, u64::MAX, &mut flips);
            let random = drawn(8, how.random_words(count));
            let packed = bits::packed_length(how.entries(count), entry_bits).unwrap();
            let (mut sent, mut opened) = (vec![0; packed], vec![0; count]);
            let ends = ends.each_ref().map(|end| end.each_ref().map(Vec::as_slice));
            how.answer(&second, ends, &flips, &random, &mut sent);
            how.open(&first, chosen.each_ref().map(Vec::as_slice), &sent, &mut opened);
            for (&opened, &value) in opened.iter().zip(&values) {
                let exact = i128::from(value) * i128::from(factor);
                let rounded = (exact + (1 << (bits - 1))) >> bits;
                assert_eq!(i128::from(opened as i64), rounded, "{value} {bits} {factor}");
            }
        }
    }
}
