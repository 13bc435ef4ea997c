//! Private set intersection, for Python.

use super::arguments::{Key, Pair, Words, check, within};
use super::results::{Array, Made, filled, filled_too};
use crate::align::digests::{self, matches};
use crate::align::okvs::{self, BAND, Coins, Evaluated};
use crate::align::vole::{self, Stage, Tags};
use crate::align::{codes, points};
use crate::ot::key::Key as Row;
use crate::simd::field;
use pyo3::prelude::*;

/// Rows of two words.
fn rows<'a>(words: &'a Words<'_, 2>, name: &str) -> PyResult<&'a [Row]> {
    words.must_have([words.shape()[0], 2], name)?;
    Ok(words.as_chunks().0)
}

fn four(words: &Words<'_, 2>, name: &str) -> PyResult<[Row; 4]> {
    words.must_have([4, 2], name)?;
    Ok(words.as_chunks().0.try_into().expect("four rows"))
}

/// Bits of an output, which a code takes.
fn bits_of(bits: u32) -> PyResult<u32> {
    within(bits, 1..=120, "bits")
}

/// Digests (n, 2) of keys, see kernels/src/align/digests.rs.
#[pyfunction]
pub fn psi_digests(py: Python, coin: &[u8], data: &[u8], ends: Words) -> Made<2> {
    let ends: &[u64] = &ends;
    let rising = ends.windows(2).all(|pair| pair[0] <= pair[1]);
    check(rising && ends.last().is_none_or(|end| *end <= data.len() as u64), || {
        "ends must rise within the data".into()
    })?;
    Ok(filled(py, [ends.len(), 2], |out: &mut [u64]| {
        digests::digests(coin, data, ends, out.as_chunks_mut().0);
    }))
}

/// The numbers of the rows, that of the lowest one first.
#[pyfunction]
pub fn psi_order(py: Python, numbers: Words<2>, bits: u32) -> Made {
    let (rows, bits) = (rows(&numbers, "numbers")?, within(bits, 1..=128, "bits")?);
    Ok(filled(py, [rows.len()], |out| digests::order(rows, bits, out)))
}

/// For each of two rising lists ones where the other one has the same number.
#[pyfunction]
pub fn psi_matches(
    py: Python,
    own: Words<2>,
    theirs: Words<2>,
) -> PyResult<(Array<u8, 1>, Array<u8, 1>)> {
    let (own, theirs) = (rows(&own, "own")?, rows(&theirs, "theirs")?);
    let made = filled_too(py, [[own.len()], [theirs.len()]], |[first, second]| {
        matches(own, theirs, first, second);
    });
    Ok(made.into())
}

/// A rising list in as many words as `psi_code_words` says.
#[pyfunction]
pub fn psi_pack(py: Python, numbers: Words<2>, bits: u32) -> Made {
    let (rows, bits) = (rows(&numbers, "numbers")?, bits_of(bits)?);
    let is_below = |row: &Row| digests::as_number(*row) >> bits == 0;
    let rises = |pair: &[Row]| digests::as_number(pair[0]) <= digests::as_number(pair[1]);
    check(rows.iter().all(is_below) && rows.windows(2).all(rises), || {
        format!("numbers must rise below 2^{bits}")
    })?;
    Ok(filled(py, [codes::words(rows.len(), bits)], |out| codes::encode(rows, bits, out)))
}

/// The list (count, 2) of a code.
#[pyfunction]
pub fn psi_unpack(py: Python, code: Words, count: usize, bits: u32) -> Made<2> {
    let (code, bits): (&[u64], u32) = (&code, bits_of(bits)?);
    let words = codes::words(within(count, 0..=1 << 40, "count")?, bits);
    check(code.len() == words, || format!("code must have {words} words, not {}", code.len()))?;
    let mut is_code = false;
    let found = filled(py, [count, 2], |out: &mut [u64]| {
        is_code = codes::decode(code, bits, out.as_chunks_mut().0);
    });
    check(is_code, || "code must be that of a list of so many numbers".into())?;
    Ok(found)
}

