//! Tables of 16 entries behind transfers of one of 16: what both parties do with 4-bit digits of
//! their summands. Everything is in bit slices, 64 digits to a word: a digit is four words, an
//! array of messages has the shape (16, width, n).
//!
//! The sender holds messages for every entry, the receiver a random choice c and its message. The
//! receiver's digit x goes as x ^ c; entry e is masked by message e ^ x ^ c. The sender's share of
//! the result is what would stand in entry 0, so entry 0 need not be sent: the others are sent
//! ^ that share. Bits of x that are free count as ones, whatever they are, so that the receiver can
//! put random ones there. See `securexgb/mpc/digits.py`.
//!
//! Constant time: every entry is worked on.

use crate::simd::lanes::{eight, put_eight};
use crate::simd::path::dispatched;

/// Words worked on side by side.
const LANES: usize = 8;
/// Entries of a table.
pub const ENTRIES: usize = 16;
/// Bits of a digit.
pub const BITS: usize = 4;
/// Most bits of an entry.
pub const MOST: usize = 8;
/// Bits of an entry that marks the sum of two digits of three bits and a carry, see `marked`.
pub const MARKS: usize = 8;

type Lanes = [u64; LANES];
/// Entries of up to `MOST` bits each.
type Entries = [[Lanes; MOST]; ENTRIES];

#[inline(always)]
fn map(a: Lanes, b: Lanes, f: impl Fn(u64, u64) -> u64) -> Lanes {
    std::array::from_fn(|i| f(a[i], b[i]))
}

#[inline(always)]
fn xor(a: Lanes, b: Lanes) -> Lanes {
    map(a, b, |a, b| a ^ b)
}

#[inline(always)]
fn and(a: Lanes, b: Lanes) -> Lanes {
    map(a, b, |a, b| a & b)
}

/// Rows `first..` of an array with rows of n words, as entries.
#[inline(always)]
fn entries(rows: &[u64], n: usize, width: usize, first: usize, at: usize) -> Entries {
    let mut out = [[[0; LANES]; MOST]; ENTRIES];
    let mut rows = rows.chunks_exact(n);
    for entry in &mut out[first..] {
        for (lanes, row) in entry[..width].iter_mut().zip(&mut rows) {
            *lanes = eight(row, at);
        }
    }
    out
}

/// The entry that the bits of `choice` name, lowest first.
#[inline(always)]
fn pick_lanes(
    mut table: Entries,
    bits: usize,
    width: usize,
    choice: [Lanes; BITS],
) -> [Lanes; MOST] {
    for bit in (0..bits).rev() {
        let (low, high) = table.split_at_mut(1 << bit);
        for (low, high) in low.iter_mut().zip(&*high) {
            for (a, b) in low[..width].iter_mut().zip(high) {
                *a = xor(*a, and(xor(*a, *b), choice[bit]));
            }
        }
    }
    table[0]
}

/// The sum of a digit and the public digit `entry`, whose `free` bits are ones: carry out,
/// whether a carry would go through, the carries into bits 1 to 3, and whether one would reach
/// bits 2 and 3.
#[inline(always)]
fn sum(digit: [Lanes; BITS], entry: usize, free: [Lanes; BITS]) -> [Lanes; MOST] {
    let bit =
        |j: usize| map(free[j], [(entry as u64 >> j & 1).wrapping_neg(); LANES], |a, b| a | b);
    let mut carry = and(digit[0], bit(0));
    let mut through = xor(digit[0], bit(0));
    let mut out = [[0; LANES]; MOST];
    for j in 1..BITS {
        out[1 + j] = carry;
        let here = xor(digit[j], bit(j));
        carry = xor(and(digit[j], bit(j)), and(here, carry));
        through = and(here, through);
        out[if j == 3 { 1 } else { 4 + j }] = through;
    }
    out[0] = carry;
    out
}

/// The sum of digits of three bits and of a carry in, whose shares are their fourth bits: the carry
/// out, and whether the three bits of the sum are 1, 2, ... 7. `entry` and `free` as in `sum`.
#[inline(always)]
fn marked(digit: [Lanes; BITS], entry: usize, free: [Lanes; BITS]) -> [Lanes; MARKS] {
    let bit =
        |j: usize| map(free[j], [(entry as u64 >> j & 1).wrapping_neg(); LANES], |a, b| a | b);
    let mut carry = xor(digit[BITS - 1], bit(BITS - 1));
    let mut out = [[u64::MAX; LANES]; MARKS];
    for (j, own) in digit[..BITS - 1].iter().enumerate() {
        let here = xor(*own, bit(j));
        let sum = xor(here, carry);
        carry = xor(and(*own, bit(j)), and(here, carry));
        for (value, mark) in out.iter_mut().enumerate().skip(1) {
            let turned = [((value as u64 >> j & 1) ^ 1).wrapping_neg(); LANES];
            *mark = and(*mark, xor(sum, turned));
        }
    }
    out[0] = carry;
    out
}

