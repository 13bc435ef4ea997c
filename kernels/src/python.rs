//! The Python module: checks every argument, lets other threads run, calls the kernels.
//!
//! Arrays must be C-contiguous and of the stated type and shape; anything else is a
//! `ValueError` that names the argument. Results are new arrays.

use crate::beaver::{self, Masked, Opened};
use crate::bits;
use crate::histogram::{self as tables, Bins};
use crate::matrix;
use crate::path::Path;
use crate::prg::Stream;
use crate::slices;
use crate::tables as lookup;
use numpy::ndarray::{Dim, Dimension, IntoDimension};
use numpy::{Element, PyArray, PyArrayMethods, PyReadonlyArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

type Vector<'py, T> = PyReadonlyArray<'py, T, Dim<[usize; 1]>>;
type Matrix<'py, T> = PyReadonlyArray<'py, T, Dim<[usize; 2]>>;

fn refuse(message: String) -> PyErr {
    PyValueError::new_err(message)
}

/// The argument as an array of words or bytes, checked but not copied.
fn array<'py, T: Element, D: Dimension>(
    argument: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<PyReadonlyArray<'py, T, D>> {
    let dimensions = D::NDIM.unwrap_or(0);
    let bits = 8 * size_of::<T>();
    let expected = || {
        refuse(format!(
            "{name} must be a C-contiguous NumPy array of dtype uint{bits} with {dimensions} \
             dimension(s)"
        ))
    };
    let array = argument.cast::<PyArray<T, D>>().map_err(|_| expected())?;
    let array = array.try_readonly().map_err(|_| expected())?;
    if !array.is_c_contiguous() {
        return Err(expected());
    }
    Ok(array)
}

fn vector<'py, T: Element>(argument: &Bound<'py, PyAny>, name: &str) -> PyResult<Vector<'py, T>> {
    array(argument, name)
}

fn matrix<'py, T: Element>(argument: &Bound<'py, PyAny>, name: &str) -> PyResult<Matrix<'py, T>> {
    array(argument, name)
}

fn shape<T: Element>(matrix: &Matrix<'_, T>) -> (usize, usize) {
    let view = matrix.as_array();
    (view.nrows(), view.ncols())
}

fn slice<'a, T: Element, D: Dimension>(
    array: &'a PyReadonlyArray<'_, T, D>,
    name: &str,
) -> PyResult<&'a [T]> {
    array.as_slice().map_err(|_| refuse(format!("{name} must be C-contiguous")))
}

fn check(holds: bool, message: impl FnOnce() -> String) -> PyResult<()> {
    if holds { Ok(()) } else { Err(refuse(message())) }
}

fn stream(key: &[u8]) -> PyResult<Stream> {
    let key =
        key.try_into().map_err(|_| refuse(format!("key must have 16 bytes, not {}", key.len())))?;
    Ok(Stream::new(key))
}

/// The number of cells, where they lie in the stream and fit the memory.
fn cells(start: u64, rows: usize, columns: usize) -> PyResult<usize> {
    rows.checked_mul(columns)
        .filter(|&count| {
            count <= isize::MAX as usize / 8 && start.checked_add(count as u64).is_some()
        })
        .ok_or_else(|| refuse(format!("{rows} x {columns} words from {start} on are too many")))
}

fn width(bits: u32, name: &str) -> PyResult<u32> {
    check((1..=64).contains(&bits), || format!("{name} must be 1 to 64, not {bits}"))?;
    Ok(bits)
}

fn rank_adds_public(rank: u32) -> PyResult<bool> {
    check(rank < 2, || format!("rank must be 0 or 1, not {rank}"))?;
    Ok(rank == 0)
}

type Array<'py, T, const D: usize> = Bound<'py, PyArray<T, Dim<[usize; D]>>>;

/// A new array of zeros that `kernel` fills in while other threads run. NumPy allocates
/// it: large pages, where the system has them, make big results several times faster.
fn filled<'py, T: Element + Send, const D: usize>(
    py: Python<'py>,
    shape: [usize; D],
    kernel: impl FnOnce(&mut [T]) + Send,
) -> PyResult<Array<'py, T, D>>
where
    Dim<[usize; D]>: Dimension,
    [usize; D]: IntoDimension<Dim = Dim<[usize; D]>>,
{
    let array = PyArray::zeros(py, shape, false);
    {
        let mut writable = array.try_readwrite().map_err(|error| refuse(error.to_string()))?;
        let out = writable.as_slice_mut().map_err(|error| refuse(error.to_string()))?;
        py.detach(|| kernel(out));
    }
    Ok(array)
}

