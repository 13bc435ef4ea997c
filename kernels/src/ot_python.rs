//! The oblivious transfers of the Python module; a part of [`super`].

use super::{Array, array, check, filled, matrix, refuse, shape, slice, vector};
use crate::ot::{self, COLUMNS, Messages, Setup, place};
use crate::ot_base::{self, Key, POINT, RANDOM};
use crate::ot_products as products;
use crate::ot_silent::{self, Pool, Tags};
use crate::ot_tree;
use crate::path::Path;
use numpy::ndarray::Dim;
use numpy::{PyArray, PyArrayMethods, PyReadonlyArray};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

type Cube<'py, const D: usize> = PyReadonlyArray<'py, u64, Dim<[usize; D]>>;
type Words<'py> = Array<'py, u64, 1>;

fn bytes<const N: usize>(given: &[u8], name: &str) -> PyResult<[u8; N]> {
    given.try_into().map_err(|_| refuse(format!("{name} must have {N} bytes, not {}", given.len())))
}

fn cube<'py, const D: usize>(
    argument: &Bound<'py, PyAny>,
    name: &str,
    wanted: [usize; D],
) -> PyResult<Cube<'py, D>>
where
    Dim<[usize; D]>: numpy::ndarray::Dimension,
{
    let cube = array::<u64, Dim<[usize; D]>>(argument, name)?;
    let found = cube.as_array().shape().to_vec();
    check(found == wanted, || format!("{name} must have the shape {wanted:?}, not {found:?}"))?;
    Ok(cube)
}

fn keys<'a, const D: usize>(of: &'a Cube<'_, D>, name: &str) -> PyResult<&'a [Key]>
where
    Dim<[usize; D]>: numpy::ndarray::Dimension,
{
    Ok(slice(of, name)?.as_chunks().0)
}

fn key(argument: &Bound<'_, PyAny>, name: &str) -> PyResult<Key> {
    let words = vector::<u64>(argument, name)?;
    slice(&words, name)?.try_into().map_err(|_| refuse(format!("{name} must have 2 words")))
}

fn depth_of(depth: usize) -> PyResult<usize> {
    check([1, 2, 4, 8].contains(&depth), || format!("depth must be 1, 2, 4 or 8, not {depth}"))?;
    Ok(depth)
}

/// The depth of all groups' leaves, (128 / depth, 2^depth, 2).
fn depth_of_leaves(leaves: &Cube<'_, 3>) -> PyResult<usize> {
    let groups = leaves.as_array().shape()[0];
    let depth = depth_of(COLUMNS.checked_div(groups).unwrap_or(0))?;
    check(leaves.as_array().shape() == [COLUMNS / depth, 1 << depth, 2], || {
        "leaves must have the shape (128 / depth, 2^depth, 2)".into()
    })?;
    Ok(depth)
}

/// A second and third result beside the one that `filled` makes.
fn zeros<'py>(py: Python<'py>, count: usize) -> Words<'py> {
    PyArray::zeros(py, [count], false)
}

fn filled_too<'py, const D: usize>(
    py: Python<'py>,
    others: [&Words<'py>; D],
    kernel: impl FnOnce([&mut [u64]; D]) + Send,
) -> PyResult<()> {
    let mut held = Vec::with_capacity(D);
    for other in others {
        held.push(other.try_readwrite().map_err(|error| refuse(error.to_string()))?);
    }
    let mut slices = Vec::with_capacity(D);
    for array in &mut held {
        slices.push(array.as_slice_mut().map_err(|error| refuse(error.to_string()))?);
    }
    let slices: [&mut [u64]; D] = slices.try_into().map_err(|_| refuse("as many".into()))?;
    py.detach(|| kernel(slices));
    Ok(())
}

/// The base sender's message for 64 random bytes.
#[pyfunction]
pub(super) fn ot_offer<'py>(py: Python<'py>, secret: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let secret = bytes(secret, "secret")?;
    Ok(PyBytes::new(py, &ot_base::offer(&secret)))
}