#[inline(always)]
fn digit(rows: &[u64], n: usize, at: usize) -> [Lanes; BITS] {
    std::array::from_fn(|j| eight(&rows[j * n..][..n], at))
}

/// The marks of free bits for words `at` to `at + used`.
#[inline(always)]
fn marks(free: &[u8], at: usize) -> [Lanes; BITS] {
    std::array::from_fn(|j| {
        let mut lanes = [0; LANES];
        for (lane, bits) in lanes.iter_mut().zip(&free[at..]) {
            *lane = u64::from(bits >> j & 1).wrapping_neg();
        }
        lanes
    })
}

dispatched! {
    /// The sender's share and the answers for the receiver's flips (4, n) and its own digit
    /// (4, n): (16, width, n), the share first. `width`: 2 for carries alone, 7 for sums, 8 for
    /// marks. With the own digit come the bits of the receiver's digit that are free, (n,).
    pub fn answer(
        messages: &[u64],
        flips: &[u64],
        own: (&[u64], &[u8]),
        width: usize,
        out: &mut [u64],
    ) {
        let (own, free) = own;
        let n = own.len() / BITS;
        for at in (0..n).step_by(LANES) {
            let mut masks = entries(messages, n, width, 0, at);
            let flip = digit(flips, n, at);
            for (bit, flip) in flip.iter().enumerate() {
                for pair in masks.chunks_exact_mut(2 << bit) {
                    let (low, high) = pair.split_at_mut(1 << bit);
                    for (low, high) in low.iter_mut().zip(high) {
                        for (a, b) in low[..width].iter_mut().zip(high) {
                            let swap = and(xor(*a, *b), *flip);
                            (*a, *b) = (xor(*a, swap), xor(*b, swap));
                        }
                    }
                }
            }
            let (own, free) = (digit(own, n, at), marks(free, at));
            let mut mine = [[0; LANES]; MOST];
            let mut rows = out.chunks_exact_mut(n);
            for (entry, masks) in masks.iter().enumerate() {
                let values =
                    if width == MARKS { marked(own, entry, free) } else { sum(own, entry, free) };
                for bit in 0..width {
                    let masked = xor(masks[bit], values[bit]);
                    let answer = xor(masked, mine[bit]);
                    if entry == 0 {
                        mine[bit] = masked;
                    }
                    if let Some(row) = rows.next() {
                        put_eight(answer, row, at);
                    }
                }
            }
        }
    }

    /// The receiver's share (width, n), for answers (15, width, n) and its chosen messages.
    pub fn take(answers: &[u64], chosen: &[u64], own: &[u64], width: usize, out: &mut [u64]) {
        let n = own.len() / BITS;
        for at in (0..n).step_by(LANES) {
            let table = entries(answers, n, width, 1, at);
            let found = pick_lanes(table, BITS, width, digit(own, n, at));
            for ((row, found), mask) in
                out.chunks_exact_mut(n).zip(found).zip(chosen.chunks_exact(n))
            {
                put_eight(xor(found, eight(mask, at)), row, at);
            }
        }
    }

    /// All pads (16, width, n) from the sender's keys for choices zero and one, each
    /// (8, width, 4, n): segments, bits, bits of the digit.
    pub fn pads(keys: [&[u64]; 2], width: usize, n: usize, out: &mut [u64]) {
        if n == 0 {
            return;
        }
        for (number, row) in out.chunks_exact_mut(n).enumerate() {
            let (entry, bit) = (number / width, number % width);
            row.fill(0);
            for j in 0..BITS {
                let key = keys[entry >> j & 1];
                let from = (segment(entry, j) * width + bit) * BITS * n + j * n;
                for (sum, word) in row.iter_mut().zip(&key[from..from + n]) {
                    *sum ^= word;
                }
            }
        }
    }

    /// The pad (width, n) of the choices (4, n) from the receiver's keys (8, width, 4, n).
    pub fn pad(keys: &[u64], choices: &[u64], width: usize, out: &mut [u64]) {
        let n = choices.len() / BITS;
        for at in (0..n).step_by(LANES) {
            let choice = digit(choices, n, at);
            let mut sums = [[0; LANES]; MOST];
            for j in 0..BITS {
                let mut table = [[[0; LANES]; MOST]; ENTRIES];
                for (s, segment) in table[..8].iter_mut().enumerate() {
                    for (bit, lanes) in segment[..width].iter_mut().enumerate() {
                        let row = ((s * width + bit) * BITS + j) * n;
                        *lanes = eight(&keys[row..row + n], at);
                    }
                }
                let mut others = [[0; LANES]; BITS];
                for k in 0..BITS - 1 {
                    others[k] = choice[k + usize::from(k >= j)];
                }
                let found = pick_lanes(table, BITS - 1, width, others);
                for (sum, found) in sums.iter_mut().zip(found) {
                    *sum = xor(*sum, found);
                }
            }
            for (row, sum) in out.chunks_exact_mut(n).zip(sums) {
                put_eight(sum, row, at);
            }
        }
    }
}

