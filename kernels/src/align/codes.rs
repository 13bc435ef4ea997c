//! A rising list of numbers in the fewest bits that do not depend on them (Elias, Fano).
//!
//! Of n numbers below 2^bits the lowest bits - log2 n bits are sent as they are, the others as
//! steps: one bit for each number and one for each value they can have.

use crate::align::digests::as_number;
use crate::ot::key::Key;

/// Low bits, and words of the steps and of the low bits.
#[derive(Clone, Copy)]
struct Layout {
    low: u32,
    steps: usize,
    lows: usize,
}

fn layout(count: usize, bits: u32) -> Layout {
    let high = count.max(1).ilog2().min(bits);
    let low = bits - high;
    Layout {
        low,
        steps: (count + (1 << high)).div_ceil(64),
        lows: (count * low as usize).div_ceil(64),
    }
}

/// Words of a coded list.
pub fn words(count: usize, bits: u32) -> usize {
    let Layout { steps, lows, .. } = layout(count, bits);
    steps + lows
}

/// Overwrites `out` with the code of rising numbers below 2^bits.
pub fn encode(rows: &[Key], bits: u32, out: &mut [u64]) {
    let Layout { low, steps, .. } = layout(rows.len(), bits);
    out.fill(0);
    let (steps, lows) = out.split_at_mut(steps);
    let kept = (1u128 << low) - 1;
    for (i, row) in rows.iter().enumerate() {
        let number = as_number(*row);
        let step = (number >> low) as usize + i;
        steps[step / 64] |= 1 << (step % 64);
        let (at, value) = (i * low as usize, number & kept);
        let (word, shift) = (at / 64, at % 64);
        lows[word] |= (value << shift) as u64;
        let mut above = value >> (64 - shift);
        for word in &mut lows[word + 1..] {
            if above == 0 {
                break;
            }
            *word |= above as u64;
            above >>= 64;
        }
    }
}

/// Overwrites `rows` with the numbers of a code; false where it is none.
pub fn decode(code: &[u64], bits: u32, rows: &mut [Key]) -> bool {
    let Layout { low, steps, .. } = layout(rows.len(), bits);
    let (steps, lows) = code.split_at(steps);
    if steps.iter().map(|word| word.count_ones() as usize).sum::<usize>() != rows.len() {
        return false;
    }
    let ones = steps.iter().enumerate().flat_map(|(number, &word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let bit = (left != 0).then_some(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(64 * number + bit)
        })
    });
    let kept = (1u128 << low) - 1;
    let word = |at: usize| u128::from(lows.get(at).copied().unwrap_or(0));
    for (i, (row, step)) in rows.iter_mut().zip(ones).enumerate() {
        let (at, shift) = (i * low as usize / 64, i * low as usize % 64);
        let mut value = word(at) >> shift | word(at + 1) << (64 - shift);
        if shift > 0 {
            value |= word(at + 2) << (128 - shift);
        }
        let number = ((step - i) as u128) << low | value & kept;
        *row = [number as u64, (number >> 64) as u64];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    #[test]
    fn a_code_is_undone_and_its_size_follows_from_the_counts() {
        for (count, bits) in [(0, 40), (1, 40), (2, 41), (1000, 60), (777, 127), (5, 3), (64, 126)]
        {
            let kept = u128::MAX >> (128 - bits);
            let rows: Vec<Key> = drawn(2, 2 * count).as_chunks().0.to_vec();
            let mut numbers: Vec<u128> = rows.iter().map(|row| as_number(*row) & kept).collect();
            if let [first, .., last] = &mut numbers[..] {
                (*first, *last) = (0, kept);
            }
            numbers.sort_unstable();
            let rows: Vec<Key> = numbers.iter().map(|n| [*n as u64, (*n >> 64) as u64]).collect();
            let mut code = vec![0; words(count, bits)];
            encode(&rows, bits, &mut code);
            let mut found = vec![[1; 2]; count];
            assert!(decode(&code, bits, &mut found));
            assert_eq!(found, rows);
            if count > 0 {
                code[0] ^= 1;
                assert!(!decode(&code, bits, &mut found));
            }
        }
    }
}
