//! Ring products from oblivious transfers (Gilboa, CRYPTO 1999): additive shares of a b
//! mod 2^r, a at the sender, the r bits of b being the receiver's choices.
//!
//! b = sum of 2^i b_i, and of the i-th transfer only r - i bits count. With messages m0, m1
//! the sender sends t_i = a + m0 - m1 mod 2^(r-i) and holds -2^i m0; the receiver holds
//! 2^i (m_c + b_i t_i) = 2^i (m0 + b_i a). t_i holds both messages, and the receiver lacks
//! one of them: its mask.
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
/// whose low r bits are its choices.
pub fn receive(
    chosen: &[u64],
    choices: &[u64],
    ring_bits: usize,
    message: &[u64],
    shares: &mut [u64],
) {
    let r = ring_bits;
    let (whole, halves) = message.split_at(r.div_ceil(2) * choices.len());
    let products = chosen.chunks_exact(r).zip(whole.chunks_exact(r.div_ceil(2)));
    let outputs = choices.iter().zip(shares);
    for (at, ((chosen, packed), (&choice, share))) in products.zip(outputs).enumerate() {
        let mut sent = [0; 64];
        sent[0] = packed[0];
        for (i, word) in packed.iter().enumerate().skip(1) {
            (sent[i], sent[r - i]) = (*word, word >> (r - i));
        }
        if let Some(half) = halves.get(at / 2) {
            sent[r / 2] = half >> (r / 2 * (at % 2));
        }
        *share = chosen.iter().zip(&sent).enumerate().fold(0, |sum: u64, (i, (word, sent))| {
            let bit = (choice >> i & 1).wrapping_neg();
            sum.wrapping_add(word.wrapping_add(sent & bit) << i)
        });
    }
}

/// Words of a stream that a key has for itself: its own ones, in whole blocks.
pub fn stride(count: usize) -> u64 {
    count.next_multiple_of(2) as u64
}

/// The streams of keys, low and high words, `count` words each, for products of `count` factors
/// with the same choices: for each `ring_bits` keys word after word, `ring_bits` a product.
///
/// Key number i begins at word `first` + i [`stride`], so that a guess of a key tests one of them.
/// The caller sees to it that the last one ends below 2^64.
pub fn expand(
    [low, high]: [&[u64]; 2],
    first: u64,
    count: usize,
    ring_bits: usize,
    out: &mut [u64],
) {
    let mut words = vec![0; count];
    for (number, (&low, &high)) in low.iter().zip(high).enumerate() {
        stream([low, high]).fill(first + number as u64 * stride(count), &mut words);
        let (row, place) = (number / ring_bits, number % ring_bits);
        let rows = out[row * count * ring_bits..].chunks_exact_mut(ring_bits);
        for (messages, word) in rows.zip(&words) {
            messages[place] = *word;
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
            receive(&chosen, b, r, &message, &mut theirs);
            for i in 0..count {
                let sum = mine[i].wrapping_add(theirs[i]);
                assert_eq!(low(sum, r), low(a[i].wrapping_mul(b[i]), r));
            }
        }
    }

    #[test]
    fn streams_are_side_by_side() {
        let (low, high) = ([1, 2, 3, 4, 5, 6], [9, 8, 7, 6, 5, 4]);
        let mut out = vec![0; 6 * 5];
        expand([&low, &high], 70, 5, 3, &mut out);
        for number in 0..6 {
            let words = stream([low[number], high[number]]).words(70 + 6 * number as u64, 5);
            for (j, word) in words.iter().enumerate() {
                assert_eq!(out[(number / 3 * 5 + j) * 3 + number % 3], *word);
            }
        }
    }
}
