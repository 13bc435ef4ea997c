"""What belongs to the best candidate; the first of equal ones; the fallback where none counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from securexgb.mpc.argmax import _members, argmax, stages
from tests.mpc.kit import Integers, on_both, public, shared
from tests.mpc.strategies import integers, quick

LEAST = 1


def check(scores: Integers, score_bits: int = 63) -> None:
    nodes, candidates = scores.shape
    draw = np.random.default_rng(1)
    payload = draw.integers(-9, 9, (nodes, candidates))
    # Above score_bits the shares may hold anything.
    rubbish = draw.integers(0, 2**62, scores.shape) << score_bits
    inputs = shared(scores + rubbish, 1), shared(payload, 2), public(score_bits)
    marks, carried = on_both(argmax, *inputs)
    first, some = scores.argmax(axis=1), scores.max(axis=1) >= LEAST
    expected = np.zeros((candidates + 1, nodes), np.int64)
    expected[np.where(some, first, candidates), np.arange(nodes)] = 1
    np.testing.assert_array_equal(marks, expected)
    np.testing.assert_array_equal(carried, np.where(some, payload[np.arange(nodes), first], 0))


@pytest.mark.parametrize("candidates", [1, 2, 3, 10, 11, 48, 49, 80, 300])
def test_ties_go_to_the_lowest_position(candidates: int) -> None:
    check(np.random.default_rng(candidates).integers(0, 4, (3, candidates)) << 40)


@quick
@given(integers(0, (1 << 22) - 1, most=40))
def test_any_scores(scores: Integers) -> None:
    check(scores.reshape(1, -1), 23)


@pytest.mark.parametrize("place", [0, 1, 8, 9, 10, 49, 98])
def test_the_best_may_stand_anywhere(place: int) -> None:
    scores = np.zeros((3, 99), np.int64)
    scores[1, place] = LEAST
    scores[2, place] = (1 << 62) - 1
    check(scores)


@pytest.mark.parametrize("candidates", [1, 2, 10, 48, 49, 80, 744, 2000])
def test_stages_end_with_one_and_compare_little(candidates: int) -> None:
    left, compared = candidates, 0
    *first, last = stages(candidates)
    for size in first:
        left = -(-left // size)
        compared += left * size * (size - 1) // 2
    assert last == left + 1
    assert compared + last * left // 2 <= 5 * candidates


@pytest.mark.parametrize(
    ("candidates", "size"), [(5, 4), (8, 4), (9, 4), (4, 4), (11, 3), (300, 7)]
)
def test_no_group_has_an_element_that_both_sides_know(candidates: int, size: int) -> None:
    """Groups are candidates and nothing else, each with all of its own, ascending."""
    members = _members(candidates, size)
    assert set(members.reshape(-1).tolist()) == set(range(candidates))
    assert (np.diff(members, axis=1) == 1).all()
    assert (np.diff(members[:, 0]) > 0).all()
