"""What a round of trees costs beforehand: rounds, bytes and correlations by public shape.

The one thing that is not public beforehand is who will own the splits. It moves bytes from one
direction to the other, and oblivious transfers alike; their sum is the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from securexgb.boost.histogram import build_cost, matrix_shape, running_cost
from securexgb.boost.layout import Layout
from securexgb.boost.leaves import leaf_weights_cost
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.split import dummies_cost, splits_cost
from securexgb.boost.tree import value_bits
from securexgb.correlations.prices import Prices
from securexgb.mpc.lift import widen_cost
from securexgb.mpc.protocol import Cost
from securexgb.mpc.select import transfer_cost
from securexgb.mpc.truncate import shift_cost


def round_cost(
    params: TrainingParams,
    layout: Layout,
    used: int,
    label_splits: Sequence[int],
    prices: Prices,
    noise_bits: int = 0,
) -> Cost:
    """Cost of growing the trees of a round on ``used`` columns, their gradients given.

    ``label_splits``: for each level, how many of its outputs * 2^level splits the label party
    owns. ``noise_bits``: of the source of correlations, as ``prices`` are, 0 where it is a dealer.
    """
    numbers, depth = layout.numbers(params), len(label_splits)
    outputs, ring_bits = objective_of(params).outputs, value_bits(params.learning_rate)
    shape, rows = matrix_shape(layout, numbers, depth, noise_bits), layout.rows
    candidates = candidates_of(layout, used)
    total = build_cost(shape, outputs)
    for level, label in enumerate(label_splits):
        nodes = outputs << level
        moved = transfer_cost(label * rows, (nodes - label) * rows, shape.sum_bits)
        # Each row's leaf value, chosen bottom-up.
        total += transfer_cost(label * rows, (nodes - label) * rows, (ring_bits,))
        if level + 1 < depth:
            total += moved + build_cost(shape, nodes)
        total += running_cost(shape, nodes * used * layout.all_bins, numbers)
        total += splits_cost(nodes, candidates, numbers, prices) + _opening_cost(nodes, label)
    total += widen_cost(ring_bits, outputs * rows) if ring_bits < 64 else Cost()
    total += dummies_cost(outputs * ((1 << depth) - 1))
    total += leaf_weights_cost(depth, numbers, outputs)
    bits = numbers.leaf_weight_bits + numbers.rate_bits - numbers.margin_bits
    return total + shift_cost(bits, outputs << depth)


def candidates_of(layout: Layout, used: int) -> int:
    """Candidates of a node on so many columns: cuts, and the other side of the missing."""
    return used * (layout.cuts + (layout.bins - 1 if layout.missing else 0))


def _opening_cost(nodes: int, label: int) -> Cost:
    """Owners to both; the label party's splits to it, the others to the feature party."""
    feature = nodes - label
    return Cost(
        rounds=1 + (label > 0) + (feature > 0),
        label_words=nodes + feature,
        feature_words=nodes + label,
    )