/// The instruction sets that this machine can run, the one in use last.
#[pyfunction]
fn simd_paths() -> Vec<&'static str> {
    Path::available().into_iter().map(Path::name).collect()
}

/// Words start..start + count of the key's stream.
#[pyfunction]
fn prg_words<'py>(
    py: Python<'py>,
    key: &[u8],
    start: u64,
    count: usize,
) -> PyResult<Array<'py, u64, 1>> {
    let stream = stream(key)?;
    cells(start, 1, count)?;
    filled(py, [count], |out| stream.fill(start, out))
}

/// The lowest bit of each byte, 64 to a word.
#[pyfunction]
fn pack_bits<'py>(py: Python<'py>, bits: &Bound<'py, PyAny>) -> PyResult<Array<'py, u64, 1>> {
    let bits = vector::<u8>(bits, "bits")?;
    let bits = slice(&bits, "bits")?;
    filled(py, [bits.len().div_ceil(64)], |out| bits::pack_bits(bits, out))
}

/// The first count bits as bytes 0 or 1.
#[pyfunction]
fn unpack_bits<'py>(
    py: Python<'py>,
    words: &Bound<'py, PyAny>,
    count: usize,
) -> PyResult<Array<'py, u8, 1>> {
    let words = vector::<u64>(words, "words")?;
    let words = slice(&words, "words")?;
    check(words.len() == count.div_ceil(64), || {
        format!("{count} bits are {} words, not {}", count.div_ceil(64), words.len())
    })?;
    filled(py, [count], |out| bits::unpack_bits(words, out))
}

/// The transpose of words to bit slices, (width, ceil(n / 64)).
#[pyfunction]
fn to_slices<'py>(
    py: Python<'py>,
    words: &Bound<'py, PyAny>,
    width: u32,
) -> PyResult<Array<'py, u64, 2>> {
    let words = vector::<u64>(words, "words")?;
    let words = slice(&words, "words")?;
    let rows = self::width(width, "width")? as usize;
    let length = words.len().div_ceil(64);
    filled(py, [rows, length], |out| slices::to_slices(Path::best(), words, rows, out))
}

/// The words of bit slices (width, ceil(count / 64)).
#[pyfunction]
fn from_slices<'py>(
    py: Python<'py>,
    slices: &Bound<'py, PyAny>,
    count: usize,
) -> PyResult<Array<'py, u64, 1>> {
    let slices = matrix::<u64>(slices, "slices")?;
    let (rows, length) = shape(&slices);
    check(rows <= 64, || format!("slices must have at most 64 rows, not {rows}"))?;
    check(length == count.div_ceil(64), || {
        format!("{count} elements have slices of {} words, not {length}", count.div_ceil(64))
    })?;
    let slices = slice(&slices, "slices")?;
    filled(py, [count], |out| slices::from_slices(Path::best(), slices, rows, out))
}

/// The low bits of each word as a little-endian bit stream.
#[pyfunction]
fn pack_words<'py>(
    py: Python<'py>,
    words: &Bound<'py, PyAny>,
    bits: u32,
) -> PyResult<Array<'py, u8, 1>> {
    let words = vector::<u64>(words, "words")?;
    let words = slice(&words, "words")?;
    let bits = width(bits, "bits")?;
    let length = bits::packed_length(words.len(), bits).expect("a slice of words fits the memory");
    filled(py, [length], |out| bits::pack_words(Path::best(), words, bits, out))
}

/// The words of a bit stream; data is anything with a buffer of bytes.
#[pyfunction]
fn unpack_words<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    count: usize,
    bits: u32,
) -> PyResult<Array<'py, u64, 1>> {
    let bits = width(bits, "bits")?;
    let bytes = py.import("numpy")?.call_method1("frombuffer", (data, "u1"));
    let bytes = vector::<u8>(
        &bytes.map_err(|_| refuse("data must hold contiguous bytes, not something else".into()))?,
        "data",
    )?;
    let data = slice(&bytes, "data")?;
    check(bits::packed_length(count, bits) == Some(data.len()), || {
        format!("{count} numbers of {bits} bits do not fill {} bytes exactly", data.len())
    })?;
    filled(py, [count], |out| bits::unpack_words(Path::best(), data, bits, out))
}

