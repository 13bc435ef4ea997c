//! Random oblivious transfers by extension: SoftSpokenOT (Roy, CRYPTO 2022), semi-honest.
//!
//! Base transfers and trees (see [`crate::ot::ggm`]) leave 128 / k groups of 2^k leaf keys
//! with the receiver, and all but the leaf at place D_j of each with the sender; D, 128
//! bits, is all their places together. Every leaf is a stream of bits, one a transfer.
//! With L_jx the stream of leaf x of group j, the receiver sums
//!
//!   u_j = sum of L_jx over x            v_jb = sum of L_jx over x with bit b set
//!
//! and the sender, whose leaves stand in the order y = x ^ D_j so that the leaf it lacks is
//! number 0 and counts nowhere, w_jb = sum over y with bit b set = v_jb ^ D_jb u_j. The
//! choices are c = u_0; the receiver sends u_j ^ c for j > 0, uniform since each u_j holds
//! the stream of a leaf that the sender lacks; the sender adds D_jb (u_j ^ c) to w_jb.
//! Row i of the 128 columns is then v_i at the receiver and v_i ^ c_i D at the sender, and
//!
//!   m0 = H(w_i)    m1 = H(w_i ^ D)    m_c = H(v_i)         with H(x) = AES_K(x) ^ x
//!
//! H is the correlation-robust MMO of Guo, Katz, Wang and Yu (S&P 2020, section 7.2); its
//! key K is the session's tag ^ the position, another one for every 8192 transfers.
//!
//! Transfers are counted in words of 64; the position of a word in the streams is a counter
//! that the caller never lets go back. Constant time in everything but counts.

use crate::ot::key::{Key, stream, xor};
use crate::simd::blocks::Cipher;
use crate::simd::path::{Path, dispatched};
use crate::words::prg::Stream;
use crate::words::slices::{FEW, first_words_to_slices, from_slices, to_slices_within};

/// Words of 64 transfers that are worked on at a time, under one key of the hash.
const CHUNK: usize = 128;
/// Rows that are hashed at a time: eight words of transfers, as the transpose takes them.
const BATCH: usize = 512;
/// Bits of D, and columns.
pub const COLUMNS: usize = 128;

/// One side's keys of one direction: groups of 2^depth leaves; `tag` names the session.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    /// The leaves of all groups, one group after another.
    pub leaves: &'a [Key],
    /// k.
    pub depth: usize,
    /// What the keys of the hash are derived from; public.
    pub tag: Key,
}

/// The place of a group: k bits of D, the highest first.
pub fn place(places: Key, group: usize, depth: usize) -> u64 {
    (group * depth..(group + 1) * depth)
        .fold(0, |place, bit| place << 1 | places[bit / 64] >> (bit % 64) & 1)
}

