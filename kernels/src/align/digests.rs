//! Keys as numbers of 128 bits, and numbers in order.

use crate::ot::key::{Key, bytes};
use sha2::{Digest, Sha256};

/// The first half of SHA-256(coin || key) for each key, as a number with the first byte highest.
/// Key i is `data[ends[i - 1]..ends[i]]`, the first from 0 on; the ends never fall.
pub fn digests(coin: &[u8], data: &[u8], ends: &[u64], out: &mut [Key]) {
    let mut start = 0;
    for (out, end) in out.iter_mut().zip(ends) {
        let hash = Sha256::new_with_prefix(coin).chain_update(&data[start..*end as usize]);
        *out = number(&hash.finalize());
        start = *end as usize;
    }
}

/// The first 16 bytes as a number.
fn number(hash: &[u8]) -> Key {
    let [high, low] =
        [0, 8].map(|at| u64::from_be_bytes(*hash[at..].first_chunk().expect("32 bytes")));
    [low, high]
}

/// SHA-256(tag || value || digest), the low `bits` of its first half: what stands for a key.
pub(crate) fn output(tag: Key, value: Key, digest: Key, bits: u32) -> Key {
    let mut block = [0; 48];
    for (part, word) in block.chunks_exact_mut(16).zip([tag, value, digest]) {
        part.copy_from_slice(&bytes(word));
    }
    let [low, high] = number(&Sha256::digest(block));
    let kept = u128::MAX >> (128 - bits);
    [low & kept as u64, high & (kept >> 64) as u64]
}

/// A row as a number, the second word high.
pub(crate) fn as_number(row: Key) -> u128 {
    u128::from(row[0]) | u128::from(row[1]) << 64
}

/// Partitions of a sort, by the highest bits of the numbers.
const PARTS: usize = 1 << 12;

/// Overwrites `order` with the rows' numbers, from the row with the lowest number on. Rows are
/// below 2^`bits`, spread evenly for speed.
pub fn order(rows: &[Key], bits: u32, order: &mut [u64]) {
    let shift = bits.saturating_sub(PARTS.trailing_zeros());
    let part = |row: &Key| ((as_number(*row) >> shift) as usize).min(PARTS - 1);
    let mut ends = vec![0usize; PARTS];
    rows.iter().for_each(|row| ends[part(row)] += 1);
    let mut sum = 0;
    for end in &mut ends {
        sum += std::mem::replace(end, sum);
    }
    for (number, row) in rows.iter().enumerate() {
        let at = &mut ends[part(row)];
        order[*at] = number as u64;
        *at += 1;
    }
    let mut start = 0;
    let mut room = vec![];
    for end in ends {
        let run = &mut order[start..end];
        room.clear();
        room.extend(run.iter().map(|&number| (as_number(rows[number as usize]), number)));
        room.sort_unstable();
        run.iter_mut().zip(&room).for_each(|(out, (_, number))| *out = *number);
        start = end;
    }
}

/// Two rising lists: the places of either that hold a number of the other.
pub fn matches(own: &[Key], theirs: &[Key], own_bits: &mut [u8], their_bits: &mut [u8]) {
    let (mut i, mut j) = (0, 0);
    while i < own.len() && j < theirs.len() {
        let (mine, other) = (as_number(own[i]), as_number(theirs[j]));
        if mine == other {
            (own_bits[i], their_bits[j]) = (1, 1);
        }
        // Equal ones stay until both have been seen, should one side have it twice.
        (i, j) = match mine.cmp(&other) {
            std::cmp::Ordering::Less => (i + 1, j),
            std::cmp::Ordering::Greater => (i, j + 1),
            std::cmp::Ordering::Equal if own.get(i + 1) == Some(&own[i]) => (i + 1, j),
            std::cmp::Ordering::Equal => (i, j + 1),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    #[test]
    fn a_digest_is_the_first_half_of_sha_256() {
        // FIPS 180-2, appendix B.1: SHA-256("abc").
        let mut out = [[0; 2]; 2];
        digests(b"a", b"bcbc", &[2, 4], &mut out);
        assert_eq!(out, [[0x4141_40de_5dae_2223, 0xba78_16bf_8f01_cfea]; 2]);
    }

    #[test]
    fn orders_are_those_of_numbers() {
        for (bits, count) in [(128, 3000), (80, 500), (5, 100), (128, 1), (128, 0)] {
            let kept = u128::MAX >> (128 - bits);
            let mut rows: Vec<Key> = drawn(4, 2 * count).as_chunks().0.to_vec();
            for row in &mut rows {
                let number = as_number(*row) & kept;
                *row = [number as u64, (number >> 64) as u64];
            }
            let mut found = vec![0; count];
            order(&rows, bits, &mut found);
            let mut expected: Vec<u64> = (0..count as u64).collect();
            expected.sort_by_key(|&i| (as_number(rows[i as usize]), i));
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn matches_are_marked_on_both_sides() {
        let rows = |numbers: &[u64]| numbers.iter().map(|n| [*n, 0]).collect::<Vec<Key>>();
        let (own, theirs) = (rows(&[1, 4, 5, 9]), rows(&[0, 4, 4, 5, 7, 9, 11]));
        let (mut mine, mut other) = ([0; 4], [0; 7]);
        matches(&own, &theirs, &mut mine, &mut other);
        assert_eq!((mine, other), ([0, 1, 1, 1], [0, 1, 1, 1, 0, 1, 0]));
    }
}