/// The number without this bit: which segment of its key an entry has.
#[inline(always)]
fn segment(entry: usize, bit: usize) -> usize {
    let low = entry & ((1 << bit) - 1);
    low | entry >> (bit + 1) << bit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::path::Path;
    use crate::words::prg::drawn;

    fn number(rows: &[u64], n: usize, i: usize) -> usize {
        let count = rows.len() / n;
        (0..count).fold(0, |sum, j| sum | (bit(rows, n, j, i) as usize) << j)
    }

    fn bit(rows: &[u64], n: usize, row: usize, i: usize) -> u64 {
        rows[row * n + i / 64] >> (i % 64) & 1
    }

    #[test]
    fn shares_are_of_the_sums_on_every_path() {
        for (path, (n, width)) in Path::available()
            .into_iter()
            .flat_map(|p| [(3, 2), (8, 7), (19, 7), (9, 8)].map(|s| (p, s)))
        {
            let keys = [drawn(1, 32 * width * n), drawn(2, 32 * width * n)];
            let (choices, x, y) = (drawn(3, 4 * n), drawn(4, 4 * n), drawn(5, 4 * n));
            // The receiver's keys, bit by bit of the choice.
            let own: Vec<u64> = (0..32 * width * n)
                .map(|at| {
                    let choice = choices[at % (4 * n)];
                    keys[0][at] & !choice | keys[1][at] & choice
                })
                .collect();
            let mut messages = vec![0; 16 * width * n];
            pads(path, [&keys[0], &keys[1]], width, n, &mut messages);
            let mut chosen = vec![0; width * n];
            pad(path, &own, &choices, width, &mut chosen);
            for i in 0..64 * n {
                let choice = number(&choices, n, i);
                for b in 0..width {
                    assert_eq!(bit(&messages, n, choice * width + b, i), bit(&chosen, n, b, i));
                }
            }

            let flips: Vec<u64> = x.iter().zip(&choices).map(|(x, c)| x ^ c).collect();
            let mut sent = vec![0; 16 * width * n];
            // Free bits of the receiver's digits: none, the lowest one, the highest two.
            let free: Vec<u8> = (0..n).map(|word| [0, 1, 12][word % 3]).collect();
            answer(path, &messages, &flips, (&y, &free), width, &mut sent);
            let (mine, answers) = sent.split_at(width * n);
            let mut theirs = vec![0; width * n];
            take(path, answers, &chosen, &x, width, &mut theirs);
            for i in 0..64 * n {
                let (a, b) = (number(&x, n, i) | free[i / 64] as usize, number(&y, n, i));
                let carry = |bits: usize| {
                    let low = (1 << bits) - 1;
                    ((a & low) + (b & low)) >> bits
                };
                let through =
                    |bits: usize| usize::from((a ^ b) & ((1 << bits) - 1) == (1 << bits) - 1);
                let mut all = vec![
                    carry(4),
                    through(4),
                    carry(1),
                    carry(2),
                    carry(3),
                    through(2),
                    through(3),
                ];
                if width == MARKS {
                    let total = (a & 7) + (b & 7) + ((a ^ b) >> 3);
                    all = (0..8).map(|value| usize::from(total & 7 == value)).collect();
                    all[0] = total >> 3;
                }
                for (row, expected) in all.iter().enumerate().take(width) {
                    let found = bit(mine, n, row, i) ^ bit(&theirs, n, row, i);
                    assert_eq!(found as usize, *expected, "{row}");
                }
            }
        }
    }

    #[test]
    fn every_key_gives_each_of_its_entries_a_segment() {
        for bit in 0..BITS {
            let mut seen: Vec<usize> =
                (0..ENTRIES).map(|entry| (entry >> bit & 1) << 3 | segment(entry, bit)).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..ENTRIES).collect::<Vec<_>>());
        }
    }
}
