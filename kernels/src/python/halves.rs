//! Words and bits kept where shared bits are set, for Python.

use super::arguments::{Bytes, Lines, Pair, Words, check, within};
use super::results::Array;
use crate::words::halves::{self, Offered};
use numpy::{PyArray, PyArrayMethods};
use pyo3::prelude::*;

/// Words up to which work keeps Python's lock, as in `row_scores`.
const SHORT: usize = 1 << 15;

type Shares = (Array<u64, 2>, Array<u64, 2>);

/// What is offered, checked: lanes of gaps, at most as many lines of strings, own bits.
fn offered<'a>(
    gaps: &'a Words<'_, 2>,
    strings: &'a Words<'_, 2>,
    own: &'a Bytes,
    ring_bits: u32,
) -> PyResult<Offered<'a>> {
    let ([lanes, count], [lines, length]) = (gaps.shape(), strings.shape());
    let is_fit = count > 0
        && own.len() == count
        && lanes.is_power_of_two()
        && lines <= lanes
        && (lines == 0 || length == count.div_ceil(64));
    check(is_fit, || format!("{lanes} gaps and {lines} strings of {count} elements do not fit"))?;
    let ring_bits = within(ring_bits, 1..=63, "ring_bits")?;
    Ok(Offered { gaps, strings, own, ring_bits })
}

/// Messages of so many lanes: one word each, or two.
fn messages<'a>(of: &'a Lines, lanes: usize, count: usize) -> PyResult<Vec<&'a [u64]>> {
    let width = lanes.min(2);
    check(of.width() == width && of.length() >= count, || {
        format!(
            "{count} transfers of {width} words are needed, not {} of {}",
            of.length(),
            of.width()
        )
    })?;
    Ok(of.lines())
}

/// Runs short work at once, and lets other threads run beside longer one.
fn beside(py: Python, words: usize, work: impl FnOnce() + Send) {
    if words <= SHORT { work() } else { py.detach(work) }
}

/// The message, and shares of choice times gap and choice times string so far.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // of Python
pub fn halves_offer(
    py: Python,
    gaps: Words<2>,
    strings: Words<2>,
    own: Bytes,
    choices: Words,
    filling: u64,
    zero: Lines,
    one: Lines,
    key: Pair,
    ring_bits: u32,
) -> PyResult<(Array<u64, 1>, Array<u64, 2>, Array<u64, 2>)> {
    let (given, [lanes, count]) = (offered(&gaps, &strings, &own, ring_bits)?, gaps.shape());
    choices.must_have([count.div_ceil(64)], "choices")?;
    let ends = [messages(&zero, lanes, count)?, messages(&one, lanes, count)?];
    let message = PyArray::zeros(py, [given.message_words()], false);
    let made = [gaps.shape(), strings.shape()].map(|shape| PyArray::zeros(py, shape, false));
    let (mut out, mut held) = (message.readwrite(), made.each_ref().map(PyArrayMethods::readwrite));
    let to = out.as_slice_mut().expect("new: contiguous");
    let [shares, kept] = held.each_mut().map(|of| of.as_slice_mut().expect("new: contiguous"));
    let choices: &[u64] = &choices;
    beside(py, lanes * count, || {
        let ends = (ends.each_ref().map(Vec::as_slice), key.0);
        halves::offer(given, (choices, filling), ends, (shares, kept), to);
    });
    drop((out, held));
    let [shares, kept] = made.map(Bound::unbind);
    Ok((message.unbind(), shares, kept))
}

/// Shares of bit times gap and bit times string.
#[pyfunction]
#[allow(clippy::too_many_arguments)] // of Python
pub fn halves_accept(
    py: Python,
    came: Words,
    gaps: Words<2>,
    strings: Words<2>,
    own: Bytes,
    choices: Words,
    chosen: Lines,
    key: Pair,
    shares: Words<2>,
    kept: Words<2>,
    ring_bits: u32,
) -> PyResult<Shares> {
    let (given, [lanes, count]) = (offered(&gaps, &strings, &own, ring_bits)?, gaps.shape());
    choices.must_have([count.div_ceil(64)], "choices")?;
    came.must_have([given.message_words()], "came")?;
    shares.must_have(gaps.shape(), "shares")?;
    kept.must_have(strings.shape(), "kept")?;
    let known = messages(&chosen, lanes, count)?;
    let made = [gaps.shape(), strings.shape()].map(|shape| PyArray::zeros(py, shape, false));
    let mut held = made.each_ref().map(PyArrayMethods::readwrite);
    let [words, bits] = held.each_mut().map(|of| of.as_slice_mut().expect("new: contiguous"));
    words.copy_from_slice(&shares);
    bits.copy_from_slice(&kept);
    let (came, choices): (&[u64], &[u64]) = (&came, &choices);
    beside(py, lanes * count, || {
        halves::accept(given, came, choices, (&known, key.0), (words, bits));
    });
    drop(held);
    let [words, bits] = made.map(Bound::unbind);
    Ok((words, bits))
}
