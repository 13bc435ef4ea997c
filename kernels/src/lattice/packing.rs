//! Ring packing: two ciphertexts whose wanted coefficients lie W apart become one where
//! they lie W / 2 apart (Chen, Dai, Kim, Song, "Efficient homomorphic conversion between
//! (ring) LWE ciphertexts", ACNS 2021, with key switching by one special prime).
//!
//! With E, O the two and the automorphism X -> X^k, k = 2N / W + 1, which keeps X^W and negates
//! X^(W/2): E + X^(W/2) O + auto(E - X^(W/2) O) has twice E's wanted coefficients at multiples
//! of W and twice O's between them. The factor two is taken out beforehand (`halvings`).
//!
//! Products have lost so much precision by then that a modulus of two primes holds them. So the
//! third one, P, is divided out before packing (`divided`), and is the special prime of the keys,
//! which are modulo q, like everything else.
//!
//! *One digit.* With p0, p1 the two primes, c1 = r + p0 v, r below p0 and v below p1. Its digit is
//! d = 2^22 v + r / 2^28, rounded, a number of 72 bits, and the key encrypts P p0 / 2^22 times the
//! old secret: d times that is P c1, but for an error below P 2^28. A digit of 72 bits times the
//! key's errors, divided by P, is some 2^30; of the modulus's 100 bits both leave more than are
//! wanted, and a switch takes three transforms there and three back. See `he/noise.py`.
//!
//! Of c0 only multiples of W / 2 are wanted from here on. E + auto(E) is twice E there, and what the
//! key adds is summed over the points that have the same X^(W/2) before it is transformed back.

use crate::lattice::modular::{Factor, Scale, add, inverse, mixed, power, residue, subtract};
use crate::lattice::ntt::{self, Table};
use crate::lattice::ring::{LIMBS, PACKED, Ring, errors};
use crate::lattice::rlwe::Secret;
use crate::simd::lanes::eights;
use crate::simd::path::dispatched;
use crate::simd::residues::Residues;
use crate::words::prg::Stream;

/// Bits of c1 below p0's that a digit keeps, and those that it does not.
const KEPT: u32 = 22;
const LOST: u32 = 50 - KEPT;

/// P p0 / 2^22, rounded: what one of a digit stands for. The primes are (p0, P).
fn gadget(primes: (u64, u64)) -> u128 {
    let whole = u128::from(primes.0) * u128::from(primes.1);
    (whole + (1 << (KEPT - 1))) >> KEPT
}

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

/// The key that switches from s(X^k) back to s: b of (3 primes, N), transformed. Its uniform half is
/// polynomial `number` of the public stream.
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
    let gadget = gadget((ring.p(0), ring.p(PACKED)));
    let errors = errors(private, number, n);
    let mut a = vec![0; n];
    for (limb, out) in out.chunks_exact_mut(n).enumerate() {
        let p = ring.p(limb);
        ring.uniform(public, number, limb, &mut a);
        out.copy_from_slice(&secret.mask(ring, limb, &a, &errors));
        let factor = Factor::new((gadget % u128::from(p)) as u64, p);
        for (word, &s) in out.iter_mut().zip(&turned) {
            *word = add(*word, factor.times(residue(s, p)), p);
        }
        ntt::forward(ring.path, &ring.tables[limb], out);
    }
}

/// The whole key, (2, 3 primes, N): received b and the public stream's half.
pub fn galois_key(ring: &Ring, (public, number): (&Stream, u64), b: &[u64], out: &mut [u64]) {
    let (first, second) = out.split_at_mut(LIMBS * ring.degree);
    first.copy_from_slice(b);
    for (limb, a) in second.chunks_exact_mut(ring.degree).enumerate() {
        ring.uniform(public, number, limb, a);
    }
}

