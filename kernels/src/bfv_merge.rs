//! Merging results: two ciphertexts whose wanted coefficients lie W apart become one where
//! they lie W / 2 apart (Chen, Dai, Kim, Song, "Efficient homomorphic conversion between
//! (ring) LWE ciphertexts", ACNS 2021, with key switching by one special prime).
//!
//! With E, O the two and the automorphism X -> X^k, k = 2N / W + 1, which keeps X^W and negates
//! X^(W/2): E + X^(W/2) O + auto(E - X^(W/2) O) has twice E's wanted coefficients at multiples
//! of W and twice O's between them. The factor two is taken out beforehand (`halvings`).

use crate::bfv::Secret;
use crate::bfv_lanes::{Lanes, on_engine};
use crate::bfv_ring::{LIMBS, PRIMES, Ring, add, errors, residue, subtract};
use crate::ntt::{self, Constants, Factor, fold};
use crate::prg::Stream;

/// The exponent of the automorphism for wanted coefficients `gap` apart.
fn exponent(degree: usize, gap: usize) -> usize {
    2 * degree / gap + 1
}

/// The polynomial at X^k; `zero - x` negates.
fn automorphism<T: Copy>(values: &[T], k: usize, negate: impl Fn(T) -> T, out: &mut [T]) {
    let n = values.len();
    for (j, &value) in values.iter().enumerate() {
        let place = j * k % (2 * n);
        if place < n {
            out[place] = value;
        } else {
            out[place - n] = negate(value);
        }
    }
}

/// The key that switches from s(X^k) back to s: b of (3 digits, 4 primes, N), transformed.
/// Its uniform halves are polynomials 3 number.. of the public stream.
pub fn switching_key(
    ring: &Ring,
    secret: &Secret,
    (public, private, number): (&Stream, &Stream, u64),
    gap: usize,
    out: &mut [u64],
) {
    let n = ring.degree;
    let mut turned = vec![0; n];
    automorphism(&secret.coefficients, exponent(n, gap), |x: i64| -x, &mut turned);
    let special = ring.p(LIMBS);
    let mut a = vec![0; n];
    for (digit, out) in out.chunks_exact_mut(PRIMES * n).enumerate() {
        let polynomial = LIMBS as u64 * number + digit as u64;
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
            ntt::forward(ring.engine, &ring.tables[limb], out);
        }
    }
}

/// The whole key, (3 digits, 2, 4 primes, N): received b and the public stream's halves.
pub fn whole_key(ring: &Ring, (public, number): (&Stream, u64), b: &[u64], out: &mut [u64]) {
    let size = PRIMES * ring.degree;
    let digits = out.chunks_exact_mut(2 * size).zip(b.chunks_exact(size));
    for (digit, (out, b)) in digits.enumerate() {
        let (first, second) = out.split_at_mut(size);
        first.copy_from_slice(b);
        for (limb, a) in second.chunks_exact_mut(ring.degree).enumerate() {
            ring.uniform(public, LIMBS as u64 * number + digit as u64, limb, a);
        }
    }
}

/// out = sum over three digits of digit times key, word by word.
#[inline(always)]
fn switch_body<L: Lanes>(
    c: &Constants,
    digits: [&[u64]; LIMBS],
    key: [&[u64]; LIMBS],
    out: &mut [u64],
) {
    let at = |words: &[u64], place: usize| L::load(&words[place..].as_chunks::<8>().0[0]);
    for (x, out) in out.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let (mut low, mut high) = (L::splat(0), L::splat(0));
        for i in 0..LIMBS {
            let (a, b) = (at(digits[i], 8 * x), at(key[i], 8 * x));
            low = low.add_low(a, b);
            high = high.add_high(a, b);
        }
        fold(low, high, c).store(out);
    }
}

