//! The Python module: checks every argument, lets other threads run, calls the kernels.
//!
//! Results are new arrays. What arguments must be is said in [`arguments`].

mod align;
mod arguments;
mod bfv_keys;
mod digits;
mod fixed_sums;
mod gates;
mod halves;
mod lattice;
mod lifts;
mod link;
mod masks;
mod ot;
mod private_bits;
mod results;
mod row_bits;
mod row_scores;
mod words;
mod yao;

use pyo3::prelude::*;

/// Hot loops of securexgb; see `_kernels.pyi`.
#[pymodule]
mod _kernels {
    #[pymodule_export]
    use super::align::{
        field_add_multiples, okvs_encode, okvs_evaluate, psi_blind, psi_blind_again,
        psi_code_words, psi_digests, psi_matches, psi_order, psi_pack, psi_unpack,
        vole_combine_received, vole_combine_sent, vole_receive, vole_send,
    };
    #[pymodule_export]
    use super::bfv_keys::{BfvMasker, BfvSecretKey};
    #[pymodule_export]
    use super::digits::{digit_answer, digit_pad, digit_pads, digit_take};
    #[pymodule_export]
    use super::fixed_sums::{FixedSums, FixedWordsKey};
    #[pymodule_export]
    use super::gates::{gates_close, gates_open};
    #[pymodule_export]
    use super::halves::{halves_accept, halves_offer};
    #[pymodule_export]
    use super::lattice::BfvRing;
    #[pymodule_export]
    use super::lifts::{lift_give, lift_send, lift_sums, lift_take};
    #[pymodule_export]
    use super::link::{Link, LinkEnded, LinkIdentity, LinkListener, LinkRelay};
    #[pymodule_export]
    use super::masks::{RlweMatrix, RlwePads};
    #[pymodule_export]
    use super::ot::{
        ot_choose, ot_expand, ot_finish, ot_grow, ot_offer, ot_products_receive, ot_products_send,
        ot_puncture, ot_receive, ot_send, ot_silent_receive, ot_silent_send,
    };
    #[pymodule_export]
    use super::private_bits::{multiplex_give, multiplex_send, multiplex_take};
    #[pymodule_export]
    use super::row_bits::{RowBitsKey, RowBitsSums, bit_lines};
    #[pymodule_export]
    use super::row_scores::{Forest, Rounder, multiplex_apart_send, multiplex_apart_take};
    #[pymodule_export]
    use super::words::{
        from_slices, histogram, mask_bucket_matrix, matrix_product, pack_bits, pack_words,
        prg_matrix_product, prg_words, simd_paths, to_slices, triple_close, triple_open,
        unpack_bits, unpack_words, xor_marked,
    };
    #[pymodule_export]
    use super::yao::GarbledCircuit;
}
