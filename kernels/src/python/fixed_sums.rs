//! Sums of fixed words by private bits, for Python: what has secrets keeps them, and what has
//! numbers counts them.

use super::arguments::{Bytes, Key, Words, check, refuse};
use super::results::{Array, Column, filled, filled_beside};
use crate::lattice::fixed_sums::{DEGREE, Layout, Sums, WordsKey};
use numpy::PyArrayMethods;
use pyo3::prelude::*;

/// Of trees, words of a tree, bits of a word and of what leaves.
fn layout((trees, words, word_bits, sent_bits): (usize, usize, u32, u32)) -> PyResult<Layout> {
    Layout::new((trees, words), (word_bits, sent_bits)).ok_or_else(|| {
        refuse(format!(
            "{words} words of {word_bits} bits for each of {trees} trees, sent in {sent_bits}, do \
             not fit the ring"
        ))
    })
}

fn no_prime() -> PyErr {
    refuse(format!("prime must lie between 2^49 and 2^50 and be 1 modulo {}", 2 * DEGREE))
}

/// Words under a small secret: the key that opens results.
#[pyclass(frozen)]
pub(super) struct FixedWordsKey {
    layout: Layout,
    key: WordsKey,
}

#[pymethods]
impl FixedWordsKey {
    /// The key and what is sent once, of words (trees, K). A key encrypts once, which is here;
    /// all streams are new.
    #[staticmethod]
    fn encrypt(
        py: Python,
        layout_of: (usize, usize, u32, u32),
        prime: u64,
        coins: Key,
        secrets: Key,
        errors: Key,
        words: Words<2>,
    ) -> PyResult<(FixedWordsKey, Array<u8, 1>)> {
        let layout = layout(layout_of)?;
        words.must_have([layout.trees, layout.words], "words")?;
        let words: &[u64] = &words;
        let [secrets, errors, coins] = [secrets, errors, coins].map(Key::stream);
        let key = WordsKey::new(layout, prime, &secrets).ok_or_else(no_prime)?;
        let upload = filled(py, [layout.upload_bytes()], |out| {
            key.encrypt((&errors, &coins), words, out);
        });
        Ok((FixedWordsKey { layout, key }, upload))
    }

    /// This side's shares of the sums of so many rows, (trees rows,), from results that came.
    fn read(&self, py: Python, sent: Bytes<2>, rows: usize) -> PyResult<Column> {
        sent.must_have([self.layout.results(rows), self.layout.sent_bytes()], "sent")?;
        let sent: &[u8] = &sent;
        Ok(filled(py, [self.layout.trees * rows], |out| self.key.read(sent, rows, out)))
    }
}

/// What the owner of the bits adds up with. Its numbers are counted here and nowhere else, as long
/// as the key lives.
#[pyclass(frozen)]
pub(super) struct FixedSums {
    layout: Layout,
    sums: Sums,
    /// NumPy has large pages for them.
    tables: Column,
}

#[pymethods]
impl FixedSums {
    /// `received`: what the owner of the words sent; `private`: a key that serves this object
    /// alone.
    #[new]
    fn new(
        py: Python,
        layout_of: (usize, usize, u32, u32),
        prime: u64,
        coins: Key,
        received: Bytes<1>,
        private: Key,
    ) -> PyResult<FixedSums> {
        let layout = layout(layout_of)?;
        received.must_have([layout.upload_bytes()], "received")?;
        let received: &[u8] = &received;
        let (coins, private) = (coins.stream(), private.stream());
        let mut sums = None;
        let tables = filled(py, [layout.table_words()], |tables| {
            sums = Sums::new((layout, prime), (&coins, received), private, tables);
        });
        Ok(FixedSums { layout, sums: sums.ok_or_else(no_prime)?, tables })
    }

    /// Results that were made: the number of the next one.
    #[getter]
    fn used(&self) -> u64 {
        self.sums.used()
    }

    /// What leaves, (results, bytes of one), and this side's shares, (trees rows,), of the sums of
    /// so many rows by bits (K, ceil(trees rows / 64)): of the other side's words, and of the
    /// `own` ones (trees, K).
    fn add_up(
        &self,
        py: Python,
        bits: Words<2>,
        own: Words<2>,
        rows: usize,
    ) -> PyResult<(Array<u8, 2>, Column)> {
        let layout = self.layout;
        check(rows > 0, || "there are no rows".into())?;
        bits.must_have([layout.words, (layout.trees * rows).div_ceil(64)], "bits")?;
        own.must_have([layout.trees, layout.words], "own")?;
        let (bits, own): (&[u64], &[u64]) = (&bits, &own);
        let tables = self.tables.bind(py).readonly();
        let tables = tables.as_slice().expect("new: contiguous");
        let shape = [layout.results(rows), layout.sent_bytes()];
        let (sent, [shares]) =
            filled_beside(py, shape, [[layout.trees * rows]], |sent, [shares]| {
                self.sums.add_up(tables, (bits, own), rows, (sent, shares));
            });
        Ok((sent, shares))
    }
}