on_engine! {
    /// The sums of digits times key modulo one prime.
    pub fn switch = switch_body(c: &Constants, digits: [&[u64]; LIMBS], key: [&[u64]; LIMBS], out: &mut [u64]);
}

/// Merges `odd` into `even`, both (2, 3, N) coefficients; see the module. No `odd` is a zero.
pub fn merge(
    ring: &Ring,
    key: &[u64],
    gap: usize,
    (even, odd): (&[u64], Option<&[u64]>),
    out: &mut [u64],
) {
    let n = ring.degree;
    let Some(odd) = odd else {
        // Nothing to keep apart: only the factor two.
        for (i, (out, even)) in out.chunks_exact_mut(n).zip(even.chunks_exact(n)).enumerate() {
            let p = ring.p(i % LIMBS);
            out.iter_mut().zip(even).for_each(|(out, &x)| *out = add(x, x, p));
        }
        return;
    };
    let mut turned = vec![0; even.len()];
    let mut rest = vec![0; n];
    for i in 0..2 * LIMBS {
        let p = ring.p(i % LIMBS);
        let (even, odd) = (&even[i * n..][..n], &odd[i * n..][..n]);
        let sum = &mut out[i * n..][..n];
        for j in 0..n {
            let shifted =
                if j >= gap / 2 { odd[j - gap / 2] } else { subtract(0, odd[n + j - gap / 2], p) };
            sum[j] = add(even[j], shifted, p);
            rest[j] = subtract(even[j], shifted, p);
        }
        automorphism(&rest, exponent(n, gap), |x| subtract(0, x, p), &mut turned[i * n..][..n]);
    }
    let switched = key_switched(ring, key, &turned[LIMBS * n..]);
    for i in 0..2 * LIMBS {
        let p = ring.p(i % LIMBS);
        for j in i * n..(i + 1) * n {
            let own = if i < LIMBS { turned[j] } else { 0 };
            out[j] = add(add(out[j], own, p), switched[j], p);
        }
    }
}

/// An encryption under s, (2, 3, N), of what c1 (3, N) stands for under the key's old secret.
fn key_switched(ring: &Ring, key: &[u64], c1: &[u64]) -> Vec<u64> {
    let n = ring.degree;
    let mut sums = vec![0; 2 * PRIMES * n];
    let mut digits = vec![0; LIMBS * n];
    for limb in 0..PRIMES {
        let table = &ring.tables[limb];
        for (digit, words) in digits.chunks_exact_mut(n).enumerate() {
            // All primes lie between 2^49 and 2^50: one subtraction reduces.
            let own = &c1[digit * n..][..n];
            words.iter_mut().zip(own).for_each(|(word, &x)| *word = x.min(x.wrapping_sub(table.p)));
            ntt::forward(ring.engine, table, words);
        }
        for part in 0..2 {
            let out = &mut sums[(part * PRIMES + limb) * n..][..n];
            let key = [0, 1, 2].map(|d| &key[((d * 2 + part) * PRIMES + limb) * n..][..n]);
            let digits = [0, 1, 2].map(|d| &digits[d * n..][..n]);
            switch(ring.engine, &table.constants, digits, key, out);
            ntt::inverse(ring.engine, table, out);
        }
    }
    // Division by the special prime, rounded: x - (x mod P, centred), times 1 / P.
    let mut out = vec![0; 2 * LIMBS * n];
    let special = ring.p(LIMBS);
    for (part, sums) in sums.chunks_exact(PRIMES * n).enumerate() {
        for limb in 0..LIMBS {
            let p = ring.p(limb);
            let half = special / 2;
            let out = &mut out[(part * LIMBS + limb) * n..][..n];
            for (j, out) in out.iter_mut().enumerate() {
                let low = add(sums[LIMBS * n + j], half, special);
                let low = subtract(low.min(low.wrapping_sub(p)), half, p);
                *out = ring.special_inverse[limb].times(subtract(sums[limb * n + j], low, p));
            }
        }
    }
    out
}
