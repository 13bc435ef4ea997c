"""The best candidate, its labels and payload; the first of equal ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.mpc.argmax import argmax, stages
from tests.mpc.kit import Integers, on_both, public, shared
from tests.mpc.strategies import quick, symmetric


def check(scores: Integers, payload_rows: int = 2) -> None:
    nodes, candidates = scores.shape
    labels = np.stack([np.arange(candidates), 7 * np.arange(candidates) - 3])
    payload = np.random.default_rng(1).integers(-9, 9, (payload_rows, nodes, candidates))
    best, tags, carried = on_both(argmax, shared(scores, 1), public(labels), shared(payload, 2))
    first = scores.argmax(axis=1)
    np.testing.assert_array_equal(best, scores.max(axis=1))
    np.testing.assert_array_equal(tags, labels[:, first])
    np.testing.assert_array_equal(carried, payload[:, np.arange(nodes), first])


@pytest.mark.parametrize("candidates", [1, 2, 3, 10, 11, 64, 80, 81, 300])
def test_ties_go_to_the_lowest_position(candidates: int) -> None:
    check(np.random.default_rng(candidates).integers(0, 4, (3, candidates)) << 40)


@quick
@given(symmetric(61, most=40), st.integers(0, 2))
def test_any_scores(scores: Integers, payload_rows: int) -> None:
    check(scores.reshape(1, -1), payload_rows)


@pytest.mark.parametrize("place", [0, 1, 8, 9, 10, 49, 98])
def test_the_best_may_stand_anywhere_and_be_negative(place: int) -> None:
    scores = np.full((2, 99), 1 - (1 << 61))
    scores[1, place] += 1
    check(scores)


@pytest.mark.parametrize("candidates", [1, 2, 10, 11, 80, 81, 2000, 2001, 200_000])
def test_stages_end_with_one(candidates: int) -> None:
    left = candidates
    for size in stages(candidates):
        left = -(-left // size)
    assert left == 1
