//! Scores of rows on request, for Python: trees of one side, products of bits and words, rounding.
//!
//! A service scores a row at a time: what is short keeps Python's lock, since to give it away and
//! to wait for it costs more than the work.

use super::arguments::{Bytes, Given, Indices, Lines, Words, check, refuse, within};
use super::results::Array;
use crate::words::bits::packed_length;
use crate::words::forest::{self, Marks, Split};
use crate::words::{private_bits, rounding};
use numpy::{PyArray, PyArrayMethods};
use pyo3::prelude::*;

/// Words up to which work keeps the lock: some tens of microseconds.
const SHORT: usize = 1 << 15;

/// Runs short work at once, and lets other threads run beside longer one.
fn beside(py: Python, words: usize, work: impl FnOnce() + Send) {
    if words <= SHORT { work() } else { py.detach(work) }
}

/// One side's half of all owned trees of a model.
#[pyclass(frozen)]
pub struct Forest(forest::Forest);

type MarkArrays = (Array<u8, 2>, Array<u64, 2>, Array<u64, 2>);

#[pymethods]
impl Forest {
    #[new]
    fn new(
        own: Bytes<2>,
        features: Indices,
        thresholds: Given<f64, 1>,
        sides: Bytes<2>,
        leaves: Words<2>,
        outputs: usize,
    ) -> PyResult<Self> {
        let ([_, trees], count) = (own.shape(), features.len());
        check(thresholds.len() == count, || "a threshold for each feature is needed".into())?;
        sides.must_have([2, count], "sides")?;
        let split = |at: usize| Split {
            feature: features[at] as usize,
            threshold: thresholds[at],
            missing_left: sides[at] != 0,
            one_hot: sides[count + at] != 0,
        };
        let splits = (0..count).map(split).collect();
        let made = forest::Forest::new(&own, trees, outputs, splits, &leaves);
        made.map(Forest).ok_or_else(|| refuse("nodes, splits, leaves or outputs do not fit".into()))
    }

    fn marks(&self, py: Python, values: Given<f64, 2>) -> PyResult<MarkArrays> {
        let ([rows, columns], [own, others]) = (values.shape(), self.0.counts());
        check(columns >= self.0.columns(), || {
            format!("rows of {} columns are needed, not {columns}", self.0.columns())
        })?;
        let bits = PyArray::zeros(py, [own, rows], false);
        let words =
            [others, self.0.outputs()].map(|count| PyArray::zeros(py, [count, rows], false));
        let (mut held, values) = (bits.readwrite(), &*values);
        let mut rest = words.each_ref().map(PyArrayMethods::readwrite);
        let bits_out = held.as_slice_mut().expect("new: contiguous");
        let [offered, sums] = rest.each_mut().map(|of| of.as_slice_mut().expect("contiguous"));
        beside(py, self.0.work(rows), || {
            self.0.marks(values, columns, &mut Marks { bits: bits_out, offered, sums });
        });
        drop((held, rest));
        let [offered, sums] = words.map(Bound::unbind);
        Ok((bits.unbind(), offered, sums))
    }
}

fn packed_words(count: usize, bits: u32) -> PyResult<usize> {
    let length = packed_length(count, within(bits, 1..=64, "ring_bits")?);
    length.map(|bytes| bytes.div_ceil(8)).ok_or_else(|| refuse("too many words".into()))
}

/// The message, and the share of the words' products so far.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // of Python
pub fn multiplex_apart_send(
    py: Python,
    bits: Bytes,
    choices: Words,
    filling: u64,
    words: Words,
    zero: Words,
    one: Words,
    ring_bits: u32,
) -> PyResult<(Array<u64, 1>, Array<u64, 1>)> {
    let (flips, dense) = (bits.len().div_ceil(64), packed_words(words.len(), ring_bits)?);
    let is_fit = choices.len() == flips && zero.len() == words.len() && one.len() == words.len();
    check(is_fit, || "bits, choices, words and messages do not fit".into())?;
    let arrays = [flips + dense, words.len()].map(|count| PyArray::zeros(py, [count], false));
    let mut held = arrays.each_ref().map(PyArrayMethods::readwrite);
    let [out, share] = held.each_mut().map(|of| of.as_slice_mut().expect("new: contiguous"));
    let own: (&[u8], &[u64], u64) = (&bits, &choices, filling);
    let offered: (&[u64], [&[u64]; 2], u32) = (&words, [&zero, &one], ring_bits);
    beside(py, own.0.len() + offered.0.len(), || {
        private_bits::apart_sent(own, offered, share, out);
    });
    drop(held);
    let [out, share] = arrays.map(Bound::unbind);
    Ok((out, share))
}

