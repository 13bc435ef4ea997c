//! Keys as points of ristretto255 that two secret scalars hide, in either order alike.

use crate::ot::key::{Key, bytes};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};

/// Bytes of a point.
pub const POINT: usize = 32;

/// Overwrites `out` with each key's point, SHA-512(tag || digest) on the group, times the scalar.
pub fn blind(digests: &[Key], tag: &[u8], scalar: &[u8; 64], out: &mut [[u8; POINT]]) {
    let scalar = Scalar::from_bytes_mod_order_wide(scalar);
    for (digest, out) in digests.iter().zip(out) {
        let hash = Sha512::new_with_prefix(tag).chain_update(bytes(*digest)).finalize();
        let point = RistrettoPoint::from_uniform_bytes(&hash.into());
        *out = (point * scalar).compress().to_bytes();
    }
}

/// Overwrites `out` with the given points times the scalar; false where one is no point.
pub fn blind_again(given: &[[u8; POINT]], scalar: &[u8; 64], out: &mut [[u8; POINT]]) -> bool {
    let scalar = Scalar::from_bytes_mod_order_wide(scalar);
    given.iter().zip(out).all(|(given, out)| {
        let point = CompressedRistretto(*given).decompress();
        point.is_some_and(|point| {
            *out = (point * scalar).compress().to_bytes();
            true
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_commute_and_other_bytes_are_no_points() {
        let (keys, scalars) = ([[1, 2], [3, 4]], [[5; 64], [6; 64]]);
        let both = scalars.map(|first| {
            let second = if first == scalars[0] { scalars[1] } else { scalars[0] };
            let (mut once, mut twice) = ([[0; POINT]; 2], [[0; POINT]; 2]);
            blind(&keys, b"tag", &first, &mut once);
            assert!(blind_again(&once, &second, &mut twice));
            assert_ne!(once, twice);
            twice
        });
        assert_eq!(both[0], both[1]);
        assert_ne!(both[0][0], both[0][1]);
        assert!(!blind_again(&[[0xff; POINT]], &scalars[0], &mut [[0; POINT]]));
    }
}