/// The checked bins of one party's columns.
fn bins_of<'a>(of: &'a Matrix<'_, u8>, bins: usize) -> PyResult<Bins<'a>> {
    check((1..=256).contains(&bins), || format!("n_bins must be 1 to 256, not {bins}"))?;
    let (_, features) = shape(of);
    let bins = Bins { of: slice(of, "bins")?, features, bins };
    check(bins.fit(), || format!("bins must lie below n_bins = {}", bins.bins))?;
    Ok(bins)
}

/// Wrapping sums per bin, (v, features, n_bins).
#[pyfunction]
fn histogram<'py>(
    py: Python<'py>,
    bins: &Bound<'py, PyAny>,
    values: &Bound<'py, PyAny>,
    n_bins: usize,
) -> PyResult<Array<'py, u64, 3>> {
    let of = matrix::<u8>(bins, "bins")?;
    let values = matrix::<u64>(values, "values")?;
    let ((rows, features), (count, length)) = (shape(&of), shape(&values));
    check(rows == length, || format!("bins have {rows} rows, values {length}"))?;
    let bins = bins_of(&of, n_bins)?;
    let values = slice(&values, "values")?;
    filled(py, [count, features, n_bins], |sums| {
        tables::histogram(Path::best(), bins, values, sums);
    })
}

/// The one-hot matrix of the bins minus the stream's words, (rows, features * n_bins).
#[pyfunction]
fn mask_bucket_matrix<'py>(
    py: Python<'py>,
    bins: &Bound<'py, PyAny>,
    n_bins: usize,
    key: &[u8],
    start: u64,
) -> PyResult<Array<'py, u64, 2>> {
    let of = matrix::<u8>(bins, "bins")?;
    let (rows, features) = shape(&of);
    let bins = bins_of(&of, n_bins)?;
    let stream = stream(key)?;
    cells(start, rows, features * n_bins)?;
    filled(py, [rows, features * n_bins], |out| tables::masked_matrix(bins, &stream, start, out))
}

/// vectors @ matrix, (v, columns).
#[pyfunction]
fn matrix_product<'py>(
    py: Python<'py>,
    matrix: &Bound<'py, PyAny>,
    vectors: &Bound<'py, PyAny>,
) -> PyResult<Array<'py, u64, 2>> {
    let held = self::matrix::<u64>(matrix, "matrix")?;
    let vectors = self::matrix::<u64>(vectors, "vectors")?;
    let ((rows, columns), (count, length)) = (shape(&held), shape(&vectors));
    check(rows == length, || format!("matrix has {rows} rows, vectors {length} words"))?;
    let (held, vectors) = (slice(&held, "matrix")?, slice(&vectors, "vectors")?);
    filled(py, [count, columns], |sums| {
        matrix::product(Path::best(), held, columns, vectors, sums);
    })
}

/// vectors @ U, U being (rows, columns) words of the stream, without holding U.
#[pyfunction]
fn prg_matrix_product<'py>(
    py: Python<'py>,
    key: &[u8],
    start: u64,
    rows: usize,
    columns: usize,
    vectors: &Bound<'py, PyAny>,
) -> PyResult<Array<'py, u64, 2>> {
    let stream = stream(key)?;
    cells(start, rows, columns)?;
    let vectors = matrix::<u64>(vectors, "vectors")?;
    let (count, length) = shape(&vectors);
    check(rows == length, || format!("the matrix has {rows} rows, vectors {length} words"))?;
    let vectors = slice(&vectors, "vectors")?;
    filled(py, [count, columns], |sums| {
        matrix::stream_product(Path::best(), (&stream, start), columns, vectors, sums);
    })
}

