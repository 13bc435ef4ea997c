//! Oblivious transfers, for Python.

use super::arguments::{Pair, Words, check, refuse, within};
use super::results::{Array, Column, Made, filled, filled_too};
use crate::ot::base::{self, POINT, RANDOM};
use crate::ot::extension::{self, COLUMNS, Messages, Setup, place};
use crate::ot::key::Key;
use crate::ot::silent::{self, Pool, Tags};
use crate::ot::{ggm, gilboa};
use crate::simd::path::Path;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

type Two = PyResult<(Column, Column)>;
type Three = PyResult<(Column, Column, Column)>;

fn bytes<const N: usize>(given: &[u8], name: &str) -> PyResult<[u8; N]> {
    given.try_into().map_err(|_| refuse(format!("{name} must have {N} bytes, not {}", given.len())))
}

fn keys(words: &[u64]) -> &[Key] {
    words.as_chunks().0
}

fn depth_of(depth: usize) -> PyResult<usize> {
    check([1, 2, 4, 8].contains(&depth), || format!("depth must be 1, 2, 4 or 8, not {depth}"))?;
    Ok(depth)
}

/// All groups' leaves, (128 / depth, 2^depth, 2), with the public tag.
fn setup<'a>(leaves: &'a Words<3>, tag: Pair) -> PyResult<Setup<'a>> {
    let depth = depth_of(COLUMNS.checked_div(leaves.shape()[0]).unwrap_or(0))?;
    check(leaves.shape() == [COLUMNS / depth, 1 << depth, 2], || {
        "leaves must have the shape (128 / depth, 2^depth, 2)".into()
    })?;
    Ok(Setup { leaves: keys(leaves), depth, tag: tag.0 })
}

/// The base sender's message for 64 random bytes.
#[pyfunction]
pub fn ot_offer(py: Python, secret: &[u8]) -> PyResult<Py<PyBytes>> {
    let secret = bytes(secret, "secret")?;
    Ok(PyBytes::new(py, &base::offer(&secret)).unbind())
}

/// The base receiver's message and its chosen keys, (128, 2).
#[pyfunction]
pub fn ot_choose(
    py: Python,
    session: &[u8],
    offer: &[u8],
    choices: Pair,
    random: &[u8],
) -> PyResult<(Py<PyBytes>, Array<u64, 2>)> {
    let (session, offer) = (bytes(session, "session")?, bytes(offer, "offer")?);
    check(random.len() == COLUMNS * RANDOM, || {
        format!("random must have {} bytes, not {}", COLUMNS * RANDOM, random.len())
    })?;
    let mut reply = vec![0; COLUMNS * 2 * POINT];
    let mut found = None;
    let keys = filled(py, [COLUMNS, 2], |out: &mut [u64]| {
        let keys = out.as_chunks_mut().0;
        found = base::choose(&session, &offer, &choices.0, random, &mut reply, keys);
    });
    found.ok_or_else(|| refuse("offer must be a point".into()))?;
    Ok((PyBytes::new(py, &reply).unbind(), keys))
}

/// The base sender's keys, (128, 2, 2).
#[pyfunction]
pub fn ot_finish(py: Python, session: &[u8], secret: &[u8], reply: &[u8]) -> Made<3> {
    let (session, secret) = (bytes(session, "session")?, bytes(secret, "secret")?);
    check(reply.len() == COLUMNS * 2 * POINT, || {
        format!("reply must have {} bytes, not {}", COLUMNS * 2 * POINT, reply.len())
    })?;
    let mut found = None;
    let keys = filled(py, [COLUMNS, 2, 2], |out: &mut [u64]| {
        let keys = out.as_chunks_mut::<2>().0.as_chunks_mut().0;
        found = base::finish(&session, &secret, reply, keys);
    });
    found.ok_or_else(|| refuse("reply must be points".into()))?;
    Ok(keys)
}

