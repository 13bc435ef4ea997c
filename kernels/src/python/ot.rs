//! Oblivious transfers, for Python.

use super::arguments::{Words, check, refuse};
use super::results::{Array, filled, filled_too, zeros};
use crate::ot::base::{self, Key, POINT, RANDOM};
use crate::ot::extension::{self, COLUMNS, Messages, Setup, place};
use crate::ot::silent::{self, Pool, Tags};
use crate::ot::{ggm, gilboa};
use crate::simd::path::Path;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

type Column<'py> = Array<'py, u64, 1>;

fn bytes<const N: usize>(given: &[u8], name: &str) -> PyResult<[u8; N]> {
    given.try_into().map_err(|_| refuse(format!("{name} must have {N} bytes, not {}", given.len())))
}

fn keys(words: &[u64]) -> &[Key] {
    words.as_chunks().0
}

fn key(words: &Words<'_, 1>, name: &str) -> PyResult<Key> {
    (**words).try_into().map_err(|_| refuse(format!("{name} must have 2 words")))
}

fn depth_of(depth: usize) -> PyResult<usize> {
    check([1, 2, 4, 8].contains(&depth), || format!("depth must be 1, 2, 4 or 8, not {depth}"))?;
    Ok(depth)
}

/// All groups' leaves, (128 / depth, 2^depth, 2), with the public tag.
fn setup<'a>(leaves: &'a Words<'_, 3>, tag: &Words<'_, 1>) -> PyResult<Setup<'a>> {
    let depth = depth_of(COLUMNS.checked_div(leaves.shape()[0]).unwrap_or(0))?;
    check(leaves.shape() == [COLUMNS / depth, 1 << depth, 2], || {
        "leaves must have the shape (128 / depth, 2^depth, 2)".into()
    })?;
    Ok(Setup { leaves: keys(leaves), depth, tag: key(tag, "tag")? })
}

/// The base sender's message for 64 random bytes.
#[pyfunction]
pub(super) fn ot_offer<'py>(py: Python<'py>, secret: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let secret = bytes(secret, "secret")?;
    Ok(PyBytes::new(py, &base::offer(&secret)))
}

/// The base receiver's message and its chosen keys, (128, 2).
#[pyfunction]
pub(super) fn ot_choose<'py>(
    py: Python<'py>,
    session: &[u8],
    offer: &[u8],
    choices: Words<'py, 1>,
    random: &[u8],
) -> PyResult<(Bound<'py, PyBytes>, Array<'py, u64, 2>)> {
    let (session, offer) = (bytes(session, "session")?, bytes(offer, "offer")?);
    let choices = key(&choices, "choices")?;
    check(random.len() == COLUMNS * RANDOM, || {
        format!("random must have {} bytes, not {}", COLUMNS * RANDOM, random.len())
    })?;
    let mut reply = vec![0; COLUMNS * 2 * POINT];
    let mut found = None;
    let keys = filled(py, [COLUMNS, 2], |out: &mut [u64]| {
        let keys = out.as_chunks_mut().0;
        found = base::choose(&session, &offer, &choices, random, &mut reply, keys);
    })?;
    found.ok_or_else(|| refuse("offer must be a point".into()))?;
    Ok((PyBytes::new(py, &reply), keys))
}

/// The base sender's keys, (128, 2, 2).
#[pyfunction]
pub(super) fn ot_finish<'py>(
    py: Python<'py>,
    session: &[u8],
    secret: &[u8],
    reply: &[u8],
) -> PyResult<Array<'py, u64, 3>> {
    let (session, secret) = (bytes(session, "session")?, bytes(secret, "secret")?);
    check(reply.len() == COLUMNS * 2 * POINT, || {
        format!("reply must have {} bytes, not {}", COLUMNS * 2 * POINT, reply.len())
    })?;
    let mut found = None;
    let keys = filled(py, [COLUMNS, 2, 2], |out: &mut [u64]| {
        let keys = out.as_chunks_mut::<2>().0.as_chunks_mut().0;
        found = base::finish(&session, &secret, reply, keys);
    })?;
    found.ok_or_else(|| refuse("reply must be points".into()))?;
    Ok(keys)
}

