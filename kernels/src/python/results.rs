//! New arrays that kernels fill in while other threads run.

use super::arguments::refuse;
use numpy::ndarray::{Dim, Dimension, IntoDimension};
use numpy::{Element, PyArray, PyArrayMethods};
use pyo3::prelude::*;

pub(super) type Array<'py, T, const D: usize> = Bound<'py, PyArray<T, Dim<[usize; D]>>>;

/// A new array of zeros. NumPy allocates it: large pages, where the system has them, make big
/// results several times faster.
pub(super) fn zeros<T: Element, const D: usize>(
    py: Python<'_>,
    shape: [usize; D],
) -> Array<'_, T, D>
where
    Dim<[usize; D]>: Dimension,
    [usize; D]: IntoDimension<Dim = Dim<[usize; D]>>,
{
    PyArray::zeros(py, shape, false)
}

/// A new array that `kernel` fills in while other threads run.
pub(super) fn filled<'py, T: Element + Send, const D: usize>(
    py: Python<'py>,
    shape: [usize; D],
    kernel: impl FnOnce(&mut [T]) + Send,
) -> PyResult<Array<'py, T, D>>
where
    Dim<[usize; D]>: Dimension,
    [usize; D]: IntoDimension<Dim = Dim<[usize; D]>>,
{
    let array = zeros(py, shape);
    {
        let mut writable = array.try_readwrite().map_err(|error| refuse(error.to_string()))?;
        let out = writable.as_slice_mut().map_err(|error| refuse(error.to_string()))?;
        py.detach(|| kernel(out));
    }
    Ok(array)
}

/// Fills in several new arrays of one type at once.
pub(super) fn filled_too<'py, T: Element + Send, const D: usize>(
    py: Python<'py>,
    arrays: [&Array<'py, T, 1>; D],
    kernel: impl FnOnce([&mut [T]; D]) + Send,
) -> PyResult<()> {
    let mut held = Vec::with_capacity(D);
    for array in arrays {
        held.push(array.try_readwrite().map_err(|error| refuse(error.to_string()))?);
    }
    let mut slices = Vec::with_capacity(D);
    for array in &mut held {
        slices.push(array.as_slice_mut().map_err(|error| refuse(error.to_string()))?);
    }
    let slices: [&mut [T]; D] = slices.try_into().map_err(|_| refuse("as many".into()))?;
    py.detach(|| kernel(slices));
    Ok(())
}