/// Words of the code of so many numbers.
#[pyfunction]
pub fn psi_code_words(count: usize, bits: u32) -> PyResult<usize> {
    Ok(codes::words(within(count, 0..=1 << 40, "count")?, bits_of(bits)?))
}

/// A store (columns, 2) of these keys, or None where their rows are dependent.
#[pyfunction]
pub fn okvs_encode(
    py: Python,
    coins: Words<2>,
    digests: Words<2>,
    columns: usize,
    free: Key,
) -> PyResult<Option<Array<u64, 2>>> {
    let (coins, digests): (Coins, _) = (four(&coins, "coins")?, rows(&digests, "digests")?);
    within(columns, BAND..=u32::MAX as usize, "columns")?;
    let (free, mut is_solved) = (free.stream(), false);
    let list = filled(py, [columns, 2], |out: &mut [u64]| {
        is_solved = okvs::encode(&coins, digests, &free, out.as_chunks_mut().0);
    });
    Ok(is_solved.then_some(list))
}

/// Outputs (n, 2) of so many bits for keys, from a list.
#[pyfunction]
pub fn okvs_evaluate(
    py: Python,
    coins: Words<2>,
    digests: Words<2>,
    held: Words<2>,
    delta: Pair,
    bits: u32,
) -> Made<2> {
    let (coins, digests) = (four(&coins, "coins")?, rows(&digests, "digests")?);
    let (list, bits) = (rows(&held, "held")?, bits_of(bits)?);
    within(list.len(), BAND..=u32::MAX as usize, "rows of held")?;
    let what = Evaluated { coins: &coins, digests, list, delta: delta.0, bits };
    Ok(filled(py, [digests.len(), 2], |out: &mut [u64]| {
        okvs::evaluate(what, out.as_chunks_mut().0);
    }))
}

/// sums + factor rows over the field of 2^128 elements, (n, 2).
#[pyfunction]
pub fn field_add_multiples(
    py: Python,
    sums: Words<2>,
    multiplied: Words<2>,
    factor: Pair,
) -> Made<2> {
    let (sums, rows) = (rows(&sums, "sums")?, rows(&multiplied, "multiplied")?);
    check(sums.len() == rows.len(), || "sums and multiplied must have the same shape".into())?;
    Ok(filled(py, [sums.len(), 2], |out: &mut [u64]| {
        let out = out.as_chunks_mut().0;
        out.copy_from_slice(sums);
        field::add_multiples(out, rows, factor.0);
    }))
}

/// Rows of transfers, 128 for each element.
fn transfers<'a>(words: &'a Words<'_, 2>) -> PyResult<&'a [Row]> {
    let rows = rows(words, "transfers")?;
    check(rows.len().is_multiple_of(vole::BITS), || "transfers must be a multiple of 128".into())?;
    Ok(rows)
}

/// The sender's elements b, (n / 128, 2).
#[pyfunction]
pub fn vole_combine_sent(py: Python, sent: Words<2>) -> Made<2> {
    let rows = transfers(&sent)?;
    Ok(filled(py, [rows.len() / vole::BITS, 2], |out: &mut [u64]| {
        vole::combine_sent(rows, out.as_chunks_mut().0);
    }))
}

/// The receiver's elements a, c, (n / 128, 4).
#[pyfunction]
pub fn vole_combine_received(py: Python, received: Words<2>) -> Made<2> {
    let rows = transfers(&received)?;
    Ok(filled(py, [rows.len() / vole::BITS, 4], |out: &mut [u64]| {
        vole::combine_received(rows, pairs_mut(out));
    }))
}

fn pairs_mut<const N: usize>(words: &mut [u64]) -> &mut [[Row; N]] {
    words.as_chunks_mut::<2>().0.as_chunks_mut::<N>().0
}

