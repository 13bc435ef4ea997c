//! Arithmetic on shares, for Python.

use super::arguments::{Bytes, Key, Words, check, refuse};
use super::results::{Array, filled};
use crate::simd::path::Path;
use crate::words::beaver::{self, Masked, Opened};
use crate::words::histogram::{self as tables, Bins};
use crate::words::{bits, matrix, slices, tables as lookup};
use pyo3::prelude::*;

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

/// The instruction sets that this machine can run, the one in use last.
#[pyfunction]
pub(super) fn simd_paths() -> Vec<&'static str> {
    Path::available().into_iter().map(Path::name).collect()
}

/// Words start..start + count of the key's stream.
#[pyfunction]
pub(super) fn prg_words(
    py: Python<'_>,
    key: Key,
    start: u64,
    count: usize,
) -> PyResult<Array<'_, u64, 1>> {
    let stream = key.stream();
    cells(start, 1, count)?;
    filled(py, [count], |out| stream.fill(start, out))
}

/// The lowest bit of each byte, 64 to a word.
#[pyfunction]
pub(super) fn pack_bits<'py>(py: Python<'py>, bits: Bytes<'py, 1>) -> PyResult<Array<'py, u64, 1>> {
    let bits: &[u8] = &bits;
    filled(py, [bits.len().div_ceil(64)], |out| bits::pack_bits(bits, out))
}

/// The first count bits as bytes 0 or 1.
#[pyfunction]
pub(super) fn unpack_bits<'py>(
    py: Python<'py>,
    words: Words<'py, 1>,
    count: usize,
) -> PyResult<Array<'py, u8, 1>> {
    let words: &[u64] = &words;
    check(words.len() == count.div_ceil(64), || {
        format!("{count} bits are {} words, not {}", count.div_ceil(64), words.len())
    })?;
    filled(py, [count], |out| bits::unpack_bits(words, out))
}

/// The transpose of words to bit slices, (width, ceil(n / 64)).
#[pyfunction]
pub(super) fn to_slices<'py>(
    py: Python<'py>,
    words: Words<'py, 1>,
    width: u32,
) -> PyResult<Array<'py, u64, 2>> {
    let (words, rows): (&[u64], usize) = (&words, self::width(width, "width")? as usize);
    let length = words.len().div_ceil(64);
    filled(py, [rows, length], |out| slices::to_slices(Path::best(), words, rows, out))
}

/// The words of bit slices (width, ceil(count / 64)).
#[pyfunction]
pub(super) fn from_slices<'py>(
    py: Python<'py>,
    slices: Words<'py, 2>,
    count: usize,
) -> PyResult<Array<'py, u64, 1>> {
    let [rows, length] = slices.shape();
    check(rows <= 64, || format!("slices must have at most 64 rows, not {rows}"))?;
    check(length == count.div_ceil(64), || {
        format!("{count} elements have slices of {} words, not {length}", count.div_ceil(64))
    })?;
    let slices: &[u64] = &slices;
    filled(py, [count], |out| slices::from_slices(Path::best(), slices, rows, out))
}

/// The low bits of each word as a little-endian bit stream.
#[pyfunction]
pub(super) fn pack_words<'py>(
    py: Python<'py>,
    words: Words<'py, 1>,
    bits: u32,
) -> PyResult<Array<'py, u8, 1>> {
    let (words, bits): (&[u64], u32) = (&words, width(bits, "bits")?);
    let length = bits::packed_length(words.len(), bits).expect("a slice of words fits the memory");
    filled(py, [length], |out| bits::pack_words(Path::best(), words, bits, out))
}

/// The words of a bit stream; data is anything with a buffer of bytes.
#[pyfunction]
pub(super) fn unpack_words<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    count: usize,
    bits: u32,
) -> PyResult<Array<'py, u64, 1>> {
    let bits = width(bits, "bits")?;
    let buffer = py.import("numpy")?.call_method1("frombuffer", (data, "u1"));
    let refused = |_| refuse("data must hold contiguous bytes, not something else".into());
    let bytes: Bytes<'py, 1> = buffer.map_err(refused)?.extract()?;
    let data: &[u8] = &bytes;
    check(bits::packed_length(count, bits) == Some(data.len()), || {
        format!("{count} numbers of {bits} bits do not fill {} bytes exactly", data.len())
    })?;
    filled(py, [count], |out| bits::unpack_words(Path::best(), data, bits, out))
}

/// The checked bins of one party's columns.
pub(super) fn bins_of<'a>(of: &'a Bytes<'_, 2>, bins: usize) -> PyResult<Bins<'a>> {
    check((1..=256).contains(&bins), || format!("n_bins must be 1 to 256, not {bins}"))?;
    let [_, features] = of.shape();
    let bins = Bins { of, features, bins };
    check(bins.fit(), || format!("bins must lie below n_bins = {}", bins.bins))?;
    Ok(bins)
}

/// Wrapping sums per bin, (v, features, n_bins).
#[pyfunction]
pub(super) fn histogram<'py>(
    py: Python<'py>,
    bins: Bytes<'py, 2>,
    values: Words<'py, 2>,
    n_bins: usize,
) -> PyResult<Array<'py, u64, 3>> {
    let ([rows, features], [count, length]) = (bins.shape(), values.shape());
    check(rows == length, || format!("bins have {rows} rows, values {length}"))?;
    let (bins, values): (Bins<'_>, &[u64]) = (bins_of(&bins, n_bins)?, &values);
    filled(py, [count, features, n_bins], |sums| {
        tables::histogram(Path::best(), bins, values, sums);
    })
}

