"""Samples: coins that both sides and a resumed run share."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.arith.prg import Prg
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.boost.sample import sampled_columns, sampled_rows

COINS = Prg(bytes(16))
LAYOUT = Layout.of(TrainingParams(), 10_000, (3, 7), False)


def test_rows_are_sampled_at_their_rate_and_anew_for_every_tree() -> None:
    params = TrainingParams(subsample=0.3)
    one, two = (sampled_rows(COINS, params, LAYOUT, tree) for tree in (0, 1))
    assert 0.27 < one.mean() < 0.33
    assert np.any(one != two)
    assert np.array_equal(one, sampled_rows(COINS, params, LAYOUT, 0))
    assert sampled_rows(COINS, TrainingParams(), LAYOUT, 0) is None


@pytest.mark.parametrize(("share", "count"), [(1.0, 10), (0.55, 5), (0.01, 1)])
def test_columns_are_sampled_as_xgboost_counts_them(share: float, count: int) -> None:
    params = TrainingParams(colsample_bytree=share)
    used = sampled_columns(COINS, params, LAYOUT, 4)
    assert used.size == count
    assert np.array_equal(used, np.unique(used))
    seen = {int(c) for tree in range(200) for c in sampled_columns(COINS, params, LAYOUT, tree)}
    assert seen == set(range(10))


def test_random_state_is_another_sample() -> None:
    one, two = (
        sampled_rows(COINS, TrainingParams(subsample=0.5, random_state=seed), LAYOUT, 0)
        for seed in (0, 1)
    )
    assert np.any(one != two)
