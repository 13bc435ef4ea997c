"""A node without a valid split shows an owner by a fair coin, and nothing splits below it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from securexgb.boost.histogram import Histogram
from securexgb.boost.layout import Layout
from securexgb.boost.leaves import LevelSums, judge
from securexgb.boost.params import TrainingParams
from securexgb.boost.split import Candidates, best_splits, draw_dummies
from securexgb.mpc.argmax import LABEL_BITS
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from securexgb.testing import run_parties
from securexgb.testing.harness import Backend
from tests.boost.case import grow, stopped
from tests.boost.cases import random_case

NODES = 4000
PARAMS = TrainingParams(max_bin=4)


def outcome(columns: tuple[int, int], hessian: int, seed: int = 0) -> tuple[Any, Candidates]:
    """(owner, index, stops) of many nodes without a valid candidate, in the clear."""
    layout = Layout.of(PARAMS, 100, columns, False)
    used = np.arange(layout.total_columns)
    candidates, numbers = Candidates.of(layout, used), layout.numbers(PARAMS)

    def program(party: Party, _: object) -> tuple[Shared, ...]:
        shape = (NODES, used.size, layout.all_bins)
        sums = np.zeros(shape, np.uint64)
        sums[:, :, 1] = hessian * (party.rank == 0)
        histogram = Histogram(Shared(sums), Shared(sums))
        dummies = draw_dummies(party, candidates, NODES, party.private.derive("dummies"))
        best = best_splits(party, histogram, candidates, numbers, dummies)
        verdicts = judge(party, [LevelSums.of(histogram, best.left)], numbers)
        high = 64 - LABEL_BITS
        return best.owner.scale(1 << high), best.index.scale(1 << high), verdicts.stops

    both = run_parties(program, [None, None], "plaintext", seed)
    owner, index, stops = (
        (first.words + second.words).view(np.int64) for first, second in zip(*both, strict=True)
    )
    return [owner >> (64 - LABEL_BITS), index >> (64 - LABEL_BITS), stops], candidates


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("hessian", [0, 1 << 12], ids=["empty", "all rows in one bin"])
def test_owner_and_candidate_are_drawn(hessian: int, seed: int) -> None:
    (owner, index, stops), candidates = outcome((2, 3), hessian, seed)
    assert (stops == 1).all()
    assert abs(owner.mean() - 0.5) < 4 * 0.5 / np.sqrt(NODES)
    for rank in (0, 1):
        own = np.sort(candidates.index[candidates.owner == rank])
        drawn, counts = np.unique(index[owner == rank], return_counts=True)
        np.testing.assert_array_equal(drawn, own)
        expected = counts.sum() / own.size
        assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


def test_neighbours_are_independent() -> None:
    (owner, _, _), _ = outcome((2, 3), 0)
    same = (owner[1:] == owner[:-1]).mean()
    assert abs(same - 0.5) < 4 * 0.5 / np.sqrt(NODES)


@pytest.mark.parametrize(("columns", "rank"), [((0, 2), 1), ((2, 0), 0)])
def test_where_one_side_has_all_columns_it_owns_all_dummies(
    columns: tuple[int, int], rank: int
) -> None:
    (owner, index, _), candidates = outcome(columns, 0)
    assert (owner == rank).all()
    assert set(index) == set(candidates.index)


def test_the_coin_is_the_xor_of_both_parties_bits() -> None:
    """Either party's randomness alone leaves the other one's coin fair."""
    owners = [outcome((2, 3), 0, seed)[0][0] for seed in (1, 2)]
    assert abs((owners[0] == owners[1]).mean() - 0.5) < 4 * 0.5 / np.sqrt(NODES)


def test_leaves_below_stopped_nodes_are_equal(backend: Backend) -> None:
    case = random_case(11, rows=60, holes=0.1)
    pure = replace(case, gradient=np.full(60, 1 << 10), hessian=np.full(60, 1 << 10))
    no_gradient = replace(case, gradient=np.zeros(60, np.int64))
    heavy = replace(case, params=replace(case.params, min_child_weight=1000.0))
    for stopping in (pure, no_gradient, heavy):
        tree = grow(stopping, backend)
        assert stopped(tree, 0)
        assert np.unique(tree.values).size == 1


def test_a_stopped_node_still_shows_a_real_split() -> None:
    """Where candidates are valid but not worth it, the owner gets the best one, not a marker."""
    case = random_case(12, rows=60)
    tree = grow(case)
    lazy = grow(replace(case, params=replace(case.params, gamma=1e6)))
    assert stopped(lazy, 0)
    assert not stopped(tree, 0)
    for name in ("owners", "columns", "cuts", "missing_left"):
        np.testing.assert_array_equal(getattr(tree, name), getattr(lazy, name))
