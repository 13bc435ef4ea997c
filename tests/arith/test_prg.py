"""The pseudorandom generator: reproducible, each word once, children independent, key hidden."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.arith.prg import Prg

KEY = bytes(range(16))


@given(st.lists(st.integers(0, 50), max_size=8))
def test_words_come_in_order_and_once(counts: list[int]) -> None:
    prg = Prg(KEY)
    parts = [prg.words(count) for count in counts]
    joined = np.concatenate([np.empty(0, np.uint64), *parts])
    assert np.array_equal(joined, Prg(KEY).words_at(0, sum(counts)))


def test_known_answer() -> None:
    # AES-128 of the all-zero block under the all-zero key (FIPS 197 vectors, GFSbox).
    block = bytes.fromhex("66e94bd4ef8a2c3b884cfa59ca342b2e")
    assert Prg(bytes(16)).words(2).tobytes() == block


def test_words_at_moves_nothing() -> None:
    prg = Prg(KEY)
    prg.words_at(1000, 10)
    assert np.array_equal(prg.words(3), Prg(KEY).words(3))


@given(st.integers(0, 200))
def test_bits_use_whole_words_and_end_in_zeros(count: int) -> None:
    prg = Prg(KEY)
    bits = prg.bits(count)
    words = -(-count // 64)
    expected = Prg(KEY).words(words)
    if count % 64:
        expected[-1] &= np.uint64(2 ** (count % 64) - 1)
    assert np.array_equal(bits, expected)
    assert np.array_equal(prg.words(1), Prg(KEY).words_at(words, 1))


def test_children_depend_on_key_and_label_alone() -> None:
    prg = Prg(KEY)
    before = prg.derive("triples").key
    prg.words(5)
    keys = {before, prg.derive("bits").key, Prg(bytes(16)).derive("triples").key, KEY}
    assert prg.derive("triples").key == before
    assert len(keys) == 4


def test_fresh_keys_differ() -> None:
    assert Prg.fresh().key != Prg.fresh().key


def test_the_key_is_not_shown_or_pickled() -> None:
    prg = Prg(b"sixteen byte key")
    assert "sixteen" not in repr(prg)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(prg)


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_other_key_lengths_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Prg(bytes(length))
