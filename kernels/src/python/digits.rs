//! Digits from oblivious transfers, for Python.

use super::arguments::{Bytes, Words, check};
use super::results::{Made, filled};
use crate::ot::digits::{self, BITS, ENTRIES};
use crate::simd::path::Path;
use pyo3::prelude::*;

/// n of digits in slices, (4, n).
fn digits_of(held: &Words<2>, name: &str) -> PyResult<usize> {
    let [bits, n] = held.shape();
    check(bits == BITS, || format!("{name} must have {BITS} rows, not {bits}"))?;
    Ok(n)
}

fn width_of(width: usize) -> PyResult<usize> {
    check([2, 7, 8].contains(&width), || format!("width must be 2, 7 or 8, not {width}"))?;
    Ok(width)
}

/// The sender's share (row 0) and its answers (the other rows), (16, width, n).
#[pyfunction]
pub fn digit_answer(
    py: Python,
    messages: Words<3>,
    flips: Words<2>,
    own: Words<2>,
    free: Bytes,
    width: usize,
) -> Made<3> {
    let n = digits_of(&own, "own")?;
    flips.must_have([BITS, n], "flips")?;
    messages.must_have([ENTRIES, width_of(width)?, n], "messages")?;
    free.must_have([n], "free")?;
    let [messages, flips, own]: [&[u64]; 3] = [&messages, &flips, &own];
    let own = (own, &*free);
    Ok(filled(py, [ENTRIES, width, n], |out| {
        digits::answer(Path::best(), messages, flips, own, width, out);
    }))
}

/// The receiver's share, (width, n).
#[pyfunction]
pub fn digit_take(py: Python, answers: Words<3>, chosen: Words<2>, own: Words<2>) -> Made<2> {
    let n = digits_of(&own, "own")?;
    let width = width_of(chosen.shape()[0])?;
    chosen.must_have([width, n], "chosen")?;
    answers.must_have([ENTRIES - 1, width, n], "answers")?;
    let (answers, chosen, own): (&[u64], &[u64], &[u64]) = (&answers, &chosen, &own);
    Ok(filled(py, [width, n], |out| {
        digits::take(Path::best(), answers, chosen, own, width, out);
    }))
}

/// All pads of a sender, (16, width, n), from its keys (8 width, 4 n).
#[pyfunction]
pub fn digit_pads(py: Python, zero: Words<2>, one: Words<2>) -> Made<3> {
    let [rows, columns] = zero.shape();
    let (width, n) = (width_of(rows / 8)?, columns / BITS);
    zero.must_have([8 * width, BITS * n], "zero")?;
    one.must_have([rows, columns], "one")?;
    let keys: [&[u64]; 2] = [&zero, &one];
    Ok(filled(py, [ENTRIES, width, n], |out| digits::pads(Path::best(), keys, width, n, out)))
}

/// The pads of the choices (4, n), (width, n), from a receiver's keys (8 width, 4 n).
#[pyfunction]
pub fn digit_pad(py: Python, keys: Words<2>, choices: Words<2>) -> Made<2> {
    let n = digits_of(&choices, "choices")?;
    let width = width_of(keys.shape()[0] / 8)?;
    keys.must_have([8 * width, BITS * n], "keys")?;
    let (keys, choices): (&[u64], &[u64]) = (&keys, &choices);
    Ok(filled(py, [width, n], |out| digits::pad(Path::best(), keys, choices, width, out)))
}
