//! Arithmetic on shares, for Python.

use super::arguments::{Bytes, Key, Words, check, refuse, within};
use super::results::{Array, Made, filled};
use crate::simd::path::Path;
use crate::words::histogram::{self as tables, Bins};
use crate::words::{beaver, bits, matrix, slices, tables as lookup};
use pyo3::prelude::*;

/// The number of cells, where they lie in the stream and fit the memory.
fn cells(start: u64, rows: usize, columns: usize) -> PyResult<usize> {
    rows.checked_mul(columns)
        .filter(|&count| {
            count <= isize::MAX as usize / 8 && start.checked_add(count as u64).is_some()
        })
        .ok_or_else(|| refuse(format!("{rows} x {columns} words from {start} on are too many")))
}

/// The instruction sets that this machine can run, the one in use last.
#[pyfunction]
pub fn simd_paths() -> Vec<&'static str> {
    Path::available().into_iter().map(Path::name).collect()
}

/// Words start..start + count of the key's stream.
#[pyfunction]
pub fn prg_words(py: Python, key: Key, start: u64, count: usize) -> Made {
    let stream = key.stream();
    cells(start, 1, count)?;
    Ok(filled(py, [count], |out| stream.fill(start, out)))
}

/// The lowest bit of each byte, 64 to a word.
#[pyfunction]
pub fn pack_bits(py: Python, bits: Bytes) -> Made {
    let bits: &[u8] = &bits;
    Ok(filled(py, [bits.len().div_ceil(64)], |out| bits::pack_bits(bits, out)))
}

/// The first count bits as bytes 0 or 1.
#[pyfunction]
pub fn unpack_bits(py: Python, words: Words, count: usize) -> PyResult<Array<u8, 1>> {
    let words: &[u64] = &words;
    check(words.len() == count.div_ceil(64), || {
        format!("{count} bits are {} words, not {}", count.div_ceil(64), words.len())
    })?;
    Ok(filled(py, [count], |out| bits::unpack_bits(words, out)))
}

/// The transpose of words to bit slices, (width, ceil(n / 64)).
#[pyfunction]
pub fn to_slices(py: Python, words: Words, width: u32) -> Made<2> {
    let (words, rows): (&[u64], usize) = (&words, within(width, 1..=64, "width")? as usize);
    let length = words.len().div_ceil(64);
    Ok(filled(py, [rows, length], |out| slices::to_slices(Path::best(), words, rows, out)))
}

/// The words of bit slices (width, ceil(count / 64)).
#[pyfunction]
pub fn from_slices(py: Python, slices: Words<2>, count: usize) -> Made {
    let [rows, length] = slices.shape();
    check(rows <= 64, || format!("slices must have at most 64 rows, not {rows}"))?;
    check(length == count.div_ceil(64), || {
        format!("{count} elements have slices of {} words, not {length}", count.div_ceil(64))
    })?;
    let slices: &[u64] = &slices;
    Ok(filled(py, [count], |out| slices::from_slices(Path::best(), slices, rows, out)))
}

/// The low bits of each word as a little-endian bit stream.
#[pyfunction]
pub fn pack_words(py: Python, words: Words, bits: u32) -> PyResult<Array<u8, 1>> {
    let (words, bits): (&[u64], u32) = (&words, within(bits, 1..=64, "bits")?);
    let length = bits::packed_length(words.len(), bits).expect("a slice of words fits the memory");
    Ok(filled(py, [length], |out| bits::pack_words(Path::best(), words, bits, out)))
}

/// The words of a bit stream; data is anything with a buffer of bytes.
#[pyfunction]
pub fn unpack_words(py: Python, data: &Bound<PyAny>, count: usize, bits: u32) -> Made {
    let bits = within(bits, 1..=64, "bits")?;
    let buffer = py.import("numpy")?.call_method1("frombuffer", (data, "u1"));
    let refused = |_| refuse("data must hold contiguous bytes, not something else".into());
    let bytes: Bytes = buffer.map_err(refused)?.extract()?;
    let data: &[u8] = &bytes;
    check(bits::packed_length(count, bits) == Some(data.len()), || {
        format!("{count} numbers of {bits} bits do not fill {} bytes exactly", data.len())
    })?;
    Ok(filled(py, [count], |out| bits::unpack_words(Path::best(), data, bits, out)))
}

