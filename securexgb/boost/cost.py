"""What a tree costs, before it is grown: rounds, bytes and correlations by public shape.

The one thing that is not public beforehand is who will own the splits. It moves bytes from one
direction to the other, and oblivious transfers alike; their sum is the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.boost.histogram import build_cost, matrix_shape, running_cost
from securexgb.boost.layout import Layout
from securexgb.boost.leaves import leaf_weights_cost
from securexgb.boost.split import dummies_cost, splits_cost
from securexgb.correlations.prices import Prices
from securexgb.mpc.lift import widen_cost
from securexgb.mpc.protocol import Cost
from securexgb.mpc.select import transfer_cost
from securexgb.mpc.truncate import shift_cost


def tree_cost(
    layout: Layout,
    numbers: NumberFormat,
    used: int,
    label_splits: Sequence[int],
    prices: Prices,
    noise_bits: int = 0,
    ring_bits: int = 32,
) -> Cost:
    """Cost of growing one tree on ``used`` columns, its gradients given.

    ``label_splits``: for each level, how many of its 2^level splits the label party owns.
    ``noise_bits``: of the source of correlations, as ``prices`` are, 0 where it is a
    dealer. ``ring_bits``: see ``tree.value_bits``.
    """
    shape, rows = matrix_shape(layout, numbers, len(label_splits), noise_bits), layout.rows
    candidates = candidates_of(layout, used)
    total = build_cost(shape, 1)
    for level, label in enumerate(label_splits):
        nodes = 1 << level
        moved = transfer_cost(label * rows, (nodes - label) * rows, shape.sum_bits)
        # Each row's leaf value, chosen bottom-up.
        total += transfer_cost(label * rows, (nodes - label) * rows, (ring_bits,))
        if level + 1 < len(label_splits):
            total += moved + build_cost(shape, nodes)
        total += running_cost(shape, nodes * used * layout.all_bins, numbers)
        total += splits_cost(nodes, candidates, numbers, prices) + _opening_cost(nodes, label)
    total += widen_cost(ring_bits, rows) if ring_bits < 64 else Cost()
    total += dummies_cost((1 << len(label_splits)) - 1)
    total += leaf_weights_cost(len(label_splits), numbers)
    bits = numbers.leaf_weight_bits + numbers.rate_bits - numbers.margin_bits
    return total + shift_cost(bits, 2 << (len(label_splits) - 1))


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
