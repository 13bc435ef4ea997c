//! Arithmetic on shares: words of 64 bits and slices of packed bits.

pub mod beaver;
pub mod bits;
pub mod forest;
pub mod gates;
pub mod halves;
pub mod histogram;
pub mod lifts;
pub mod matrix;
pub mod prg;
pub mod private_bits;
pub mod rounding;
pub mod slices;
pub mod tables;