/// Where messages go.
pub enum Messages<'a> {
    /// A word each.
    Words(&'a mut [u64]),
    /// Two words each: all first ones, then all second ones.
    Keys(&'a mut [u64]),
    /// So many bits each, packed: slice after slice, a word for 64 transfers in each.
    Slices(&'a mut [u64], usize),
    /// The rows themselves, not hashed, for [`crate::ot::silent`]: the lowest bit is the
    /// choice at the receiver and zero at the sender, for a D whose lowest bit is one.
    Rows(&'a mut [Key]),
    /// Nowhere.
    Nothing,
}

/// Room for hashes and for a word of each, kept from one key to the next.
pub(crate) struct Room(Box<([Key; BATCH], [u64; BATCH])>);

impl Room {
    pub(crate) fn new() -> Self {
        Room(Box::new(([[0; 2]; BATCH], [0; BATCH])))
    }
}

/// H under one key.
pub(crate) struct Hasher(Cipher, Path);

impl Hasher {
    /// H for the transfers from this position on.
    pub(crate) fn new(path: Path, tag: Key, position: u64) -> Self {
        Hasher(Cipher::new(xor(tag, [position, 0])), path)
    }

    /// H of each row ^ `shift`, or the first bits of it; `at` counts words.
    pub(crate) fn rows(
        &self,
        room: &mut Room,
        (rows, shift): (&[Key], Key),
        at: usize,
        out: &mut Messages<'_>,
    ) {
        match out {
            Messages::Rows(out) => {
                return out[64 * at..64 * at + rows.len()].copy_from_slice(rows);
            }
            Messages::Nothing => return,
            _ => (),
        }
        let (hashed, words) = &mut *room.0;
        for (number, rows) in rows.chunks(BATCH).enumerate() {
            let (hashed, words) = (&mut hashed[..rows.len()], &mut words[..rows.len()]);
            self.0.hash(rows, shift, hashed);
            self.put(hashed, words, at + number * BATCH / 64, out);
        }
    }

    /// Messages where they belong; `at` counts words. `words`: room for one of each.
    fn put(&self, hashed: &[Key], words: &mut [u64], at: usize, out: &mut Messages<'_>) {
        let (first, count) = (64 * at, hashed.len());
        match out {
            Messages::Words(out) => column(self.1, hashed, 0, &mut out[first..first + count]),
            Messages::Keys(out) => {
                let half = out.len() / 2;
                for (word, out) in out.chunks_exact_mut(half).enumerate() {
                    column(self.1, hashed, word, &mut out[first..first + count]);
                }
            }
            Messages::Slices(out, width) => {
                let place = (out.len() / *width, at);
                if *width <= FEW {
                    return first_words_to_slices(self.1, hashed, *width, place, out);
                }
                column(self.1, hashed, 0, words);
                to_slices_within(self.1, words, *width, place, out);
            }
            Messages::Rows(_) | Messages::Nothing => (),
        }
    }
}

dispatched! {
    /// One word of each row.
    pub fn column(rows: &[Key], word: usize, out: &mut [u64]) {
        if word == 0 {
            out.iter_mut().zip(rows).for_each(|(out, row)| *out = row[0]);
        } else {
            out.iter_mut().zip(rows).for_each(|(out, row)| *out = row[1]);
        }
    }
}

dispatched! {
    /// Sums streams (2^k, words) in place: the whole sum goes to the first one, the sums over
    /// the numbers with bit b set to row k - 1 - b of `bits` (k, words).
    pub fn fold(streams: &mut [u64], words: usize, bits: &mut [u64]) {
        let mut live = streams.len() / words;
        for column in bits.chunks_exact_mut(words).rev() {
            column.fill(0);
            for pair in 0..live / 2 {
                let (head, tail) = streams.split_at_mut((2 * pair + 1) * words);
                let odd = &tail[..words];
                for (sum, odd) in column.iter_mut().zip(odd) {
                    *sum ^= odd;
                }
                let (into, even) = head.split_at_mut(2 * pair * words);
                if pair == 0 {
                    for (sum, odd) in even.iter_mut().zip(odd) {
                        *sum ^= odd;
                    }
                } else {
                    let into = &mut into[pair * words..(pair + 1) * words];
                    for ((out, even), odd) in into.iter_mut().zip(even).zip(odd) {
                        *out = *even ^ odd;
                    }
                }
            }
            live /= 2;
        }
    }
}

/// The streams of all leaves and room for one chunk.
struct Expander<'a> {
    path: Path,
    setup: Setup<'a>,
    streams: Vec<Stream>,
    leaves: Vec<u64>,
    columns: Vec<u64>,
    halves: [Vec<u64>; 2],
    rows: Vec<Key>,
    room: Room,
}

impl<'a> Expander<'a> {
    fn new(path: Path, setup: Setup<'a>) -> Self {
        Expander {
            path,
            setup,
            streams: setup.leaves.iter().copied().map(stream).collect(),
            leaves: vec![0; CHUNK << setup.depth],
            columns: vec![0; COLUMNS * CHUNK],
            halves: [vec![0; 64 * CHUNK], vec![0; 64 * CHUNK]],
            rows: vec![[0; 2]; 64 * CHUNK],
            room: Room::new(),
        }
    }

    /// The columns of one group; the sum of all its streams from leaf `first` on.
    fn group(&mut self, group: usize, first: usize, position: u64, words: usize) -> &[u64] {
        let depth = self.setup.depth;
        let leaves = &mut self.leaves[..words << depth];
        leaves[..first * words].fill(0);
        let streams = &self.streams[group << depth..(group + 1) << depth];
        for (leaf, stream) in leaves.chunks_exact_mut(words).zip(streams).skip(first) {
            stream.fill(position, leaf);
        }
        let columns = &mut self.columns[group * depth * words..(group + 1) * depth * words];
        fold(self.path, leaves, words, columns);
        &self.leaves[..words]
    }

    /// The rows of all columns, and room to hash them in.
    fn rows(&mut self, words: usize) -> (&mut [Key], &mut Room) {
        let (low, high) = self.columns[..COLUMNS * words].split_at(64 * words);
        for (half, columns) in self.halves.iter_mut().zip([low, high]) {
            from_slices(self.path, columns, 64, &mut half[..64 * words]);
        }
        let halves = self.halves[0].iter().zip(&self.halves[1]);
        for (row, (low, high)) in self.rows[..64 * words].iter_mut().zip(halves) {
            *row = [*low, *high];
        }
        (&mut self.rows[..64 * words], &mut self.room)
    }
}

/// The receiver's transfers, `choices.len()` words from `position` on: its random choices,
/// the chosen messages, and for the sender the corrections (128 / k - 1, words).
pub fn receive(
    path: Path,
    setup: Setup<'_>,
    position: u64,
    corrections: &mut [u64],
    choices: &mut [u64],
    chosen: &mut Messages<'_>,
) {
    let all = choices.len();
    let mut expander = Expander::new(path, setup);
    for at in (0..all).step_by(CHUNK) {
        let words = CHUNK.min(all - at);
        let here = position + at as u64;
        let choices = &mut choices[at..at + words];
        choices.copy_from_slice(expander.group(0, 0, here, words));
        for (group, row) in corrections.chunks_exact_mut(all).enumerate() {
            let sum = expander.group(group + 1, 0, here, words);
            for ((out, sum), choice) in row[at..at + words].iter_mut().zip(sum).zip(&*choices) {
                *out = sum ^ choice;
            }
        }
        let (rows, room) = expander.rows(words);
        if let Messages::Rows(_) = chosen {
            for (i, row) in rows.iter_mut().enumerate() {
                row[0] = row[0] & !1 | choices[i / 64] >> (i % 64) & 1;
            }
        }
        Hasher::new(path, setup.tag, here).rows(room, (rows, [0; 2]), at, chosen);
    }
}

/// The sender's transfers for the receiver's corrections (128 / k - 1, words): both
/// messages of each. `places` is D, whose bits j k to j k + k are group j's place, the
/// highest bit first.
pub fn send(
    path: Path,
    setup: Setup<'_>,
    places: Key,
    position: u64,
    corrections: (&[u64], usize),
    messages: [&mut Messages<'_>; 2],
) {
    let (corrections, all) = corrections;
    let [zero, one] = messages;
    let depth = setup.depth;
    let mut expander = Expander::new(path, setup);
    for at in (0..all).step_by(CHUNK) {
        let words = CHUNK.min(all - at);
        let here = position + at as u64;
        expander.group(0, 1, here, words);
        for (group, row) in corrections.chunks_exact(all).enumerate() {
            let group = group + 1;
            expander.group(group, 1, here, words);
            let columns = &mut expander.columns[group * depth * words..];
            for (bit, column) in columns.chunks_exact_mut(words).take(depth).enumerate() {
                let bit = group * depth + bit;
                let mask = (places[bit / 64] >> (bit % 64) & 1).wrapping_neg();
                for (word, correction) in column.iter_mut().zip(&row[at..at + words]) {
                    *word ^= correction & mask;
                }
            }
        }
        let (rows, room) = expander.rows(words);
        if let Messages::Rows(_) = zero {
            rows.iter_mut().for_each(|row| row[0] &= !1);
        }
        let hasher = Hasher::new(path, setup.tag, here);
        hasher.rows(room, (rows, [0; 2]), at, zero);
        hasher.rows(room, (rows, places), at, one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ot::ggm::{grow, puncture};
    use crate::words::prg::drawn;

    /// Both sides' leaves for the places D, as the base transfers would give them.
    fn deal(depth: usize, places: Key) -> [Vec<Key>; 2] {
        let groups = COLUMNS / depth;
        let mut sides = [vec![[0; 2]; groups << depth], vec![[0; 2]; groups << depth]];
        for group in 0..groups {
            let pads: Vec<[Key; 2]> =
                drawn(group as u8, 4 * depth).as_chunks().0.as_chunks().0.to_vec();
            let place = place(places, group, depth);
            let chosen: Vec<Key> = (0..depth)
                .map(|level| pads[level][(!(place >> (depth - 1 - level)) & 1) as usize])
                .collect();
            let mut sums = vec![[[0; 2]; 2]; depth];
            let range = group << depth..(group + 1) << depth;
            grow([group as u64, 99], &pads, &mut sides[0][range.clone()], &mut sums);
            puncture(place, &chosen, &sums, &mut sides[1][range]);
        }
        sides
    }

    #[test]
    fn chosen_messages_are_those_of_the_sender_on_every_path() {
        let (places, tag) = ([0xdead_beef_0123_4567, 0x8877_6655_4433_2211], [5, 6]);
        for path in Path::available() {
            for (depth, count) in [(1, 3), (2, 130), (4, 129), (8, 5)] {
                let [all, punctured] = deal(depth, places);
                let [all, punctured] =
                    [&all, &punctured].map(|leaves| Setup { leaves, depth, tag });
                let mut corrections = vec![0; (COLUMNS / depth - 1) * count];
                let mut choices = vec![0; count];
                let mut received = |out: &mut Messages<'_>| {
                    receive(path, all, 7, &mut corrections, &mut choices, out);
                };
                let mut chosen = vec![0; 64 * count];
                received(&mut Messages::Words(&mut chosen));
                let mut keys = vec![0; 128 * count];
                received(&mut Messages::Keys(&mut keys));
                assert_eq!(keys[..64 * count], chosen);
                assert_ne!(keys[64 * count..], chosen);
                for width in [1, 7, 63] {
                    let mut slices = vec![0; width * count];
                    received(&mut Messages::Slices(&mut slices, width));
                    for (i, word) in chosen.iter().enumerate() {
                        for bit in 0..width {
                            let slice = slices[bit * count + i / 64];
                            assert_eq!(slice >> (i % 64) & 1, word >> bit & 1);
                        }
                    }
                }

                let (mut zero, mut one) = (vec![0; 64 * count], vec![0; 64 * count]);
                let messages = [&mut Messages::Words(&mut zero), &mut Messages::Words(&mut one)];
                send(path, punctured, places, 7, (&corrections, count), messages);
                for i in 0..64 * count {
                    let bit = choices[i / 64] >> (i % 64) & 1;
                    let pair = if bit == 1 { [one[i], zero[i]] } else { [zero[i], one[i]] };
                    assert_eq!(chosen[i], pair[0]);
                    assert_ne!(chosen[i], pair[1]);
                }
                let ones = choices.iter().map(|word| word.count_ones()).sum::<u32>() as f64;
                let all = 64.0 * count as f64;
                assert!((ones - all / 2.0).abs() < 3.0 * all.sqrt());
            }
        }
    }
}
