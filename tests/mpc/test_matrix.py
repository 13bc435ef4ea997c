"""Histograms of shared vectors equal the plain scatter-add, whichever side has no column."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.mpc.matrix import Buckets, MatrixShape, histograms, register
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from tests.mpc.kit import Integers, on_both, shared


def plain(buckets: Buckets, vectors: Integers, bins: int) -> Integers:
    one_hot = np.eye(bins, dtype=np.int64)[buckets]
    return np.einsum("vn,nfb->vfb", vectors, one_hot)


@pytest.mark.parametrize("features", [(2, 3), (0, 2), (3, 0)])
@pytest.mark.parametrize("rows", [1, 70])
def test_histograms(rows: int, features: tuple[int, int]) -> None:
    draw, shape = np.random.default_rng(rows), MatrixShape(rows, features, 5)
    label, feature = (draw.integers(0, 5, (rows, f)).astype(np.uint8) for f in features)
    batches = [draw.integers(-(2**62), 2**62, (count, rows)) for count in (1, 3)]

    def program(party: Party, own: Buckets, *vectors: Shared) -> tuple[tuple[Shared, Shared], ...]:
        register(party, shape, own)
        sides = (own, None) if party.rank == 0 else (None, own)
        return tuple(histograms(party, shape, *sides, batch) for batch in vectors)

    results = on_both(program, (label, feature), *(shared(b) for b in batches))
    for result, batch in zip(results, batches, strict=True):
        np.testing.assert_array_equal(result[0], plain(label, batch, 5))
        np.testing.assert_array_equal(result[1], plain(feature, batch, 5))
