//! Arguments that extract themselves: arrays of one type and dimension, and keys of streams.
//!
//! What does not fit is a `ValueError`; Python adds a note that names the argument.

use crate::words::prg::Stream;
use numpy::ndarray::{Axis, Dim, Dimension};
use numpy::{
    Element, PyArray, PyArrayMethods, PyReadonlyArray, PyReadwriteArray, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::fmt::Display;
use std::ops::{Deref, DerefMut, RangeInclusive};

pub fn refuse(message: String) -> PyErr {
    PyValueError::new_err(message)
}

pub fn check(holds: bool, message: impl FnOnce() -> String) -> PyResult<()> {
    if holds { Ok(()) } else { Err(refuse(message())) }
}

/// A number that lies in the range.
pub fn within<T: PartialOrd + Display>(
    value: T,
    range: RangeInclusive<T>,
    name: &str,
) -> PyResult<T> {
    check(range.contains(&value), || {
        format!("{name} must be {} to {}, not {value}", range.start(), range.end())
    })?;
    Ok(value)
}

/// A C-contiguous array of D dimensions, checked but not copied; it is the slice of its elements.
pub struct Given<'py, T: Element, const D: usize>(PyReadonlyArray<'py, T, Dim<[usize; D]>>)
where
    Dim<[usize; D]>: Dimension;

pub type Words<'py, const D: usize = 1> = Given<'py, u64, D>;
pub type Bytes<'py, const D: usize = 1> = Given<'py, u8, D>;
/// Numbers of coefficients.
pub type Indices<'py> = Given<'py, u32, 1>;

impl<'py, T: Element, const D: usize> FromPyObject<'_, 'py> for Given<'py, T, D>
where
    Dim<[usize; D]>: Dimension,
{
    type Error = PyErr;

    fn extract(argument: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let refused = || {
            let bits = 8 * size_of::<T>();
            refuse(format!(
                "not a C-contiguous NumPy array of dtype uint{bits} with {D} dimension(s)"
            ))
        };
        let array = argument.cast::<PyArray<T, Dim<[usize; D]>>>().map_err(|_| refused())?;
        let array = array.try_readonly().map_err(|_| refused())?;
        if array.is_c_contiguous() { Ok(Given(array)) } else { Err(refused()) }
    }
}

impl<T: Element, const D: usize> Given<'_, T, D>
where
    Dim<[usize; D]>: Dimension,
{
    pub fn shape(&self) -> [usize; D] {
        self.0.shape().try_into().expect("as many lengths as dimensions")
    }

    /// Refuses another shape.
    pub fn must_have(&self, shape: [usize; D], name: &str) -> PyResult<()> {
        check(self.shape() == shape, || {
            format!("{name} must have the shape {shape:?}, not {:?}", self.shape())
        })
    }
}

impl<T: Element, const D: usize> Deref for Given<'_, T, D>
where
    Dim<[usize; D]>: Dimension,
{
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_slice().expect("contiguous, as it was extracted")
    }
}

/// Lines of words (width, n), each of them contiguous, but not one after the other.
pub struct Lines<'py>(PyReadonlyArray<'py, u64, Dim<[usize; 2]>>);

impl<'py> FromPyObject<'_, 'py> for Lines<'py> {
    type Error = PyErr;

    fn extract(argument: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let refused =
            || refuse("not a NumPy array of dtype uint64 with 2 dimensions and whole lines".into());
        let array = argument.cast::<PyArray<u64, Dim<[usize; 2]>>>().map_err(|_| refused())?;
        let lines = Lines(array.try_readonly().map_err(|_| refused())?);
        let whole = lines.0.as_array().outer_iter().all(|line| line.to_slice().is_some());
        if whole { Ok(lines) } else { Err(refused()) }
    }
}

impl Lines<'_> {
    pub fn width(&self) -> usize {
        self.0.shape()[0]
    }

    pub fn length(&self) -> usize {
        self.0.shape()[1]
    }

    pub fn lines(&self) -> Vec<&[u64]> {
        let lines = self.0.as_array();
        (0..self.width())
            .map(|line| lines.index_axis_move(Axis(0), line).to_slice().expect("whole, as checked"))
            .collect()
    }
}

/// Words of an array that is changed in place: C-contiguous, of one dimension, and no other
/// argument's.
pub struct Changed<'py>(PyReadwriteArray<'py, u64, Dim<[usize; 1]>>);

impl<'py> FromPyObject<'_, 'py> for Changed<'py> {
    type Error = PyErr;

    fn extract(argument: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let refused =
            || refuse("not a writable C-contiguous NumPy array of dtype uint64 of its own".into());
        let array = argument.cast::<PyArray<u64, Dim<[usize; 1]>>>().map_err(|_| refused())?;
        let array = array.try_readwrite().map_err(|_| refused())?;
        if array.is_c_contiguous() { Ok(Changed(array)) } else { Err(refused()) }
    }
}

impl Deref for Changed<'_> {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        self.0.as_slice().expect("contiguous, as it was extracted")
    }
}

impl DerefMut for Changed<'_> {
    fn deref_mut(&mut self) -> &mut [u64] {
        self.0.as_slice_mut().expect("contiguous, as it was extracted")
    }
}

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub struct Key(pub [u8; 16]);

impl Key {
    /// The key's stream.
    pub fn stream(self) -> Stream {
        Stream::new(&self.0)
    }
}

impl FromPyObject<'_, '_> for Key {
    type Error = PyErr;

    fn extract(argument: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let bytes: &[u8] = argument.extract()?;
        let key = bytes.try_into().map(Key);
        key.map_err(|_| refuse(format!("a key has 16 bytes, not {}", bytes.len())))
    }
}

/// Two words.
#[derive(Clone, Copy)]
pub struct Pair(pub [u64; 2]);

impl FromPyObject<'_, '_> for Pair {
    type Error = PyErr;

    fn extract(argument: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let words: Words = argument.extract()?;
        let pair = (*words).try_into().map(Pair);
        pair.map_err(|_| refuse(format!("not 2 words, but {}", words.len())))
    }
}
