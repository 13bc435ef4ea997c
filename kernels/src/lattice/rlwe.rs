//! The homomorphic scheme: encryption, and results made fit to leave.
//!
//! A ciphertext (c0, c1) of a message m in Z_2^k[X] / (X^N + 1) has c0 + c1 s = e +
//! round(q m / 2^k) mod q, with a ternary secret s and a small error e. The key holder
//! encrypts symmetrically and sends c0 only; c1 comes from a public seed. Laid out (2, 3, N):
//! part, limb, coefficient or transformed word.

use crate::lattice::masks::low_bits;
use crate::lattice::modular::{add, residue, subtract};
use crate::lattice::ntt;
use crate::lattice::ring::{
    LIMBS, PACKED, Ring, Wide, bytes_of, errors, from_wire, plus, ternary, to_wire, to_word, unit,
};
use crate::words::prg::Stream;

/// Whoever holds the secret: s in all transformed forms.
pub struct Secret {
    /// The coefficients, -1 to 1.
    pub coefficients: Vec<i64>,
    transformed: Vec<Vec<u64>>,
}

impl Secret {
    /// The secret that a 16-byte key stands for.
    pub fn new(ring: &Ring, key: &[u8; 16]) -> Secret {
        let coefficients = ternary(&Stream::new(key), 0, ring.degree);
        let transform = |table| ntt::transformed(ring.path, table, &coefficients);
        let transformed = ring.tables.iter().map(transform).collect();
        Secret { coefficients, transformed }
    }

    /// e - c1 s modulo one prime, as coefficients; c1 is transformed.
    pub fn mask(&self, ring: &Ring, limb: usize, c1: &[u64], errors: &[i64]) -> Vec<u64> {
        let table = &ring.tables[limb];
        let mut product = ntt::product(ring.path, table, c1, &self.transformed[limb]);
        for (word, &e) in product.iter_mut().zip(errors) {
            *word = subtract(residue(e, table.p), *word, table.p);
        }
        product
    }
}

/// Encrypts polynomials of numbers modulo q: c0 of each as N rounded fractions. Ciphertext i
/// has number first + i in the public stream of c1 and in the private one of the errors;
/// a number serves once. `code` overwrites the (3, N) residues of polynomial i.
pub fn encrypt(
    ring: &Ring,
    secret: &Secret,
    (public, private, first): (&Stream, &Stream, u64),
    code: impl Fn(usize, &mut [u64]),
    (wire, width): (&mut [u8], usize),
) {
    let n = ring.degree;
    let mut c1 = vec![0; n];
    let mut codes = vec![0; LIMBS * n];
    for (i, out) in wire.chunks_exact_mut(n * width).enumerate() {
        let number = first + i as u64;
        let errors = errors(private, number, n);
        code(i, &mut codes);
        for (limb, codes) in codes.chunks_exact_mut(n).enumerate() {
            ring.uniform(public, number, limb, &mut c1);
            let masks = secret.mask(ring, limb, &c1, &errors);
            for (code, mask) in codes.iter_mut().zip(masks) {
                *code = add(*code, mask, ring.p(limb));
            }
        }
        for (j, out) in out.chunks_exact_mut(width).enumerate() {
            to_wire(ring.fraction(std::array::from_fn(|l| codes[l * n + j])), out);
        }
    }
}

/// The residues, (3, N), of round(q a / 2^64) for at most N words.
pub fn words_code(ring: &Ring, words: &[u64], codes: &mut [u64]) {
    codes.fill(0);
    for (j, &word) in words.iter().enumerate() {
        for (limb, code) in ring.encode(word).into_iter().enumerate() {
            codes[limb * ring.degree + j] = code;
        }
    }
}

/// The residues of polynomial `group` of V short secrets (V, length), modulo 2^bits: with D =
/// N / V it has coefficient group d + j of secret v, j < d, at X^(v D - j); d divides D, and all
/// other coefficients are zero.
pub fn shorts_code(
    ring: &Ring,
    (secrets, length): (&[i64], usize),
    (group, piece, bits): (usize, usize, u32),
    codes: &mut [u64],
) {
    let n = ring.degree;
    let vectors = secrets.len() / length;
    let distance = n / vectors;
    codes.fill(0);
    let one = ring.from_fraction(unit(bits));
    let minus_one = std::array::from_fn::<_, LIMBS, _>(|l| subtract(0, one[l], ring.p(l)));
    for (v, secret) in secrets.chunks_exact(length).enumerate() {
        for (j, &s) in secret[group * piece..][..piece].iter().enumerate() {
            // X^-j is -X^(N - j).
            let (index, s) = if v * distance >= j { (v * distance - j, s) } else { (n - j, -s) };
            for limb in 0..LIMBS {
                let (plus, minus) = ((s & 1) as u64, (s >> 1 & 1) as u64);
                let chosen = one[limb] & (plus ^ minus).wrapping_neg()
                    | minus_one[limb] & minus.wrapping_neg();
                codes[limb * n + index] = chosen;
            }
        }
    }
}