/// All leaves (128 / depth, 2^depth, 2) of the roots, and the sums to send (128, 2, 2).
#[pyfunction]
pub fn ot_grow(
    py: Python,
    depth: usize,
    roots: Words<2>,
    pads: Words<3>,
) -> PyResult<(Array<u64, 3>, Array<u64, 3>)> {
    let groups = COLUMNS / depth_of(depth)?;
    roots.must_have([groups, 2], "roots")?;
    pads.must_have([COLUMNS, 2, 2], "pads")?;
    let (roots, pads) = (keys(&roots), keys(&pads).as_chunks::<2>().0);
    let shapes = [[groups, 1 << depth, 2], [COLUMNS, 2, 2]];
    let made = filled_too(py, shapes, |[leaves, sums]: [&mut [u64]; 2]| {
        let leaves = leaves.as_chunks_mut::<2>().0.chunks_exact_mut(1 << depth);
        let sums = sums.as_chunks_mut::<2>().0.as_chunks_mut::<2>().0.chunks_exact_mut(depth);
        let levels = pads.chunks_exact(depth).zip(sums);
        for ((leaves, (pads, sums)), &root) in leaves.zip(levels).zip(roots) {
            ggm::grow(root, pads, leaves, sums);
        }
    });
    Ok(made.into())
}

/// All leaves but those at the places (128 bits), (128 / depth, 2^depth, 2).
#[pyfunction]
pub fn ot_puncture(
    py: Python,
    depth: usize,
    places: Pair,
    pads: Words<2>,
    sums: Words<3>,
) -> Made<3> {
    let groups = COLUMNS / depth_of(depth)?;
    pads.must_have([COLUMNS, 2], "pads")?;
    sums.must_have([COLUMNS, 2, 2], "sums")?;
    let (pads, sums) = (keys(&pads), keys(&sums).as_chunks::<2>().0);
    Ok(filled(py, [groups, 1 << depth, 2], |out: &mut [u64]| {
        let leaves = out.as_chunks_mut::<2>().0.chunks_exact_mut(1 << depth);
        let levels = pads.chunks_exact(depth).zip(sums.chunks_exact(depth));
        for (group, (leaves, (pads, sums))) in leaves.zip(levels).enumerate() {
            ggm::puncture(place(places.0, group, depth), pads, sums, leaves);
        }
    }))
}

/// The receiver's corrections, packed choices and chosen messages.
#[pyfunction]
pub fn ot_receive(
    py: Python,
    leaves: Words<3>,
    tag: Pair,
    position: u64,
    words: usize,
    width: usize,
) -> Three {
    let setup = setup(&leaves, tag)?;
    fits(position, words)?;
    let shapes = [[(COLUMNS / setup.depth - 1) * words], [words], [words * width_of(width)?]];
    let made = filled_too(py, shapes, |[corrections, choices, chosen]| {
        let mut out = messages(chosen, width);
        extension::receive(Path::best(), setup, position, corrections, choices, &mut out);
    });
    Ok(made.into())
}

