"""The sigmoid and the softplus of a shared margin, by tables over its magnitude.

|x| in [0, 16) is cut into equal steps; the entry of a step is the function in its middle. Both
functions are known on the whole line from one half: sigmoid(-x) = 1 - sigmoid(x),
softplus(x) = max(x, 0) + softplus(-|x|). There is no product and no truncation, so the results
are exact functions of the step.

Where x is negative the entries are p = sigmoid(x) and h = p (1 - p); where it is not, 1 - p is p's
complement and one unit, linear in p's bits flipped by the sign. From 16 on p and h are 0: exp(-16)
is 1e-7. Bits become numbers in the smallest ring that holds them (``mpc.numbers.lift``).

An entry is the sum of two tables' (bipartite: Das Sarma, Matula, ARITH 1995): with a the upper bits
of the index, b the middle and c the lower ones, value[a, b] + more[a, c].

Below a few units an entry rounded to the nearest would be wrong by as much as it is worth, in
every tree, for rows of a rare event. So it is floor(v + u), u a public coin, another one for each
of 64 classes of rows and every tree (``boost.dither``): right on average. Rows of a class are put
side by side, and each class has tables of its own. Where the value has 2^9 units or more u is
1/2, so that rows with equal margins have equal gradients there. How wide entries are does not
depend on the coins.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from securexgb.arith import logistic
from securexgb.arith.bits import words_per
from securexgb.arith.fixedpoint import MARGIN_BITS
from securexgb.arith.logistic import VALUE_BITS
from securexgb.mpc.compare import not_bits
from securexgb.mpc.multiplex import multiplex_shared, multiplex_shared_cost
from securexgb.mpc.numbers.curves import (
    COARSE,
    FINE,
    MORE,
    VALUE,
    Curve,
    Integers,
    Steps,
    by_class,
    in_row_order,
    lengths_of,
    tables_of,
)
from securexgb.mpc.numbers.lift import Number, lift_numbers, numbers_cost
from securexgb.mpc.numbers.magnitude import RANGE_BITS, magnitude, magnitude_cost
from securexgb.mpc.numbers.table import Tables, entries_of
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits


def _most(gradient_bits: int, hessian_bits: int) -> tuple[int, int]:
    """What p and h never exceed: 1, and 1/4 with two units (see arith.fixedpoint, sums of h)."""
    return 1 << gradient_bits, (1 << hessian_bits >> 2) + 2


@dataclass(frozen=True)
class Shape:
    """What tables of the sigmoid cost, whatever the coins.

    ``parts``: how many bits p and h have in the values, and in what is added. ``numbers``: how p
    and h are made of p's bits of both, flipped where x is not negative, a bit that says so, and
    h's bits.
    """

    steps: Steps
    parts: tuple[tuple[int, int], tuple[int, int]]
    numbers: tuple[Number, Number]


@dataclass(frozen=True, eq=False)
class SigmoidTable:
    """Tables by class of rows: the values, (classes, b, a), and what is added, (classes, c, a).

    In an entry h's part stands above p's.
    """

    shape: Shape
    tables: tuple[Tables, Tables]


@cache
def _curves(steps: Steps) -> tuple[Curve, Curve]:
    """p and h."""
    p, h = logistic.logistic(steps.bits)
    return Curve.of(p, steps), Curve.of(h, steps)


@cache
def sigmoid_shape(gradient_bits: int, hessian_bits: int, fine: bool) -> Shape:
    """Of the tables with so many fraction bits of p and of h, 0 to 20 each."""
    steps = FINE if fine else COARSE
    (p, h), most = _curves(steps), _most(gradient_bits, hessian_bits)
    p_parts, h_parts = p.lengths(gradient_bits, most[0]), h.lengths(hessian_bits, most[1])
    # Where x is not negative: 2^gradient_bits - p, of all bits flipped and a number more.
    weights = [1 << place for length in p_parts for place in range(length)]
    positive = ((1 << gradient_bits) - sum(weights)) % (1 << 64)
    high = tuple(1 << place for length in h_parts for place in range(length))
    numbers = (
        Number((*weights, positive), gradient_bits + 1),
        Number(high, most[1].bit_length()),
    )
    return Shape(steps, ((p_parts[0], h_parts[0]), (p_parts[1], h_parts[1])), numbers)


def sigmoid_table(
    gradient_bits: int, hessian_bits: int, fine: bool, coins: Integers
) -> SigmoidTable:
    """Tables of p and h with so many fraction bits, 0 to 20 each, for one tree.

    ``fine``: steps of 2^-10, else 2^-8. ``coins``: (4, classes), fractions in units of 2^-32, for
    p's values, what is added to them, and the same of h. Where no coin is left p and h are within
    2^-10 (2^-8) of the exact ones, relatively; elsewhere their means are.
    """
    shape = sigmoid_shape(gradient_bits, hessian_bits, fine)
    (p, h), most = _curves(shape.steps), _most(gradient_bits, hessian_bits)
    p_parts = p.rounded(gradient_bits, coins[:2], most[0])
    h_parts = h.rounded(hessian_bits, coins[2:], most[1])
    values, added = (
        tables_of(low | high << bits[0], sum(bits), place)
        for low, high, bits, place in zip(p_parts, h_parts, shape.parts, (VALUE, MORE), strict=True)
    )
    return SigmoidTable(shape, (values, added))


def sigmoid_cost(shape: Shape, count: int, range_bits: int = RANGE_BITS) -> Cost:
    """Cost of ``sigmoid`` for so many margins."""
    words = words_per(count)
    cost = magnitude_cost(shape.steps.index(range_bits), count)
    cost += shape.steps.cost(tuple(sum(bits) for bits in shape.parts), words)
    return cost + numbers_cost(shape.numbers, words)


@protocol(
    cost=lambda margins, table, range_bits=RANGE_BITS: sigmoid_cost(
        table.shape, margins.size, range_bits
    ),
    opens=COMPOSED,
    source="docs/training.md, the sigmoid",
    ideal=None,
)
def sigmoid(
    party: Party, margins: Shared, table: SigmoidTable, range_bits: int = RANGE_BITS
) -> tuple[Shared, Shared]:
    """(p, p (1 - p)) of margins (n,), or (k, n), with the fraction bits of the table.

    Margins are below 2^(range_bits - 1) units of 2^-20; a closer bound, 26 at least, is cheaper.
    Row i is of class i modulo the number of classes, so blocks of a multiple of them may
    go through one by one. p is mirrored: p(-x - 2^-20) = 1 - p(x) within a class.
    """
    shape, rows = margins.shape, margins.shape[-1]
    order, runs = by_class(rows, len(table.tables[0].entries), margins.size // rows)
    steps = table.shape.steps
    negative, marks = magnitude(party, margins.reshape(-1)[order], steps.index(range_bits))
    positive = not_bits(party, negative).words
    found = [bits.words for bits in entries_of(party, marks, table.tables, runs)]
    cuts = [low for low, _ in table.shape.parts]
    p = [words[:low] ^ positive for words, low in zip(found, cuts, strict=True)]
    h = [words[low:] for words, low in zip(found, cuts, strict=True)]
    bits = SharedBits(np.concatenate([*p, positive[None], *h]), margins.size)
    both = in_row_order(lift_numbers(party, bits, table.shape.numbers), order)
    return both[0].reshape(*shape), both[1].reshape(*shape)


@cache
def _softplus_tables() -> tuple[tuple[Tables, Tables], Number]:
    """The values and what is added, and the number that they make up."""
    drop = VALUE_BITS - MARGIN_BITS
    curve = Curve.of(logistic.softplus(FINE.bits), FINE, drop)
    value, more = curve.value + (1 << drop >> 1) >> drop, curve.more >> drop
    lengths = lengths_of((value, more))
    values, added = (
        tables_of(part[None], length, place)
        for part, length, place in zip((value, more), lengths, (VALUE, MORE), strict=True)
    )
    weights = tuple(1 << place for length in lengths for place in range(length))
    most = int((value + more.max(axis=1, keepdims=True)).max())
    return (values, added), Number(weights, most.bit_length())


def softplus_cost(count: int, range_bits: int = RANGE_BITS) -> Cost:
    """Cost of ``softplus`` for so many margins."""
    words, (tables, number) = words_per(count), _softplus_tables()
    cost = magnitude_cost(FINE.index(range_bits), count)
    cost += FINE.cost(tuple(part.out_bits for part in tables), words)
    return cost + numbers_cost([number], words) + multiplex_shared_cost(count)


@protocol(
    cost=lambda margins, range_bits=RANGE_BITS: softplus_cost(margins.size, range_bits),
    opens=COMPOSED,
    source="docs/training.md, the sigmoid",
    ideal=None,
)
def softplus(party: Party, margins: Shared, range_bits: int = RANGE_BITS) -> Shared:
    """log(1 + exp(margin)) of margins (n,), with their 20 fraction bits; a bound as ``sigmoid``.

    Beside a step's 2^-11 the error is relative to softplus(-|x|), and a unit of 2^-20.
    """
    negative, marks = magnitude(party, margins, FINE.index(range_bits))
    tables, number = _softplus_tables()
    found = entries_of(party, marks, tables, (margins.size,))
    part = lift_numbers(party, SharedBits.concatenate(found), (number,))
    positive = SharedBits.stack([not_bits(party, negative)])
    line = multiplex_shared(party, positive, margins.reshape(1, 1, -1))
    return line[0, 0] + part[0]
