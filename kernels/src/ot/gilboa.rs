//! Ring products from oblivious transfers (Gilboa, CRYPTO 1999): additive shares of a b
//! mod 2^r, a at the sender, the r bits of b being the receiver's choices.
//!
//! b = sum of 2^i b_i, and of the i-th transfer only r - i bits count. With messages m0, m1
//! the sender sends t_i = a + m0 - m1 mod 2^(r-i) and holds -2^i m0; the receiver holds
//! 2^i (m_c + b_i t_i) = 2^i (m0 + b_i a). t_i holds both messages, and the receiver lacks
//! one of them: its mask.
//!
//! A receiver that holds random choices c in place of b tells the sender its flips d = b ^ c while
//! the sender sends: both then hold shares of the products by c, and b = c + d - 2 c d bit by bit.
//! So where d_i is set both change their sign, and the sender adds 2^i a.
//!
//! Packing: t_i and t_(r-i) make one word of r bits; where r is even, t_(r/2), half a word,
//! has a word for two products.

use crate::ot::key::stream;

/// Words of r bits of a message for so many products.
pub fn message_words(count: usize, ring_bits: usize) -> usize {
    let halves = if ring_bits.is_multiple_of(2) { count.div_ceil(2) } else { 0 };
    ring_bits.div_ceil(2) * count + halves
}

/// The lowest bits, 1 to 64 of them.
fn low(word: u64, bits: usize) -> u64 {
    word & (u64::MAX >> (64 - bits))
}

/// The sender's message and its shares, for messages (r a product) and factors.
pub fn send(
    [zero, one]: [&[u64]; 2],
    factors: &[u64],
    ring_bits: usize,
    message: &mut [u64],
    shares: &mut [u64],
) {
    let r = ring_bits;
    let (whole, halves) = message.split_at_mut(r.div_ceil(2) * factors.len());
    halves.fill(0);
    let products = zero.chunks_exact(r).zip(one.chunks_exact(r));
    let outputs = factors.iter().zip(shares).zip(whole.chunks_exact_mut(r.div_ceil(2)));
    for (at, ((zero, one), ((&factor, share), packed))) in products.zip(outputs).enumerate() {
        let sent = |i: usize| low(factor.wrapping_add(zero[i]).wrapping_sub(one[i]), r - i);
        packed[0] = sent(0);
        for (i, word) in packed.iter_mut().enumerate().skip(1) {
            *word = sent(i) | sent(r - i) << (r - i);
        }
        if let Some(half) = halves.get_mut(at / 2) {
            *half |= sent(r / 2) << (r / 2 * (at % 2));
        }
        *share = zero.iter().enumerate().fold(0, |sum: u64, (i, word)| sum.wrapping_sub(word << i));
    }
}

/// The receiver's shares, for its chosen messages (r a product), the sender's message, and words
/// whose low r bits are its choices and its flips.
pub fn receive(
    chosen: &[u64],
    [choices, flips]: [&[u64]; 2],
    ring_bits: usize,
    message: &[u64],
    shares: &mut [u64],
) {
    let r = ring_bits;
    let (whole, halves) = message.split_at(r.div_ceil(2) * choices.len());
    let products = chosen.chunks_exact(r).zip(whole.chunks_exact(r.div_ceil(2)));
    let outputs = choices.iter().zip(flips).zip(shares);
    for (at, ((chosen, packed), ((&choice, &flip), share))) in products.zip(outputs).enumerate() {
        let mut sent = [0; 64];
        sent[0] = packed[0];
        for (i, word) in packed.iter().enumerate().skip(1) {
            (sent[i], sent[r - i]) = (*word, word >> (r - i));
        }
        if let Some(half) = halves.get(at / 2) {
            sent[r / 2] = half >> (r / 2 * (at % 2));
        }
        *share = chosen.iter().zip(&sent).enumerate().fold(0, |sum: u64, (i, (word, sent))| {
            let (bit, sign) = ((choice >> i & 1).wrapping_neg(), (flip >> i & 1).wrapping_neg());
            let product = word.wrapping_add(sent & bit);
            sum.wrapping_add((product ^ sign).wrapping_sub(sign) << i)
        });
    }
}

/// The streams of keys, low and high words, `count` words each, for products of `count` factors
/// with the same choices: for each `ring_bits` keys word after word, `ring_bits` a product.
pub fn expand([low, high]: [&[u64]; 2], count: usize, ring_bits: usize, out: &mut [u64]) {
    let mut words = vec![0; count];
    for (number, (&low, &high)) in low.iter().zip(high).enumerate() {
        stream([low, high]).fill(0, &mut words);
        let (row, place) = (number / ring_bits, number % ring_bits);
        let rows = out[row * count * ring_bits..].chunks_exact_mut(ring_bits);
        for (messages, word) in rows.zip(&words) {
            messages[place] = *word;
        }
    }
}

