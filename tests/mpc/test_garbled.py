"""Garbled circuits: what comes out is what gates give, and what is sent says nothing of it."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.mpc.garbled.carries import garbled_carry, marked_bits
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from tests.mpc.kit import assert_uniform, evaluate, on_both, recorded, shared

SEED = 5


def carry(party: Party, x: Shared, width: int) -> SharedBits:
    return garbled_carry(party, x.words, width)


@pytest.mark.parametrize(("width", "count"), [(1, 3), (2, 1), (31, 65), (63, 8), (64, 2)])
def test_carries(width: int, count: int) -> None:
    words = np.random.default_rng(width).integers(0, 2**64, (2, count), np.uint64)
    words[1, ::2] = -words[0, ::2]  # carries all the way, where the low bits are not zero
    found = evaluate(carry, (Shared(words[0]), Shared(words[1])), (width, width))
    low = [[int(word) % 2**width for word in row] for row in words]
    expected = [a + b >> width for a, b in zip(*low, strict=True)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("least", [0, 1, 3 << 10, (1 << 20) - 1, 1 << 20])
def test_bits_marks_and_tests(least: int) -> None:
    draw = np.random.default_rng(least)
    x = draw.integers(0, 1 << 20, 70) >> draw.integers(0, 20, 70)
    x[:5] = 0, 1, (1 << 20) - 1, max(least - 1, 0), min(least, (1 << 20) - 1)

    def program(party: Party, x: Shared) -> tuple[SharedBits, SharedBits, SharedBits]:
        return marked_bits(party, x, 20, least)

    bits, marks, reached = on_both(program, shared(x, 1))
    places = np.arange(20)[:, None]
    np.testing.assert_array_equal(bits, x >> places & 1)
    np.testing.assert_array_equal(marks, (x >> places == 1).astype(int))
    np.testing.assert_array_equal(reached, x >= least)


def test_nothing_repeats_between_calls_and_all_looks_uniform() -> None:
    """Equal inputs in both calls: labels, tables and flips are new ones, also of both halves."""

    def program(party: Party, x: Shared) -> None:
        for _ in range(2):
            garbled_carry(party, x.words, 40)

    zeros = Shared(np.zeros(16, np.uint64))
    _, ends, _ = recorded(program, [zeros, zeros], SEED)
    for end in ends:
        payloads = [payload for _, payload in end.sent]
        everything = b"".join(payloads)
        assert_uniform(everything)
        words = np.frombuffer(everything, np.uint64)
        assert np.unique(words).size == words.size