/// The base receiver's message and its chosen keys, (128, 2).
#[pyfunction]
pub(super) fn ot_choose<'py>(
    py: Python<'py>,
    session: &[u8],
    offer: &[u8],
    choices: &Bound<'py, PyAny>,
    random: &[u8],
) -> PyResult<(Bound<'py, PyBytes>, Array<'py, u64, 2>)> {
    let (session, offer) = (bytes(session, "session")?, bytes(offer, "offer")?);
    let choices = key(choices, "choices")?;
    check(random.len() == COLUMNS * RANDOM, || {
        format!("random must have {} bytes, not {}", COLUMNS * RANDOM, random.len())
    })?;
    let mut reply = vec![0; COLUMNS * 2 * POINT];
    let mut found = None;
    let keys = filled(py, [COLUMNS, 2], |out: &mut [u64]| {
        let keys = out.as_chunks_mut().0;
        found = ot_base::choose(&session, &offer, &choices, random, &mut reply, keys);
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
        found = ot_base::finish(&session, &secret, reply, keys);
    })?;
    found.ok_or_else(|| refuse("reply must be points".into()))?;
    Ok(keys)
}

/// All leaves (128 / depth, 2^depth, 2) of the roots, and the sums to send (128, 2, 2).
#[pyfunction]
pub(super) fn ot_grow<'py>(
    py: Python<'py>,
    depth: usize,
    roots: &Bound<'py, PyAny>,
    pads: &Bound<'py, PyAny>,
) -> PyResult<(Array<'py, u64, 3>, Array<'py, u64, 3>)> {
    let groups = COLUMNS / depth_of(depth)?;
    let roots = cube(roots, "roots", [groups, 2])?;
    let pads = cube(pads, "pads", [COLUMNS, 2, 2])?;
    let (roots, pads) = (keys(&roots, "roots")?, keys(&pads, "pads")?.as_chunks::<2>().0);
    let mut sums = vec![[[0; 2]; 2]; COLUMNS];
    let leaves = filled(py, [groups, 1 << depth, 2], |out: &mut [u64]| {
        let leaves = out.as_chunks_mut::<2>().0.chunks_exact_mut(1 << depth);
        let levels = pads.chunks_exact(depth).zip(sums.chunks_exact_mut(depth));
        for ((leaves, (pads, sums)), &root) in leaves.zip(levels).zip(roots) {
            ot_tree::grow(root, pads, leaves, sums);
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
    places: &Bound<'py, PyAny>,
    pads: &Bound<'py, PyAny>,
    sums: &Bound<'py, PyAny>,
) -> PyResult<Array<'py, u64, 3>> {
    let groups = COLUMNS / depth_of(depth)?;
    let places = key(places, "places")?;
    let pads = cube(pads, "pads", [COLUMNS, 2])?;
    let sums = cube(sums, "sums", [COLUMNS, 2, 2])?;
    let (pads, sums) = (keys(&pads, "pads")?, keys(&sums, "sums")?.as_chunks::<2>().0);
    filled(py, [groups, 1 << depth, 2], |out: &mut [u64]| {
        let leaves = out.as_chunks_mut::<2>().0.chunks_exact_mut(1 << depth);
        let levels = pads.chunks_exact(depth).zip(sums.chunks_exact(depth));
        for (group, (leaves, (pads, sums))) in leaves.zip(levels).enumerate() {
            ot_tree::puncture(place(places, group, depth), pads, sums, leaves);
        }
    })
}

/// The receiver's corrections, packed choices and chosen messages.
#[pyfunction]
pub(super) fn ot_receive<'py>(
    py: Python<'py>,
    leaves: &Bound<'py, PyAny>,
    tag: &Bound<'py, PyAny>,
    position: u64,
    words: usize,
    width: usize,
) -> PyResult<(Words<'py>, Words<'py>, Words<'py>)> {
    let leaves = array::<u64, Dim<[usize; 3]>>(leaves, "leaves")?;
    let depth = depth_of_leaves(&leaves)?;
    let setup = Setup { leaves: keys(&leaves, "leaves")?, depth, tag: key(tag, "tag")? };
    let rows = COLUMNS / depth - 1;
    fits(position, words)?;
    let corrections = zeros(py, rows * words);
    let choices = zeros(py, words);
    let chosen = zeros(py, words * width_of(width)?);
    filled_too(py, [&corrections, &choices, &chosen], |[corrections, choices, chosen]| {
        let mut out = messages(chosen, width);
        ot::receive(Path::best(), setup, position, corrections, choices, &mut out);
    })?;
    Ok((corrections, choices, chosen))
}

/// The sender's two messages of each transfer.
#[pyfunction]
pub(super) fn ot_send<'py>(
    py: Python<'py>,
    leaves: &Bound<'py, PyAny>,
    tag: &Bound<'py, PyAny>,
    places: &Bound<'py, PyAny>,
    position: u64,
    corrections: &Bound<'py, PyAny>,
    width: usize,
) -> PyResult<(Words<'py>, Words<'py>)> {
    let leaves = array::<u64, Dim<[usize; 3]>>(leaves, "leaves")?;
    let depth = depth_of_leaves(&leaves)?;
    let setup = Setup { leaves: keys(&leaves, "leaves")?, depth, tag: key(tag, "tag")? };
    let places = key(places, "places")?;
    let corrections = matrix::<u64>(corrections, "corrections")?;
    let (rows, words) = shape(&corrections);
    check(rows == COLUMNS / depth - 1, || {
        format!("corrections must have {} rows, not {rows}", COLUMNS / depth - 1)
    })?;
    fits(position, words)?;
    let corrections = slice(&corrections, "corrections")?;
    let (zero, one) = pair(py, words, width)?;
    filled_too(py, [&zero, &one], |[zero, one]| {
        let (mut zero, mut one) = (messages(zero, width), messages(one, width));
        let out = [&mut zero, &mut one];
        ot::send(Path::best(), setup, places, position, (corrections, words), out);
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
fn pair(py: Python<'_>, words: usize, width: usize) -> PyResult<(Words<'_>, Words<'_>)> {
    let size = words * width_of(width)?;
    Ok((zeros(py, size), zeros(py, if width == ROWS { 0 } else { size })))
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

/// The rows of a pool and its tags (3, 2), checked for so many trees.
struct Held<'py> {
    rows: Cube<'py, 2>,
    tags: Tags,
}

impl<'py> Held<'py> {
    fn new(
        rows: &Bound<'py, PyAny>,
        tags: &Bound<'py, PyAny>,
        trees: (usize, usize),
    ) -> PyResult<Self> {
        let rows = array::<u64, Dim<[usize; 2]>>(rows, "rows")?;
        let trees = trees.0.checked_add(trees.1).filter(|&trees| trees < 1 << 40);
        let trees = trees.ok_or_else(|| refuse("first lies too far".into()))?;
        let needed = ot_silent::DIMENSION + trees * ot_silent::DEPTH;
        let found = rows.as_array().shape().to_vec();
        check(found[1] == 2 && needed <= found[0], || {
            format!("rows must have a shape of ({needed} or more, 2), not {found:?}")
        })?;
        let tags = cube(tags, "tags", [3, 2])?;
        let [matrix, trees, hash] =
            keys(&tags, "tags")?.try_into().map_err(|_| refuse("tags must be three".into()))?;
        Ok(Held { rows, tags: Tags { matrix, trees, hash } })
    }

    fn pool(&self) -> PyResult<Pool<'_>> {
        let rows = keys(&self.rows, "rows")?.split_first_chunk();
        let (linear, trees) = rows.ok_or_else(|| refuse("rows are too few".into()))?;
        Ok(Pool { linear, trees, tags: self.tags })
    }
}

/// The stretched transfers' message, and both messages of each.
#[pyfunction]
#[allow(clippy::too_many_arguments, reason = "Python's arguments")]
pub(super) fn ot_silent_send<'py>(
    py: Python<'py>,
    rows: &Bound<'py, PyAny>,
    tags: &Bound<'py, PyAny>,
    first: usize,
    position: u64,
    places: &Bound<'py, PyAny>,
    roots: &Bound<'py, PyAny>,
    width: usize,
) -> PyResult<(Words<'py>, Words<'py>, Words<'py>)> {
    let roots = matrix::<u64>(roots, "roots")?;
    let (trees, two) = shape(&roots);
    check(two == 2, || format!("roots must have 2 columns, not {two}"))?;
    let roots = slice(&roots, "roots")?.as_chunks().0;
    let held = Held::new(rows, tags, (first, trees))?;
    let pool = held.pool()?;
    let places = key(places, "places")?;
    check(places[0] & 1 == 1, || "places must be odd".into())?;
    let words = trees * ot_silent::WORDS;
    fits(position, words)?;
    let message = zeros(py, 2 * trees * ot_silent::DEPTH);
    let (zero, one) = pair(py, words, width)?;
    filled_too(py, [&message, &zero, &one], |[message, zero, one]| {
        let (mut zero, mut one) = (messages(zero, width), messages(one, width));
        let sums = message.as_chunks_mut().0;
        ot_silent::send(pool, first, position, places, roots, sums, [&mut zero, &mut one]);
    })?;
    Ok((message, zero, one))
}

/// The receiver's end: packed choices and chosen messages.
#[pyfunction]
pub(super) fn ot_silent_receive<'py>(
    py: Python<'py>,
    rows: &Bound<'py, PyAny>,
    tags: &Bound<'py, PyAny>,
    first: usize,
    position: u64,
    message: &Bound<'py, PyAny>,
    width: usize,
) -> PyResult<(Words<'py>, Words<'py>)> {
    let message = vector::<u64>(message, "message")?;
    let message = slice(&message, "message")?;
    let trees = message.len() / (2 * ot_silent::DEPTH);
    check(message.len() == 2 * ot_silent::DEPTH * trees, || {
        format!("message must have {} words a tree", 2 * ot_silent::DEPTH)
    })?;
    let held = Held::new(rows, tags, (first, trees))?;
    let pool = held.pool()?;
    let words = trees * ot_silent::WORDS;
    fits(position, words)?;
    let choices = zeros(py, words);
    let chosen = zeros(py, words * width_of(width)?);
    filled_too(py, [&choices, &chosen], |[choices, chosen]| {
        let mut out = messages(chosen, width);
        let message = message.as_chunks().0;
        ot_silent::receive(pool, first, position, message, choices, &mut out);
    })?;
    Ok((choices, chosen))
}

