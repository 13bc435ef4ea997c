//! The digits of the Python module; a part of [`super`].

use super::{Array, Matrix, array, check, filled, matrix, shape, slice, vector};
use crate::digits::{self, BITS, ENTRIES, MOST};
use crate::path::Path;
use numpy::PyReadonlyArray;
use numpy::ndarray::{Dim, Dimension};
use pyo3::prelude::*;

type Held<'py, const D: usize> = PyReadonlyArray<'py, u64, Dim<[usize; D]>>;

/// An array of a shape.
fn shaped<'py, const D: usize>(
    argument: &Bound<'py, PyAny>,
    name: &str,
    wanted: [usize; D],
) -> PyResult<Held<'py, D>>
where
    Dim<[usize; D]>: Dimension,
{
    let held = array::<u64, Dim<[usize; D]>>(argument, name)?;
    let found = held.as_array().shape().to_vec();
    check(found == wanted, || format!("{name} must have the shape {wanted:?}, not {found:?}"))?;
    Ok(held)
}

/// Digits in slices, (4, n), and n.
fn digits_of<'py>(argument: &Bound<'py, PyAny>, name: &str) -> PyResult<(Matrix<'py, u64>, usize)> {
    let held = matrix::<u64>(argument, name)?;
    let (bits, n) = shape(&held);
    check(bits == BITS, || format!("{name} must have {BITS} rows, not {bits}"))?;
    Ok((held, n))
}

fn width_of(width: usize) -> PyResult<usize> {
    check([2, MOST].contains(&width), || format!("width must be 2 or {MOST}, not {width}"))?;
    Ok(width)
}

/// The sender's share (row 0) and its answers (the other rows), (16, width, n).
#[pyfunction]
pub(super) fn digit_answer<'py>(
    py: Python<'py>,
    messages: &Bound<'py, PyAny>,
    flips: &Bound<'py, PyAny>,
    own: &Bound<'py, PyAny>,
    free: &Bound<'py, PyAny>,
    width: usize,
) -> PyResult<Array<'py, u64, 3>> {
    let (own, n) = digits_of(own, "own")?;
    let free = vector::<u8>(free, "free")?;
    let flips = shaped(flips, "flips", [BITS, n])?;
    let messages = shaped(messages, "messages", [ENTRIES, width_of(width)?, n])?;
    let (messages, flips) = (slice(&messages, "messages")?, slice(&flips, "flips")?);
    let own = (slice(&own, "own")?, slice(&free, "free")?);
    check(own.1.len() == n, || format!("free must have {n} numbers, not {}", own.1.len()))?;
    filled(py, [ENTRIES, width, n], |out| {
        digits::answer(Path::best(), messages, flips, own, width, out);
    })
}

/// The receiver's share, (width, n).
#[pyfunction]
pub(super) fn digit_take<'py>(
    py: Python<'py>,
    answers: &Bound<'py, PyAny>,
    chosen: &Bound<'py, PyAny>,
    own: &Bound<'py, PyAny>,
) -> PyResult<Array<'py, u64, 2>> {
    let (own, n) = digits_of(own, "own")?;
    let chosen = matrix::<u64>(chosen, "chosen")?;
    let width = width_of(shape(&chosen).0)?;
    check(shape(&chosen).1 == n, || format!("chosen must have {n} columns"))?;
    let answers = shaped(answers, "answers", [ENTRIES - 1, width, n])?;
    let (answers, chosen) = (slice(&answers, "answers")?, slice(&chosen, "chosen")?);
    let own = slice(&own, "own")?;
    filled(py, [width, n], |out| {
        digits::take(Path::best(), answers, chosen, own, width, out);
    })
}

/// All pads of a sender, (16, width, n), from its keys (8 width, 4 n).
#[pyfunction]
pub(super) fn digit_pads<'py>(
    py: Python<'py>,
    zero: &Bound<'py, PyAny>,
    one: &Bound<'py, PyAny>,
) -> PyResult<Array<'py, u64, 3>> {
    let [zero, one] = [matrix::<u64>(zero, "zero")?, matrix(one, "one")?];
    let (rows, columns) = shape(&zero);
    let (width, n) = (width_of(rows / 8)?, columns / BITS);
    check((rows, columns) == (8 * width, BITS * n) && shape(&one) == (rows, columns), || {
        "zero and one must both have the shape (8 width, 4 n)".into()
    })?;
    let keys = [slice(&zero, "zero")?, slice(&one, "one")?];
    filled(py, [ENTRIES, width, n], |out| digits::pads(Path::best(), keys, width, n, out))
}

/// The pads of the choices (4, n), (width, n), from a receiver's keys (8 width, 4 n).
#[pyfunction]
pub(super) fn digit_pad<'py>(
    py: Python<'py>,
    keys: &Bound<'py, PyAny>,
    choices: &Bound<'py, PyAny>,
) -> PyResult<Array<'py, u64, 2>> {
    let (choices, n) = digits_of(choices, "choices")?;
    let held = matrix::<u64>(keys, "keys")?;
    let (rows, columns) = shape(&held);
    let width = width_of(rows / 8)?;
    check((rows, columns) == (8 * width, BITS * n), || {
        format!("keys must have the shape (8 width, {}), not ({rows}, {columns})", BITS * n)
    })?;
    let (keys, choices) = (slice(&held, "keys")?, slice(&choices, "choices")?);
    filled(py, [width, n], |out| digits::pad(Path::best(), keys, choices, width, out))
}
