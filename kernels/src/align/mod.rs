//! Private set intersection: oblivious linear evaluation, encodings of key-value pairs, codes.

pub mod codes;
pub mod digests;
pub mod okvs;
pub mod points;
pub mod vole;
