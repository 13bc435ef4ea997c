//! Vector instructions, chosen at run time.

pub mod blocks;
pub mod field;
pub(crate) mod lanes;
pub mod path;
pub mod residues;
#[cfg(target_arch = "x86_64")]
pub mod residues_avx2;
pub mod shorts;
