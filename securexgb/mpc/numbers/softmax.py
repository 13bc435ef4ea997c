"""The softmax of shared margins, by halves: one sigmoid for each pair of groups of classes.

exp(x_k) / sum_j exp(x_j) needs an exponential, a maximum that keeps it in range and a reciprocal; a
probability near 1 would be what these leave of 1, wrong by as much as it is away from it. Here
classes are joined two by two, like the players of a tournament. A group of classes has one
number, L = log of the sum of exp over its margins. Of two groups, with d = L_1 - L_2,

    P = sigmoid(d)                       the probability of the first one, given both,
    L = L_2 + max(d, 0) + softplus(-|d|)

come out of one look-up of |d|, as the same marks choose p and the softplus. A class's probability
is the product of those of its groups: K - 1 look-ups for K classes, in ceil(log2 K) levels, and
K - 2 products, no exponential, no maximum and no reciprocal. All classes are treated alike near 0
and near 1: what is left of 1 is the sum of what the other groups have, each with a relative error,
or right on average by public coins, as in ``mpc.numbers.sigmoid``.

A group of c classes keeps the running sums of its probabilities, but for the last one, which is 1.
A product is floor(P C + u) with one public coin u for all of a row's: so running sums never fall,
end at P exactly, and their differences are right on average. Probabilities are therefore not
negative and add up to exactly 1, so that the classes' gradients add up to exactly 0.

The products of a level and the look-ups of the next one are independent: they run together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from securexgb.arith.bits import words_per
from securexgb.mpc.compare import not_bits
from securexgb.mpc.multiplex import multiplex_shared, multiplex_shared_cost
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.numbers.lift import Number, lift_numbers, numbers_cost
from securexgb.mpc.numbers.magnitude import magnitude, magnitude_cost
from securexgb.mpc.numbers.sigmoid import (
    COIN_BITS,
    MORE,
    VALUE,
    Integers,
    Steps,
    by_class,
    curves,
    lengths_of,
    mirrored,
    softplus_cells,
    steps_of,
    tables_of,
)
from securexgb.mpc.numbers.table import Tables
from securexgb.mpc.numbers.truncate import shift_cost, truncate
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.mpc.together import together


@dataclass(frozen=True)
class PairShape:
    """What the tables of a level cost: bits of p and of the softplus, by table; see ``sigmoid``.

    The last level has no softplus: no bits, and one number only.
    """

    steps: Steps
    parts: tuple[tuple[int, int], tuple[int, int]]
    numbers: tuple[Number, ...]

    @property
    def widths(self) -> tuple[int, int]:
        """Bits of an entry of each table."""
        value, more = (sum(bits) for bits in self.parts)
        return value, more


@dataclass(frozen=True, eq=False, repr=False)
class Level:
    """The coins of one level: tables by class of rows, and u of the products, (classes,).

    u is a fraction in units of 2^-COIN_BITS.
    """

    shape: PairShape
    tables: tuple[Tables, Tables]
    coins: Integers


@dataclass(frozen=True, eq=False, repr=False)
class SoftmaxTable:
    """All levels, for numbers with ``fraction_bits``."""

    levels: tuple[Level, ...]
    fraction_bits: int

    @property
    def shapes(self) -> tuple[PairShape, ...]:
        return tuple(level.shape for level in self.levels)


@dataclass(frozen=True, eq=False, repr=False)
class _Group:
    """Classes side by side: L (n,), and running sums of their probabilities (classes - 1, n)."""

    total: Shared
    sums: Shared


@dataclass(frozen=True, eq=False, repr=False)
class _Pair:
    """Two groups, and the probability of the first one, (n,)."""

    first: _Group
    second: _Group
    p: Shared

    @property
    def products(self) -> int:
        return self.first.sums.shape[0] + self.second.sums.shape[0]


def level_count(classes: int) -> int:
    """Levels that so many classes are joined in."""
    return (classes - 1).bit_length()


@cache
def pair_shape(fraction_bits: int, *, fine: bool, is_last: bool) -> PairShape:
    """Of a level's tables with so many fraction bits of p, 0 to 20."""
    steps = steps_of(fine=fine)
    value, more = curves(steps)[0].lengths(fraction_bits, 1 << fraction_bits)
    number = mirrored((value, more), fraction_bits)
    if is_last:
        return PairShape(steps, ((value, 0), (more, 0)), (number,))
    cells, line = softplus_cells(steps)
    lengths = lengths_of(cells)
    return PairShape(steps, ((value, lengths[0]), (more, lengths[1])), (number, line))


