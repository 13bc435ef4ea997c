//! What has randomness of its own in BFV, for Python: each polynomial of its streams serves once,
//! because the numbers are counted here and nowhere else.

use super::arguments::{Bytes, Indices, Key, Words, check, within};
use super::lattice::{BfvRing, fraction_bytes};
use super::results::{Array, Column, Made, filled, filled_too};
use crate::lattice::packing;
use crate::lattice::ring::{LIMBS, PACKED, Ring, ternary};
use crate::lattice::rlwe::{self, Secret};
use crate::words::prg::Stream;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// A secret key with the streams of its ciphertexts: of the public halves, and of the errors.
#[pyclass(frozen)]
pub struct BfvSecretKey {
    ring: Py<BfvRing>,
    secret: Secret,
    public: Stream,
    errors: Stream,
    used: AtomicU64,
}

impl BfvSecretKey {
    fn ring(&self) -> &Ring {
        &self.ring.get().ring
    }

    /// The first of so many numbers, which are used up.
    fn take(&self, count: usize) -> u64 {
        self.used.fetch_add(count as u64, Ordering::Relaxed)
    }
}

#[pymethods]
impl BfvSecretKey {
    #[new]
    fn new(ring: Py<BfvRing>, secret: Key, public: Key, errors: Key) -> BfvSecretKey {
        BfvSecretKey {
            secret: Secret::new(&ring.get().ring, &secret.0),
            ring,
            public: public.stream(),
            errors: errors.stream(),
            used: AtomicU64::new(0),
        }
    }

    /// Ciphertexts and Galois keys that were made: the number of the next one.
    #[getter]
    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// c0 of encryptions of vectors (count, length), as (count, N width) bytes.
    fn encrypt(&self, py: Python, values: Words<2>, width: usize) -> PyResult<Array<u8, 2>> {
        let (ring, [count, length]) = (self.ring(), values.shape());
        check((1..=ring.degree).contains(&length), || {
            format!("values must have 1 to {} columns, not {length}", ring.degree)
        })?;
        let (values, width): (&[u64], usize) = (&values, fraction_bytes(width)?);
        Ok(filled(py, [count, ring.degree * width], |out| {
            let at = (&self.public, &self.errors, self.take(count));
            let code = |i: usize, codes: &mut [u64]| {
                rlwe::words_code(ring, &values[i * length..(i + 1) * length], codes);
            };
            rlwe::encrypt(ring, &self.secret, at, code, (out, width));
        }))
    }

    /// c0 of encryptions of short secrets first..first + count of a stream, ternary, modulo
    /// 2^bits. `numbers`: of each, and of each in a ciphertext; (ciphertexts, N width) bytes.
    fn encrypt_ternary(
        &self,
        py: Python,
        secrets: Key,
        vectors: (u64, usize),
        numbers: (usize, usize),
        bits: u32,
        width: usize,
    ) -> PyResult<Array<u8, 2>> {
        let (ring, secrets, (first, count)) = (self.ring(), secrets.stream(), vectors);
        let (length, piece) = numbers;
        let n = ring.degree;
        let fits = count.is_power_of_two() && piece.is_power_of_two() && length <= n;
        check(fits && count * piece <= n && length > 0 && length.is_multiple_of(piece), || {
            format!("{count} vectors of {length} numbers do not lie in pieces of {piece}")
        })?;
        let (bits, width, groups) =
            (within(bits, 2..=64, "bits")?, fraction_bytes(width)?, length / piece);
        Ok(filled(py, [groups, n * width], |out| {
            let all: Vec<i64> =
                (0..count as u64).flat_map(|v| ternary(&secrets, first + v, length)).collect();
            let at = (&self.public, &self.errors, self.take(groups));
            let code = |group: usize, codes: &mut [u64]| {
                rlwe::shorts_code(ring, (&all, length), (group, piece, bits), codes);
            };
            rlwe::encrypt(ring, &self.secret, at, code, (out, width));
        }))
    }