type Open = fn(Path, Masked<'_>, &mut [u64]);
type Close = fn(Path, Opened<'_>, bool, &mut [u64]);

fn open<'py>(
    py: Python<'py>,
    arguments: [&Bound<'py, PyAny>; 4],
    kernel: Open,
) -> PyResult<Array<'py, u64, 2>> {
    let [x, y, a, b] = arguments;
    let arrays = [vector::<u64>(x, "x")?, vector(y, "y")?, vector(a, "a")?, vector(b, "b")?];
    let masked = Masked {
        x: slice(&arrays[0], "x")?,
        y: slice(&arrays[1], "y")?,
        a: slice(&arrays[2], "a")?,
        b: slice(&arrays[3], "b")?,
    };
    let count = masked.x.len();
    check([masked.y, masked.a, masked.b].iter().all(|other| other.len() == count), || {
        "x, y, a and b must have equal lengths".into()
    })?;
    filled(py, [2, count], |out| kernel(Path::best(), masked, out))
}

fn close<'py>(
    py: Python<'py>,
    opened: &Bound<'py, PyAny>,
    triple: [&Bound<'py, PyAny>; 3],
    rank: u32,
    kernel: Close,
) -> PyResult<Array<'py, u64, 1>> {
    let public = matrix::<u64>(opened, "opened")?;
    let (rows, count) = shape(&public);
    check(rows == 2, || format!("opened must have 2 rows, not {rows}"))?;
    let (d, e) = slice(&public, "opened")?.split_at(count);
    let [a, b, c] = triple;
    let arrays = [vector::<u64>(a, "a")?, vector(b, "b")?, vector(c, "c")?];
    let opened = Opened {
        d,
        e,
        a: slice(&arrays[0], "a")?,
        b: slice(&arrays[1], "b")?,
        c: slice(&arrays[2], "c")?,
    };
    check([opened.a, opened.b, opened.c].iter().all(|other| other.len() == count), || {
        "a, b and c must have the length of opened's rows".into()
    })?;
    let adds_public = rank_adds_public(rank)?;
    filled(py, [count], |out| kernel(Path::best(), opened, adds_public, out))
}

/// x - a and y - b, (2, n): the shares to open.
#[pyfunction]
fn triple_open<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
) -> PyResult<Array<'py, u64, 2>> {
    open(py, [x, y, a, b], beaver::triple_open)
}

/// c + d b + e a, plus d e at rank 0; opened holds d and e.
#[pyfunction]
fn triple_close<'py>(
    py: Python<'py>,
    opened: &Bound<'py, PyAny>,
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    c: &Bound<'py, PyAny>,
    rank: u32,
) -> PyResult<Array<'py, u64, 1>> {
    close(py, opened, [a, b, c], rank, beaver::triple_close)
}

/// For runs of elements, exclusive ors of the rows of marks that the rows of each run's selection
/// name, (outputs, words).
#[pyfunction]
fn xor_select<'py>(
    py: Python<'py>,
    marks: &Bound<'py, PyAny>,
    selections: &Bound<'py, PyAny>,
    runs: Vec<usize>,
) -> PyResult<Array<'py, u64, 2>> {
    let marks = matrix::<u64>(marks, "marks")?;
    let selections = array::<u64, Dim<[usize; 3]>>(selections, "selections")?;
    let (count, length) = shape(&marks);
    let [tables, outputs, wide] = selections.as_array().dim().into();
    check(count > 0 && wide == count.div_ceil(64), || {
        format!("{count} marks are selected by {} words, not {wide}", count.div_ceil(64))
    })?;
    check(tables == runs.len(), || format!("{} runs have {tables} selections", runs.len()))?;
    let elements = runs.iter().try_fold(0, |sum: usize, &run| sum.checked_add(run));
    check(elements.is_some_and(|sum| sum.div_ceil(64) <= length), || {
        format!("the runs do not fit {length} words")
    })?;
    let (marks, selections) = (slice(&marks, "marks")?, slice(&selections, "selections")?);
    filled(py, [outputs, length], |out| {
        lookup::xor_select(Path::best(), marks, count, selections, &runs, out);
    })
}

#[path = "bfv_python.rs"]
mod bfv;
#[path = "digits_python.rs"]
mod digits;
#[path = "ot_python.rs"]
mod ot;
#[path = "pads_python.rs"]
mod pads;

/// Hot loops of securexgb; see `_kernels.pyi`.
#[pymodule]
mod _kernels {
    #[pymodule_export]
    use super::bfv::BfvRing;
    #[pymodule_export]
    use super::digits::{digit_answer, digit_pad, digit_pads, digit_take};
    #[pymodule_export]
    use super::ot::{
        ot_choose, ot_expand, ot_finish, ot_grow, ot_offer, ot_products_receive, ot_products_send,
        ot_puncture, ot_receive, ot_send, ot_silent_receive, ot_silent_send,
    };
    #[pymodule_export]
    use super::pads::RlwePads;
    #[pymodule_export]
    use super::{
        from_slices, histogram, mask_bucket_matrix, matrix_product, pack_bits, pack_words,
        prg_matrix_product, prg_words, simd_paths, to_slices, triple_close, triple_open,
        unpack_bits, unpack_words, xor_select,
    };
}