def softmax_table(fraction_bits: int, fine: bool, coins: Sequence[Integers]) -> SoftmaxTable:
    """Tables of as many levels as there are ``coins``, for one tree; see ``sigmoid_table``.

    ``coins``: (3, classes of rows) a level: for p's values, what is added to them, and products.
    """
    levels = []
    for number, of_level in enumerate(coins):
        is_last = number + 1 == len(coins)
        shape = pair_shape(fraction_bits, fine=fine, is_last=is_last)
        cells = curves(shape.steps)[0].rounded(fraction_bits, of_level[:2], 1 << fraction_bits)
        lines = softplus_cells(shape.steps)[0]
        values, added = (
            tables_of(p if is_last else p | line << bits[0], sum(bits), place)
            for p, line, bits, place in zip(cells, lines, shape.parts, (VALUE, MORE), strict=True)
        )
        levels.append(Level(shape, (values, added), of_level[2]))
    return SoftmaxTable(tuple(levels), fraction_bits)


def softmax_cost(
    shapes: Sequence[PairShape], fraction_bits: int, margins: tuple[int, ...], range_bits: int
) -> Cost:
    """Cost of ``softmax`` of margins of this shape, (classes, rows)."""
    classes, rows = margins
    groups, total, products = [1] * classes, Cost(), Cost()
    for shape in shapes:
        pairs = len(groups) // 2
        total += products.at_once(_pairs_cost(shape, pairs * rows, range_bits))
        count = sum(groups[: 2 * pairs]) - 2 * pairs
        products = Cost()
        if count:
            products = product_cost(count * rows)
            products += shift_cost(fraction_bits, count * rows) if fraction_bits else Cost()
        joined = [groups[at] + groups[at + 1] for at in range(0, 2 * pairs, 2)]
        groups = joined + groups[2 * pairs :]
    return total + products


def _pairs_cost(shape: PairShape, count: int, range_bits: int) -> Cost:
    words = words_per(count)
    cost = magnitude_cost(shape.steps.index(range_bits), count)
    cost += shape.steps.cost(shape.widths, words)
    numbers = numbers_cost(shape.numbers, words)
    return cost + (
        numbers if len(shape.numbers) == 1 else numbers.at_once(multiplex_shared_cost(count))
    )


@protocol(
    cost=lambda margins, table, range_bits: softmax_cost(
        table.shapes, table.fraction_bits, margins.shape, range_bits
    ),
    opens=COMPOSED,
    source="docs/training.md, several classes",
    ideal=None,
)
def softmax(party: Party, margins: Shared, table: SoftmaxTable, range_bits: int) -> Shared:
    """Probabilities of margins (classes, n), the same shape, with the table's fraction bits.

    Differences of margins, and log(classes) more, are below 2^(range_bits - 1) units of 2^-20.
    Rows are of classes of coins as in ``sigmoid``. Not negative; they add up to 1 exactly.
    """
    classes, rows = margins.shape
    groups = [_Group(margins[k], Shared.zeros(0, rows)) for k in range(classes)]
    joined = list[_Pair]()
    join = partial(_joined, one=1 << table.fraction_bits, bits=table.fraction_bits)
    before = table.levels[0]
    for level in table.levels:
        count = len(groups) // 2
        sums, found = together(
            party,
            partial(join, pairs=joined, coins=before.coins),
            partial(_found, groups=groups[: 2 * count], level=level, range_bits=range_bits),
        )
        # Sums of the groups that the level before has joined; one that was left over has its own.
        groups = [
            _Group(group.total, sums[k] if k < len(sums) else group.sums)
            for k, group in enumerate(groups)
        ]
        p, totals = found
        joined = [_Pair(groups[2 * k], groups[2 * k + 1], p[k]) for k in range(count)]
        new = [_Group(totals[k], Shared.zeros(0, rows)) for k in range(count)]
        groups, before = new + groups[2 * count :], level
    (last,) = join(party, pairs=joined, coins=before.coins)
    whole = constant(party, 1 << table.fraction_bits, (1, rows))
    ends = Shared.concatenate([last, whole])
    return ends - Shared.concatenate([Shared.zeros(1, rows), last])


