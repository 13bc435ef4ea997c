"""What does not fit a kernel is a ValueError that names the argument, never a wrong result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from securexgb import _kernels as k

PRIME = 0x3FFFFFFFFC001
KEY = bytes(16)
W = np.zeros(6, np.uint64)
MATRIX = np.zeros((6, 4), np.uint64)
LONG = np.zeros((65, 1), np.uint64)
ONE_SELECTION = np.zeros((1, 6, 1), np.uint64)
VECTORS = np.zeros((2, 6), np.uint64)
BINS = np.zeros((6, 2), np.uint8)
BITS = np.zeros(6, np.uint8)
FIXED = np.zeros(6, np.uint64)
FIXED.flags.writeable = False

PAIRS = np.arange(12, 0, -1, np.uint64).reshape(6, 2)
FOURS = np.zeros((6, 4), np.uint64)

NO_ARRAY = "not a C-contiguous NumPy array[^']*"
"""And then, in a note, the argument's name."""

CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...], str]] = {
    "short key": (k.prg_words, (KEY[:8], 0, 1), "16 bytes, not 8[^']*'key'"),
    "past the stream": (k.prg_words, (KEY, 2**64 - 1, 2), "too many"),
    "too many words": (k.prg_words, (KEY, 0, 2**61), "too many"),
    "floats": (k.pack_bits, (np.zeros(3),), f"{NO_ARRAY}'bits'"),
    "not an array": (k.pack_bits, ([0, 1],), f"{NO_ARRAY}'bits'"),
    "big-endian": (k.pack_words, (W.astype(">u8"), 3), f"{NO_ARRAY}'words'"),
    "signed": (k.to_slices, (W.view(np.int64), 3), f"{NO_ARRAY}'words'"),
    "strided": (k.to_slices, (W[::2], 3), f"{NO_ARRAY}'words'"),
    "two-dimensional": (k.to_slices, (MATRIX, 3), f"{NO_ARRAY}'words'"),
    "column-major": (k.matrix_product, (np.asfortranarray(MATRIX), VECTORS), f"{NO_ARRAY}'matrix'"),
    "too few words": (k.unpack_bits, (W[:1], 65), "65 bits are 2 words"),
    "width 0": (k.to_slices, (W, 0), "width must be 1 to 64"),
    "width 65": (k.pack_words, (W, 65), "bits must be 1 to 64"),
    "65 slices": (k.from_slices, (np.zeros((65, 1), np.uint64), 3), "at most 64 rows"),
    "slices of another count": (k.from_slices, (MATRIX, 3), "slices of 1 words"),
    "data too short": (k.unpack_words, (b"abc", 4, 8), "do not fill 3 bytes"),
    "data too long": (k.unpack_words, (b"abcde", 4, 8), "do not fill 5 bytes"),
    "data is text": (k.unpack_words, ("abcd", 4, 8), "contiguous bytes"),
    "absurd count": (k.unpack_words, (b"", 2**62, 64), "do not fill"),
    "selection too narrow": (
        k.xor_marked,
        (np.zeros((65, 2), np.uint64), MATRIX[None], [128]),
        "by 2 words, not 4",
    ),
    "no marks": (k.xor_marked, (MATRIX[:0], MATRIX[None, :, :0], [0]), "0 marks"),
    "a selection too few": (k.xor_marked, (MATRIX, ONE_SELECTION, [1, 2]), "2 runs have 1"),
    "runs too long": (k.xor_marked, (MATRIX, ONE_SELECTION, [257]), "do not fit 4 words"),
    "bin too large": (k.histogram, (BINS + 3, VECTORS, 3), "bins must lie below n_bins = 3"),
    "257 bins": (k.histogram, (BINS, VECTORS, 257), "n_bins must be 1 to 256"),
    "rows differ": (k.histogram, (BINS[:5], VECTORS, 3), "bins have 5 rows, values 6"),
    "masked bin too large": (k.mask_bucket_matrix, (BINS + 3, 3, KEY, 0), "bins must lie below"),
    "ends past the keys": (k.psi_digests, (b"", b"ab", W[:1] + 3), "ends must rise"),
    "ends that fall": (k.psi_digests, (b"", b"ab", np.array([2, 1], np.uint64)), "ends must rise"),
    "numbers of three words": (k.psi_order, (MATRIX[:, :3].copy(), 128), "numbers must have"),
    "hashes of 121 bits": (k.psi_code_words, (1, 121), "bits must be 1 to 120"),
    "numbers that fall": (k.psi_pack, (PAIRS, 60), "numbers must rise below 2\\^60"),
    "code of another list": (k.psi_unpack, (W[:3] + 7, 2, 40), "code must be that"),
    "code of another size": (k.psi_unpack, (W[:1], 2, 60), "code must have 3 words"),
    "three coins": (k.okvs_encode, (PAIRS[:3], PAIRS, 200, KEY), "coins must have"),
    "fewer columns than a band": (k.okvs_encode, (PAIRS[:4], PAIRS, 127, KEY), "columns must be"),
    "factors of other rows": (k.field_add_multiples, (PAIRS[:2], PAIRS[:3], W[:2]), "same shape"),
    "transfers of no element": (k.vole_combine_sent, (PAIRS,), "multiple of 128"),
    "a dimension of five": (
        k.vole_receive,
        (PAIRS[:4], 1, FOURS, PAIRS[:1], PAIRS[:2]),
        "elements",
    ),
    "even delta": (
        k.vole_send,
        (PAIRS[:4], 1, PAIRS[:5], PAIRS[:1], W[:2], PAIRS[:1]),
        "delta must be odd",
    ),
    "no points": (
        k.psi_blind_again,
        (np.full((1, 32), 255, np.uint8), bytes(64)),
        "must be points",
    ),
    "short scalar": (k.psi_blind, (PAIRS, b"", KEY), "scalar must have 64 bytes"),
    "product of other rows": (k.matrix_product, (MATRIX[:5], VECTORS), "matrix has 5 rows"),
    "drawn product of other rows": (
        k.prg_matrix_product,
        (KEY, 0, 5, 4, VECTORS),
        "the matrix has 5 rows",
    ),
    "masked words too few": (
        k.multiplex_send,
        (W, W, W, 0, W.copy(), W[:5].copy()),
        r"\[6, 6, 6, 5\]",
    ),
    "shift of a word": (
        k.multiplex_send,
        (W, W, W, 64, W.copy(), W.copy()),
        "shift must be 0 to 63",
    ),
    "share of its own": (k.multiplex_give, (W, BITS, W), "of its own"),
    "share that is read only": (k.multiplex_give, (W, BITS, FIXED), "writable"),
    "flips too few": (k.multiplex_give, (W, BITS[:5], W.copy()), "equal lengths"),
    "bits too few": (k.multiplex_take, (W, 0, W, BITS, BITS[:5], W.copy()), "equal lengths"),
    "lifted bits too many": (k.lift_send, (MATRIX, MATRIX, W, W.copy()), "must be 6 words long"),
    "other messages": (
        k.lift_send,
        (MATRIX, MATRIX[:5], W[:4], np.zeros(24, np.uint64)),
        "messages differ in length",
    ),
    "sent slices": (
        k.lift_send,
        (LONG, LONG, W[:1], np.zeros(65, np.uint64)),
        "1 words long, and 64 at most",
    ),
    "no room for what is sent": (
        k.lift_send,
        (MATRIX, MATRIX, W[:4], W.copy()),
        "out must have 24 words, not 6",
    ),
    "flips of other rows": (
        k.lift_give,
        (MATRIX, W[:4], W[:3], np.zeros(24, np.uint64)),
        "a flip for each bit is needed",
    ),
    "slices of other rows": (
        k.lift_take,
        (MATRIX, W, W[:4], W[:4], np.zeros(24, np.uint64)),
        "6 words that have come fit no 24",
    ),
    "runs of other rows": (k.lift_sums, (W, MATRIX, [1] * 6, W, [1, 2], [2, 2]), "6 rows of bits"),
    "products of other rows": (
        k.lift_sums,
        (W, MATRIX, [1] * 6, W, [6], [2]),
        "6 words of products do not fit",
    ),
    "sums too wide": (k.lift_sums, (W, MATRIX, [1] * 6, W, [6], [65]), "widths must be 1 to 64"),
    "products too short": (
        k.lift_sums,
        (np.zeros(24, np.uint64), MATRIX, [1] * 6, W + np.uint64(1), [6], [3]),
        "too few lines",
    ),
    "unequal factors": (k.triple_open, (W, W[:5], W, W), "equal lengths"),
    "unequal triple": (k.triple_close, (VECTORS, W, W, W[:5], 0), "length of opened's rows"),
    "three opened rows": (k.triple_close, (np.zeros((3, 6), np.uint64), W, W, W, 0), "2 rows"),
    "masks of other gates": (
        k.gates_open,
        (W, MATRIX, W[:5], MATRIX, W.copy()),
        "a must have 6 words, not 5",
    ),
    "lines of other gates": (
        k.gates_open,
        (W, MATRIX[:, :3], W, MATRIX, W.copy()),
        "lines must have the length of a, 6",
    ),
    "lines with gaps": (k.gates_open, (W, MATRIX[:, ::2], W, MATRIX, W.copy()), "whole lines"),
    "an opened line too few": (
        k.gates_close,
        (W, W, VECTORS, VECTORS, 0, W.copy()),
        "with 2 bits behind each open 18",
    ),
    "products of other gates": (
        k.gates_close,
        (np.zeros(18, np.uint64), W, VECTORS, VECTORS, 0, W.copy()),
        "out must have 12 words, not 6",
    ),
    "bits without room": (k.bit_lines, (W, 6, 65), "6 words do not hold 6 rows of 65 bits"),
    "bits of no node": (k.bit_lines, (W, 6, 0), "do not hold"),
    "rows beyond a result": (
        k.RowBitsKey.encrypt,
        ((70, 1, 15), KEY, KEY, KEY, MATRIX),
        "15 rows of 70 nodes in 1 groups do not fit 1024",
    ),
    "row bits of other nodes": (
        k.RowBitsKey.encrypt,
        ((70, 1, 14), KEY, KEY, KEY, MATRIX),
        "bits of 70 nodes are 2 words",
    ),
    "another upload": (
        k.RowBitsSums,
        ((70, 2, 14), KEY, np.zeros((1, 3, 1024), np.uint16), KEY),
        r"received must have the shape \[2, 3, 1024\]",
    ),
    "words beyond a result": (
        k.FixedWordsKey.encrypt,
        ((1, 129, 31, 45), PRIME, KEY, KEY, KEY, np.zeros((1, 129), np.uint64)),
        "129 words of 31 bits for each of 1 trees, sent in 45, do not fit the ring",
    ),
    "fixed words of other trees": (
        k.FixedWordsKey.encrypt,
        ((2, 2, 31, 45), PRIME, KEY, KEY, KEY, np.zeros((1, 2), np.uint64)),
        r"words must have the shape \[2, 2\]",
    ),
    "no prime of the ring": (
        k.FixedWordsKey.encrypt,
        ((1, 2, 31, 45), PRIME + 2, KEY, KEY, KEY, np.zeros((1, 2), np.uint64)),
        "prime must lie between",
    ),
    "another upload of words": (
        k.FixedSums,
        ((1, 2, 31, 45), PRIME, KEY, np.zeros(5, np.uint8), KEY),
        r"received must have the shape \[38400\]",
    ),
    "rank 2": (k.triple_close, (VECTORS, W, W, W, 2), "rank must be 0 or 1"),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(case: str) -> None:
    kernel, arguments, sentence = CASES[case]
    with pytest.raises(ValueError, match=sentence):
        kernel(*arguments)


def test_what_does_not_fit_a_key_of_row_bits_is_refused() -> None:
    layout = (70, 1, 14)
    key, upload = k.RowBitsKey.encrypt(layout, KEY, KEY, KEY, np.zeros((6, 2), np.uint64))
    sums = k.RowBitsSums(layout, KEY, upload, KEY)
    with pytest.raises(ValueError, match="2 columns of 4 bins are not 6 buckets"):
        sums.add_up(BINS, 4)
    with pytest.raises(ValueError, match="bins must lie below n_bins = 3"):
        sums.add_up(BINS + 3, 3)
    assert sums.used == 0
    sent, _, _ = sums.add_up(BINS, 3)
    assert (sent.shape, sums.used) == ((1, 1280), 1)
    with pytest.raises(ValueError, match=r"sent must have the shape \[2, 1280\]"):
        key.read(sent, 15)


def test_what_does_not_fit_a_key_of_fixed_words_is_refused() -> None:
    layout = (1, 2, 31, 45)
    words = np.zeros((1, 2), np.uint64)
    key, upload = k.FixedWordsKey.encrypt(layout, PRIME, KEY, KEY, KEY, words)
    sums = k.FixedSums(layout, PRIME, KEY, upload, KEY)
    with pytest.raises(ValueError, match=r"bits must have the shape \[2, 1\]"):
        sums.add_up(np.zeros((2, 2), np.uint64), words, 3)
    with pytest.raises(ValueError, match="there are no rows"):
        sums.add_up(np.zeros((2, 0), np.uint64), words, 0)
    with pytest.raises(ValueError, match=r"own must have the shape \[1, 2\]"):
        sums.add_up(np.zeros((2, 1), np.uint64), words.T.copy(), 3)
    assert sums.used == 0
    sent, shares = sums.add_up(np.zeros((2, 1), np.uint64), words, 3)
    assert (sent.shape, shares.shape, sums.used) == ((1, 11520), (3,), 1)
    with pytest.raises(ValueError, match=r"sent must have the shape \[2, 11520\]"):
        key.read(sent, 257)


def test_read_only_arguments_are_taken() -> None:
    frozen = np.frombuffer(bytes(48), np.uint64)
    assert k.to_slices(frozen, 3).shape == (3, 1)
