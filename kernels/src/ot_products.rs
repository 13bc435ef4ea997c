//! Ring products from oblivious transfers (Gilboa, CRYPTO 1999): additive shares of a b
//! mod 2^64, a at the sender, the 64 bits of b being the receiver's choices.
//!
//! b = sum of 2^i b_i, and of the i-th transfer only 64 - i bits count. With messages m0, m1
//! the sender sends t_i = a + m0 - m1 mod 2^(64-i) and holds -2^i m0; the receiver holds
//! 2^i (m_c + b_i t_i) = 2^i (m0 + b_i a). t_i holds both messages, and the receiver lacks
//! one of them: its mask.
//!
//! Packing: t_i and t_(64-i) make one word; t_32, half a word, has a word for two products.

/// Words of a message for so many products.
pub fn message_words(count: usize) -> usize {
    32 * count + count.div_ceil(2)
}

/// The low `64 - i` bits.
fn low(word: u64, i: usize) -> u64 {
    word & (u64::MAX >> i)
}

/// The sender's message and its shares, for messages (64 a product) and factors.
pub fn send(zero: &[u64], one: &[u64], factors: &[u64], message: &mut [u64], shares: &mut [u64]) {
    let (whole, halves) = message.split_at_mut(32 * factors.len());
    halves.fill(0);
    let products = zero.chunks_exact(64).zip(one.chunks_exact(64));
    let outputs = factors.iter().zip(shares).zip(whole.chunks_exact_mut(32));
    for (at, ((zero, one), ((&factor, share), packed))) in products.zip(outputs).enumerate() {
        let sent = |i: usize| factor.wrapping_add(zero[i]).wrapping_sub(one[i]);
        packed[0] = sent(0);
        for (i, word) in packed.iter_mut().enumerate().skip(1) {
            *word = low(sent(i), i) | sent(64 - i) << (64 - i);
        }
        halves[at / 2] |= low(sent(32), 32) << (32 * (at % 2));
        *share = zero.iter().enumerate().fold(0, |sum: u64, (i, word)| sum.wrapping_sub(word << i));
    }
}

/// The receiver's shares, for its chosen messages (64 a product), its factors, which are the
/// packed choices, and the sender's message.
pub fn receive(chosen: &[u64], factors: &[u64], message: &[u64], shares: &mut [u64]) {
    let (whole, halves) = message.split_at(32 * factors.len());
    let products = chosen.chunks_exact(64).zip(whole.chunks_exact(32));
    let outputs = factors.iter().zip(shares);
    for (at, ((chosen, packed), (&factor, share))) in products.zip(outputs).enumerate() {
        let mut sent = [0; 64];
        sent[..32].copy_from_slice(packed);
        for (i, word) in packed.iter().enumerate().skip(1) {
            sent[64 - i] = word >> (64 - i);
        }
        sent[32] = halves[at / 2] >> (32 * (at % 2));
        *share = chosen.iter().zip(&sent).enumerate().fold(0, |sum: u64, (i, (word, sent))| {
            let bit = (factor >> i & 1).wrapping_neg();
            sum.wrapping_add(word.wrapping_add(sent & bit) << i)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prg::Stream;

    #[test]
    fn shares_add_up_to_products() {
        for count in [1, 2, 7] {
            let mut drawn = vec![0; 130 * count];
            Stream::new(&[3; 16]).fill(0, &mut drawn);
            let (zero, rest) = drawn.split_at(64 * count);
            let (one, rest) = rest.split_at(64 * count);
            let (a, b) = rest.split_at(count);
            let chosen: Vec<u64> = (0..64 * count)
                .map(|i| if b[i / 64] >> (i % 64) & 1 == 1 { one[i] } else { zero[i] })
                .collect();
            let mut message = vec![0; message_words(count)];
            let (mut mine, mut theirs) = (vec![0; count], vec![0; count]);
            send(zero, one, a, &mut message, &mut mine);
            receive(&chosen, b, &message, &mut theirs);
            for i in 0..count {
                assert_eq!(mine[i].wrapping_add(theirs[i]), a[i].wrapping_mul(b[i]));
            }
        }
    }
}
