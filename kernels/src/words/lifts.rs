//! Products of both parties' private bits, and numbers made of shared bits, in slices: bit j of 64
//! elements is a word of line j (`securexgb/mpc/numbers/lift.py` has the protocol). So a sum takes
//! five operations a bit of 64 elements, whatever modulus a number has.
//!
//! Of a random transfer the sender has m0 and m1, the receiver a choice c and m_c. For the sender's
//! bit a and the receiver's b the receiver says f = b ^ c and the sender u = m1 - m0 - a, so that
//! m_c - c u = m0 + c a. Where f is 0 -(m0) and that are shares of the product, else a + m0 and the
//! negative of it. What is kept is minus the share:
//!
//!   sender      m0, or -m0 - a                    = (m0 ^ f) + (f & !a)
//!   receiver    -(m_c - c u), or m_c - c u        = (m_c ^ !f) + (c & u ^ f) + 1
//!
//! No branch and no address depends on a bit.

use crate::simd::path::dispatched;

/// Words of a line that are worked on at a time.
const RUN: usize = 32;
/// Bits of the widest sum.
pub const WIDEST: usize = 64;

/// The sum of two bits and a carry, which becomes the next one.
#[inline(always)]
fn sum(x: u64, y: u64, carry: &mut u64) -> u64 {
    let half = x ^ y;
    let total = half ^ *carry;
    *carry = x & y | *carry & half;
    total
}

/// Calls `each` with the first word and the number of words of each run of a line.
#[inline(always)]
fn runs(words: usize, mut each: impl FnMut(usize, usize)) {
    for first in (0..words).step_by(RUN) {
        each(first, RUN.min(words - first));
    }
}