    /// The sent half of a Galois key, (3, N).
    fn galois_key_half(&self, py: Python, spacing: usize) -> Made<2> {
        let (ring, spacing) = (self.ring(), self.ring.get().spacing(spacing)?);
        Ok(filled(py, [LIMBS, ring.degree], |out| {
            let at = (&self.public, &self.errors, self.take(1));
            packing::galois_key_half(ring, &self.secret, at, spacing, out);
        }))
    }

    /// The numbers modulo 2^bits at the indices of a received result.
    fn decrypt(&self, py: Python, c1: Bytes, c0: Bytes, indices: Indices, bits: u32) -> Made {
        let (ring, c1, c0): (&Ring, &[u8], &[u8]) = (self.ring(), &c1, &c0);
        let indices = self.ring.get().indices(&indices)?;
        let width = fraction_bytes(c1.len() / ring.degree)?;
        check(c1.len() == ring.degree * width && c0.len() == indices.len() * width, || {
            format!("c1 and c0 must hold fractions of {width} bytes each")
        })?;
        let bits = within(bits, 2..=64, "bits")?;
        Ok(filled(py, [indices.len()], |out| {
            rlwe::decrypt(ring, &self.secret, (c1, c0, width), (indices, bits), out);
        }))
    }
}

type Switched = (Array<u8, 1>, Array<u8, 1>, Column);

/// What makes results fit to leave: the other side's public key, and the streams of encryptions
/// of zero and of masks.
#[pyclass(frozen)]
pub struct BfvMasker {
    ring: Py<BfvRing>,
    public_key: Vec<u64>,
    errors: Stream,
    masks: Stream,
    used: AtomicU64,
}

#[pymethods]
impl BfvMasker {
    /// `public_key`: transformed, (2, 3, N).
    #[new]
    #[allow(clippy::needless_pass_by_value, reason = "pyo3 extracts an array")]
    fn new(
        ring: Py<BfvRing>,
        public_key: Words<3>,
        errors: Key,
        masks: Key,
    ) -> PyResult<BfvMasker> {
        public_key.must_have([2, LIMBS, ring.get().ring.degree], "public_key")?;
        let (public_key, errors, masks) = (public_key.to_vec(), errors.stream(), masks.stream());
        Ok(BfvMasker { ring, public_key, errors, masks, used: AtomicU64::new(0) })
    }

    /// Results that were made fit to leave: the number of the next one.
    #[getter]
    fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// A result (2, 3, N), or (2, 2, N) of packing, made fit to leave: c1 (N width), c0 (indices width) bytes and the own
    /// share modulo 2^bits, (indices,).
    fn rerandomise_and_switch(
        &self,
        py: Python,
        result: Words<3>,
        indices: Indices,
        width: usize,
        bits: u32,
    ) -> PyResult<Switched> {
        let ring = &self.ring.get().ring;
        let [_, limbs, _] = result.shape();
        result.must_have([2, limbs.clamp(PACKED, LIMBS), ring.degree], "result")?;
        let indices = self.ring.get().indices(&indices)?;
        let (result, width, bits): (&[u64], _, _) =
            (&result, fraction_bytes(width)?, within(bits, 2..=64, "bits")?);
        let mut own = vec![0; indices.len()];
        let shapes = [[ring.degree * width], [indices.len() * width]];
        let [c1, c0] = filled_too(py, shapes, |[c1, c0]| {
            let number = self.used.fetch_add(1, Ordering::Relaxed);
            let streams = (&self.errors, &self.masks, number);
            let out = ((c1, c0, width), (&mut *own, bits));
            rlwe::rerandomise_and_switch(ring, &self.public_key, streams, (result, indices), out);
        });
        let shares = filled(py, [indices.len()], |out| out.copy_from_slice(&own));
        Ok((c1, c0, shares))
    }
}