/// All leaves (128 / depth, 2^depth, 2) of the roots, and the sums to send (128, 2, 2).
#[pyfunction]
pub(super) fn ot_grow<'py>(
    py: Python<'py>,
    depth: usize,
    roots: Words<'py, 2>,
    pads: Words<'py, 3>,
) -> PyResult<(Array<'py, u64, 3>, Array<'py, u64, 3>)> {
    let groups = COLUMNS / depth_of(depth)?;
    roots.must_have([groups, 2], "roots")?;
    pads.must_have([COLUMNS, 2, 2], "pads")?;
    let (roots, pads) = (keys(&roots), keys(&pads).as_chunks::<2>().0);
    let mut sums = vec![[[0; 2]; 2]; COLUMNS];
    let leaves = filled(py, [groups, 1 << depth, 2], |out: &mut [u64]| {
        let leaves = out.as_chunks_mut::<2>().0.chunks_exact_mut(1 << depth);
        let levels = pads.chunks_exact(depth).zip(sums.chunks_exact_mut(depth));
        for ((leaves, (pads, sums)), &root) in leaves.zip(levels).zip(roots) {
            ggm::grow(root, pads, leaves, sums);
        }
    })?;
    let sums = filled(py, [COLUMNS, 2, 2], |out: &mut [u64]| {
        out.copy_from_slice(sums.as_flattened().as_flattened());
    })?;
    Ok((leaves, sums))
}

/// All leaves but those at the places (128 bits), (128 / depth, 2^depth, 2).
#[pyfunction]
pub(super) fn ot_puncture<'py>(
    py: Python<'py>,
    depth: usize,
    places: Words<'py, 1>,
    pads: Words<'py, 2>,
    sums: Words<'py, 3>,
) -> PyResult<Array<'py, u64, 3>> {
    let groups = COLUMNS / depth_of(depth)?;
    let places = key(&places, "places")?;
    pads.must_have([COLUMNS, 2], "pads")?;
    sums.must_have([COLUMNS, 2, 2], "sums")?;
    let (pads, sums) = (keys(&pads), keys(&sums).as_chunks::<2>().0);
    filled(py, [groups, 1 << depth, 2], |out: &mut [u64]| {
        let leaves = out.as_chunks_mut::<2>().0.chunks_exact_mut(1 << depth);
        let levels = pads.chunks_exact(depth).zip(sums.chunks_exact(depth));
        for (group, (leaves, (pads, sums))) in leaves.zip(levels).enumerate() {
            ggm::puncture(place(places, group, depth), pads, sums, leaves);
        }
    })
}

/// The receiver's corrections, packed choices and chosen messages.
#[pyfunction]
pub(super) fn ot_receive<'py>(
    py: Python<'py>,
    leaves: Words<'py, 3>,
    tag: Words<'py, 1>,
    position: u64,
    words: usize,
    width: usize,
) -> PyResult<(Column<'py>, Column<'py>, Column<'py>)> {
    let setup = setup(&leaves, &tag)?;
    fits(position, words)?;
    let corrections = zeros(py, [(COLUMNS / setup.depth - 1) * words]);
    let choices = zeros(py, [words]);
    let chosen = zeros(py, [words * width_of(width)?]);
    filled_too(py, [&corrections, &choices, &chosen], |[corrections, choices, chosen]| {
        let mut out = messages(chosen, width);
        extension::receive(Path::best(), setup, position, corrections, choices, &mut out);
    })?;
    Ok((corrections, choices, chosen))
}

/// The sender's two messages of each transfer.
#[pyfunction]
pub(super) fn ot_send<'py>(
    py: Python<'py>,
    leaves: Words<'py, 3>,
    tag: Words<'py, 1>,
    places: Words<'py, 1>,
    position: u64,
    corrections: Words<'py, 2>,
    width: usize,
) -> PyResult<(Column<'py>, Column<'py>)> {
    let (setup, places) = (setup(&leaves, &tag)?, key(&places, "places")?);
    let [rows, words] = corrections.shape();
    check(rows == COLUMNS / setup.depth - 1, || {
        format!("corrections must have {} rows, not {rows}", COLUMNS / setup.depth - 1)
    })?;
    fits(position, words)?;
    let corrections: &[u64] = &corrections;
    let (zero, one) = pair(py, words, width)?;
    filled_too(py, [&zero, &one], |[zero, one]| {
        let (mut zero, mut one) = (messages(zero, width), messages(one, width));
        let out = [&mut zero, &mut one];
        extension::send(Path::best(), setup, places, position, (corrections, words), out);
    })?;
    Ok((zero, one))
}

