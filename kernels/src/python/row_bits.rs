//! Row bits, for Python: what has secrets keeps them, and what has numbers counts them.

use super::arguments::{Bytes, Given, Key, Words, check, refuse};
use super::results::{Array, Column, Made, filled, filled_beside, filled_too};
use super::words::bins_of;
use crate::lattice::row_bits::ring::DEGREE;
use crate::lattice::row_bits::{BitsKey, Grid, Layout, SENT_BYTES, Sums};
use crate::words::bits::copy_bits;
use crate::words::histogram::Bins;
use pyo3::prelude::*;

/// Of nodes, groups and rows a result.
fn layout((nodes, groups, rows): (usize, usize, usize)) -> PyResult<Layout> {
    Layout::new(nodes, groups, rows).ok_or_else(|| {
        refuse(format!(
            "{rows} rows of {nodes} nodes in {groups} groups do not fit {DEGREE} coefficients"
        ))
    })
}

/// Bits under small secrets: the key that opens results.
#[pyclass(frozen)]
pub(super) struct RowBitsKey {
    layout: Layout,
    key: BitsKey,
}

#[pymethods]
impl RowBitsKey {
    /// The key and the ciphertexts, (groups, buckets + 1, N), of bits (buckets, ceil(nodes / 64)).
    /// A key encrypts once, which is here; all streams are new.
    #[staticmethod]
    fn encrypt(
        py: Python,
        layout_of: (usize, usize, usize),
        coins: Key,
        secrets: Key,
        errors: Key,
        bits: Words<2>,
    ) -> PyResult<(RowBitsKey, Array<u16, 3>)> {
        let layout = layout(layout_of)?;
        let [buckets, line] = bits.shape();
        check(line == layout.nodes.div_ceil(64), || {
            format!("bits of {} nodes are {} words", layout.nodes, layout.nodes.div_ceil(64))
        })?;
        let bits: &[u64] = &bits;
        let streams = [secrets, errors, coins].map(Key::stream);
        let key = BitsKey::new(layout, &streams[0]);
        let upload = filled(py, [layout.groups, buckets + 1, DEGREE], |out| {
            key.encrypt((&streams[1], &streams[2]), bits, out);
        });
        Ok((RowBitsKey { layout, key }, upload))
    }

    /// Both readings of the results of so many rows, (results, SENT_BYTES): bits without a gap.
    fn read(&self, py: Python, sent: Bytes<2>, rows: usize) -> PyResult<(Column, Column)> {
        sent.must_have([self.layout.results(rows), SENT_BYTES], "sent")?;
        let (sent, words): (&[u8], _) = (&sent, self.layout.words(rows));
        let readings = filled_too(py, [[words]; 2], |[zero, one]| {
            self.key.read(sent, rows, zero, one);
        });
        Ok(readings.into())
    }
}

/// What the owner of a one-hot matrix adds up with. Its numbers are counted here and nowhere else,
/// as long as the key lives.
#[pyclass(frozen)]
pub(super) struct RowBitsSums {
    layout: Layout,
    sums: Sums,
}

#[pymethods]
impl RowBitsSums {
    /// `received`: (groups, buckets + 1, N); `private`: a key that serves this object alone.
    #[new]
    fn new(
        py: Python,
        layout_of: (usize, usize, usize),
        coins: Key,
        received: Given<u16, 3>,
        private: Key,
    ) -> PyResult<RowBitsSums> {
        let layout = layout(layout_of)?;
        let [_, polynomials, _] = received.shape();
        received.must_have([layout.groups, polynomials.max(1), DEGREE], "received")?;
        let received: &[u16] = &received;
        let sums = py.detach(|| Sums::new(layout, &coins.stream(), received, private.stream()));
        Ok(RowBitsSums { layout, sums })
    }

    /// Results that were made: the number of the next one.
    #[getter]
    fn used(&self) -> u64 {
        self.sums.used()
    }

    /// What leaves, (results, SENT_BYTES), and the upper and lower bits of what stays, without a gap.
    fn add_up(
        &self,
        py: Python,
        bins: Bytes<2>,
        n_bins: usize,
    ) -> PyResult<(Array<u8, 2>, Column, Column)> {
        let [rows, columns] = bins.shape();
        check(columns * n_bins == self.sums.buckets() && columns > 0, || {
            format!("{columns} columns of {n_bins} bins are not {} buckets", self.sums.buckets())
        })?;
        let bins: Bins<'_> = bins_of(&bins, n_bins)?;
        let words = self.layout.words(rows);
        let shape = [self.layout.results(rows), SENT_BYTES];
        let (sent, [high, low]) = filled_beside(py, shape, [[words]; 2], |sent, [high, low]| {
            self.sums.add_up(bins, Grid { sent, high, low });
        });
        Ok((sent, high, low))
    }
}

/// Bits of rows, `nodes` each without a gap, from the first row on, as lines of whole words.
#[pyfunction]
pub(super) fn bit_lines(py: Python, bits: Words<1>, rows: usize, nodes: usize) -> Made<2> {
    let needed = rows.checked_mul(nodes).map(|count| count.div_ceil(64));
    check(nodes > 0 && needed == Some(bits.len()), || {
        format!("{} words do not hold {rows} rows of {nodes} bits", bits.len())
    })?;
    let (bits, line): (&[u64], _) = (&bits, nodes.div_ceil(64));
    Ok(filled(py, [rows, line], |out| {
        for (row, out) in out.chunks_exact_mut(line).enumerate() {
            copy_bits(bits, row * nodes, nodes, out, 0);
        }
    }))
}
