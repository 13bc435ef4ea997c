"""The owner's matrix: the same numbers whether they are held or made again."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb import _kernels
from securexgb.errors import DataError, UsageError
from securexgb.he import made_matrix
from securexgb.he.made_matrix import AddedMatrix, MadeMatrix, whole_bytes
from securexgb.he.noise import PRIMES, SHORT

BITS = (46, 33)
ROWS, FEATURES = 300, 30


COINS = [bytes(15) + bytes([word]) for word in (0, 1)]


@pytest.mark.parametrize("bins", [2, 5, 64, 100])
@pytest.mark.parametrize("held", [0, 1_000_000, 1 << 40])
def test_columns_are_those_of_the_whole_matrix(
    monkeypatch: pytest.MonkeyPatch, bins: int, held: int
) -> None:
    monkeypatch.setattr(made_matrix, "HELD_BYTES", held)
    features = FEATURES if bins < 64 else 3
    own = np.random.default_rng(0).integers(0, bins, (ROWS, features)).astype(np.uint8)
    of = _kernels.RlweMatrix(SHORT, PRIMES[0], [*BITS], COINS, ROWS)
    whole = of.of(own, bins, 0, 2).reshape(-1, SHORT)
    made = MadeMatrix(BITS, COINS, own, bins)
    assert made.nbytes == 0
    made.hold()
    for step in (32, 7, len(whole) + 5):
        found = [made[first : first + step] for first in range(0, len(whole), step)]
        np.testing.assert_array_equal(np.concatenate(found), whole)
    everything = whole_bytes(features * bins, BITS)
    if held > everything:
        assert made.nbytes == everything == features * bins * SHORT * sum(BITS) // 8
    else:
        groups = max(64 + bins, bins) * SHORT * sum(BITS) // 8
        assert made.nbytes <= held + groups * (held > 0)


@pytest.mark.parametrize("bins", [5, 100])
def test_matrices_of_ranges_of_rows_add_up(bins: int) -> None:
    """Modulo the bits of each word, as the sums of all rows do; another size is refused."""
    parts = [np.random.default_rng(n).integers(0, bins, (ROWS, 3)).astype(np.uint8) for n in (0, 1)]
    made = [MadeMatrix(BITS, COINS, own, bins) for own in parts]
    added = AddedMatrix(3, bins, BITS)
    for of in made:
        assert of.nbytes == 0
        for word, group in added.groups:
            added.add(word, group, of.packed(word, group))
    whole = slice(0, 2 * 3 * bins)
    masks = np.repeat([np.uint64((1 << bits) - 1) for bits in BITS], 3 * bins)[:, None]
    np.testing.assert_array_equal(added[whole], (made[0][whole] + made[1][whole]) & masks)
    with pytest.raises(DataError, match="another size"):
        added.add(0, 0, made[0].packed(0, 0)[1:])
    with pytest.raises(UsageError, match="has not come"):
        _ = AddedMatrix(3, bins, BITS)[whole]
