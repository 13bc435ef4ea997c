//! The hot loops of securexgb, as the Python module `securexgb._kernels`.
//!
//! Words are elements of Z_2^64 (`u64`, wrapping). There is no protocol and no network
//! here: pure functions over slices, one subject a file, exact on every machine. Vector
//! instructions are chosen at run time (see [`path`]) and change speed only.
//!
//! Constant time: no branch and no address depends on shares, masks or keys. The one
//! exception is [`histogram`], whose addresses are the bins of the caller's own data.

pub mod beaver;
pub mod bfv;
#[cfg(target_arch = "x86_64")]
pub mod bfv_avx2;
pub mod bfv_lanes;
pub mod bfv_merge;
pub mod bfv_products;
pub mod bfv_ring;
pub mod bits;
pub mod digits;
pub mod histogram;
mod lanes;
pub mod matrix;
pub mod modular;
pub mod ntt;
pub mod ot;
pub mod ot_base;
pub mod ot_products;
pub mod ot_silent;
pub mod ot_tree;
pub mod pads;
pub mod path;
pub mod prg;
pub mod slices;
pub mod tables;

#[cfg(feature = "python")]
mod python;
