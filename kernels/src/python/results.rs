//! New arrays that kernels fill in while other threads run.

use numpy::ndarray::{Dim, Dimension, IntoDimension};
use numpy::{Element, PyArray, PyArrayMethods};
use pyo3::prelude::*;

/// An array that is on its way to Python.
pub type Array<T, const D: usize> = Py<PyArray<T, Dim<[usize; D]>>>;
pub type Column = Array<u64, 1>;
/// New words, or what does not fit.
pub type Made<const D: usize = 1> = PyResult<Array<u64, D>>;

/// A new array that `kernel` fills in while other threads run.
pub fn filled<T: Element + Send, const D: usize>(
    py: Python,
    shape: [usize; D],
    kernel: impl FnOnce(&mut [T]) + Send,
) -> Array<T, D>
where
    Dim<[usize; D]>: Dimension,
    [usize; D]: IntoDimension<Dim = Dim<[usize; D]>>,
{
    let [array] = filled_too(py, [shape], |[out]| kernel(out));
    array
}

/// Several new arrays of one type that `kernel` fills in at once.
///
/// NumPy allocates them, as zeros: large pages, where the system has them, make big results
/// several times faster.
pub fn filled_too<T: Element + Send, const D: usize, const N: usize>(
    py: Python,
    shapes: [[usize; D]; N],
    kernel: impl FnOnce([&mut [T]; N]) + Send,
) -> [Array<T, D>; N]
where
    Dim<[usize; D]>: Dimension,
    [usize; D]: IntoDimension<Dim = Dim<[usize; D]>>,
{
    let arrays = shapes.map(|shape| PyArray::zeros(py, shape, false));
    let mut held = arrays.each_ref().map(PyArrayMethods::readwrite);
    let slices = held.each_mut().map(|array| array.as_slice_mut().expect("new: contiguous"));
    py.detach(|| kernel(slices));
    drop(held);
    arrays.map(Bound::unbind)
}

/// One new array, and several of another type, that `kernel` fills in at once; see `filled_too`.
pub fn filled_beside<T, U, const D: usize, const E: usize, const N: usize>(
    py: Python,
    first: [usize; D],
    others: [[usize; E]; N],
    kernel: impl FnOnce(&mut [T], [&mut [U]; N]) + Send,
) -> (Array<T, D>, [Array<U, E>; N])
where
    T: Element + Send,
    U: Element + Send,
    Dim<[usize; D]>: Dimension,
    [usize; D]: IntoDimension<Dim = Dim<[usize; D]>>,
    Dim<[usize; E]>: Dimension,
    [usize; E]: IntoDimension<Dim = Dim<[usize; E]>>,
{
    let array = PyArray::zeros(py, first, false);
    let mut held = array.readwrite();
    let slice = held.as_slice_mut().expect("new: contiguous");
    let others = filled_too(py, others, |others| kernel(slice, others));
    drop(held);
    (array.unbind(), others)
}