dispatched! {
    /// v of c1 = r + p0 v from its residues r and `second`; the primes are (p0, p1).
    pub fn quotients<L: Residues>(
        p: u64,
        inverse: Scale,
        r: &[u64],
        second: &[u64],
        out: &mut [u64],
    ) {
        let p = L::splat(p);
        eights!([r, second], [out], mixed(p, inverse, r, second).store(out));
    }

    /// The digits of r + p0 v modulo a prime; the scale is 2^22.
    pub fn digits<L: Residues>(p: u64, scale: Scale, r: &[u64], v: &[u64], out: &mut [u64]) {
        let (p, half) = (L::splat(p), L::splat(1 << (LOST - 1)));
        eights!([r, v], [out], {
            let low = r.plus(half).shift_right::<LOST>();
            scale.times(v).plus(low).reduce_once(p).store(out);
        });
    }

    /// Sums of eight lines of eight words, tile by tile: over the eight points of each lane.
    pub fn tile_sums<L: Residues>(values: &[u64], out: &mut [u64]) {
        let tiles = values.as_chunks::<64>().0.iter().zip(out.as_chunks_mut::<8>().0);
        for (tile, out) in tiles {
            let mut sum = L::splat(0);
            for row in tile.as_chunks::<8>().0 {
                sum = sum.plus(L::load(row));
            }
            sum.store(out);
        }
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

    /// Adds round(x / P) modulo p, where `low` is x modulo P; primes are (p, P).
    pub fn add_divided<L: Residues>(
        primes: (u64, u64),
        inverse: Scale,
        x: &[u64],
        low: &[u64],
        out: &mut [u64],
    ) {
        eights!([x, low], [out], {
            let sum = L::load(out).plus(quotient(primes, inverse, x, low));
            sum.reduce_once(L::splat(primes.0)).store(out);
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

/// What packing works with, kept between calls: constants of the ring, tables of smaller degrees,
/// and space, in which nothing outlives its use.
pub struct Space {
    /// 1 / p0 modulo p1, and 2^22 modulo each prime.
    inverse: Scale,
    scales: [Scale; LIMBS],
    /// Of N / 2, N / 4, ... 64, for each prime.
    smaller: [Vec<Smaller>; LIMBS],
    rest: Vec<u64>,
    turned: [Vec<u64>; PACKED],
    quotients: Vec<u64>,
    words: Vec<u64>,
    products: Vec<u64>,
    sums: [Vec<u64>; LIMBS],
    wanted: [Vec<u64>; LIMBS],
    own: Vec<u64>,
}

/// For coefficients that are multiples of a step: the table of so many, and 1 / step.
struct Smaller {
    table: Table,
    mean: Factor,
}

impl Space {
    /// For the primes of a ring.
    pub fn new(ring: &Ring) -> Space {
        let room = || vec![0; ring.degree];
        let scale = |i: usize| Scale::new(power(2, u64::from(KEPT), ring.p(i)), ring.p(i));
        let smaller = |step: usize, p: u64| Smaller {
            table: Table::new(ring.degree / step, p).expect("what suits N suits its divisors"),
            mean: Factor::new(inverse(step as u64, p), p),
        };
        let steps = || (1..).map(|bits| 1 << bits).take_while(|step| ring.degree / step >= 64);
        Space {
            inverse: Scale::new(inverse(ring.p(0) % ring.p(1), ring.p(1)), ring.p(1)),
            scales: std::array::from_fn(scale),
            smaller: std::array::from_fn(|i| {
                steps().map(|step| smaller(step, ring.p(i))).collect()
            }),
            rest: room(),
            turned: std::array::from_fn(|_| room()),
            quotients: room(),
            words: room(),
            products: room(),
            sums: std::array::from_fn(|_| room()),
            wanted: std::array::from_fn(|_| room()),
            own: room(),
        }
    }
}

/// Overwrites `out` with coefficients 0, step, 2 step, ... of a transformed polynomial. `smaller`:
/// for steps 2, 4, ...; the values are used up, `sums` is room.
///
/// They are a polynomial in Y = X^step, whose value at a point is the mean of the values at the
/// points that have the same power. These lie side by side, but for the order within tiles.
fn multiples(
    ring: &Ring,
    (table, smaller): (&Table, &[Smaller]),
    step: usize,
    (values, sums): (&mut [u64], &mut [u64]),
    out: &mut [u64],
) {
    let small = (step.trailing_zeros() as usize).checked_sub(1).and_then(|i| smaller.get(i));
    let Some(Smaller { table: small, mean }) = small else {
        // All of them, or a ring of no use but for tests.
        ntt::inverse(ring.path, table, values);
        out.iter_mut().zip(values.iter().step_by(step)).for_each(|(out, word)| *out = *word);
        return;
    };
    let mut put = |number: usize, sum: u64| {
        let (lane, row) = (number / 8 % 8, number % 8);
        out[number / 64 * 64 + 8 * row + lane] = mean.times(sum);
    };
    if step < 8 {
        for (tile, words) in values.as_chunks::<64>().0.iter().enumerate() {
            for (part, rows) in words.chunks_exact(8 * step).enumerate() {
                for lane in 0..8 {
                    let sum = rows.iter().skip(lane).step_by(8).sum();
                    put((64 * tile + 8 * lane) / step + part, sum);
                }
            }
        }
    } else {
        let (of_tiles, _) = sums.split_at_mut(ring.degree / 8);
        tile_sums(ring.path, values, of_tiles);
        for (number, sums) in of_tiles.chunks_exact(step / 8).enumerate() {
            put(number, sums.iter().sum());
        }
    }
    ntt::inverse(ring.path, small, out);
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
    let (n, step) = (ring.degree, spacing / 2);
    let Some(odd) = odd else {
        for (i, words) in even.chunks_exact_mut(n).enumerate() {
            let p = ring.p(i % PACKED);
            words.iter_mut().for_each(|x| *x = add(*x, *x, p));
        }
        return;
    };
    let parts = even.chunks_exact_mut(n).zip(odd.chunks_exact(n)).skip(PACKED);
    for (limb, (even, odd)) in parts.enumerate() {
        let p = ring.p(limb);
        // X^step odd: what passes the end comes back negated.
        let (stays, wraps) = odd.split_at(n - step);
        space.rest[step..].copy_from_slice(stays);
        space.rest.iter_mut().zip(wraps).for_each(|(out, &x)| *out = subtract(0, x, p));
        apart(ring.path, p, even, &mut space.rest);
        let exponent = exponent(n, spacing);
        automorphism(&space.rest, exponent, |x| subtract(0, x, p), &mut space.turned[limb]);
    }
    key_switched(ring, key, step, space);
    let (special, wanted) = (ring.p(PACKED), n / step);
    let parts = even.chunks_exact_mut(n).zip(odd.chunks_exact(n)).take(PACKED);
    for (limb, (even, odd)) in parts.enumerate() {
        let (p, own) = (ring.p(limb), &mut space.own[..wanted]);
        let pairs = even.chunks_exact(spacing).zip(odd.chunks_exact(spacing));
        for (own, (even, odd)) in own.chunks_exact_mut(2).zip(pairs) {
            (own[0], own[1]) = (add(even[0], even[0], p), add(odd[0], odd[0], p));
        }
        let (sums, low) = (&space.wanted[limb], &space.wanted[PACKED]);
        add_divided(ring.path, (p, special), ring.last_inverse[limb], sums, low, own);
        even.iter_mut().step_by(step).zip(own).for_each(|(even, word)| *even = *word);
    }
    for (limb, even) in even.chunks_exact_mut(n).skip(PACKED).enumerate() {
        let (primes, inverse) = ((ring.p(limb), special), ring.last_inverse[limb]);
        add_divided(ring.path, primes, inverse, &space.sums[limb], &space.sums[PACKED], even);
    }
}

/// Overwrites the sums with P times an encryption under s of what the turned c1 stands for under
/// the key's old secret: of its c1, and the multiples of `step` of its c0.
fn key_switched(ring: &Ring, key: &[u64], step: usize, space: &mut Space) {
    let (n, path) = (ring.degree, ring.path);
    let Space { turned: [low, second], quotients: high, words, products, .. } = space;
    quotients(path, ring.p(1), space.inverse, low, second, high);
    let (first, second) = key.split_at(LIMBS * n);
    for limb in 0..LIMBS {
        let (table, of) = (&ring.tables[limb], limb * n..(limb + 1) * n);
        digits(path, table.p, space.scales[limb], low, high, words);
        ntt::forward(path, table, words);
        ntt::pointwise(path, table, words, &second[of.clone()], &mut space.sums[limb]);
        ntt::inverse(path, table, &mut space.sums[limb]);
        ntt::pointwise(path, table, words, &first[of], products);
        let tables = (table, &space.smaller[limb][..]);
        let out = &mut space.wanted[limb][..n / step];
        multiples(ring, tables, step, (products, &mut space.own), out);
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
                let mut sent = vec![0; LIMBS * ring.degree];
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
            let mut space = Space::new(&ring);
            pack_ring(&ring, &[&keys[0], &keys[1]], 32, &mut summands, &mut space);
            summands.truncate(2 * PACKED * ring.degree);
            results.push((ring.path.name(), summands));
        }
        for (name, result) in &results {
            assert_eq!(*result, results[0].1, "{name}");
        }
    }

    #[test]
    fn multiples_are_every_so_manieth_coefficient_on_every_path() {
        for ring in rings(1024) {
            let mut space = Space::new(&ring);
            let values = polynomials(&ring, 3, (1, LIMBS));
            for step in [1, 2, 4, 8, 16, 32, 128] {
                for (limb, values) in values.chunks_exact(1024).enumerate() {
                    let expected: Vec<u64> = values.iter().copied().step_by(step).collect();
                    let (table, mut values) = (&ring.tables[limb], values.to_vec());
                    ntt::forward(ring.path, table, &mut values);
                    let tables = (table, &space.smaller[limb][..]);
                    let mut out = vec![0; 1024 / step];
                    multiples(&ring, tables, step, (&mut values, &mut space.own), &mut out);
                    assert_eq!(out, expected, "{} {step}", ring.path.name());
                }
            }
        }
    }

    #[test]
    fn digits_are_the_upper_bits_of_what_the_residues_stand_for_on_every_path() {
        for ring in rings(64) {
            let (space, [p0, p1]) = (Space::new(&ring), [0, 1].map(|i| ring.p(i)));
            let edges = |p: u64| {
                let at = [0, 1, p - 1, p / 2, 1 << LOST, (1 << LOST) - 1, 1 << 49, 12345];
                (0..64).map(move |i| at[if p == p0 { i % 8 } else { i / 8 }])
            };
            let (r, second): (Vec<u64>, Vec<u64>) = (edges(p0).collect(), edges(p1).collect());
            let mut v = vec![0; 64];
            quotients(ring.path, p1, space.inverse, &r, &second, &mut v);
            let mut found = [[0; 64]; LIMBS];
            for (limb, out) in found.iter_mut().enumerate() {
                digits(ring.path, ring.p(limb), space.scales[limb], &r, &v, out);
            }
            for i in 0..64 {
                let whole = u128::from(r[i]) + u128::from(p0) * u128::from(v[i]);
                assert_eq!(whole % u128::from(p1), u128::from(second[i]));
                let low = (u128::from(r[i]) + (1 << (LOST - 1))) >> LOST;
                let digit = (u128::from(v[i]) << KEPT) + low;
                for (limb, found) in found.iter().enumerate() {
                    assert_eq!(u128::from(found[i]), digit % u128::from(ring.p(limb)));
                }
                // One of a digit stands for p0 / 2^22: half of 2^28 is off, and p0's last bits.
                let off = (digit * u128::from(p0)).abs_diff(whole << KEPT) >> KEPT;
                assert!(off <= (1 << (LOST - 1)) + (1 << 14), "{off}");
            }
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