/// Streams of keys (2, n), `count` words each, n a multiple of `ring_bits`: for each such group
/// of keys word after word, (n / ring_bits, count, ring_bits) flat.
#[pyfunction]
pub(super) fn ot_expand<'py>(
    py: Python<'py>,
    keys: &Bound<'py, PyAny>,
    count: usize,
    ring_bits: usize,
) -> PyResult<Words<'py>> {
    let keys = matrix::<u64>(keys, "keys")?;
    let (two, n) = shape(&keys);
    check(two == 2 && n.is_multiple_of(ring_of(ring_bits)?), || {
        format!("keys must have the shape (2, {ring_bits} rows)")
    })?;
    check(n.checked_mul(count).is_some_and(|size| size < 1 << 40), || "too many words".into())?;
    let (first, second) = slice(&keys, "keys")?.split_at(n);
    filled(py, [n * count], |out| products::expand([first, second], count, ring_bits, out))
}

fn ring_of(bits: usize) -> PyResult<usize> {
    check((1..=64).contains(&bits), || format!("ring_bits must be 1 to 64, not {bits}"))?;
    Ok(bits)
}

/// The message, in words of `ring_bits` bits, and the shares of the products' sender.
#[pyfunction]
pub(super) fn ot_products_send<'py>(
    py: Python<'py>,
    zero: &Bound<'py, PyAny>,
    one: &Bound<'py, PyAny>,
    factors: &Bound<'py, PyAny>,
    ring_bits: usize,
) -> PyResult<(Words<'py>, Words<'py>)> {
    let [zero, one, factors] =
        [vector::<u64>(zero, "zero")?, vector(one, "one")?, vector(factors, "factors")?];
    let [zero, one, factors] =
        [slice(&zero, "zero")?, slice(&one, "one")?, slice(&factors, "factors")?];
    let messages = ring_of(ring_bits)? * factors.len();
    check(zero.len() == messages && one.len() == messages, || {
        format!("zero and one must hold {ring_bits} messages a factor")
    })?;
    let message = zeros(py, products::message_words(factors.len(), ring_bits));
    let shares = zeros(py, factors.len());
    filled_too(py, [&message, &shares], |[message, shares]| {
        products::send([zero, one], factors, ring_bits, message, shares);
    })?;
    Ok((message, shares))
}

/// The shares of the products' receiver.
#[pyfunction]
pub(super) fn ot_products_receive<'py>(
    py: Python<'py>,
    chosen: &Bound<'py, PyAny>,
    factors: &Bound<'py, PyAny>,
    ring_bits: usize,
    message: &Bound<'py, PyAny>,
) -> PyResult<Words<'py>> {
    let [chosen, factors, message] = [
        vector::<u64>(chosen, "chosen")?,
        vector(factors, "factors")?,
        vector(message, "message")?,
    ];
    let [chosen, factors, message] =
        [slice(&chosen, "chosen")?, slice(&factors, "factors")?, slice(&message, "message")?];
    let expected = products::message_words(factors.len(), ring_of(ring_bits)?);
    check(chosen.len() == ring_bits * factors.len(), || {
        format!("chosen must hold {ring_bits} messages a factor")
    })?;
    check(message.len() == expected, || {
        format!("message must have {expected} words, not {}", message.len())
    })?;
    filled(py, [factors.len()], |out| products::receive(chosen, factors, ring_bits, message, out))
}
