"""What a round of trees costs beforehand: rounds, bytes and correlations by public shape.

The one thing that is not public beforehand is who will own splits that are owned. It moves bytes
from one direction to the other, and oblivious transfers alike; their sum is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from securexgb.boost.histogram import build_cost, matrix_shape, running_cost
from securexgb.boost.layout import Layout
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.groups import Groups, groups_cost
from securexgb.boost.splits.hidden import amounts_cost
from securexgb.boost.splits.interactions import like_terms
from securexgb.boost.splits.leaves import leaf_weights_cost
from securexgb.boost.splits.level import widen_leaves_cost
from securexgb.boost.splits.owned import dummies_cost, opening_cost
from securexgb.boost.splits.sample import sampled_count
from securexgb.boost.splits.split import index_bits, splits_cost
from securexgb.boost.tree import value_bits
from securexgb.correlations.counting import Budget
from securexgb.correlations.prices import Prices
from securexgb.correlations.rows import RowShape
from securexgb.mpc.left_bits import left_bits_cost
from securexgb.mpc.multiplex import multiplex_private_cost, multiplex_shared_cost
from securexgb.mpc.packed import RingBits
from securexgb.mpc.protocol import Cost


def round_cost(
    params: TrainingParams,
    layout: Layout,
    used: int,
    label_splits: Sequence[int],
    prices: Prices,
    noise_bits: int = 0,
    evaluation_rows: int = 0,
) -> Cost:
    """Cost of growing the trees of a round on ``used`` columns, their gradients given.

    Without metrics. ``label_splits``: for each level, how many of its outputs * 2^level splits
    the label party owns; read where splits are owned. ``noise_bits``: of the source of
    correlations, as ``prices`` are, 0 where it is a dealer. ``evaluation_rows``: go to leaves, too.
    """
    rows = row_parts(params, layout, label_splits, noise_bits, layout.rows, evaluation_rows)
    trees = tree_parts(params, layout, used, tuple(label_splits), prices, noise_bits)
    return sum((*rows.values(), *trees.values()), Cost())


LEAVES, ROWS, HISTOGRAMS, SPLITS = (
    "rows to their leaves",
    "rows by node",
    "histograms",
    "finding splits",
)
"""What a round is made of; the weights of leaves count with the splits of the last level."""


def row_parts(
    params: TrainingParams,
    layout: Layout,
    label_splits: Sequence[int],
    noise_bits: int,
    rows: int,
    evaluation_rows: int = 0,
) -> dict[str, Cost]:
    """What the side of the rows takes of a round (``boost.row_side``), of so many training rows, by
    what it is for.

    ``layout``: of all rows of the job; where rows are in shards each pair of them takes this.
    """
    numbers, depth = layout.numbers(params), len(label_splits)
    outputs, ring_bits = objective_of(params).outputs, value_bits(params.learning_rate)
    shape = replace(matrix_shape(layout, numbers, depth, noise_bits), rows=rows)
    all_rows = rows + evaluation_rows
    parts = {LEAVES: widen_leaves_cost(outputs * all_rows, params.learning_rate)}
    parts |= {ROWS: Cost(), HISTOGRAMS: build_cost(shape, outputs)}
    for level, label in enumerate(label_splits):
        nodes = outputs << level
        # Each row's leaf value, chosen bottom-up.
        parts[LEAVES] += _kept_cost(params, nodes, label, all_rows, (ring_bits,))
        if level + 1 < depth:
            parts[ROWS] += _kept_cost(params, nodes, label, rows, shape.sum_bits)
            parts[HISTOGRAMS] += build_cost(shape, nodes)
        if params.is_hidden:
            shape_of_rows = RowShape(all_rows, layout.columns, layout.all_bins)
            parts[ROWS] += left_bits_cost(shape_of_rows, nodes)
    return parts


@lru_cache(maxsize=16)
def tree_parts(
    params: TrainingParams,
    layout: Layout,
    used: int,
    label_splits: tuple[int, ...],
    prices: Prices,
    noise_bits: int,
) -> Mapping[str, Cost]:
    """What the side of the trees takes of a round (``boost.grower``), whatever the rows, by what it
    is for."""
    numbers, depth = layout.numbers(params), len(label_splits)
    outputs, candidates = objective_of(params).outputs, candidates_of(layout, used)
    shape = matrix_shape(layout, numbers, depth, noise_bits)
    dummy_bits = 0 if params.is_hidden else 1 + 2 * index_bits(layout)
    groups = None
    if params.interaction_constraints:
        groups = Groups.of(like_terms(params.interaction_constraints, layout.total_columns))
    parts = {HISTOGRAMS: Cost(), SPLITS: Cost()}
    for level in range(depth):
        nodes = outputs << level
        rounded = running_cost(shape, nodes * used * layout.all_bins, numbers)
        if not level and not params.is_hidden:
            all_nodes = outputs * ((1 << depth) - 1)
            rounded = rounded.at_once(dummies_cost(all_nodes, index_bits(layout)))
        if level and groups is not None:
            rounded = rounded.at_once(groups_cost(groups, nodes // 2, is_first=level == 1))
        parts[HISTOGRAMS] += rounded
        parts[SPLITS] += splits_cost(
            nodes,
            candidates,
            dummy_bits,
            numbers,
            prices,
            is_monotone=params.is_monotone,
            is_constrained=level > 0 and groups is not None,
        )
        opening = Cost() if params.is_hidden else opening_cost(nodes, index_bits(layout))
        if level + 1 == depth:
            weights = leaf_weights_cost(
                depth, numbers, prices, outputs, params.importance, is_monotone=params.is_monotone
            )
            opening = opening.at_once(weights)
        parts[SPLITS] += opening
    if params.opens_importance:
        parts[SPLITS] += amounts_cost(used, outputs * ((1 << depth) - 1))
    return MappingProxyType(parts)


def taken_by_trees(
    params: TrainingParams, layout: Layout, prices: Prices, noise_bits: int
) -> tuple[Budget, Budget]:
    """Correlations of ``tree_parts``, known before: of histograms; of finding splits and leaves,
    which are most of what a tree takes, and do not depend on noise. Owners do not matter."""
    used, owned = sampled_count(params, layout), (0,) * params.max_depth
    parts = tree_parts(params, layout, used, owned, prices, noise_bits)
    return parts[HISTOGRAMS].correlations, parts[SPLITS].correlations


def halved_splits(params: TrainingParams) -> tuple[int, ...]:
    """Of each level the label party's, if the parties own as many as each other."""
    return tuple((objective_of(params).outputs << level) // 2 for level in range(params.max_depth))


def _kept_cost(
    params: TrainingParams, nodes: int, label: int, rows: int, ring_bits: RingBits
) -> Cost:
    """Cost of ``keep_left`` of a level's splits, ``label`` of which are the label party's."""
    if params.is_hidden:
        return multiplex_shared_cost(nodes * rows, ring_bits)
    return multiplex_private_cost(label * rows, (nodes - label) * rows, ring_bits)


def candidates_of(layout: Layout, used: int) -> int:
    """Candidates of a node on so many columns: cuts, and the other side of the missing."""
    return used * (layout.cuts + (layout.bins - 1 if layout.missing else 0))