/// The sender's two messages of each transfer.
#[pyfunction]
pub fn ot_send(
    py: Python,
    leaves: Words<3>,
    tag: Pair,
    places: Pair,
    position: u64,
    corrections: Words<2>,
    width: usize,
) -> Two {
    let setup = setup(&leaves, tag)?;
    let [rows, words] = corrections.shape();
    check(rows == COLUMNS / setup.depth - 1, || {
        format!("corrections must have {} rows, not {rows}", COLUMNS / setup.depth - 1)
    })?;
    fits(position, words)?;
    let corrections: &[u64] = &corrections;
    let made = filled_too(py, pair(words, width)?, |[zero, one]| {
        let (mut zero, mut one) = (messages(zero, width), messages(one, width));
        let out = [&mut zero, &mut one];
        extension::send(Path::best(), setup, places.0, position, (corrections, words), out);
    });
    Ok(made.into())
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

/// Words of both messages, but of one of rows.
fn pair(words: usize, width: usize) -> PyResult<[[usize; 1]; 2]> {
    let size = words * width_of(width)?;
    Ok([[size], [if width == ROWS { 0 } else { size }]])
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
    rows: &'a Words<2>,
    tags: &Words<2>,
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
    let tags = keys(tags);
    let tags = Tags { matrix: tags[0], trees: tags[1], hash: tags[2] };
    let (linear, trees) = keys(rows).split_first_chunk().expect("so many rows, as checked");
    Ok(Pool { linear, trees, tags })
}

/// The stretched transfers' message, and both messages of each.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "Python's arguments")]
pub fn ot_silent_send(
    py: Python,
    rows: Words<2>,
    tags: Words<2>,
    first: usize,
    position: u64,
    places: Pair,
    roots: Words<2>,
    width: usize,
) -> Three {
    let [trees, two] = roots.shape();
    check(two == 2, || format!("roots must have 2 columns, not {two}"))?;
    let (pool, roots) = (pool_of(&rows, &tags, (first, trees))?, keys(&roots));
    check(places.0[0] & 1 == 1, || "places must be odd".into())?;
    let words = trees * silent::WORDS;
    fits(position, words)?;
    let [first_shape, second_shape] = pair(words, width)?;
    let shapes = [[2 * trees * silent::DEPTH], first_shape, second_shape];
    let made = filled_too(py, shapes, |[message, zero, one]| {
        let (mut zero, mut one) = (messages(zero, width), messages(one, width));
        let sums = message.as_chunks_mut().0;
        let (from, out) = ((pool, first, position), [&mut zero, &mut one]);
        silent::send(Path::best(), from, places.0, roots, sums, out);
    });
    Ok(made.into())
}

/// The receiver's end: packed choices and chosen messages.
#[pyfunction]
pub fn ot_silent_receive(
    py: Python,
    rows: Words<2>,
    tags: Words<2>,
    first: usize,
    position: u64,
    message: Words,
    width: usize,
) -> Two {
    let trees = message.len() / (2 * silent::DEPTH);
    check(message.len() == 2 * silent::DEPTH * trees, || {
        format!("message must have {} words a tree", 2 * silent::DEPTH)
    })?;
    let (pool, message) = (pool_of(&rows, &tags, (first, trees))?, keys(&message));
    let words = trees * silent::WORDS;
    fits(position, words)?;
    let shapes = [[words], [words * width_of(width)?]];
    let made = filled_too(py, shapes, |[choices, chosen]| {
        let mut out = messages(chosen, width);
        silent::receive(Path::best(), (pool, first, position), message, choices, &mut out);
    });
    Ok(made.into())
}

/// Streams of keys (2, n), `count` words each, n a multiple of `ring_bits`: for each such group
/// of keys word after word, (n / ring_bits, count, ring_bits) flat.
#[pyfunction]
pub fn ot_expand(py: Python, keys: Words<2>, first: u64, count: usize, ring_bits: usize) -> Made {
    let [two, n] = keys.shape();
    check(two == 2 && n.is_multiple_of(within(ring_bits, 1..=64, "ring_bits")?), || {
        format!("keys must have the shape (2, {ring_bits} rows)")
    })?;
    check(n.checked_mul(count).is_some_and(|size| size < 1 << 40), || "too many words".into())?;
    check(first < 1 << 62, || "the streams are used up".into())?;
    let (low, high) = keys.split_at(n);
    Ok(filled(py, [n * count], |out| gilboa::expand([low, high], first, count, ring_bits, out)))
}

/// The message, in words of `ring_bits` bits, and the shares of the products' sender.
#[pyfunction]
pub fn ot_products_send(
    py: Python,
    zero: Words,
    one: Words,
    factors: Words,
    ring_bits: usize,
) -> Two {
    let [zero, one, factors]: [&[u64]; 3] = [&zero, &one, &factors];
    let messages = within(ring_bits, 1..=64, "ring_bits")? * factors.len();
    check(zero.len() == messages && one.len() == messages, || {
        format!("zero and one must hold {ring_bits} messages a factor")
    })?;
    let shapes = [[gilboa::message_words(factors.len(), ring_bits)], [factors.len()]];
    let made = filled_too(py, shapes, |[message, shares]| {
        gilboa::send([zero, one], factors, ring_bits, message, shares);
    });
    Ok(made.into())
}

/// The shares of the products' receiver.
#[pyfunction]
pub fn ot_products_receive(
    py: Python,
    chosen: Words,
    choices: Words,
    ring_bits: usize,
    message: Words,
) -> Made {
    let [chosen, choices, message]: [&[u64]; 3] = [&chosen, &choices, &message];
    let count = choices.len();
    let expected = gilboa::message_words(count, within(ring_bits, 1..=64, "ring_bits")?);
    check(chosen.len() == ring_bits * count, || {
        format!("chosen must hold {ring_bits} messages a product")
    })?;
    check(message.len() == expected, || {
        format!("message must have {expected} words, not {}", message.len())
    })?;
    Ok(filled(py, [count], |out| gilboa::receive(chosen, choices, ring_bits, message, out)))
}
