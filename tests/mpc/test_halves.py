"""What is kept where a shared bit is set: words times it and bits and it, whatever their number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.trees.halves import halves
from tests.mpc.kit import on_both, shared, shared_bits

RING_BITS = 39


@pytest.mark.parametrize(("lanes", "lines"), [(1, 0), (2, 1), (2, 2), (8, 7)])
@pytest.mark.parametrize("count", [1, 65])
def test_kept_where_the_bit_is_set(lanes: int, lines: int, count: int) -> None:
    draw = np.random.default_rng(lanes + count)
    bit, strings = draw.integers(0, 2, count), draw.integers(0, 2, (lines, count))
    words = draw.integers(-(2**38), 2**38, (lanes, count))

    def program(party: Party, bit: SharedBits, strings: SharedBits, words: Shared) -> Any:
        bits, kept = halves(party, bit, strings, words, RING_BITS)
        return bits, Shared(kept.words << np.uint64(64 - RING_BITS))

    given = shared_bits(bit), shared_bits(strings), shared(words)
    bits, kept = on_both(program, *given)
    np.testing.assert_array_equal(bits, strings * bit)
    np.testing.assert_array_equal(kept, (words * bit) << (64 - RING_BITS))