/// Shares of the products of own bits, and of own words.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // of Python
pub fn multiplex_apart_take(
    py: Python,
    came: Words,
    bits: Bytes,
    choices: Words,
    chosen: Words,
    kept: Words,
    words: Words,
    share: Words,
    ring_bits: u32,
) -> PyResult<(Array<u64, 1>, Array<u64, 1>)> {
    let (count, other) = (bits.len(), words.len());
    let size = other.div_ceil(64) + packed_words(count, ring_bits)?;
    let is_fit = came.len() == size
        && choices.len() == count.div_ceil(64)
        && chosen.len() == count
        && kept.len() == count
        && share.len() == other;
    check(is_fit, || "bits, choices, messages, words and shares do not fit".into())?;
    let arrays = [&kept, &share].map(|of| PyArray::from_slice(py, of));
    let mut held = arrays.each_ref().map(PyArrayMethods::readwrite);
    let [kept, given] = held.each_mut().map(|of| of.as_slice_mut().expect("new: contiguous"));
    let (came, bits, choices): (&[u64], &[u8], &[u64]) = (&came, &bits, &choices);
    let (chosen, words): (&[u64], &[u64]) = (&chosen, &words);
    beside(py, count + other, || {
        kept.iter_mut().zip(bits).for_each(|(word, &bit)| *word &= u64::from(bit).wrapping_neg());
        let own = (bits, choices, chosen, kept);
        private_bits::apart_came(came, own, (words, given), ring_bits);
    });
    drop(held);
    let [kept, given] = arrays.map(Bound::unbind);
    Ok((kept, given))
}

/// How numbers are rounded, and the messages of it.
#[pyclass(frozen)]
pub struct Rounder(rounding::Rounding);

#[pymethods]
impl Rounder {
    #[new]
    fn new(
        ring_bits: u32,
        bits: u32,
        factor: u64,
        result_bits: u32,
        entry_bits: u32,
    ) -> PyResult<Self> {
        let how = rounding::Rounding { ring_bits, bits, factor, result_bits, entry_bits };
        check(how.is_fit(), || "numbers that are rounded do not fit words".into())?;
        Ok(Rounder(how))
    }

    fn random_words(&self, count: usize) -> usize {
        self.0.random_words(count)
    }

    fn ask(&self, py: Python, own: Words, choices: Words, filling: u64) -> PyResult<Array<u64, 1>> {
        let size = self.0.transfers(own.len()).div_ceil(64);
        choices.must_have([size], "choices")?;
        let (own, choices): (&[u64], &[u64]) = (&own, &choices);
        Ok(self.made(py, own.len(), size, |out| self.0.ask(own, choices, filling, out)))
    }

    fn open(&self, py: Python, own: Words, chosen: Lines, sent: Words) -> PyResult<Array<u64, 1>> {
        let count = own.len();
        let size = packed_length(self.0.entries(count), self.0.entry_bits);
        let size = size.ok_or_else(|| refuse("too many words".into()))?;
        sent.must_have([size.div_ceil(8)], "sent")?;
        let chosen = self.lines(&chosen, count)?;
        let (own, sent): (&[u64], &[u64]) = (&own, &sent);
        Ok(self.made(py, count, count, |out| {
            let bytes = crate::words::bits::bytes_of(sent, size);
            self.0.open(own, chosen, &bytes, out);
        }))
    }

    fn answer(
        &self,
        py: Python,
        own: Words,
        zero: Lines,
        one: Lines,
        flips: Words,
        random: Words,
    ) -> PyResult<Array<u64, 1>> {
        let count = own.len();
        flips.must_have([self.0.transfers(count).div_ceil(64)], "flips")?;
        random.must_have([self.0.random_words(count)], "random")?;
        let ends = [self.lines(&zero, count)?, self.lines(&one, count)?];
        let size = packed_length(self.0.entries(count), self.0.entry_bits);
        let size = size.ok_or_else(|| refuse("too many words".into()))?;
        let (own, flips, random): (&[u64], &[u64], &[u64]) = (&own, &flips, &random);
        Ok(self.made(py, count, size.div_ceil(8), |out| {
            let mut bytes = vec![0; size];
            self.0.answer(own, ends, flips, random, &mut bytes);
            crate::words::bits::whole_words(&bytes, out);
        }))
    }
}

impl Rounder {
    /// Both words of the transfers of so many numbers.
    fn lines<'a>(&self, of: &'a Lines, count: usize) -> PyResult<[&'a [u64]; 2]> {
        let needed = self.0.transfers(count);
        check(of.width() == 2 && of.length() >= needed, || {
            format!(
                "{needed} transfers of 2 words are needed, not {} of {}",
                of.length(),
                of.width()
            )
        })?;
        let lines = of.lines();
        Ok([lines[0], lines[1]])
    }

    fn made(
        &self,
        py: Python,
        count: usize,
        size: usize,
        work: impl FnOnce(&mut [u64]) + Send,
    ) -> Array<u64, 1> {
        let array = PyArray::zeros(py, [size], false);
        let mut held = array.readwrite();
        let out = held.as_slice_mut().expect("new: contiguous");
        beside(py, self.0.entries(count), || work(out));
        drop(held);
        array.unbind()
    }
}
