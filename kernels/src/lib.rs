//! The hot loops of securexgb and its link, as the Python module `securexgb._kernels`.
//!
//! Words are elements of Z_2^64 (`u64`, wrapping). There is no protocol here: pure functions over
//! slices, one subject a file, exact on every machine. Vector instructions are chosen at run time
//! (see [`simd::path`]) and change speed only. Apart from all of it stands [`link`], which carries
//! opaque messages to the other party.
//!
//! Constant time: no branch and no address depends on shares, masks or keys. The two
//! exceptions are [`words::histogram`] and the sums of [`lattice::row_bits`], whose addresses
//! are the bins of the caller's own data.

pub mod align;
pub mod lattice;
pub mod link;
pub mod ot;
pub mod simd;
pub mod words;
pub mod yao;

#[cfg(not(test))] // tests need no libpython
mod python;
