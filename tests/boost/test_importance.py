"""Importance: splits on own columns, and no other kind."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.boost.importance import importance
from securexgb.boost.params import TrainingParams
from securexgb.errors import UsageError
from tests.boost.data import sides, table, train_both

HALVES = train_both(TrainingParams(n_estimators=3, max_depth=3, max_bin=8), sides(*table(80), 2))


def test_both_sides_counts_add_up_to_all_splits() -> None:
    label, feature = (importance(half) for half in HALVES)
    assert label.shape == (2,)
    assert feature.shape == (3,)
    assert label.sum() + feature.sum() == 3 * 7
    owners = np.concatenate([tree.owners for tree in HALVES[0].trees])
    assert feature.sum() == owners.sum()


def test_gain_is_refused() -> None:
    with pytest.raises(UsageError, match="never revealed"):
        importance(HALVES[0], "gain")
