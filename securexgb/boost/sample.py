"""Samples of rows and columns for a tree, by coins that both parties see.

The coins of tree t follow from their key, ``random_state`` and t alone, so that a resumed
training tosses the same ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.prg import Prg
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams


def sampled_rows(
    coins: Prg, params: TrainingParams, layout: Layout, tree: int
) -> NDArray[np.uint64] | None:
    """1 for each row of the sample, else 0, shape (rows,); None where all rows are in it.

    As in xgboost, each row is drawn by itself with probability ``subsample``.
    """
    if params.subsample >= 1.0:
        return None
    words = _coins(coins, params, "rows", tree).words(layout.rows)
    return (words < np.uint64(int(params.subsample * 2.0**64))).astype(np.uint64)


def sampled_columns(
    coins: Prg, params: TrainingParams, layout: Layout, tree: int
) -> NDArray[np.int64]:
    """Numbers of the sampled columns over both parties, ascending; at least one."""
    words = _coins(coins, params, "columns", tree).words(layout.total_columns)
    return np.sort(np.argsort(words, kind="stable")[: sampled_count(params, layout)])


def sampled_count(params: TrainingParams, layout: Layout) -> int:
    """How many columns over both parties a tree may use."""
    return max(1, int(params.colsample_bytree * layout.total_columns))


def _coins(coins: Prg, params: TrainingParams, purpose: str, tree: int) -> Prg:
    return coins.derive(f"random_state {params.random_state}, {purpose} of tree {tree}")
