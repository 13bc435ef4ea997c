//! Garbled circuits: half gates (Zahur, Rosulek, Evans, EUROCRYPT 2015) with free XOR and point and
//! permute, one circuit for many instances at once.

pub mod circuit;
pub mod garble;
pub mod hash;
