"""Which nodes should not have split, and what the leaves weigh; once for the whole tree.

Growing a level needs no more than its best splits, so stop marks and weights wait until the
tree is complete, and all nodes are divided in one batch. A node stops where its best split
gains no more than gamma, and the least gain (xgboost 3.2, hist), or where it has none. Its
descendants inherit the mark; all leaves below get its weight, and none of them gains anything.
So a node counts as split where it and all above it are: ands of marks in as many rounds as the
logarithm of the depth. Weights become leaf values, rounded, meanwhile; one round
more takes all of them: a leaf's value is the sum, over its path, of each node's value chosen by the
mark that the path ends there. Marks stay bits to the end.

Where importance is asked for, every node has an amount, of which a stop mark leaves 0 as well: its
split's gain, its cover, the sum H of its rows' hessians, or 1 (xgboost's total_gain, total_cover
and weight). The covers of a level are at most those of the root, below 2^SUM_BITS.

The gains of a tree add up to less than 2^GAIN_BITS, whatever its depth. A gain is what both
children's scores exceed the parent's by, so the gains of the nodes that split add up to the scores
of where the splits end, less the root's. A score is |T(G)| times a weight; the weights are at most
2^11, and |G| of disjoint sets of rows add up to 2^SUM_BITS (``arith.fixedpoint``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from securexgb.arith.bits import words_per
from securexgb.arith.fixedpoint import (
    LEAF_WEIGHT_BITS,
    LEAF_WEIGHT_INTEGER_BITS,
    SUM_BITS,
    NumberFormat,
)
from securexgb.boost.histogram import Histogram
from securexgb.boost.splits.bounds import bounded, bounded_cost
from securexgb.boost.splits.weights import weigh, weights_cost
from securexgb.boost.tree import leaf_values, leaf_values_cost
from securexgb.correlations.prices import Prices
from securexgb.mpc.argmax import PAYLOAD_BITS
from securexgb.mpc.compare import DIGITS, Carries, is_negative, not_bits
from securexgb.mpc.garbled.carries import GARBLED
from securexgb.mpc.multiplex import multiplex_shared, multiplex_shared_cost
from securexgb.mpc.multiply import and_bits, and_cost
from securexgb.mpc.numbers.divide import QUOTIENT_BITS
from securexgb.mpc.numbers.lift import widen, widen_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant, constant_bits
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.together import together

GAIN_BITS = SUM_BITS + LEAF_WEIGHT_INTEGER_BITS + LEAF_WEIGHT_BITS + 1
"""The gains of a tree add up to less than 2^GAIN_BITS; one bit is for rounding."""
_NO_GAIN = 1 << 61
"""Above every gain."""


def amount_bits(importance: str, depth: int) -> int:
    """The amounts of a tree of this depth add up to less than 2 to this power.

    Of covers: those of its levels to ``depth`` 2^SUM_BITS, and half a unit a node for rounding.
    """
    if importance == "weight":
        return depth
    return GAIN_BITS if importance == "gain" else SUM_BITS + depth.bit_length()


@dataclass(frozen=True)
class LevelSums:
    """Of each node of a level, shared: G and H (nodes,), its left child's (2, nodes) mod 2^32.

    ``turns``: whether its split must rise, and must fall, (2, nodes); None where no column must.
    """

    gradient: Shared
    hessian: Shared
    left: Shared
    turns: SharedBits | None = None

    @staticmethod
    def of(histogram: Histogram, left: Shared, turns: SharedBits | None = None) -> LevelSums:
        return LevelSums(*histogram.totals, left, turns)


@dataclass(frozen=True)
class NodeValues:
    """Of each node, shared (nodes,): whether it stops by itself; of each level whether it and all
    above it split (nodes of the level,); its split's gain, whatever gamma is, with
    gradient_bits + QUOTIENT_BITS fraction bits; the leaf value it would have. ``left``, ``right``:
    those of its children, of the nodes of the last level alone."""

    stops: SharedBits
    split: list[SharedBits]
    gain: Shared
    own: Shared
    left: Shared
    right: Shared


@dataclass(frozen=True)
class Leaves:
    """What the end of a round of trees gives, shared.

    ``values``: -learning_rate T(G)/(H + lambda) of the leaves, or of the node above where one
    stops: (roots * 2^depth,), margin_bits fraction bits. ``amounts``: of the splits of all levels,
    one after the other, (nodes,), 0 where a node or one above stops; (0,) where nobody asks for
    them.
    """

    values: Shared
    amounts: Shared


def leaf_weights_cost(
    depth: int,
    numbers: NumberFormat,
    prices: Prices,
    roots: int = 1,
    importance: str = "none",
    *,
    is_monotone: bool = False,
) -> Cost:
    """Cost of ``leaf_weights`` for so many trees of this depth."""
    nodes, leaves = roots * ((1 << depth) - 1), roots << depth
    carries = _carries(depth, numbers, roots, is_monotone, prices)
    total = _values_cost(depth, numbers, roots, is_monotone, carries)
    return total + multiplex_shared_cost((1 if importance == "none" else 2) * nodes + leaves)


def _values_cost(
    depth: int, numbers: NumberFormat, roots: int, is_monotone: bool, carries: Carries
) -> Cost:
    """Cost of ``node_values``."""
    nodes, leaves = roots * ((1 << depth) - 1), roots << depth
    total = widen_cost(PAYLOAD_BITS, 2 * nodes)
    total += weights_cost(3, nodes, numbers, False, carries)
    values = leaf_values_cost(numbers, nodes + leaves, depth if is_monotone else 0, carries)
    if is_monotone:
        values = bounded_cost(depth, roots) + values
    stops = carries.cost(63, nodes)
    for step in _steps(depth):
        stops += and_cost(words_per(roots * ((1 << depth) - (1 << step))))
    return total + stops.at_once(values)


@cache
def _carries(
    depth: int, numbers: NumberFormat, roots: int, is_monotone: bool, prices: Prices
) -> Carries:
    """How carries are found: what is over first on the link, by its rounds and the words of the
    direction that has more. Public; on a link whose rounds nobody minds, by digits."""

    def words(carries: Carries) -> int:
        cost = _values_cost(depth, numbers, roots, is_monotone, carries)
        return cost.rounds * prices.round_words + max(cost.label_words, cost.feature_words)

    return GARBLED if prices.round_words and words(GARBLED) < words(DIGITS) else DIGITS


def _cost(
    prices: Prices,
    levels: Sequence[LevelSums],
    numbers: NumberFormat,
    learning_rate: float,  # noqa: ARG001
    importance: str = "none",
) -> Cost:
    roots, is_monotone = levels[0].gradient.size, levels[0].turns is not None
    depth = len(levels)
    return leaf_weights_cost(depth, numbers, prices, roots, importance, is_monotone=is_monotone)


@protocol(
    priced=_cost,
    opens=COMPOSED,
    source="xgboost 3.2: CalcSplitGain, CalcWeight, gamma as in UpdatePosition",
    ideal=None,
)
def leaf_weights(
    party: Party,
    levels: Sequence[LevelSums],
    numbers: NumberFormat,
    learning_rate: float,
    importance: str = "none",
) -> Leaves:
    """The leaves' values, and where asked for gain, cover or 1 of the nodes that split.

    ``levels``: of trees whose roots are the nodes of the first one.
    """
    depth, (roots,) = len(levels), levels[0].gradient.shape
    carries = _carries(depth, numbers, roots, levels[0].turns is not None, party.prices)
    values = node_values(party, levels, numbers, learning_rate, carries)
    split, last = values.split, values.split[-1]
    # A path ends at the one node that does not split while all above it do, or at a leaf.
    above = [
        constant_bits(party, True, (), roots),
        *(of_level.for_each(2) for of_level in split[:-1]),
    ]
    ends = [reached ^ splits for reached, splits in zip(above, split, strict=True)]
    marks, words = [*ends, last, last], [values.own, values.left, values.right]
    if importance != "none":
        amounts = values.gain
        if importance == "cover":
            amounts = Shared.concatenate([sums.hessian for sums in levels])
        if importance == "weight":
            amounts = constant(party, 1, amounts.shape)
        marks, words = [*marks, *split], [*words, amounts]
    given = Shared.concatenate(words).reshape(1, 1, -1)
    kept = multiplex_shared(party, SharedBits.in_a_row(marks)[None], given)[0, 0]
    nodes, own = values.own.size, Shared.zeros(roots)
    for level in range(depth):
        own = (own.repeat(2) if level else own) + kept[_level(level, roots)]
    left, right = (kept[nodes + at : nodes + at + last.count] for at in (0, last.count))
    return Leaves(Shared.interleave(own + left, own + right), kept[nodes + 2 * last.count :])


def _level(depth: int, roots: int) -> slice:
    """The nodes of one level, of whole trees whose levels lie one after the other."""
    return slice(roots * ((1 << depth) - 1), roots * ((2 << depth) - 1))


def _steps(depth: int) -> list[int]:
    return [1 << power for power in range((depth - 1).bit_length())]


def _all_split(party: Party, stops: SharedBits, depth: int, roots: int) -> list[SharedBits]:
    """Of each level, (nodes,): whether a node splits and all above it do.

    After a step of 2^k that is so of the node and of 2^(k+1) - 1 above.
    """
    splits = not_bits(party, stops)
    found = [splits.part(_level(level, roots)) for level in range(depth)]
    for step in _steps(depth):
        above = [of_level.for_each(1 << step) for of_level in found[:-step]]
        below = SharedBits.in_a_row(found[step:])
        both = and_bits(party, below, SharedBits.in_a_row(above))
        skipped = _level(step, roots).start
        for level in range(step, depth):
            nodes = _level(level, roots)
            found[level] = both.part(slice(nodes.start - skipped, nodes.stop - skipped))
    return found


def node_values(
    party: Party,
    levels: Sequence[LevelSums],
    numbers: NumberFormat,
    learning_rate: float,
    carries: Carries = DIGITS,
) -> NodeValues:
    """Of the nodes of all levels together, in their order; an ancestor's stop is not in it."""
    gradient, hessian = (
        Shared.concatenate([getattr(level, name) for level in levels])
        for name in ("gradient", "hessian")
    )
    left = Shared.concatenate([level.left for level in levels], axis=1)
    wide = widen(party, left.reshape(-1), PAYLOAD_BITS).reshape(*left.shape)
    left_gradient, left_hessian = wide[0], wide[1]
    weights, scores = weigh(
        party,
        Shared.stack([gradient, left_gradient, gradient - left_gradient]),
        Shared.stack([hessian, left_hessian, hessian - left_hessian]),
        numbers,
        False,
        carries,
    )

    fraction_bits = numbers.gradient_bits + QUOTIENT_BITS
    least = int(numbers.least_gain * 2.0**fraction_bits) + 1
    threshold = min(max(numbers.gain(numbers.gamma, fraction_bits), least), _NO_GAIN)
    gain = scores[1] + scores[2] - scores[0]
    beyond = gain - constant(party, threshold, gain.shape)
    nodes, last = gradient.size, levels[-1].gradient.size
    turns = [level.turns for level in levels if level.turns is not None]

    def read(party: Party) -> Shared:
        own, below, more_bits = weights[0], weights[1:, nodes - last :], 0
        if turns:
            # What a leaf adds to a margin is the weight's opposite: that must not fall.
            more_bits = len(turns)
            values, leaves = bounded(party, -weights[0], -weights[1:], turns)
            own, below = -values, Shared.stack([-leaves[0::2], -leaves[1::2]])
        every = Shared.concatenate([own, below.reshape(-1)])
        return leaf_values(party, every, numbers, learning_rate, more_bits, carries)

    def stopped(party: Party) -> tuple[SharedBits, list[SharedBits]]:
        stops = is_negative(party, beyond, carries=carries)
        return stops, _all_split(party, stops, len(levels), levels[0].gradient.size)

    (stops, split), values = together(party, stopped, read)
    below = values[nodes:].reshape(2, last)
    return NodeValues(stops, split, gain, values[:nodes], below[0], below[1])