/// Rows of a pool, in place of the bits of a message.
const ROWS: usize = 0;

/// Words that hold 64 messages, for the bits of one.
fn width_of(width: usize) -> PyResult<usize> {
    check(width <= 64 || width == COLUMNS, || {
        format!("width must be 1 to 64, 128, or 0 for rows, not {width}")
    })?;
    Ok(if width == ROWS { COLUMNS } else { width })
}

/// Room for both messages, but for one of rows.
fn pair(py: Python<'_>, words: usize, width: usize) -> PyResult<(Column<'_>, Column<'_>)> {
    let size = words * width_of(width)?;
    Ok((zeros(py, [size]), zeros(py, [if width == ROWS { 0 } else { size }])))
}

fn messages(out: &mut [u64], width: usize) -> Messages<'_> {
    match width {
        _ if out.is_empty() => Messages::Nothing,
        ROWS => Messages::Rows(out.as_chunks_mut().0),
        64 => Messages::Words(out),
        COLUMNS => Messages::Keys(out),
        _ => Messages::Slices(out, width),
    }
}

fn fits(position: u64, words: usize) -> PyResult<()> {
    let end = position.checked_add(words as u64);
    check(words < 1 << 40 && end.is_some_and(|end| end < 1 << 62), || {
        format!("{words} words from {position} on are too many")
    })
}

/// A pool of rows (n, 2) with tags (3, 2), checked for so many trees from `first` on.
fn pool_of<'a>(
    rows: &'a Words<'_, 2>,
    tags: &Words<'_, 2>,
    (first, trees): (usize, usize),
) -> PyResult<Pool<'a>> {
    let trees = first.checked_add(trees).filter(|&trees| trees < 1 << 40);
    let trees = trees.ok_or_else(|| refuse("first lies too far".into()))?;
    let needed = silent::DIMENSION + trees * silent::DEPTH;
    let found = rows.shape();
    check(found[1] == 2 && needed <= found[0], || {
        format!("rows must have a shape of ({needed} or more, 2), not {found:?}")
    })?;
    tags.must_have([3, 2], "tags")?;
    let [matrix, trees, hash] =
        keys(tags).try_into().map_err(|_| refuse("tags must be three".into()))?;
    let tags = Tags { matrix, trees, hash };
    let rows = keys(rows).split_first_chunk();
    let (linear, trees) = rows.ok_or_else(|| refuse("rows are too few".into()))?;
    Ok(Pool { linear, trees, tags })
}

/// The stretched transfers' message, and both messages of each.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "Python's arguments")]
pub(super) fn ot_silent_send<'py>(
    py: Python<'py>,
    rows: Words<'py, 2>,
    tags: Words<'py, 2>,
    first: usize,
    position: u64,
    places: Words<'py, 1>,
    roots: Words<'py, 2>,
    width: usize,
) -> PyResult<(Column<'py>, Column<'py>, Column<'py>)> {
    let [trees, two] = roots.shape();
    check(two == 2, || format!("roots must have 2 columns, not {two}"))?;
    let (pool, roots) = (pool_of(&rows, &tags, (first, trees))?, keys(&roots));
    let places = key(&places, "places")?;
    check(places[0] & 1 == 1, || "places must be odd".into())?;
    let words = trees * silent::WORDS;
    fits(position, words)?;
    let message = zeros(py, [2 * trees * silent::DEPTH]);
    let (zero, one) = pair(py, words, width)?;
    filled_too(py, [&message, &zero, &one], |[message, zero, one]| {
        let (mut zero, mut one) = (messages(zero, width), messages(one, width));
        let sums = message.as_chunks_mut().0;
        silent::send(pool, first, position, places, roots, sums, [&mut zero, &mut one]);
    })?;
    Ok((message, zero, one))
}

