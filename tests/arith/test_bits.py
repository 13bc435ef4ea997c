"""The typed wrappers take any layout and shape that NumPy hands them."""

from __future__ import annotations

import numpy as np

from securexgb.arith import bits


def test_booleans_pack_and_return() -> None:
    source = np.arange(130) % 3 == 0
    packed = bits.pack_bits(source)
    assert packed.shape == (3,)
    assert np.array_equal(bits.unpack_bits(packed, 130), source)


def test_strided_and_shaped_words_are_taken() -> None:
    source = np.arange(400, dtype=np.uint64).reshape(20, 20)[:, ::2]
    flat = source.reshape(-1)
    assert np.array_equal(bits.from_slices(bits.to_slices(flat[::2], 9), 100), flat[::2])
    assert np.array_equal(bits.unpack_words(bits.pack_words(source, 9), 200, 9), flat)


def test_every_row_begins_a_word() -> None:
    source = np.arange(3 * 2 * 70, dtype=np.uint64).reshape(3, 2, 70)
    slices = bits.to_slices(source, 9)
    assert slices.shape == (9, 3, 2, 2)
    assert np.array_equal(bits.from_slices(slices, 70), source)
    odd = source % 2 == 1
    assert np.array_equal(bits.pack_bits(odd), slices[0])
    assert np.array_equal(bits.unpack_bits(slices[0], 70), odd)
    assert bits.padded(source).shape == (3, 2, 128)
    assert not bits.padded(source)[..., 70:].any()


def test_dense_words_are_the_stream_filled_up() -> None:
    source = np.arange(7, dtype=np.uint64)
    for width in (1, 9, 33, 64):
        dense = bits.pack_dense(source, width)
        assert dense.shape == (-(-7 * width // 64),)
        mask = np.uint64(2**width - 1)
        assert np.array_equal(bits.unpack_dense(dense, 7, width), source & mask)


def test_packed_rows_are_transposed() -> None:
    flags = np.arange(70 * 131).reshape(70, 131) % 7 == 0
    turned = bits.transposed(bits.pack_bits(flags), 131)
    assert np.array_equal(bits.unpack_bits(turned, 70), flags.T)
    assert turned.flags.c_contiguous
