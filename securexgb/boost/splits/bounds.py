"""Bounds on what nodes weigh, so that a tree does not fall, or rise, in a column.

A split on a column in which the model must not fall is a candidate only where its left child does
not weigh more than its right one (``boost.splits.score``). That alone is not enough: splits below
may part a child's rows so that a leaf of the left one weighs more than a leaf of the right one. So
every node has bounds, as in xgboost. Those of the root are as far as weights go. A split between
children that weigh u and v, each brought within the bounds of their parent, has the middle (u +
v) / 2 as the upper bound of all that is on the one side and the lower one of all on the other;
where it is on a column that may go either way, both children have their parent's bounds. All leaves
end up within theirs, and so does a node that stops.

Which way a split's column goes is linear in the marks of candidates, since directions are
public: two shared bits a node. A level takes two comparisons of each child, a choice of what is
beyond a bound, and one of the middle; at the end all nodes and leaves are brought within their own
bounds at once. Sums of children are rounded by themselves (``boost.histogram``), so that a child
and the node that it becomes may differ by a unit: hence what counts is a node's own weight
within its own bounds, and no rounding can break the order.

A middle is not halved: at a level all numbers have one bit more than at the one above.
"""

from __future__ import annotations

from collections.abc import Sequence

from securexgb.arith.fixedpoint import LEAF_WEIGHT_BITS, LEAF_WEIGHT_INTEGER_BITS
from securexgb.mpc.compare import carry_cost, is_negative
from securexgb.mpc.multiplex import multiplex_shared, multiplex_shared_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits

_MOST = 1 << (LEAF_WEIGHT_INTEGER_BITS + LEAF_WEIGHT_BITS)
_GAP_BITS = LEAF_WEIGHT_INTEGER_BITS + LEAF_WEIGHT_BITS + 3


def bounded_cost(depth: int, roots: int) -> Cost:
    """Cost of ``bounded`` for so many trees of this depth."""
    total = Cost()
    for level in range(depth):
        nodes = roots << level
        total += _clamp_cost(2 * nodes, level) if level else Cost()
        total += multiplex_shared_cost(2 * nodes, (64, 64))
    return total + _clamp_cost(roots * ((2 << depth) - 2), depth)


def _clamp_cost(count: int, more_bits: int) -> Cost:
    gaps = carry_cost(_GAP_BITS + more_bits - 1, 2 * count)
    return gaps + multiplex_shared_cost(2 * count)


@protocol(
    cost=lambda own, children, turns: bounded_cost(len(turns), turns[0].count),
    opens=COMPOSED,
    source="xgboost 3.2: TreeEvaluator::AddSplit, SplitEvaluator::CalcWeight",
    ideal=None,
)
def bounded(
    party: Party, own: Shared, children: Shared, turns: Sequence[SharedBits]
) -> tuple[Shared, Shared]:
    """What all nodes (nodes,), and leaves (leaves,), weigh within their bounds.

    ``own``: (nodes,) of whole trees, level after level; ``children``: what left and right ones
    weigh, (2, nodes), both within 2^11 and with as many fraction bits as weights have; ``turns``:
    of each level whether the nodes' splits must rise, and must fall, (2, nodes of the level). The
    results have so many fraction bits more as there are levels.
    """
    depth, roots = len(turns), turns[0].count
    low = constant(party, -_MOST, (roots,))
    high, first = -low, 0
    found = list[tuple[Shared, Shared]]()
    for level, ways in enumerate(turns):
        nodes = roots << level
        below = children[:, first : first + nodes].scale(1 << level)
        if level:
            below = _clamped(party, below, (low, high), level)
        low, high = _below(party, below.sum(axis=0), low.scale(2), high.scale(2), ways)
        found.append((low.scale(1 << (depth - 1 - level)), high.scale(1 << (depth - 1 - level))))
        first += nodes
    last = children[:, roots * ((1 << (depth - 1)) - 1) :]
    inner = Shared.concatenate([own[roots:], Shared.interleave(last[0], last[1])])
    lows, highs = (Shared.concatenate([pair[side] for pair in found]) for side in (0, 1))
    ends = _clamped(party, inner.scale(1 << depth)[None], (lows, highs), depth)[0]
    split = own.size - roots
    return Shared.concatenate([own[:roots].scale(1 << depth), ends[:split]]), ends[split:]


def _below(
    party: Party, middle: Shared, low: Shared, high: Shared, ways: SharedBits
) -> tuple[Shared, Shared]:
    """The bounds of the children, (2 nodes,) each."""
    moved = Shared.stack([middle - low, middle - high])
    kept = multiplex_shared(party, ways, Shared.stack([moved, moved]), (64, 64))
    rises, falls = kept[0], kept[1]
    lows = Shared.interleave(low + falls[0], low + rises[0])
    return lows, Shared.interleave(high + rises[1], high + falls[1])


def _clamped(party: Party, x: Shared, bounds: tuple[Shared, Shared], more_bits: int) -> Shared:
    """x (k, n) within bounds (n,) each; all below 2^11, with ``more_bits`` more than weights."""
    to_low, to_high = (Shared.stack([bound] * x.shape[0]) - x for bound in bounds)
    gaps = Shared.stack([-to_low, to_high]).reshape(2, 1, -1)
    beyond = is_negative(party, gaps, _GAP_BITS + more_bits).rows(2)
    ways = Shared.stack([to_low, to_high]).reshape(2, 1, -1)
    return x + multiplex_shared(party, beyond, ways).sum(axis=0).reshape(*x.shape)