def _found(
    party: Party, groups: Sequence[_Group], level: Level, range_bits: int
) -> tuple[Shared, Shared]:
    """p of the first of each two groups, and what both have together, (pairs, n) each.

    The last level gives zeros for the latter.
    """
    first = Shared.stack([group.total for group in groups[::2]])
    second = Shared.stack([group.total for group in groups[1::2]])
    pairs, rows = first.shape
    gaps = (first - second).reshape(-1)
    shape, (tables, added) = level.shape, level.tables
    order, runs = by_class(rows, len(tables.entries), pairs)
    gaps = gaps[order]
    negative, index = magnitude(party, gaps, shape.steps.index(range_bits))
    positive = not_bits(party, negative)
    found = [bits.words for bits in shape.steps.look_up(party, index, (tables, added), runs)]
    cuts = [low for low, _ in shape.parts]
    p = [words[:low] ^ positive.words for words, low in zip(found, cuts, strict=True)]
    line = [words[low:] for words, low in zip(found, cuts, strict=True)]
    bits = SharedBits(np.concatenate([*p, positive.words[None], *line]), gaps.size)
    back = np.argsort(order)
    if len(shape.numbers) == 1:
        (p_only,) = lift_numbers(party, bits, shape.numbers).words
        return Shared(p_only[back]).reshape(pairs, rows), Shared.zeros(pairs, rows)
    both, above = together(
        party,
        lambda part: lift_numbers(part, bits, shape.numbers),
        lambda part: multiplex_shared(part, SharedBits.stack([positive]), gaps.reshape(1, 1, -1)),
    )
    more = (both[1] + above[0, 0])[back].reshape(pairs, rows)
    return both[0][back].reshape(pairs, rows), second + more


def _joined(
    party: Party, pairs: Sequence[_Pair], coins: Integers, one: int, bits: int
) -> list[Shared]:
    """The running sums of both groups' classes, for each pair."""
    products = iter(_products(party, pairs, coins, one, bits))
    sums = []
    for pair in pairs:
        first = [next(products) for _ in range(pair.first.sums.shape[0])]
        second = [pair.p + next(products) for _ in range(pair.second.sums.shape[0])]
        sums.append(Shared.stack([*first, pair.p, *second]))
    return sums


def _products(
    party: Party, pairs: Sequence[_Pair], coins: Integers, one: int, bits: int
) -> list[Shared]:
    """Running sums times their group's probability, those of each pair one after the other."""
    factors, sums = list[Shared](), list[Shared]()
    for pair in pairs:
        rest = constant(party, one, pair.p.shape) - pair.p
        for group, p in ((pair.first, pair.p), (pair.second, rest)):
            factors += [p] * group.sums.shape[0]
            sums += [group.sums[k] for k in range(group.sums.shape[0])]
    if not sums:
        return []
    x = Shared.stack(sums)
    rows = x.shape[1]
    products = multiply(party, x, Shared.stack(factors))
    if bits:
        added = np.resize(coins >> (COIN_BITS - bits), rows).view(np.uint64)
        coined = products + constant(party, np.broadcast_to(added, x.shape), x.shape)
        products = truncate(party, coined, bits)
    return [products[k] for k in range(x.shape[0])]