/// A stage of these elements, of which all but the last `trees` are multiplied by the matrix.
fn stage<'a, const N: usize>(
    tags: &Words<'_, 2>,
    levels: usize,
    elements: &'a Words<'_, 2>,
    transfers: &'a Words<'_, 2>,
) -> PyResult<(Stage<'a, N>, usize)> {
    let tags: Tags = four(tags, "tags")?;
    let levels = within(levels, 1..=16, "levels")?;
    let rows = rows(transfers, "transfers")?;
    let trees = rows.len() / levels;
    check(rows.len() == trees * levels, || "transfers must be one a level".into())?;
    let [count, columns] = elements.shape();
    let dimension = count.saturating_sub(trees);
    check(columns == 2 * N && dimension.is_power_of_two() && dimension <= 1 << 20, || {
        format!("elements must have {} columns and 2^i rows more than trees", 2 * N)
    })?;
    let elements: &[[Row; N]] = elements.as_chunks::<2>().0.as_chunks::<N>().0;
    let (linear, noise) = elements.split_at(dimension);
    Ok((Stage { tags, levels, linear, noise, rows }, trees))
}

/// The sender's message (trees, levels + 1, 2) and its new elements (trees 2^levels, 2).
#[pyfunction]
pub fn vole_send(
    py: Python,
    tags: Words<2>,
    levels: usize,
    elements: Words<2>,
    transfers: Words<2>,
    delta: Pair,
    roots: Words<2>,
) -> PyResult<(Array<u64, 2>, Array<u64, 2>)> {
    let (stage, trees) = stage::<1>(&tags, levels, &elements, &transfers)?;
    roots.must_have([trees, 2], "roots")?;
    check(delta.0[0] & 1 == 1, || "delta must be odd".into())?;
    let roots = rows(&roots, "roots")?;
    let shapes = [[trees * (levels + 1), 2], [trees << levels, 2]];
    let made = filled_too(py, shapes, |[message, out]: [&mut [u64]; 2]| {
        vole::send(stage, delta.0, roots, message.as_chunks_mut().0, pairs_mut(out));
    });
    Ok(made.into())
}

/// The receiver's new elements a, c, (trees 2^levels, 4).
#[pyfunction]
pub fn vole_receive(
    py: Python,
    tags: Words<2>,
    levels: usize,
    elements: Words<2>,
    transfers: Words<2>,
    message: Words<2>,
) -> Made<2> {
    let (stage, trees) = stage::<2>(&tags, levels, &elements, &transfers)?;
    message.must_have([trees * (levels + 1), 2], "message")?;
    let message = rows(&message, "message")?;
    Ok(filled(py, [trees << levels, 4], |out: &mut [u64]| {
        vole::receive(stage, message, pairs_mut(out));
    }))
}

/// A point for each key times a secret scalar of 64 bytes, 32 bytes each.
#[pyfunction]
pub fn psi_blind(
    py: Python,
    digests: Words<2>,
    tag: &[u8],
    scalar: &[u8],
) -> PyResult<Array<u8, 2>> {
    let (digests, scalar) = (rows(&digests, "digests")?, scalar_of(scalar)?);
    Ok(filled(py, [digests.len(), points::POINT], |out: &mut [u8]| {
        points::blind(digests, tag, &scalar, out.as_chunks_mut().0);
    }))
}

/// Other points times a secret scalar.
#[pyfunction]
pub fn psi_blind_again(
    py: Python,
    given: super::arguments::Bytes<2>,
    scalar: &[u8],
) -> PyResult<Array<u8, 2>> {
    let (count, scalar) = (given.shape()[0], scalar_of(scalar)?);
    given.must_have([count, points::POINT], "given")?;
    let (given, mut are_points): (&[u8], bool) = (&given, false);
    let made = filled(py, [count, points::POINT], |out: &mut [u8]| {
        are_points = points::blind_again(given.as_chunks().0, &scalar, out.as_chunks_mut().0);
    });
    check(are_points, || "given must be points".into())?;
    Ok(made)
}

fn scalar_of(given: &[u8]) -> PyResult<[u8; 64]> {
    given.try_into().map_err(|_| super::arguments::refuse("scalar must have 64 bytes".into()))
}
