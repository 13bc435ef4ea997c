//! Ring packing: two ciphertexts whose wanted coefficients lie W apart become one where
//! they lie W / 2 apart (Chen, Dai, Kim, Song, "Efficient homomorphic conversion between
//! (ring) LWE ciphertexts", ACNS 2021, with key switching by one special prime).
//!
//! With E, O the two and the automorphism X -> X^k, k = 2N / W + 1, which keeps X^W and negates
//! X^(W/2): E + X^(W/2) O + auto(E - X^(W/2) O) has twice E's wanted coefficients at multiples
//! of W and twice O's between them. The factor two is taken out beforehand (`halvings`).
//!
//! Products have lost so much precision by then that a modulus of two primes holds them. So the
//! third one, P, is divided out before packing (`divided`), and is the special prime of the keys:
//! these are modulo q, like everything else, and a key switch has two digits.

use crate::lattice::modular::{Factor, Scale, add, residue, subtract};
use crate::lattice::ntt::{self, Table, fold};
use crate::lattice::ring::{LIMBS, PACKED, Ring, errors};
use crate::lattice::rlwe::Secret;
use crate::simd::lanes::eights;
use crate::simd::path::dispatched;
use crate::simd::residues::Residues;
use crate::words::prg::Stream;

/// The exponent of the automorphism for wanted coefficients `spacing` apart.
fn exponent(degree: usize, spacing: usize) -> usize {
    2 * degree / spacing + 1
}

/// The polynomial at X^k; `zero - x` negates.
fn automorphism<T: Copy>(values: &[T], k: usize, negate: impl Fn(T) -> T, out: &mut [T]) {
    let n = values.len();
    let out = &mut out[..n];
    for (j, &value) in values.iter().enumerate() {
        // n is a power of two; indices and signs are public.
        let index = j * k;
        out[index & (n - 1)] = if index & n == 0 { value } else { negate(value) };
    }
}

/// The key that switches from s(X^k) back to s: b of (2 digits, 3 primes, N), transformed.
/// Its uniform halves are polynomials 2 number.. of the public stream.
pub fn galois_key_half(
    ring: &Ring,
    secret: &Secret,
    (public, private, number): (&Stream, &Stream, u64),
    spacing: usize,
    out: &mut [u64],
) {
    let n = ring.degree;
    let mut turned = vec![0; n];
    automorphism(&secret.coefficients, exponent(n, spacing), |x: i64| -x, &mut turned);
    let special = ring.p(PACKED);
    let mut a = vec![0; n];
    for (digit, out) in out.chunks_exact_mut(LIMBS * n).enumerate() {
        let polynomial = PACKED as u64 * number + digit as u64;
        let errors = errors(private, polynomial, n);
        for (limb, out) in out.chunks_exact_mut(n).enumerate() {
            let p = ring.p(limb);
            ring.uniform(public, polynomial, limb, &mut a);
            out.copy_from_slice(&secret.mask(ring, limb, &a, &errors));
            if limb == digit {
                // The gadget of this digit: the special prime modulo this prime, 0 modulo others.
                let factor = Factor::new(special % p, p);
                for (word, &s) in out.iter_mut().zip(&turned) {
                    let term = factor.times(residue(s, p));
                    *word = add(*word, term, p);
                }
            }
            ntt::forward(ring.path, &ring.tables[limb], out);
        }
    }
}

/// The whole key, (2 digits, 2, 3 primes, N): received b and the public stream's halves.
pub fn galois_key(ring: &Ring, (public, number): (&Stream, u64), b: &[u64], out: &mut [u64]) {
    let size = LIMBS * ring.degree;
    let digits = out.chunks_exact_mut(2 * size).zip(b.chunks_exact(size));
    for (digit, (out, b)) in digits.enumerate() {
        let (first, second) = out.split_at_mut(size);
        first.copy_from_slice(b);
        for (limb, a) in second.chunks_exact_mut(ring.degree).enumerate() {
            ring.uniform(public, PACKED as u64 * number + digit as u64, limb, a);
        }
    }
}

