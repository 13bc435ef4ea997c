//! Homomorphic encryption and masks over rings of polynomials.

pub mod fixed_sums;
pub mod masks;
pub mod modular;
pub mod ntt;
pub mod packing;
pub mod products;
pub mod ring;
pub mod rlwe;
pub mod row_bits;
