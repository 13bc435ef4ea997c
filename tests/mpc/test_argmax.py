"""What belongs to the best candidate; the first of equal ones; the fallback where none counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.mpc.argmax import LABEL_BITS, _members, argmax, stages
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from tests.mpc.kit import Integers, on_both, public, shared
from tests.mpc.strategies import integers, quick

LEAST = 1
HIGH = 64 - LABEL_BITS


def best(
    party: Party, scores: Shared, labels: Integers, payload: Shared, fallback: Shared, bits: int
) -> tuple[Shared, Shared]:
    """With the labels' meaningless upper half shifted out."""
    tags, carried = argmax(party, scores, labels, payload, fallback, bits)
    return tags.scale(1 << HIGH), carried


def check(scores: Integers, payload_rows: int = 2, score_bits: int = 63) -> None:
    nodes, candidates = scores.shape
    labels = np.stack([np.arange(candidates), 7 * np.arange(candidates)])
    draw = np.random.default_rng(1)
    payload = draw.integers(-9, 9, (payload_rows, nodes, candidates))
    fallback = draw.integers(100, 200, (3 + payload_rows, nodes))
    fallback[0] = LEAST
    # Above score_bits the shares may hold anything.
    rubbish = draw.integers(0, 2**62, scores.shape) << score_bits
    inputs = shared(scores + rubbish, 1), public(labels), shared(payload, 2), shared(fallback, 3)
    tags, carried = on_both(best, *inputs, public(score_bits))
    first, some = scores.argmax(axis=1), scores.max(axis=1) >= LEAST
    rest = 1 + payload_rows
    np.testing.assert_array_equal(tags >> HIGH, np.where(some, labels[:, first], fallback[rest:]))
    chosen = payload[:, np.arange(nodes), first]
    np.testing.assert_array_equal(carried, np.where(some, chosen, fallback[1:rest]))


@pytest.mark.parametrize("candidates", [1, 2, 3, 10, 11, 48, 49, 80, 300])
def test_ties_go_to_the_lowest_position(candidates: int) -> None:
    check(np.random.default_rng(candidates).integers(0, 4, (3, candidates)) << 40)


@quick
@given(integers(0, (1 << 22) - 1, most=40), st.integers(1, 3))
def test_any_scores(scores: Integers, payload_rows: int) -> None:
    check(scores.reshape(1, -1), payload_rows, 23)


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
