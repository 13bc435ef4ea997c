"""The owner's matrix: the same numbers whether they are held or made again."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb import _kernels
from securexgb.he import made_matrix
from securexgb.he.made_matrix import MadeMatrix, whole_bytes
from securexgb.he.noise import PRIMES, SHORT

BITS = (46, 33)
ROWS, FEATURES = 300, 30


def pads() -> list[tuple[int, _kernels.RlwePads]]:
    coins = [bytes(15) + bytes([word]) for word in (0, 1)]
    return [
        (bits, _kernels.RlwePads(SHORT, PRIMES[:2], bits, key, ROWS, True))
        for bits, key in zip(BITS, coins, strict=True)
    ]


@pytest.mark.parametrize("bins", [2, 5, 64, 100])
@pytest.mark.parametrize("held", [0, 1_000_000, 1 << 40])
def test_columns_are_those_of_the_whole_matrix(
    monkeypatch: pytest.MonkeyPatch, bins: int, held: int
) -> None:
    monkeypatch.setattr(made_matrix, "HELD_BYTES", held)
    features = FEATURES if bins < 64 else 3
    own = np.random.default_rng(0).integers(0, bins, (ROWS, features)).astype(np.uint8)
    whole = np.concatenate([of.matrix(own, bins) for _, of in pads()])
    made = MadeMatrix(pads(), own, bins)
    for step in (32, 7, len(whole) + 5):
        found = [made[first : first + step] for first in range(0, len(whole), step)]
        np.testing.assert_array_equal(np.concatenate(found), whole)
    everything = whole_bytes(features * bins, BITS)
    if held > everything:
        assert made.nbytes == everything == features * bins * SHORT * sum(BITS) // 8
    else:
        a_group = max(64 + bins, bins) * SHORT * max(BITS) // 8
        assert made.nbytes <= held + a_group * (held > 0)