/// The sums over i of 2^i times stream i of `expand`, for each product: taken off where bit i of
/// its row's word of flips is not set. With 2^i a added where it is, the sender's shares.
pub fn signed_sums([low, high]: [&[u64]; 2], flips: &[u64], count: usize, sums: &mut [u64]) {
    sums.fill(0);
    let ring_bits = low.len() / flips.len().max(1);
    let mut words = vec![0; count];
    for (number, (&low, &high)) in low.iter().zip(high).enumerate() {
        stream([low, high]).fill(0, &mut words);
        let (row, place) = (number / ring_bits, number % ring_bits);
        let sign = (flips[row] >> place & 1).wrapping_sub(1);
        for (sum, word) in sums[row * count..][..count].iter_mut().zip(&words) {
            *sum = sum.wrapping_add((word ^ sign).wrapping_sub(sign) << place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    #[test]
    fn shares_add_up_to_products() {
        for (count, r) in [(1, 64), (2, 64), (7, 64), (7, 63), (1, 52), (4, 51), (5, 2), (3, 1)] {
            let drawn = drawn(3, (2 * r + 2) * count);
            let (zero, rest) = drawn.split_at(r * count);
            let (one, rest) = rest.split_at(r * count);
            let (a, b) = rest.split_at(count);
            let chosen: Vec<u64> = (0..r * count)
                .map(|i| if b[i / r] >> (i % r) & 1 == 1 { one[i] } else { zero[i] })
                .collect();
            let mut message = vec![0; message_words(count, r)];
            let (mut mine, mut theirs) = (vec![0; count], vec![0; count]);
            send([zero, one], a, r, &mut message, &mut mine);
            assert!(message.iter().all(|&word| low(word, r) == word));
            receive(&chosen, [b, &vec![0; count]], r, &message, &mut theirs);
            for i in 0..count {
                let sum = mine[i].wrapping_add(theirs[i]);
                assert_eq!(low(sum, r), low(a[i].wrapping_mul(b[i]), r));
            }
        }
    }

    #[test]
    fn flips_turn_products_by_choices_into_those_by_bits() {
        for (rows, count, r) in [(1, 1, 64), (3, 5, 21), (2, 7, 40)] {
            let drawn = drawn(5, 4 * rows * r + rows * (count + 2));
            let (keys, rest) = drawn.split_at(4 * rows * r);
            let (zero, one) = keys.split_at(2 * rows * r);
            let (b, rest) = rest.split_at(rows);
            let (c, a) = rest.split_at(rows);
            let flips: Vec<u64> = b.iter().zip(c).map(|(b, c)| b ^ c).collect();
            let each = |words: &[u64]| -> Vec<u64> {
                words.iter().flat_map(|&word| vec![word; count]).collect()
            };
            let streams = |keys: &[u64]| {
                let mut out = vec![0; rows * r * count];
                let (low, high) = keys.split_at(rows * r);
                expand([low, high], count, r, &mut out);
                out
            };
            let [zeros, ones] = [zero, one].map(streams);
            let choices = each(c);
            let chosen: Vec<u64> = (0..rows * r * count)
                .map(|i| if choices[i / r] >> (i % r) & 1 == 1 { ones[i] } else { zeros[i] })
                .collect();
            let n = rows * count;
            let mut message = vec![0; message_words(n, r)];
            let (mut mine, mut theirs) = (vec![0; n], vec![0; n]);
            send([&zeros, &ones], a, r, &mut message, &mut mine);
            receive(&chosen, [&choices, &each(&flips)], r, &message, &mut theirs);
            let (low_keys, high_keys) = zero.split_at(rows * r);
            signed_sums([low_keys, high_keys], &flips, count, &mut mine);
            for i in 0..n {
                let given = mine[i].wrapping_add(a[i].wrapping_mul(low(flips[i / count], r)));
                let sum = given.wrapping_add(theirs[i]);
                assert_eq!(low(sum, r), low(a[i].wrapping_mul(b[i / count]), r));
            }
        }
    }

    #[test]
    fn streams_are_side_by_side() {
        let (low, high) = ([1, 2, 3, 4, 5, 6], [9, 8, 7, 6, 5, 4]);
        let mut out = vec![0; 6 * 5];
        expand([&low, &high], 5, 3, &mut out);
        for number in 0..6 {
            let words = stream([low[number], high[number]]).words(0, 5);
            for (j, word) in words.iter().enumerate() {
                assert_eq!(out[(number / 3 * 5 + j) * 3 + number % 3], *word);
            }
        }
    }
}
