"""Feature importance: how often each of the own columns is split on.

Each side counts its own splits; the other side's are not known to it. Gains and covers are
never opened, so only xgboost's type "weight" exists. Trees are complete: a split counts
also where it stands below a node that was not worth splitting, which its owner cannot see.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.ensemble import ModelHalf, owned
from securexgb.errors import UsageError


def importance(model: ModelHalf, importance_type: str = "weight") -> NDArray[np.int64]:
    """Splits on each own column, in the order of ``model.columns``: (f,)."""
    if importance_type != "weight":
        raise UsageError(
            f"importance_type {importance_type!r} is not available: gains and covers are never "
            "revealed, so choose 'weight', the number of splits on each of the own columns"
        )
    counts = np.zeros(len(model.columns), np.int64)
    for tree in owned(model.best_trees):
        np.add.at(counts, tree.features[tree.own_nodes], 1)
    return counts
