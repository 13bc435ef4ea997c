//! The homomorphic scheme BFV, for Python.

use super::arguments::{Bytes, Indices, Key, Words, check, refuse, within};
use super::results::{Made, filled};
use crate::lattice::ntt;
use crate::lattice::packing::{self, Space};
use crate::lattice::products::{self, Room, Spread};
use crate::lattice::ring::{LIMBS, PACKED, Ring};
use crate::lattice::rlwe;
use pyo3::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Bytes of a fraction: 192 bits are held.
pub fn fraction_bytes(width: usize) -> PyResult<usize> {
    check((1..=24).contains(&width), || format!("width must be 1 to 24 bytes, not {width}"))?;
    Ok(width)
}

/// The ring Z_q[X] / (X^N + 1) with its tables; holds nothing secret.
#[pyclass(frozen)]
pub struct BfvRing {
    pub ring: Ring,
    /// What ring packing works in, and the products before it: kept, for fresh memory is slow.
    space: Mutex<(Space, Room, Vec<u64>)>,
}

impl BfvRing {
    pub fn indices<'a>(&self, indices: &'a Indices) -> PyResult<&'a [u32]> {
        check(indices.iter().all(|&index| (index as usize) < self.ring.degree), || {
            "indices must lie below the degree".into()
        })?;
        Ok(indices)
    }

    /// The keys of the spacings spacing, spacing / 2, ...
    fn keys<'a>(&self, keys: &'a [Words<3>], spacing: usize) -> PyResult<Vec<&'a [u64]>> {
        let whole = [2, LIMBS, self.ring.degree];
        if let Some(levels) = keys.len().checked_sub(1) {
            self.spacing(spacing)?;
            check(spacing.checked_shr(levels as u32).is_some_and(|last| last >= 2), || {
                format!("{} keys are too many for a spacing of {spacing}", keys.len())
            })?;
        }
        keys.iter().map(|key| key.must_have(whole, "keys").map(|()| &**key)).collect()
    }

    /// `vectors` secrets of `length` numbers, and columns that lie side by side.
    fn spread(&self, (vectors, side): (usize, usize), length: usize) -> PyResult<Spread> {
        Spread::new(self.ring.degree, (vectors, side), length).ok_or_else(|| {
            refuse(format!(
                "{vectors} secrets of {length} numbers, {side} columns side by side, fit no \
                 ciphertexts"
            ))
        })
    }

    /// Whether wanted coefficients so far apart can be brought nearer.
    pub fn spacing(&self, spacing: usize) -> PyResult<usize> {
        check(spacing.is_power_of_two() && (2..=self.ring.degree / 4).contains(&spacing), || {
            format!(
                "spacing must be a power of two from 2 to a quarter of the degree, not {spacing}"
            )
        })?;
        Ok(spacing)
    }
}

#[pymethods]
impl BfvRing {
    #[new]
    #[allow(clippy::needless_pass_by_value, reason = "pyo3 extracts a vector")]
    fn new(degree: usize, primes: Vec<u64>) -> PyResult<BfvRing> {
        let ring = Ring::new(degree, &primes).ok_or_else(|| {
            refuse(format!(
                "primes must be {LIMBS} different primes from 2^49 to 2^50 that are 1 modulo \
                 twice the degree, a power of two from 64 on"
            ))
        })?;
        let space = Mutex::new((Space::new(&ring), Room::default(), Vec::new()));
        Ok(BfvRing { ring, space })
    }

