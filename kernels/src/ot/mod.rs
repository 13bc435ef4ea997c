//! Oblivious transfers: base transfers, trees, extension, and what is made of them.

pub mod base;
pub mod digits;
pub mod extension;
pub mod ggm;
pub mod gilboa;
pub mod half_tree;
pub mod key;
pub mod silent;
