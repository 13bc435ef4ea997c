//! Ring-LWE masks, for Python.

use super::arguments::{Bytes, Key, Words, check, refuse};
use super::results::{Made, filled};
use super::words::bins_of;
use crate::lattice::masks::{MOST_BITS, PAIR, Pads};
use pyo3::prelude::*;

/// Public polynomials of a matrix, and the exact products with them; holds nothing secret.
#[pyclass(frozen)]
pub struct RlwePads {
    pads: Pads,
}

#[pymethods]
impl RlwePads {
    #[new]
    fn new(
        py: Python,
        degree: usize,
        primes: (u64, u64),
        bits: u32,
        coins: Key,
        rows: usize,
        mirrored: bool,
    ) -> PyResult<RlwePads> {
        let (coins, primes): (_, [u64; PAIR]) = (coins.stream(), primes.into());
        let pads = py.detach(|| Pads::new(degree, primes, bits, (&coins, rows), mirrored));
        let pads = pads.ok_or_else(|| {
            refuse(format!(
                "primes must be two different primes from 2^49 to 2^50 that are 1 modulo twice \
                 the degree, bits 2 to {MOST_BITS}, rows at least 1"
            ))
        })?;
        Ok(RlwePads { pads })
    }

    /// W = M^T A modulo 2^bits of the one-hot matrix of bins (rows, features): (features
    /// n_bins, degree). For mirrored polynomials.
    fn matrix(&self, py: Python, bins: Bytes<2>, n_bins: usize) -> Made<2> {
        let [rows, features] = bins.shape();
        check(rows == self.pads.rows, || {
            format!("bins must have {} rows, not {rows}", self.pads.rows)
        })?;
        let bins = bins_of(&bins, n_bins)?;
        Ok(filled(py, [features * n_bins, self.pads.degree], |out| self.pads.matrix(bins, out)))
    }

    /// 2^shift y - a modulo 2^bits of vectors y (v, rows); pads first, first + 1, ... of the
    /// streams of secrets and errors: each serves once.
    fn masked(
        &self,
        py: Python,
        secrets: Key,
        errors: Key,
        first: u64,
        vectors: Words<2>,
        shift: u32,
    ) -> Made<2> {
        let (secrets, errors) = (secrets.stream(), errors.stream());
        let [count, rows] = vectors.shape();
        check(rows == self.pads.rows && shift < 64, || {
            format!("vectors must have {} rows, shift must lie below 64", self.pads.rows)
        })?;
        let vectors: &[u64] = &vectors;
        Ok(filled(py, [count, rows], |out| {
            self.pads.masked((&secrets, &errors), first, (vectors, shift), out);
        }))
    }
}