    /// The instruction set in use.
    fn path(&self) -> &'static str {
        self.ring.path.name()
    }

    /// The transform of (count, N) words modulo one of the primes, or back.
    fn transform(&self, py: Python, values: Words<2>, prime: usize, back: bool) -> Made<2> {
        let [count, _] = values.shape();
        values.must_have([count, self.ring.degree], "values")?;
        check(prime < LIMBS, || format!("prime must lie below {LIMBS}, not be {prime}"))?;
        let values: &[u64] = &values;
        let table = &self.ring.tables[prime];
        check(values.iter().all(|&word| word < table.p), || "values must be reduced".into())?;
        Ok(filled(py, [count, self.ring.degree], |out| {
            out.copy_from_slice(values);
            let run = if back { ntt::inverse } else { ntt::forward };
            for polynomial in out.chunks_exact_mut(self.ring.degree) {
                run(self.ring.path, table, polynomial);
            }
        }))
    }

    /// round(q a / 2^64) of words (count, N) modulo each prime of q: (count, 3, N).
    fn encode(&self, py: Python, values: Words<2>) -> Made<3> {
        let (n, [count, _]) = (self.ring.degree, values.shape());
        values.must_have([count, n], "values")?;
        let values: &[u64] = &values;
        Ok(filled(py, [count, LIMBS, n], |out| {
            for (out, values) in out.chunks_exact_mut(LIMBS * n).zip(values.chunks_exact(n)) {
                for (j, &word) in values.iter().enumerate() {
                    for (limb, code) in self.ring.encode(word).into_iter().enumerate() {
                        out[limb * n + j] = code;
                    }
                }
            }
        }))
    }

    /// The transformed ciphertexts (count, 2, 3, N) of received bytes (count, N width).
    fn expand(&self, py: Python, public: Key, first: u64, wire: Bytes<2>) -> Made<4> {
        let (public, [count, length]) = (public.stream(), wire.shape());
        let (n, wire): (usize, &[u8]) = (self.ring.degree, &wire);
        let width = fraction_bytes(length / n)?;
        check(length == n * width, || format!("wire has {length} columns, not a multiple of {n}"))?;
        Ok(filled(py, [count, 2, LIMBS, n], |out| {
            rlwe::expand(&self.ring, (&public, first), (wire, width), out);
        }))
    }

    /// Transformed ciphertexts (groups, 2, 3, N) of V short secrets, made ready for `products`;
    /// `layout`: V, and columns that lie side by side.
    fn prepare(
        &self,
        py: Python,
        ciphertexts: Words<4>,
        layout: (usize, usize),
        length: usize,
    ) -> Made {
        let spread = self.spread(layout, length)?;
        ciphertexts.must_have([spread.groups(), 2, LIMBS, self.ring.degree], "ciphertexts")?;
        let ciphertexts: &[u64] = &ciphertexts;
        Ok(filled(py, [spread.words()], |out| {
            products::prepare(&self.ring, spread, ciphertexts, out);
        }))
    }

    /// Summands of columns of W, (columns, length) modulo 2^bits: prepared ciphertexts times
    /// columns, so many `side` by side, divided by 2^halvings and without the last prime. Every
    /// 2^keys summands are packed into one result: (results, 2, 2, N). `layout` as of `prepare`.
    #[allow(clippy::too_many_arguments, reason = "the arguments of one product")]
    fn products(
        &self,
        py: Python,
        prepared: Words,
        layout: (usize, usize),
        matrix: Words<2>,
        bits: u32,
        halvings: u32,
        keys: Vec<Words<3>>,
    ) -> Made<4> {
        let n = self.ring.degree;
        let [columns, length] = matrix.shape();
        let spread = self.spread(layout, length)?;
        prepared.must_have([spread.words()], "prepared")?;
        let (prepared, keys): (&[u64], _) = (&prepared, self.keys(&keys, spread.piece())?);
        let summands = columns.div_ceil(spread.side);
        let columns = (&*matrix, within(bits, 2..=64, "bits")?);
        let (size, run) = (2 * PACKED * n, 1 << keys.len());
        Ok(filled(py, [summands.div_ceil(run), 2, PACKED, n], |out| {
            let mut held = self.space.lock().unwrap_or_else(PoisonError::into_inner);
            let (space, room, scratch) = &mut *held;
            scratch.resize(scratch.len().max(summands * size), 0);
            let scratch = &mut scratch[..summands * size];
            let of = (&self.ring, room);
            products::products(of, spread, prepared, columns, halvings, scratch);
            let runs = scratch.chunks_mut(run * size).zip(out.chunks_exact_mut(size));
            for (summands, out) in runs {
                packing::pack_ring(&self.ring, &keys, spread.piece(), summands, space);
                out.copy_from_slice(&summands[..size]);
            }
        }))
    }

    /// Both halves of a Galois key, (2, 3, N).
    fn galois_key(&self, py: Python, public: Key, number: u64, sent: Words<2>) -> Made<3> {
        let (n, public) = (self.ring.degree, public.stream());
        sent.must_have([LIMBS, n], "sent")?;
        let sent: &[u64] = &sent;
        let reduced = sent
            .chunks_exact(n)
            .enumerate()
            .all(|(i, words)| words.iter().all(|&word| word < self.ring.p(i)));
        check(reduced, || "sent must be reduced modulo the primes".into())?;
        Ok(filled(py, [2, LIMBS, n], |out| {
            packing::galois_key(&self.ring, (&public, number), sent, out);
        }))
    }

    /// Packs summands (count, 2, 2, N), count <= 2^keys, into one result (2, 2, N); key i, of
    /// shape (2, 3, N), is that of spacing / 2^i.
    fn pack(&self, py: Python, keys: Vec<Words<3>>, spacing: usize, summands: Words<4>) -> Made<3> {
        let n = self.ring.degree;
        let keys = self.keys(&keys, spacing)?;
        let [count, ..] = summands.shape();
        summands.must_have([count, 2, PACKED, n], "summands")?;
        check((1..=1 << keys.len()).contains(&count), || {
            format!("{} keys pack at most {} summands", keys.len(), 1 << keys.len())
        })?;
        let summands: &[u64] = &summands;
        Ok(filled(py, [2, PACKED, n], |out| {
            let mut held = self.space.lock().unwrap_or_else(PoisonError::into_inner);
            let mut summands = summands.to_vec();
            packing::pack_ring(&self.ring, &keys, spacing, &mut summands, &mut held.0);
            out.copy_from_slice(&summands[..out.len()]);
        }))
    }
}