/// The receiver's end: packed choices and chosen messages.
#[pyfunction]
pub(super) fn ot_silent_receive<'py>(
    py: Python<'py>,
    rows: Words<'py, 2>,
    tags: Words<'py, 2>,
    first: usize,
    position: u64,
    message: Words<'py, 1>,
    width: usize,
) -> PyResult<(Column<'py>, Column<'py>)> {
    let trees = message.len() / (2 * silent::DEPTH);
    check(message.len() == 2 * silent::DEPTH * trees, || {
        format!("message must have {} words a tree", 2 * silent::DEPTH)
    })?;
    let (pool, message) = (pool_of(&rows, &tags, (first, trees))?, keys(&message));
    let words = trees * silent::WORDS;
    fits(position, words)?;
    let choices = zeros(py, [words]);
    let chosen = zeros(py, [words * width_of(width)?]);
    filled_too(py, [&choices, &chosen], |[choices, chosen]| {
        let mut out = messages(chosen, width);
        silent::receive(pool, first, position, message, choices, &mut out);
    })?;
    Ok((choices, chosen))
}

/// Streams of keys (2, n), `count` words each, n a multiple of `ring_bits`: for each such group
/// of keys word after word, (n / ring_bits, count, ring_bits) flat.
#[pyfunction]
pub(super) fn ot_expand<'py>(
    py: Python<'py>,
    keys: Words<'py, 2>,
    count: usize,
    ring_bits: usize,
) -> PyResult<Column<'py>> {
    let [two, n] = keys.shape();
    check(two == 2 && n.is_multiple_of(ring_of(ring_bits)?), || {
        format!("keys must have the shape (2, {ring_bits} rows)")
    })?;
    check(n.checked_mul(count).is_some_and(|size| size < 1 << 40), || "too many words".into())?;
    let (first, second) = keys.split_at(n);
    filled(py, [n * count], |out| gilboa::expand([first, second], count, ring_bits, out))
}

fn ring_of(bits: usize) -> PyResult<usize> {
    check((1..=64).contains(&bits), || format!("ring_bits must be 1 to 64, not {bits}"))?;
    Ok(bits)
}

/// The message, in words of `ring_bits` bits, and the shares of the products' sender.
#[pyfunction]
pub(super) fn ot_products_send<'py>(
    py: Python<'py>,
    zero: Words<'py, 1>,
    one: Words<'py, 1>,
    factors: Words<'py, 1>,
    ring_bits: usize,
) -> PyResult<(Column<'py>, Column<'py>)> {
    let [zero, one, factors]: [&[u64]; 3] = [&zero, &one, &factors];
    let messages = ring_of(ring_bits)? * factors.len();
    check(zero.len() == messages && one.len() == messages, || {
        format!("zero and one must hold {ring_bits} messages a factor")
    })?;
    let message = zeros(py, [gilboa::message_words(factors.len(), ring_bits)]);
    let shares = zeros(py, [factors.len()]);
    filled_too(py, [&message, &shares], |[message, shares]| {
        gilboa::send([zero, one], factors, ring_bits, message, shares);
    })?;
    Ok((message, shares))
}

/// The shares of the products' receiver.
#[pyfunction]
pub(super) fn ot_products_receive<'py>(
    py: Python<'py>,
    chosen: Words<'py, 1>,
    factors: Words<'py, 1>,
    ring_bits: usize,
    message: Words<'py, 1>,
) -> PyResult<Column<'py>> {
    let [chosen, factors, message]: [&[u64]; 3] = [&chosen, &factors, &message];
    let expected = gilboa::message_words(factors.len(), ring_of(ring_bits)?);
    check(chosen.len() == ring_bits * factors.len(), || {
        format!("chosen must hold {ring_bits} messages a factor")
    })?;
    check(message.len() == expected, || {
        format!("message must have {expected} words, not {}", message.len())
    })?;
    filled(py, [factors.len()], |out| gilboa::receive(chosen, factors, ring_bits, message, out))
}