dispatched! {
    /// The sums of digits times key modulo one prime.
    pub fn switch<L: Residues>(
        table: &Table,
        digits: [&[u64]; PACKED],
        key: [&[u64]; PACKED],
        out: &mut [u64],
    ) {
        let ([d0, d1], [k0, k1]) = (digits, key);
        eights!([d0, d1, k0, k1], [out], {
            let none = (L::splat(0), L::splat(0));
            let first = L::add_product(none, d0.operand(), k0.operand());
            let sums = L::add_product(first, d1.operand(), k1.operand());
            fold(L::settled(sums, PACKED as u64), table).store(out);
        });
    }

    /// The sum and the difference modulo p, in place.
    pub fn apart<L: Residues>(p: u64, even: &mut [u64], shifted: &mut [u64]) {
        let p = L::splat(p);
        eights!([], [even, shifted], {
            let (x, y) = (L::load(even), L::load(shifted));
            x.plus(y).reduce_once(p).store(even);
            x.plus(p).minus(y).reduce_once(p).store(shifted);
        });
    }

    /// The values modulo one prime, modulo another: one subtraction, for all primes lie between
    /// 2^49 and 2^50.
    pub fn reduced<L: Residues>(p: u64, values: &[u64], out: &mut [u64]) {
        eights!([values], [out], values.reduce_once(L::splat(p)).store(out));
    }

    /// out + own + round(x / P) modulo p, where `low` is x modulo P; inputs are x, low and own,
    /// primes are (p, P).
    pub fn down<L: Residues>(
        primes: (u64, u64),
        inverse: Scale,
        inputs: [&[u64]; 3],
        out: &mut [u64],
    ) {
        let [x, low, own] = inputs;
        let p = L::splat(primes.0);
        eights!([x, low, own], [out], {
            let sum = L::load(out).plus(own).reduce_once(p);
            sum.plus(quotient(primes, inverse, x, low)).reduce_once(p).store(out);
        });
    }

    /// round(x / P) modulo p in place of x, where `low` is x modulo P; primes are (p, P).
    pub fn divided<L: Residues>(
        primes: (u64, u64),
        inverse: Scale,
        low: &[u64],
        values: &mut [u64],
    ) {
        eights!([low], [values], {
            quotient(primes, inverse, L::load(values), low).store(values);
        });
    }
}

/// round(x / P) modulo p, where `low` is x modulo P; primes are (p, P).
#[inline(always)]
fn quotient<L: Residues>((p, special): (u64, u64), inverse: Scale, x: L, low: L) -> L {
    let (p, special, half) = (L::splat(p), L::splat(special), L::splat(special / 2));
    let low = low.plus(half).reduce_once(special).reduce_once(p);
    inverse.times(x.plus(half).plus(p).minus(low))
}

/// Space that ring packing works in, kept between calls: nothing in it outlives its use.
pub struct Space {
    rest: Vec<u64>,
    turned: Vec<u64>,
    digits: Vec<u64>,
    sums: Vec<u64>,
    zeros: Vec<u64>,
}

impl Space {
    /// Space for polynomials of `degree` coefficients.
    pub fn new(degree: usize) -> Space {
        let room = |polynomials: usize| vec![0; polynomials * degree];
        Space {
            rest: room(1),
            turned: room(2 * PACKED),
            digits: room(PACKED),
            sums: room(2 * LIMBS),
            zeros: room(1),
        }
    }
}

/// Packs `odd` into `even`, both (2, 2, N) coefficients, with the key of the spacing; see the
/// module. Without `odd` only the factor two is applied.
pub fn pack(
    ring: &Ring,
    key: &[u64],
    spacing: usize,
    (even, odd): (&mut [u64], Option<&[u64]>),
    space: &mut Space,
) {
    let n = ring.degree;
    let Some(odd) = odd else {
        for (i, words) in even.chunks_exact_mut(n).enumerate() {
            let p = ring.p(i % PACKED);
            words.iter_mut().for_each(|x| *x = add(*x, *x, p));
        }
        return;
    };
    let k = exponent(n, spacing);
    for i in 0..2 * PACKED {
        let p = ring.p(i % PACKED);
        // X^(spacing / 2) odd: what passes the end comes back negated.
        let (stays, wraps) = odd[i * n..][..n].split_at(n - spacing / 2);
        space.rest[spacing / 2..].copy_from_slice(stays);
        space.rest.iter_mut().zip(wraps).for_each(|(out, &x)| *out = subtract(0, x, p));
        apart(ring.path, p, &mut even[i * n..][..n], &mut space.rest);
        let turned = &mut space.turned[i * n..][..n];
        automorphism(&space.rest, k, |x| subtract(0, x, p), turned);
    }
    key_switched(ring, key, space);
    let sums = &space.sums;
    for i in 0..2 * PACKED {
        let (part, limb) = (i / PACKED, i % PACKED);
        let of = |prime: usize| &sums[(part * LIMBS + prime) * n..][..n];
        let own = if part == 0 { &space.turned[i * n..][..n] } else { &space.zeros };
        let primes = (ring.p(limb), ring.p(PACKED));
        let inputs = [of(limb), of(PACKED), own];
        down(ring.path, primes, ring.last_inverse[limb], inputs, &mut even[i * n..][..n]);
    }
}

