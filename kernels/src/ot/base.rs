//! Base oblivious transfers: random OT on ristretto255, after Masny and Rindal.
//!
//! Endemic Oblivious Transfer (CCS 2019), figure 6, with Diffie-Hellman as key agreement
//! and one sender's message for all transfers. G is the base point, `P(i, b, R)` a hash to
//! the group, `KDF` a hash; both take in the session, the transfer's number i and side b.
//!
//!   sender     a random, A = a G                                               -> A
//!   receiver   per transfer, choice c: R[1-c] a random point, t random,
//!              R[c] = t G - P(i, c, R[1-c])                                    -> R[0], R[1]
//!              key = KDF(i, c, t A, A, R)
//!   sender     key[b] = KDF(i, b, a (R[b] + P(i, b, R[1-b])), A, R)
//!
//! R[0] and R[1] are uniform whatever c is, so c is hidden perfectly. For the other side b =
//! 1-c the receiver would need a times a point of unknown logarithm: computational
//! Diffie-Hellman with the hashes as random oracles. Time and addresses do not depend on c.

use crate::ot::key::Key;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};
use subtle::{Choice, ConditionallySelectable};

/// Bytes that name a session: both parties' nonces and the direction, hashed.
pub type Session = [u8; 32];
/// Bytes of a compressed point.
pub const POINT: usize = 32;
/// Random bytes that a choice takes: a wide scalar and a wide point.
pub const RANDOM: usize = 128;

fn wide(bytes: &[u8]) -> [u8; 64] {
    bytes.try_into().expect("the caller cuts 64 bytes")
}

/// The hash of a place and what stands there.
fn hash(purpose: &[u8], session: &Session, index: u64, side: u8, parts: &[&[u8]]) -> [u8; 64] {
    let mut hash = Sha512::new();
    hash.update(b"securexgb base ot/");
    hash.update(purpose);
    hash.update(session);
    hash.update(index.to_le_bytes());
    hash.update([side]);
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

fn to_group(session: &Session, index: u64, side: u8, other: &[u8]) -> RistrettoPoint {
    RistrettoPoint::from_uniform_bytes(&hash(b"point/", session, index, side, &[other]))
}

fn key(
    session: &Session,
    index: u64,
    side: u8,
    shared: &RistrettoPoint,
    transcript: [&[u8]; 2],
) -> Key {
    let [offer, pair] = transcript;
    let digest = hash(b"key/", session, index, side, &[shared.compress().as_bytes(), offer, pair]);
    std::array::from_fn(|i| u64::from_le_bytes(digest.as_chunks().0[i]))
}

/// The sender's message A for its 64 random bytes.
pub fn offer(secret: &[u8; 64]) -> [u8; POINT] {
    RistrettoPoint::mul_base(&Scalar::from_bytes_mod_order_wide(secret)).compress().to_bytes()
}

/// The receiver's message, 64 bytes a transfer, and the chosen keys.
///
/// `random` holds 128 fresh bytes a transfer; bit i of `choices` is the choice of
/// transfer i. None where the offer is no point.
pub fn choose(
    session: &Session,
    offer: &[u8; POINT],
    choices: &[u64],
    random: &[u8],
    reply: &mut [u8],
    keys: &mut [Key],
) -> Option<()> {
    let base = CompressedRistretto(*offer).decompress()?;
    let transfers = reply.chunks_exact_mut(2 * POINT).zip(keys).zip(random.chunks_exact(RANDOM));
    for (index, ((pair, chosen), random)) in transfers.enumerate() {
        let bit = (choices[index / 64] >> (index % 64) & 1) as u8;
        let exponent = Scalar::from_bytes_mod_order_wide(&wide(&random[..64]));
        let free = RistrettoPoint::from_uniform_bytes(&wide(&random[64..]));
        let index = index as u64;
        let fitted = RistrettoPoint::mul_base(&exponent)
            - to_group(session, index, bit, free.compress().as_bytes());
        let choice = Choice::from(bit);
        let points = [
            RistrettoPoint::conditional_select(&fitted, &free, choice),
            RistrettoPoint::conditional_select(&free, &fitted, choice),
        ];
        for (out, point) in pair.chunks_exact_mut(POINT).zip(points) {
            out.copy_from_slice(point.compress().as_bytes());
        }
        *chosen = key(session, index, bit, &(exponent * base), [offer, pair]);
    }
    Some(())
}

/// The sender's keys, both sides of each transfer. None where a reply is no point.
pub fn finish(
    session: &Session,
    secret: &[u8; 64],
    reply: &[u8],
    keys: &mut [[Key; 2]],
) -> Option<()> {
    let own = offer(secret);
    let secret = Scalar::from_bytes_mod_order_wide(secret);
    for (index, (pair, keys)) in reply.chunks_exact(2 * POINT).zip(keys).enumerate() {
        let (zero, one) = pair.split_at(POINT);
        for (side, (here, other)) in [(zero, one), (one, zero)].into_iter().enumerate() {
            let (index, bit) = (index as u64, side as u8);
            let point = CompressedRistretto::from_slice(here).ok()?.decompress()?
                + to_group(session, index, bit, other);
            keys[side] = key(session, index, bit, &(secret * point), [&own, pair]);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::prg::drawn;

    fn bytes<const N: usize>(seed: u8) -> Vec<u8> {
        drawn(seed, N / 8).iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn the_receiver_knows_the_chosen_key_and_no_other() {
        let session = [9; 32];
        let secret: [u8; 64] = wide(&bytes::<64>(1));
        let choices = [0x5a5a_0ff0_1234_8001, 77];
        let sent = offer(&secret);
        let (mut reply, mut chosen) = ([0; 128 * 64], [[0; 2]; 128]);
        let random = bytes::<{ 128 * RANDOM }>(2);
        choose(&session, &sent, &choices, &random, &mut reply, &mut chosen).unwrap();
        let mut keys = [[[0; 2]; 2]; 128];
        finish(&session, &secret, &reply, &mut keys).unwrap();
        for (i, (pair, mine)) in keys.iter().zip(&chosen).enumerate() {
            let bit = (choices[i / 64] >> (i % 64) & 1) as usize;
            assert_eq!(pair[bit], *mine);
            assert_ne!(pair[1 - bit], *mine);
        }
        let mut elsewhere = [[[0; 2]; 2]; 128];
        finish(&[8; 32], &secret, &reply, &mut elsewhere).unwrap();
        assert!(keys.iter().zip(&elsewhere).all(|(a, b)| a[0] != b[0] && a[1] != b[1]));
    }

    #[test]
    fn what_is_no_point_is_refused() {
        let (mut reply, mut chosen) = ([0; 64], [[0; 2]; 1]);
        let random = bytes::<RANDOM>(3);
        assert!(choose(&[0; 32], &[255; 32], &[0], &random, &mut reply, &mut chosen).is_none());
        assert!(finish(&[0; 32], &[1; 64], &[255; 64], &mut [[[0; 2]; 2]; 1]).is_none());
    }
}