/// The transformed ciphertexts, (count, 2, 3, N), of received c0 and the public stream.
pub fn expand(
    ring: &Ring,
    (public, first): (&Stream, u64),
    (wire, width): (&[u8], usize),
    out: &mut [u64],
) {
    let n = ring.degree;
    let ciphertexts = out.chunks_exact_mut(2 * LIMBS * n).zip(wire.chunks_exact(n * width));
    for (i, (out, wire)) in ciphertexts.enumerate() {
        let (c0, c1) = out.split_at_mut(LIMBS * n);
        for (j, bytes) in wire.chunks_exact(width).enumerate() {
            for (limb, word) in ring.from_fraction(from_wire(bytes)).into_iter().enumerate() {
                c0[limb * n + j] = word;
            }
        }
        for (limb, c0) in c0.chunks_exact_mut(n).enumerate() {
            ntt::forward(ring.path, &ring.tables[limb], c0);
        }
        for (limb, c1) in c1.chunks_exact_mut(n).enumerate() {
            ring.uniform(public, first + i as u64, limb, c1);
        }
    }
}

/// What leaves: c1 of N fractions, c0 at the wanted indices, each of `width` bytes.
pub type Leaving<'a> = (&'a mut [u8], &'a mut [u8], usize);

/// Makes a result, (2, 2, N) of packing or (2, 3, N), fit to leave: adds a fresh encryption of zero under the public key
/// (transformed, (2, 3, N)), switches to modulus 2^t, and last of all adds a uniform mask to
/// every c0 that is sent; the negated mask, rounded to so many bits, at most 64, is this side's
/// share, a word an index.
pub fn rerandomise_and_switch(
    ring: &Ring,
    public_key: &[u64],
    (private, masks, number): (&Stream, &Stream, u64),
    (result, indices): (&[u64], &[u32]),
    ((c1, c0, width), (shares, bits)): (Leaving<'_>, (&mut [u64], u32)),
) {
    let n = ring.degree;
    let u = ternary(private, 3 * number, n);
    let [e0, e1] = [1, 2].map(|i| errors(private, 3 * number + i, n));
    let mut fresh = vec![0; 2 * LIMBS * n];
    let limbs = result.len() / (2 * n);
    for (i, words) in result.chunks_exact(n).enumerate() {
        let (part, limb) = (i / limbs, i % limbs);
        let out = &mut fresh[(part * LIMBS + limb) * n..][..n];
        for (out, &word) in out.iter_mut().zip(words) {
            *out = if limbs == PACKED { ring.lifted(word, limb) } else { word };
        }
    }
    for limb in 0..LIMBS {
        let table = &ring.tables[limb];
        let u = ntt::transformed(ring.path, table, &u);
        for (part, e) in [&e0, &e1].into_iter().enumerate() {
            let at = (part * LIMBS + limb) * n..(part * LIMBS + limb + 1) * n;
            let zero = ntt::product(ring.path, table, &u, &public_key[at.clone()]);
            for ((word, &z), &e) in fresh[at].iter_mut().zip(&zero).zip(e) {
                *word = add(add(*word, z, table.p), residue(e, table.p), table.p);
            }
        }
    }
    let fraction = |part: usize, j: usize| {
        ring.fraction(std::array::from_fn(|l| fresh[(part * LIMBS + l) * n + j]))
    };
    for (j, out) in c1.chunks_exact_mut(width).enumerate() {
        to_wire(fraction(1, j), out);
    }
    let random = masks.words(number * 3 * n as u64, 3 * indices.len());
    let outs = c0.chunks_exact_mut(width).zip(shares);
    let masks = random.as_chunks::<3>().0.iter().map(|&random| bytes_of(random));
    for ((&index, random), (out, share)) in indices.iter().zip(masks).zip(outs) {
        to_wire(fraction(0, index as usize), out);
        let mask = from_wire(&random[..width]);
        to_wire(plus(from_wire(out), mask), out);
        *share = to_word(mask, bits).wrapping_neg() & low_bits(bits);
    }
}

/// The numbers modulo 2^bits, bits at most 64, at the wanted indices of a received result.
/// c1 s is computed over the integers, 32 bits of c1 at a time: |sum| < 2^45, far below the prime.
pub fn decrypt(
    ring: &Ring,
    secret: &Secret,
    (c1, c0, width): (&[u8], &[u8], usize),
    (indices, bits): (&[u32], u32),
    words: &mut [u64],
) {
    let table = &ring.tables[0];
    let digits: Vec<Vec<u64>> = (0..width.div_ceil(4))
        .map(|digit| {
            let mut plane: Vec<u64> = c1
                .chunks_exact(width)
                .map(|value| {
                    let bytes = &value[4 * digit..width.min(4 * digit + 4)];
                    bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
                })
                .collect();
            ntt::forward(ring.path, table, &mut plane);
            ntt::product(ring.path, table, &plane, &secret.transformed[0])
        })
        .collect();
    let outs = c0.chunks_exact(width).zip(words);
    for (&index, (c0, word)) in indices.iter().zip(outs) {
        let sum = digits.iter().rev().fold([0; 3], |sum: Wide, plane| {
            let value = plane[index as usize];
            let negative = ((table.p / 2).wrapping_sub(value) as i64) >> 63;
            let value = value.wrapping_sub(table.p & negative as u64);
            let shifted = [sum[0] << 32, sum[1] << 32 | sum[0] >> 32, sum[2] << 32 | sum[1] >> 32];
            plus(shifted, [value, negative as u64, negative as u64])
        });
        *word = to_word(plus(from_wire(c0), from_wire(&bytes_of(sum)[..width])), bits);
    }
}
