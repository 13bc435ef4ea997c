//! Arguments that extract themselves: arrays of one type and dimension, and keys of streams.
//!
//! What does not fit is a `ValueError`; Python adds a note that names the argument.

use crate::words::prg::Stream;
use numpy::ndarray::{Dim, Dimension};
use numpy::{Element, PyArray, PyArrayMethods, PyReadonlyArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::ops::Deref;

pub(super) fn refuse(message: String) -> PyErr {
    PyValueError::new_err(message)
}

pub(super) fn check(holds: bool, message: impl FnOnce() -> String) -> PyResult<()> {
    if holds { Ok(()) } else { Err(refuse(message())) }
}

/// A C-contiguous array of D dimensions, checked but not copied; it is the slice of its elements.
pub(super) struct Given<'py, T: Element, const D: usize>(PyReadonlyArray<'py, T, Dim<[usize; D]>>)
where
    Dim<[usize; D]>: Dimension;

/// Words and bytes.
pub(super) type Words<'py, const D: usize> = Given<'py, u64, D>;
pub(super) type Bytes<'py, const D: usize> = Given<'py, u8, D>;

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
    pub(super) fn shape(&self) -> [usize; D] {
        self.0.shape().try_into().expect("as many lengths as dimensions")
    }

    /// Refuses another shape.
    pub(super) fn must_have(&self, shape: [usize; D], name: &str) -> PyResult<()> {
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

/// Sixteen bytes.
#[derive(Clone, Copy)]
pub(super) struct Key(pub(super) [u8; 16]);

impl Key {
    /// The key's stream.
    pub(super) fn stream(self) -> Stream {
        Stream::new(&self.0)
    }
}

impl FromPyObject<'_, '_> for Key {
    type Error = PyErr;

    fn extract(argument: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let bytes: &[u8] = argument.extract()?;
        let key = bytes.try_into();
        key.map(Key)
            .map_err(|_| PyValueError::new_err(format!("a key has 16 bytes, not {}", bytes.len())))
    }
}
