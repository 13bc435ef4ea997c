//! Private bits times words, for Python.

use super::arguments::{Bytes, Changed, Words, check, within};
use crate::simd::path::Path;
use crate::words::private_bits as kernel;
use pyo3::prelude::*;

/// Refuses arrays of other lengths.
fn must_have(count: usize, lengths: &[usize]) -> PyResult<()> {
    check(lengths.iter().all(|&length| length == count), || {
        format!("arrays of equal lengths are needed, not {lengths:?} for {count}")
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
