//! Private bits times words, for Python.

use super::arguments::{Bytes, Changed, Words, check, within};
use super::results::{Made, filled};
use crate::simd::path::Path;
use crate::words::{private_bits as kernel, slices};
use pyo3::prelude::*;

/// Refuses arrays of other lengths.
fn must_have(count: usize, lengths: &[usize]) -> PyResult<()> {
    check(lengths.iter().all(|&length| length == count), || {
        format!("arrays of equal lengths are needed, not {lengths:?} for {count}")
    })
}

/// Refuses packed bits of other lengths.
fn must_be_packed(count: usize, lengths: &[usize]) -> PyResult<()> {
    check(lengths.iter().all(|&length| length == count.div_ceil(64)), || {
        format!("{count} bits are {} words, not {lengths:?}", count.div_ceil(64))
    })
}

/// Masks words by messages, above shift bits each; share becomes that of choice times word.
#[pyfunction]
pub fn multiplex_send(
    py: Python,
    words: Words,
    zero: Words,
    one: Words,
    shift: u32,
    mut share: Changed,
    mut masked: Changed,
) -> PyResult<()> {
    must_have(words.len(), &[zero.len(), one.len(), share.len(), masked.len()])?;
    let shift = within(shift, 0..=63, "shift")?;
    let (words, messages): (&[u64], [&[u64]; 2]) = (&words, [&zero, &one]);
    let (share, masked): (&mut [u64], &mut [u64]) = (&mut share, &mut masked);
    py.detach(|| kernel::sent(Path::best(), words, messages, shift, share, masked));
    Ok(())
}

/// The sender's share: of choice times word at first, of bit times word afterwards.
#[pyfunction]
pub fn multiplex_give(py: Python, words: Words, flips: Bytes, mut share: Changed) -> PyResult<()> {
    must_have(words.len(), &[flips.len(), share.len()])?;
    let (words, flips, share): (&[u64], &[u8], &mut [u64]) = (&words, &flips, &mut share);
    py.detach(|| kernel::give(Path::best(), words, flips, share));
    Ok(())
}

/// Adds the receiver's share of bit times word.
#[pyfunction]
pub fn multiplex_take(
    py: Python,
    chosen: Words,
    shift: u32,
    received: Words,
    choices: Bytes,
    bits: Bytes,
    mut share: Changed,
) -> PyResult<()> {
    must_have(chosen.len(), &[received.len(), choices.len(), bits.len(), share.len()])?;
    let shift = within(shift, 0..=63, "shift")?;
    let (chosen, received): (&[u64], &[u64]) = (&chosen, &received);
    let (choices, bits, share): (&[u8], &[u8], &mut [u64]) = (&choices, &bits, &mut share);
    py.detach(|| kernel::take(Path::best(), chosen, shift, received, choices, bits, share));
    Ok(())
}

/// The low width bits of zero - one + bits, (width, words).
#[pyfunction]
pub fn lift_send(py: Python, zero: Words, one: Words, bits: Words, width: u32) -> Made<2> {
    must_have(zero.len(), &[one.len()])?;
    must_be_packed(zero.len(), &[bits.len()])?;
    let width = within(width, 1..=64, "width")? as usize;
    let (messages, bits): ([&[u64]; 2], &[u64]) = ([&zero, &one], &bits);
    Ok(filled(py, [width, bits.len()], |out| {
        kernel::sliced_corrections(Path::best(), messages, bits, width, out);
    }))
}

/// The sender's share of the products of bits, from its message zero.
#[pyfunction]
pub fn lift_give(py: Python, zero: Words, bits: Words, flips: Words) -> Made {
    must_be_packed(zero.len(), &[bits.len(), flips.len()])?;
    let (zero, bits, flips): (&[u64], &[u64], &[u64]) = (&zero, &bits, &flips);
    Ok(filled(py, [zero.len()], |out| {
        out.copy_from_slice(zero);
        kernel::given_bits(Path::best(), bits, flips, out);
    }))
}

/// The receiver's share of the products of bits, from what has come, (width, words).
#[pyfunction]
pub fn lift_take(
    py: Python,
    chosen: Words,
    received: Words<2>,
    choices: Words,
    flips: Words,
) -> Made {
    let [width, length] = received.shape();
    check(width <= 64, || format!("a word has at most 64 slices, not {width}"))?;
    must_be_packed(chosen.len(), &[length, choices.len(), flips.len()])?;
    let (chosen, received): (&[u64], &[u64]) = (&chosen, &received);
    let (choices, flips): (&[u64], &[u64]) = (&choices, &flips);
    Ok(filled(py, [chosen.len()], |out| {
        slices::from_slices(Path::best(), received, width, out);
        kernel::taken_bits(Path::best(), chosen, choices, flips, out);
    }))
}

/// Sums of weight (bit - 2 product) over runs of rows of so many each, (runs, n): products
/// (rows, n), their bits packed (rows, words).
#[pyfunction]
pub fn lift_sums(
    py: Python,
    products: Words<2>,
    bits: Words<2>,
    weights: Words,
    runs: Vec<usize>,
) -> Made<2> {
    let ([rows, count], [bit_rows, length]) = (products.shape(), bits.shape());
    let named = runs.iter().fold(0, |sum: usize, &run| sum.saturating_add(run));
    must_have(rows, &[bit_rows, weights.len(), named])?;
    must_be_packed(count, &[length])?;
    let (products, bits, weights): (&[u64], &[u64], &[u64]) = (&products, &bits, &weights);
    Ok(filled(py, [runs.len(), count], |out| {
        let mut rows = products.chunks(count.max(1)).zip(bits.chunks(length.max(1))).zip(weights);
        for (sum, run) in out.chunks_mut(count.max(1)).zip(runs) {
            for ((products, bits), &weight) in rows.by_ref().take(run) {
                kernel::lift(Path::best(), products, bits, weight, sum);
            }
        }
    }))
}