/// Overwrites the sums, (2, 3, N), with P times an encryption under s of what the turned c1
/// stands for under the key's old secret.
fn key_switched(ring: &Ring, key: &[u64], space: &mut Space) {
    let n = ring.degree;
    for limb in 0..LIMBS {
        let table = &ring.tables[limb];
        for (digit, words) in space.digits.chunks_exact_mut(n).enumerate() {
            let own = &space.turned[(PACKED + digit) * n..][..n];
            reduced(ring.path, table.p, own, words);
            ntt::forward(ring.path, table, words);
        }
        for part in 0..2 {
            let out = &mut space.sums[(part * LIMBS + limb) * n..][..n];
            let key = [0, 1].map(|d| &key[((d * 2 + part) * LIMBS + limb) * n..][..n]);
            let digits = [0, 1].map(|d| &space.digits[d * n..][..n]);
            switch(ring.path, table, digits, key, out);
            ntt::inverse(ring.path, table, out);
        }
    }
}

/// Packs summands (count, 2, 2, N) into the first: summand i of 2^levels, those beyond the count
/// being zero. `keys` are those of the spacings N' = spacing, spacing / 2, ...
pub fn pack_ring(
    ring: &Ring,
    keys: &[&[u64]],
    spacing: usize,
    summands: &mut [u64],
    space: &mut Space,
) {
    let size = 2 * PACKED * ring.degree;
    let count = summands.len() / size;
    for (level, key) in keys.iter().enumerate() {
        for even in (0..count).step_by(2 << level) {
            let (head, tail) = summands.split_at_mut((even + (1 << level)).min(count) * size);
            let even = &mut head[even * size..][..size];
            let odd = tail.get(..size);
            pack(ring, key, spacing >> level, (even, odd), space);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lattice::ring::tests::{polynomials, rings};

    #[test]
    fn ring_packing_agrees_on_every_path() {
        let mut results = Vec::new();
        for ring in rings(128) {
            let mut summands = polynomials(&ring, 1, (4 * 2, PACKED));
            let secret = Secret::new(&ring, &[2; 16]);
            let (public, private) = (Stream::new(&[3; 16]), Stream::new(&[4; 16]));
            let keys = [32, 16].map(|spacing| {
                let mut sent = vec![0; PACKED * LIMBS * ring.degree];
                galois_key_half(
                    &ring,
                    &secret,
                    (&public, &private, spacing as u64),
                    spacing,
                    &mut sent,
                );
                let mut whole = vec![0; 2 * sent.len()];
                galois_key(&ring, (&public, spacing as u64), &sent, &mut whole);
                whole
            });
            let mut space = Space::new(ring.degree);
            pack_ring(&ring, &[&keys[0], &keys[1]], 32, &mut summands, &mut space);
            summands.truncate(2 * PACKED * ring.degree);
            results.push((ring.path.name(), summands));
        }
        for (name, result) in &results {
            assert_eq!(*result, results[0].1, "{name}");
        }
    }

    #[test]
    fn the_automorphism_keeps_multiples_of_the_gap_and_negates_what_lies_between() {
        let values: Vec<i64> = (1..=64).collect();
        let mut turned = vec![0; 64];
        automorphism(&values, exponent(64, 16), |x| -x, &mut turned);
        for j in (0..64).step_by(16) {
            assert_eq!(turned[j], values[j]);
            assert_eq!(turned[j + 8], -values[j + 8]);
        }
    }
}