/// The checked bins of one party's columns.
pub fn bins_of<'a>(of: &'a Bytes<2>, bins: usize) -> PyResult<Bins<'a>> {
    let [_, features] = of.shape();
    let bins = Bins { of, features, bins: within(bins, 1..=256, "n_bins")? };
    check(bins.fit(), || format!("bins must lie below n_bins = {}", bins.bins))?;
    Ok(bins)
}

/// Wrapping sums per bin, (v, features, n_bins).
#[pyfunction]
pub fn histogram(py: Python, bins: Bytes<2>, values: Words<2>, n_bins: usize) -> Made<3> {
    let ([rows, features], [count, length]) = (bins.shape(), values.shape());
    check(rows == length, || format!("bins have {rows} rows, values {length}"))?;
    let (bins, values): (Bins<'_>, &[u64]) = (bins_of(&bins, n_bins)?, &values);
    Ok(filled(py, [count, features, n_bins], |sums| {
        tables::histogram(Path::best(), bins, values, sums);
    }))
}

/// The one-hot matrix of the bins minus the stream's words, (rows, features * n_bins).
#[pyfunction]
pub fn mask_bucket_matrix(
    py: Python,
    bins: Bytes<2>,
    n_bins: usize,
    key: Key,
    start: u64,
) -> Made<2> {
    let [rows, features] = bins.shape();
    let (bins, stream) = (bins_of(&bins, n_bins)?, key.stream());
    cells(start, rows, features * n_bins)?;
    Ok(filled(py, [rows, features * n_bins], |out| {
        tables::masked_matrix(bins, &stream, start, out)
    }))
}

/// vectors @ matrix, (v, columns).
#[pyfunction]
pub fn matrix_product(py: Python, matrix: Words<2>, vectors: Words<2>) -> Made<2> {
    let ([rows, columns], [count, length]) = (matrix.shape(), vectors.shape());
    check(rows == length, || format!("matrix has {rows} rows, vectors {length} words"))?;
    let (held, vectors): (&[u64], &[u64]) = (&matrix, &vectors);
    Ok(filled(py, [count, columns], |sums| {
        matrix::product(Path::best(), held, columns, vectors, sums);
    }))
}

/// vectors @ U, U being (rows, columns) words of the stream, without holding U.
#[pyfunction]
pub fn prg_matrix_product(
    py: Python,
    key: Key,
    start: u64,
    rows: usize,
    columns: usize,
    vectors: Words<2>,
) -> Made<2> {
    cells(start, rows, columns)?;
    let [count, length] = vectors.shape();
    check(rows == length, || format!("the matrix has {rows} rows, vectors {length} words"))?;
    let (stream, vectors) = (key.stream(), &*vectors);
    Ok(filled(py, [count, columns], |sums| {
        matrix::stream_product(Path::best(), (&stream, start), columns, vectors, sums);
    }))
}

/// x - a and y - b, (2, n): the shares to open.
#[pyfunction]
pub fn triple_open(py: Python, x: Words, y: Words, a: Words, b: Words) -> Made<2> {
    let of: [&[u64]; 4] = [&x, &y, &a, &b];
    let count = x.len();
    check(of.iter().all(|words| words.len() == count), || {
        "x, y, a and b must have equal lengths".into()
    })?;
    let [x, y, a, b] = of;
    Ok(filled(py, [2, count], |out| beaver::triple_open(Path::best(), [x, y], [a, b], out)))
}

/// c + d b + e a, plus d e at rank 0; opened holds d and e.
#[pyfunction]
pub fn triple_close(py: Python, opened: Words<2>, a: Words, b: Words, c: Words, rank: u32) -> Made {
    let ([rows, count], triple): (_, [&[u64]; 3]) = (opened.shape(), [&a, &b, &c]);
    check(rows == 2, || format!("opened must have 2 rows, not {rows}"))?;
    check(triple.iter().all(|words| words.len() == count), || {
        "a, b and c must have the length of opened's rows".into()
    })?;
    check(rank < 2, || format!("rank must be 0 or 1, not {rank}"))?;
    let opened = opened.split_at(count).into();
    Ok(filled(py, [count], |out| {
        beaver::triple_close(Path::best(), opened, triple, rank == 0, out);
    }))
}

/// For runs of elements, exclusive ors of the rows of marks that the rows of each run's selection
/// name, (outputs, words).
#[pyfunction]
pub fn xor_marked(py: Python, marks: Words<2>, selections: Words<3>, runs: Vec<usize>) -> Made<2> {
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
    Ok(filled(py, [outputs, length], |out| {
        lookup::xor_marked(Path::best(), marks, count, selections, &runs, out);
    }))
}
