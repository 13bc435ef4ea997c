"""What belongs to the best candidate; the first of equal ones; the fallback where none counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from securexgb.correlations.prices import MADE
from securexgb.mpc.argmax import _members, argmax, best_cost, stages
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from tests.mpc.kit import Integers, on_both, public, shared, shared_bits
from tests.mpc.strategies import integers, quick

LEAST = 1


def check(scores: Integers, score_bits: int = 63, least: int = LEAST) -> None:
    nodes, candidates = scores.shape
    draw = np.random.default_rng(1)
    payload = draw.integers(-9, 9, (2, nodes, candidates))
    behind = draw.integers(0, 2, (3, nodes))
    # Above score_bits the shares may hold anything.
    rubbish = draw.integers(0, 2**62, scores.shape) << score_bits
    inputs = [shared(scores + rubbish, 1), shared(payload, 2), shared_bits(behind, 3)]

    def program(party: Party, *given: Any) -> tuple[SharedBits, Shared, SharedBits]:
        marks, carried, let_through = argmax(party, *given)
        # Of the payload the lowest 32 bits count.
        return marks, Shared(carried.words << np.uint64(32)), let_through

    marks, carried, let_through = on_both(program, *inputs, public(score_bits), public(least))
    first, some = scores.argmax(axis=1), scores.max(axis=1) >= least
    expected = np.zeros((candidates + 1, nodes), np.int64)
    expected[np.where(some, first, candidates), np.arange(nodes)] = 1
    np.testing.assert_array_equal(marks, expected)
    best = payload[:, np.arange(nodes), first]
    np.testing.assert_array_equal(carried >> 32, np.where(some, best, 0))
    np.testing.assert_array_equal(let_through, np.where(some, 0, behind))


@pytest.mark.parametrize("candidates", [1, 2, 3, 10, 11, 48, 49, 80, 300])
def test_ties_go_to_the_lowest_position(candidates: int) -> None:
    check(np.random.default_rng(candidates).integers(0, 4, (3, candidates)) << 40)


@quick
@given(integers(0, (1 << 22) - 1, most=40))
def test_any_scores(scores: Integers) -> None:
    check(scores.reshape(1, -1), 23)


@pytest.mark.parametrize("candidates", [1, 7, 49, 200])
def test_the_fallback_may_have_any_score(candidates: int) -> None:
    draw = np.random.default_rng(candidates)
    check(draw.integers(0, 1 << 20, (9, candidates)), 25, least=(1 << 20) * 99 // 100)


@pytest.mark.parametrize(
    ("candidates", "plan"),
    [(7, (2, 3, 3)), (11, (3, 3, 3)), (50, (3, 5, 5)), (80, (4, 3, 8)), (80, (5, 17))],
)
def test_any_plan_of_stages_finds_the_same(
    candidates: int, plan: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last groups overlap: with three stages a candidate may be twice in one of the second."""
    monkeypatch.setattr("securexgb.mpc.argmax.stages", lambda *_: plan)
    check(np.random.default_rng(candidates).integers(0, 5, (20, candidates)), 25)


@pytest.mark.parametrize("place", [0, 1, 8, 9, 10, 49, 98])
def test_the_best_may_stand_anywhere(place: int) -> None:
    scores = np.zeros((3, 99), np.int64)
    scores[1, place] = LEAST
    scores[2, place] = (1 << 62) - 1
    check(scores)


def compared(nodes: int, candidates: int) -> int:
    """Comparisons of all stages, at one node."""
    left, count = candidates, 0
    *first, last = stages(nodes, candidates, 0)
    for size in first:
        left = -(-left // size)
        count += left * size * (size - 1) // 2
    assert last == left + 1
    return count + last * left // 2


@pytest.mark.parametrize("candidates", [1, 2, 10, 48, 49, 80, 744, 2000])
def test_stages_end_with_one_and_compare_little_where_there_are_many_nodes(candidates: int) -> None:
    few, many = compared(1, candidates), compared(10_000, candidates)
    assert many <= few
    assert many <= 5 * candidates
    assert len(stages(1, candidates, 0)) <= len(stages(10_000, candidates, 0))


def test_a_slow_link_takes_fewer_stages() -> None:
    """Some 100 Mbit/s and 20 ms; what is found is the same by any plan."""
    far, near = stages(4, 744, 31_250), stages(4, 744, 0)
    assert (len(far), len(near)) == (2, 3)
    of = (4, 744), 24, 2, 21
    slow, fast = best_cost(*of, replace(MADE, round_words=31_250)), best_cost(*of, MADE)
    assert slow.rounds < fast.rounds
    assert slow.label_words > fast.label_words


@pytest.mark.parametrize(
    ("candidates", "size"), [(5, 4), (8, 4), (9, 4), (4, 4), (11, 3), (300, 7)]
)
def test_no_group_has_an_element_that_both_sides_know(candidates: int, size: int) -> None:
    """Groups are candidates and nothing else, each with all of its own, ascending."""
    members = _members(candidates, size)
    assert set(members.reshape(-1).tolist()) == set(range(candidates))
    assert (np.diff(members, axis=1) == 1).all()
    assert (np.diff(members[:, 0]) > 0).all()
