//! H(x, i) = p(p(x) ^ i) ^ p(x) for a permutation p, AES under a public key: tweakable circular
//! correlation robust where p is ideal (TMMO: Guo, Katz, Wang, Yu, IEEE S&P 2020, section 7.3).

use crate::ot::key::{Key, xor};
use crate::simd::blocks::Cipher;

/// Hashes under one key, and room for what they are made of.
pub struct Hash {
    cipher: Cipher,
    first: Vec<Key>,
}

impl Hash {
    /// Under a public key.
    pub fn new(key: Key) -> Self {
        Hash { cipher: Cipher::new(key), first: Vec::new() }
    }

    /// Puts H(x, i) in the place of each label x; `tweak` says i of each place.
    pub fn replace(&mut self, labels: &mut [Key], tweak: impl Fn(usize) -> u64) {
        self.cipher.encrypt(labels);
        self.first.clear();
        self.first.extend_from_slice(labels);
        for (place, label) in labels.iter_mut().enumerate() {
            label[0] ^= tweak(place);
        }
        self.cipher.encrypt(labels);
        for (label, first) in labels.iter_mut().zip(&self.first) {
            *label = xor(*label, *first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_defined() {
        let key = [1, 2];
        let permuted = |x: Key| {
            let mut block = [x];
            Cipher::new(key).encrypt(&mut block);
            block[0]
        };
        let inputs = [[3, 4], [5, 6], [3, 4]];
        let mut hashed = inputs;
        Hash::new(key).replace(&mut hashed, |place| 10 + place as u64);
        for (place, (x, found)) in inputs.into_iter().zip(hashed).enumerate() {
            let first = permuted(x);
            assert_eq!(found, xor(permuted(xor(first, [10 + place as u64, 0])), first));
        }
    }
}
