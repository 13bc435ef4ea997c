"""Samples of rows and columns for a tree, by coins that both parties see.

The coins of tree t follow from their key, ``random_state`` and t alone, so that a resumed
training tosses the same ones.

Columns are drawn as xgboost draws them: a tree's among all (``colsample_bytree``), a level's among
the tree's (``colsample_bylevel``), a node's among the level's (``colsample_bynode``), at least one
each time. So all nodes have as many, and which ones is public: candidates are made of these columns
alone, and nothing has to be masked.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.prg import Prg
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams


def sampled_rows(
    coins: Prg, params: TrainingParams, rows: slice, tree: int
) -> NDArray[np.uint64] | None:
    """1 for each of these training rows that is in the sample, else 0; None where all rows are.

    As in xgboost, each row is drawn by itself with probability ``subsample``; its coin follows from
    its number, whichever rows are asked for.
    """
    if params.subsample >= 1.0:
        return None
    words = _coins(coins, params, "rows", tree).words_at(rows.start, rows.stop - rows.start)
    return (words < np.uint64(int(params.subsample * 2.0**64))).astype(np.uint64)


def sampled_columns(
    coins: Prg, params: TrainingParams, layout: Layout, tree: int
) -> NDArray[np.int64]:
    """Numbers of a tree's sampled columns over both parties, ascending; at least one."""
    stream = _coins(coins, params, "columns", tree)
    everything = np.arange(layout.total_columns)[None]
    drawn: NDArray[np.int64] = _drawn(stream, everything, _counts(params, layout)[0])[0]
    return drawn


def columns_of_nodes(
    coins: Prg, params: TrainingParams, layout: Layout, tree: int, roots: int = 1
) -> NDArray[np.int64]:
    """The sampled columns of the nodes of a round's trees, ascending.

    (k,) where they are the tree's, else (nodes, k): level after level, in each the nodes of all
    ``roots`` in heap order.
    """
    of_tree = sampled_columns(coins, params, layout, tree)
    if params.colsample_bylevel == params.colsample_bynode == 1.0:
        return of_tree
    _, by_level, by_node = _counts(params, layout)
    levels = []
    for depth in range(params.max_depth):
        stream = _coins(coins, params, f"columns of level {depth}", tree)
        of_level = _drawn(stream.derive("level"), of_tree[None], by_level)
        of_nodes = np.repeat(of_level, roots << depth, axis=0)
        levels.append(_drawn(stream.derive("nodes"), of_nodes, by_node))
    return np.concatenate(levels)


def sampled_count(params: TrainingParams, layout: Layout) -> int:
    """How many columns over both parties a node may use."""
    return _counts(params, layout)[-1]


def _counts(params: TrainingParams, layout: Layout) -> tuple[int, int, int]:
    """Columns of a tree, a level, a node; shares are single precision, as in xgboost."""
    counts, left = list[int](), layout.total_columns
    for share in (params.colsample_bytree, params.colsample_bylevel, params.colsample_bynode):
        left = max(1, int(np.float32(share) * np.float32(left)))
        counts.append(left)
    return counts[0], counts[1], counts[2]


def _drawn(coins: Prg, columns: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """So many of each row's columns, ascending; the rows themselves where those are all."""
    if count == columns.shape[1]:
        return columns
    words = coins.words(columns.size).reshape(columns.shape)
    first = np.argsort(words, axis=1, kind="stable")[:, :count]
    return np.sort(np.take_along_axis(columns, first, axis=1), axis=1)


def _coins(coins: Prg, params: TrainingParams, purpose: str, tree: int) -> Prg:
    return coins.derive(f"random_state {params.random_state}, {purpose} of tree {tree}")
