//! Gates, for Python.

use super::arguments::{Changed, Lines, Words, check};
use crate::simd::path::Path;
use crate::words::gates as kernel;
use pyo3::prelude::*;

/// Words up to which a call is over before another thread could be let in and out.
const SHORT: usize = 1 << 13;

/// Lets other threads run where it takes long enough to be worth it.
fn run(py: Python, words: usize, kernel: impl FnOnce() + Send) {
    if words <= SHORT { kernel() } else { py.detach(kernel) }
}

/// Refuses lines and an output that do not belong to so many words of gates.
fn must_fit(words: usize, lines: [&Lines; 2], places: usize) -> PyResult<()> {
    let width = lines[0].width();
    check(lines.iter().all(|of| (of.width(), of.length()) == (width, words)), || {
        format!("lines must have the length of a, {words}, and be as many")
    })?;
    check(Some(places) == words.checked_mul(1 + width), || {
        format!("{words} words of gates with {width} bits behind each open {}", words * (1 + width))
    })
}

/// This party's share of what is opened, put into out: gate ^ a, then each line of bits ^ b.
#[pyfunction]
pub fn gates_open(
    py: Python,
    gate: Words,
    bits: Lines,
    a: Words,
    b: Lines,
    mut out: Changed,
) -> PyResult<()> {
    check(gate.len() == a.len(), || format!("a must have {} words, not {}", gate.len(), a.len()))?;
    must_fit(a.len(), [&bits, &b], out.len())?;
    let (gate, a, bits, b): (&[u64], &[u64], _, _) = (&gate, &a, bits.lines(), b.lines());
    let out: &mut [u64] = &mut out;
    run(py, out.len(), || kernel::open(Path::best(), gate, &bits, a, &b, out));
    Ok(())
}

/// This party's share of the products, put into out, line by line, for what was opened.
#[pyfunction]
pub fn gates_close(
    py: Python,
    opened: Words,
    a: Words,
    b: Lines,
    c: Lines,
    rank: u32,
    mut out: Changed,
) -> PyResult<()> {
    must_fit(a.len(), [&b, &c], opened.len())?;
    check(out.len() == a.len() * b.width(), || {
        format!("out must have {} words, not {}", a.len() * b.width(), out.len())
    })?;
    check(rank < 2, || format!("rank must be 0 or 1, not {rank}"))?;
    let (opened, a, b, c): (&[u64], &[u64], _, _) = (&opened, &a, b.lines(), c.lines());
    let out: &mut [u64] = &mut out;
    run(py, opened.len(), || kernel::close(Path::best(), opened, (a, &b, &c), rank == 0, out));
    Ok(())
}
