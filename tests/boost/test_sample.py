"""Samples: coins that both sides and a resumed run share."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.arith.prg import Prg
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.sample import (
    columns_of_nodes,
    sampled_columns,
    sampled_count,
    sampled_rows,
)

COINS = Prg(bytes(16))
LAYOUT = Layout.of(TrainingParams(), 10_000, (3, 7), False)


def test_rows_are_sampled_at_their_rate_and_anew_for_every_tree() -> None:
    params = TrainingParams(subsample=0.3)
    one, two = (sampled_rows(COINS, params, slice(0, LAYOUT.rows), tree) for tree in (0, 1))
    assert 0.27 < one.mean() < 0.33
    assert np.any(one != two)
    assert np.array_equal(one, sampled_rows(COINS, params, slice(0, LAYOUT.rows), 0))
    assert sampled_rows(COINS, TrainingParams(), slice(0, LAYOUT.rows), 0) is None


@pytest.mark.parametrize(("share", "count"), [(1.0, 10), (0.55, 5), (0.01, 1)])
def test_columns_are_sampled_as_xgboost_counts_them(share: float, count: int) -> None:
    params = TrainingParams(colsample_bytree=share)
    used = sampled_columns(COINS, params, LAYOUT, 4)
    assert used.size == count
    assert np.array_equal(used, np.unique(used))
    seen = {int(c) for tree in range(200) for c in sampled_columns(COINS, params, LAYOUT, tree)}
    assert seen == set(range(10))


def test_columns_of_levels_and_nodes_are_drawn_from_one_another() -> None:
    params = TrainingParams(
        max_depth=4, colsample_bytree=0.8, colsample_bylevel=0.7, colsample_bynode=0.6
    )
    used = columns_of_nodes(COINS, params, LAYOUT, 2, roots=2)
    tree = set(sampled_columns(COINS, params, LAYOUT, 2))
    assert used.shape == (30, 3)
    assert sampled_count(params, LAYOUT) == 3  # 8 of 10, 5 of 8, 3 of 5
    assert all(np.array_equal(row, np.unique(row)) for row in used)
    levels = [set(used[(2 << k) - 2 : (4 << k) - 2].flat) for k in range(4)]
    assert all(level <= tree and len(level) <= 5 for level in levels)
    assert len(set(map(frozenset, levels))) > 1
    assert np.unique(used, axis=0).shape[0] > 5
    assert np.array_equal(used, columns_of_nodes(COINS, params, LAYOUT, 2, roots=2))


def test_all_nodes_of_a_level_have_the_levels_columns() -> None:
    params = TrainingParams(max_depth=3, colsample_bylevel=0.5)
    used = columns_of_nodes(COINS, params, LAYOUT, 0)
    levels = [np.unique(used[(1 << k) - 1 : (2 << k) - 1], axis=0) for k in range(3)]
    assert [level.shape for level in levels] == [(1, 5)] * 3


def test_without_shares_of_levels_and_nodes_columns_are_the_trees() -> None:
    params = TrainingParams(colsample_bytree=0.5)
    one = columns_of_nodes(COINS, params, LAYOUT, 7)
    assert np.array_equal(one, sampled_columns(COINS, params, LAYOUT, 7))
    tiny = TrainingParams(colsample_bytree=0.01, colsample_bylevel=0.01, colsample_bynode=0.01)
    assert columns_of_nodes(COINS, tiny, LAYOUT, 7).shape == (15, 1)


def test_random_state_is_another_sample() -> None:
    one, two = (
        sampled_rows(
            COINS, TrainingParams(subsample=0.5, random_state=seed), slice(0, LAYOUT.rows), 0
        )
        for seed in (0, 1)
    )
    assert np.any(one != two)