dispatched! {
    /// u, as many lines as there are messages: `bits` are the sender's.
    pub fn sent(messages: [&[&[u64]]; 2], bits: &[u64], out: &mut [u64]) {
        let words = bits.len();
        runs(words, |first, count| {
            let mut carry = [0; RUN];
            carry.iter_mut().zip(&bits[first..]).for_each(|(carry, bit)| *carry = !bit);
            for (line, (zero, one)) in messages[0].iter().zip(messages[1]).enumerate() {
                let (zero, one) = (&zero[first..][..count], &one[first..][..count]);
                let out = &mut out[line * words + first..][..count];
                for (i, out) in out.iter_mut().enumerate() {
                    *out = sum(one[i], !zero[i], &mut carry[i]);
                }
            }
        });
    }

    /// Minus the sender's share of the products.
    pub fn given(zero: &[&[u64]], bits: &[u64], flips: &[u64], out: &mut [u64]) {
        let words = bits.len();
        runs(words, |first, count| {
            let (bits, flips) = (&bits[first..][..count], &flips[first..][..count]);
            let mut carry = [0; RUN];
            for (carry, (bit, flip)) in carry.iter_mut().zip(bits.iter().zip(flips)) {
                *carry = flip & !bit;
            }
            for (line, zero) in zero.iter().enumerate() {
                let (zero, out) = (&zero[first..][..count], &mut out[line * words + first..][..count]);
                for (i, out) in out.iter_mut().enumerate() {
                    *out = sum(zero[i] ^ flips[i], 0, &mut carry[i]);
                }
            }
        });
    }

    /// Minus the receiver's share, from u, as many lines as there are of messages.
    pub fn taken(
        chosen: &[&[u64]],
        received: &[u64],
        choices: &[u64],
        flips: &[u64],
        out: &mut [u64],
    ) {
        let words = choices.len();
        runs(words, |first, count| {
            let (choices, flips) = (&choices[first..][..count], &flips[first..][..count]);
            let mut carry = [u64::MAX; RUN];
            for (line, chosen) in chosen.iter().enumerate() {
                let (at, chosen) = (line * words + first, &chosen[first..][..count]);
                let (came, out) = (&received[at..][..count], &mut out[at..][..count]);
                for (i, out) in out.iter_mut().enumerate() {
                    let part = choices[i] & came[i] ^ flips[i];
                    *out = sum(chosen[i] ^ !flips[i], part, &mut carry[i]);
                }
            }
        });
    }

    /// Overwrites lines of `out`, (bits, words), with a sum modulo 2^bits: of each row its weight
    /// times (x - 2 p), for this party's bit x, a line of `own`, and minus its share of the product of both
    /// parties' bits, -p, in so many lines of `products` as the row has.
    pub fn total(
        products: &[u64],
        own: &[u64],
        rows: &[(usize, u64)],
        words: usize,
        out: &mut [u64],
    ) {
        let bits = out.len() / words.max(1);
        runs(words, |first, count| {
            let mut totals = [[0; RUN]; WIDEST];
            let mut at = first;
            for (own, &(lines, weight)) in own.chunks_exact(words).zip(rows) {
                let own = &own[first..][..count];
                let mut left = weight & (u64::MAX >> (WIDEST - bits));
                while left != 0 {
                    let place = left.trailing_zeros() as usize;
                    left &= left - 1;
                    let mut carry = [0; RUN];
                    let (head, tail) = totals[place..bits].split_first_mut().expect("a bit below");
                    for (i, own) in own.iter().enumerate() {
                        head[i] = sum(head[i], *own, &mut carry[i]);
                    }
                    for (line, total) in tail.iter_mut().enumerate() {
                        let product = &products[at + line * words..][..count];
                        for (i, product) in product.iter().enumerate() {
                            total[i] = sum(total[i], *product, &mut carry[i]);
                        }
                    }
                }
                at += lines * words;
            }
            for (line, total) in totals[..bits].iter().enumerate() {
                out[line * words + first..][..count].copy_from_slice(&total[..count]);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::path::Path;
    use crate::words::prg::drawn;
    use crate::words::slices::from_slices;

    const WORDS: usize = 37;

    fn lines(words: &[u64]) -> Vec<&[u64]> {
        words.chunks_exact(WORDS).collect()
    }

    fn numbers(slices: &[u64]) -> Vec<u64> {
        let mut out = vec![0; 64 * WORDS];
        from_slices(Path::PORTABLE, slices, slices.len() / WORDS, &mut out);
        out
    }

    fn bit(packed: &[u64], i: usize) -> u64 {
        packed[i / 64] >> (i % 64) & 1
    }

    /// Both parties' negated shares, of the sender's bits and the receiver's.
    fn product(path: Path, width: usize, [mine, theirs]: [&[u64]; 2], key: u8) -> [Vec<u64>; 2] {
        let [zero, one] = [key, key + 1].map(|key| drawn(key, width * WORDS));
        let choices = drawn(key + 2, WORDS);
        let chosen: Vec<u64> = (0..width * WORDS)
            .map(|at| zero[at] ^ (zero[at] ^ one[at]) & choices[at % WORDS])
            .collect();
        let flips: Vec<u64> = choices.iter().zip(theirs).map(|(c, b)| c ^ b).collect();
        let [mut message, mut given, mut took] = [(); 3].map(|()| vec![0; width * WORDS]);
        sent(path, [&lines(&zero), &lines(&one)], mine, &mut message);
        super::given(path, &lines(&zero), mine, &flips, &mut given);
        taken(path, &lines(&chosen), &message, &choices, &flips, &mut took);
        [given, took]
    }

    #[test]
    fn negated_shares_add_up_to_minus_the_product_on_every_path() {
        let [mine, theirs] = [1, 2].map(|key| drawn(key, WORDS));
        for path in Path::available() {
            for width in [1, 9, 64] {
                let [ours, other] =
                    product(path, width, [&mine, &theirs], 3).map(|part| numbers(&part));
                for i in 0..64 * WORDS {
                    let total = ours[i].wrapping_add(other[i]);
                    let both = (bit(&mine, i) & bit(&theirs, i)).wrapping_neg();
                    assert_eq!((total ^ both) << (64 - width), 0, "{}", path.name());
                }
            }
        }
    }

    #[test]
    fn totals_are_weighted_sums_of_shared_bits_on_every_path() {
        for bits in [2, 9, 64] {
            let weights = [1, 1 << (bits - 1), 3, (1 << (bits - 2)) + 2, u64::MAX];
            let lengths = weights.map(|weight: u64| bits - 1 - weight.trailing_zeros() as usize);
            let rows: Vec<(usize, u64)> = lengths.into_iter().zip(weights).collect();
            let own = [5, 6].map(|key| drawn(key, rows.len() * WORDS));
            for path in Path::available() {
                let mut shares = [vec![], vec![]];
                for (row, (&length, (x, y))) in (20..)
                    .step_by(3)
                    .zip(lengths.iter().zip(lines(&own[0]).into_iter().zip(lines(&own[1]))))
                {
                    let found = product(path, length, [x, y], row);
                    shares.iter_mut().zip(found).for_each(|(all, part)| all.extend(part));
                }
                let [ours, other] = [0, 1].map(|side| {
                    let mut out = vec![9; bits * WORDS];
                    total(path, &shares[side], &own[side], &rows, WORDS, &mut out);
                    numbers(&out)
                });
                for i in 0..64 * WORDS {
                    let expected = rows.iter().zip(lines(&own[0])).zip(lines(&own[1])).fold(
                        0_u64,
                        |sum, (((_, weight), x), y)| {
                            sum.wrapping_add(weight.wrapping_mul(bit(x, i) ^ bit(y, i)))
                        },
                    );
                    let found = ours[i].wrapping_add(other[i]);
                    assert_eq!((found ^ expected) << (64 - bits), 0, "{}", path.name());
                }
            }
        }
    }
}
