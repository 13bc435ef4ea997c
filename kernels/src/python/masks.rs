//! Ring-LWE masks, for Python.

use super::arguments::{Bytes, Key, Words, check, refuse, within};
use super::results::{Made, filled};
use super::words::bins_of;
use crate::lattice::masks::matrix::Matrix;
use crate::lattice::masks::{MOST_BITS, PAIR, Pads};
use pyo3::prelude::*;

/// Public polynomials of a matrix, and exact products with short secrets; holds nothing secret.
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
    ) -> PyResult<RlwePads> {
        let (coins, primes): (_, [u64; PAIR]) = (coins.stream(), primes.into());
        let pads = py.detach(|| Pads::new(degree, primes, bits, (&coins, rows)));
        let pads = pads.ok_or_else(|| {
            refuse(format!(
                "primes must be two different primes from 2^49 to 2^50 that are 1 modulo twice \
                 the degree, bits 2 to {MOST_BITS}, rows at least 1"
            ))
        })?;
        Ok(RlwePads { pads })
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

/// Public polynomials of several pads, and W = M^T A of each; holds nothing secret.
#[pyclass(frozen)]
pub struct RlweMatrix {
    matrix: Matrix,
}

#[pymethods]
impl RlweMatrix {
    #[new]
    fn new(
        py: Python,
        degree: usize,
        prime: u64,
        bits: Vec<u32>,
        coins: Vec<Key>,
        rows: usize,
    ) -> PyResult<RlweMatrix> {
        check(bits.len() == coins.len(), || "bits and coins must be as many".into())?;
        let coins = coins.into_iter().map(Key::stream);
        let coins: Vec<_> = bits.into_iter().zip(coins).collect();
        let matrix = py.detach(|| Matrix::new((degree, prime), &coins, rows));
        let matrix = matrix.ok_or_else(|| {
            refuse(format!(
                "the prime must lie between 2^49 and 2^50 and be 1 modulo twice the degree, bits \
                 must be 2 to {MOST_BITS}, rows at least 1"
            ))
        })?;
        Ok(RlweMatrix { matrix })
    }

    /// W of pads first.. first + count, each modulo 2^bits, of the one-hot matrix of bins (rows,
    /// features): (count, features n_bins, degree).
    fn of(&self, py: Python, bins: Bytes<2>, n_bins: usize, first: usize, count: usize) -> Made<3> {
        let ([rows, features], of) = (bins.shape(), &self.matrix);
        check(rows == of.rows, || format!("bins must have {} rows, not {rows}", of.rows))?;
        let bins = bins_of(&bins, n_bins)?;
        let first = within(first, 0..=of.count(), "first")?;
        let count = within(count, 0..=of.count() - first, "count")?;
        let shape = [count, features * n_bins, of.degree];
        Ok(filled(py, shape, |out| of.of(bins, first..first + count, out)))
    }
}
