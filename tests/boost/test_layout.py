"""Layout and samples: public shapes, and coins that both sides and a resumed run share."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.arith.prg import Prg
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.boost.sample import sampled_columns, sampled_rows
from securexgb.errors import DataError

COINS = Prg(bytes(16))
LAYOUT = Layout.of(TrainingParams(), 10_000, (3, 7), False)


def test_bins_and_cuts() -> None:
    allowed = Layout.of(TrainingParams(max_bin=255), 10, (3, 7), False)
    assert (allowed.all_bins, allowed.cuts, allowed.total_columns) == (256, 255, 10)
    refused = Layout.of(TrainingParams(max_bin=16, missing="refused"), 10, (3, 7), False)
    assert (refused.all_bins, refused.cuts) == (16, 15)


def test_scale_pos_weight_makes_weights() -> None:
    assert Layout.of(TrainingParams(scale_pos_weight=2.0), 10, (1, 1), False).weights
    assert not LAYOUT.weights


@pytest.mark.parametrize(("rows", "columns"), [(0, (1, 1)), (1, (0, 0)), (1 << 26, (1, 1))])
def test_what_cannot_be_trained_is_refused(rows: int, columns: tuple[int, int]) -> None:
    with pytest.raises(DataError):
        Layout.of(TrainingParams(), rows, columns, False)


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