/// The one-hot matrix of the bins minus the stream's words, (rows, features * n_bins).
#[pyfunction]
pub(super) fn mask_bucket_matrix<'py>(
    py: Python<'py>,
    bins: Bytes<'py, 2>,
    n_bins: usize,
    key: Key,
    start: u64,
) -> PyResult<Array<'py, u64, 2>> {
    let [rows, features] = bins.shape();
    let (bins, stream) = (bins_of(&bins, n_bins)?, key.stream());
    cells(start, rows, features * n_bins)?;
    filled(py, [rows, features * n_bins], |out| tables::masked_matrix(bins, &stream, start, out))
}

/// vectors @ matrix, (v, columns).
#[pyfunction]
pub(super) fn matrix_product<'py>(
    py: Python<'py>,
    matrix: Words<'py, 2>,
    vectors: Words<'py, 2>,
) -> PyResult<Array<'py, u64, 2>> {
    let ([rows, columns], [count, length]) = (matrix.shape(), vectors.shape());
    check(rows == length, || format!("matrix has {rows} rows, vectors {length} words"))?;
    let (held, vectors): (&[u64], &[u64]) = (&matrix, &vectors);
    filled(py, [count, columns], |sums| {
        matrix::product(Path::best(), held, columns, vectors, sums);
    })
}

/// vectors @ U, U being (rows, columns) words of the stream, without holding U.
#[pyfunction]
pub(super) fn prg_matrix_product<'py>(
    py: Python<'py>,
    key: Key,
    start: u64,
    rows: usize,
    columns: usize,
    vectors: Words<'py, 2>,
) -> PyResult<Array<'py, u64, 2>> {
    cells(start, rows, columns)?;
    let [count, length] = vectors.shape();
    check(rows == length, || format!("the matrix has {rows} rows, vectors {length} words"))?;
    let (stream, vectors) = (key.stream(), &*vectors);
    filled(py, [count, columns], |sums| {
        matrix::stream_product(Path::best(), (&stream, start), columns, vectors, sums);
    })
}

type Open = fn(Path, Masked<'_>, &mut [u64]);
type Close = fn(Path, Opened<'_>, bool, &mut [u64]);

fn open<'py>(
    py: Python<'py>,
    [x, y, a, b]: [Words<'py, 1>; 4],
    kernel: Open,
) -> PyResult<Array<'py, u64, 2>> {
    let (masked, count) = (Masked { x: &x, y: &y, a: &a, b: &b }, x.len());
    check([masked.y, masked.a, masked.b].iter().all(|other| other.len() == count), || {
        "x, y, a and b must have equal lengths".into()
    })?;
    filled(py, [2, count], |out| kernel(Path::best(), masked, out))
}

fn close<'py>(
    py: Python<'py>,
    opened: &Words<'py, 2>,
    [a, b, c]: [Words<'py, 1>; 3],
    rank: u32,
    kernel: Close,
) -> PyResult<Array<'py, u64, 1>> {
    let [rows, count] = opened.shape();
    check(rows == 2, || format!("opened must have 2 rows, not {rows}"))?;
    let (d, e) = opened.split_at(count);
    let opened = Opened { d, e, a: &a, b: &b, c: &c };
    check([opened.a, opened.b, opened.c].iter().all(|other| other.len() == count), || {
        "a, b and c must have the length of opened's rows".into()
    })?;
    check(rank < 2, || format!("rank must be 0 or 1, not {rank}"))?;
    filled(py, [count], |out| kernel(Path::best(), opened, rank == 0, out))
}

/// x - a and y - b, (2, n): the shares to open.
#[pyfunction]
pub(super) fn triple_open<'py>(
    py: Python<'py>,
    x: Words<'py, 1>,
    y: Words<'py, 1>,
    a: Words<'py, 1>,
    b: Words<'py, 1>,
) -> PyResult<Array<'py, u64, 2>> {
    open(py, [x, y, a, b], beaver::triple_open)
}

/// c + d b + e a, plus d e at rank 0; opened holds d and e.
#[pyfunction]
pub(super) fn triple_close<'py>(
    py: Python<'py>,
    opened: Words<'py, 2>,
    a: Words<'py, 1>,
    b: Words<'py, 1>,
    c: Words<'py, 1>,
    rank: u32,
) -> PyResult<Array<'py, u64, 1>> {
    close(py, &opened, [a, b, c], rank, beaver::triple_close)
}

/// For runs of elements, exclusive ors of the rows of marks that the rows of each run's selection
/// name, (outputs, words).
#[pyfunction]
pub(super) fn xor_select<'py>(
    py: Python<'py>,
    marks: Words<'py, 2>,
    selections: Words<'py, 3>,
    runs: Vec<usize>,
) -> PyResult<Array<'py, u64, 2>> {
    let ([count, length], [tables, outputs, wide]) = (marks.shape(), selections.shape());
    check(count > 0 && wide == count.div_ceil(64), || {
        format!("{count} marks are selected by {} words, not {wide}", count.div_ceil(64))
    })?;
    check(tables == runs.len(), || format!("{} runs have {tables} selections", runs.len()))?;
    let elements = runs.iter().try_fold(0, |sum: usize, &run| sum.checked_add(run));
    check(elements.is_some_and(|sum| sum.div_ceil(64) <= length), || {
        format!("the runs do not fit {length} words")
    })?;
    let (marks, selections): (&[u64], &[u64]) = (&marks, &selections);
    filled(py, [outputs, length], |out| {
        lookup::xor_select(Path::best(), marks, count, selections, &runs, out);
    })
}
