//! Products of both parties' private bits, and numbers made of shared bits, for Python.

use super::arguments::{Changed, Lines, Words, check};
use super::results::{Made, filled};
use crate::simd::path::Path;
use crate::words::lifts as kernel;
use crate::words::slices;
use pyo3::prelude::*;

/// Refuses lines of another length than the bits have, or more than a word has bits.
fn must_fit(words: usize, lines: &Lines) -> PyResult<usize> {
    check(lines.width() <= kernel::WIDEST && lines.length() == words, || {
        format!("lines must be {words} words long, and {} at most", kernel::WIDEST)
    })?;
    Ok(lines.width() * words)
}

/// Refuses an output that is not as long as all lines.
fn must_hold(out: usize, size: usize) -> PyResult<()> {
    check(out == size, || format!("out must have {size} words, not {out}"))
}

/// What the sender of bits sends, put into out: of each line of its messages one.
#[pyfunction]
pub fn lift_send(
    py: Python,
    zero: Lines,
    one: Lines,
    bits: Words,
    mut out: Changed,
) -> PyResult<()> {
    let size = must_fit(bits.len(), &zero)?;
    check(must_fit(bits.len(), &one)? == size, || "messages differ in length".into())?;
    must_hold(out.len(), size)?;
    let (zero, one, bits, out): (_, _, &[u64], &mut [u64]) =
        (zero.lines(), one.lines(), &bits, &mut out);
    py.detach(|| kernel::sent(Path::best(), [&zero, &one], bits, out));
    Ok(())
}

/// Minus the sender's share of the products of its bits, put into out.
#[pyfunction]
pub fn lift_give(
    py: Python,
    zero: Lines,
    bits: Words,
    flips: Words,
    mut out: Changed,
) -> PyResult<()> {
    let size = must_fit(bits.len(), &zero)?;
    must_hold(out.len(), size)?;
    check(flips.len() == bits.len(), || "a flip for each bit is needed".into())?;
    let (zero, bits, flips, out): (_, &[u64], &[u64], &mut [u64]) =
        (zero.lines(), &bits, &flips, &mut out);
    py.detach(|| kernel::given(Path::best(), &zero, bits, flips, out));
    Ok(())
}

/// Minus the receiver's share of the products, from what has come, put into out.
#[pyfunction]
pub fn lift_take(
    py: Python,
    chosen: Lines,
    received: Words,
    choices: Words,
    flips: Words,
    mut out: Changed,
) -> PyResult<()> {
    let size = must_fit(choices.len(), &chosen)?;
    must_hold(out.len(), size)?;
    check(flips.len() == choices.len() && received.len() == size, || {
        format!("{} flips and {} words that have come fit no {size}", flips.len(), received.len())
    })?;
    let (chosen, received): (_, &[u64]) = (chosen.lines(), &received);
    let (choices, flips, out): (&[u64], &[u64], &mut [u64]) = (&choices, &flips, &mut out);
    py.detach(|| kernel::taken(Path::best(), &chosen, received, choices, flips, out));
    Ok(())
}

/// Sums of weight (bit - 2 product) over runs of rows of so many each, modulo 2^width of each run:
/// (runs, 64 words). Of row k the products, negated, are lengths[k] lines of words, row after row;
/// the bits are (rows, words).
#[pyfunction]
pub fn lift_sums(
    py: Python,
    products: Words,
    bits: Words<2>,
    lengths: Vec<usize>,
    weights: Words,
    runs: Vec<usize>,
    widths: Vec<usize>,
) -> Made<2> {
    let [count, words] = bits.shape();
    let total = |of: &[usize]| of.iter().fold(0, |sum: usize, &one| sum.saturating_add(one));
    check([lengths.len(), weights.len(), total(&runs)] == [count; 3], || {
        format!("{count} rows of bits need as many lengths, weights and places in runs")
    })?;
    check(runs.len() == widths.len(), || "each run needs a width".into())?;
    check(widths.iter().all(|width| (1..=kernel::WIDEST).contains(width)), || {
        format!("widths must be 1 to {}, not {widths:?}", kernel::WIDEST)
    })?;
    check(Some(products.len()) == total(&lengths).checked_mul(words), || {
        format!("{} words of products do not fit lines of {words}", products.len())
    })?;
    let rows: Vec<(usize, u64)> = lengths.into_iter().zip(weights.iter().copied()).collect();
    let of_runs = runs.iter().zip(&widths).flat_map(|(&run, &width)| [width].repeat(run));
    let fits = |(&(lines, weight), width): (&(usize, u64), usize)| {
        lines + 1 + weight.trailing_zeros() as usize >= width
    };
    check(rows.iter().zip(of_runs).all(fits), || "a product has too few lines for its run".into())?;
    let (products, bits): (&[u64], &[u64]) = (&products, &bits);
    Ok(filled(py, [runs.len(), 64 * words], |out| {
        let (mut products, mut bits, mut rows) = (products, bits, rows.as_slice());
        let mut lines = Vec::new();
        let each = out.chunks_exact_mut((64 * words).max(1));
        for (out, (&run, &width)) in each.zip(runs.iter().zip(&widths)) {
            let (now, later) = rows.split_at(run);
            let (own, more) = bits.split_at(run * words);
            lines.resize(width * words, 0);
            kernel::total(Path::best(), products, own, now, words, &mut lines);
            slices::from_slices(Path::best(), &lines, width, out);
            let used: usize = now.iter().map(|(lines, _)| lines * words).sum();
            (products, bits, rows) = (&products[used..], more, later);
        }
    }))
}
