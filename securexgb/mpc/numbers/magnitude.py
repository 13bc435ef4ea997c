"""Sign and bounded magnitude of a shared number: what a table on [-L, L) is asked with.

x = x0 + x1 has a low part (below the table's step), a middle part (the index) and a high
part, which is 0 or -1 where x is inside. Of the low part only the carry matters, of the
middle part which number it is, of the high part the sign and whether it is 0 or -1. With h0, h1
the parties' own high parts and c the carry into them that is h0 + h1 = -c or -c - 1: 0 and -2
are equalities of private numbers (``mpc.numbers.signs``), -1 lets a carry through all its bits. All
parts are taken digit by digit; the middle part's digits one after the other, as marks
(``mpc.numbers.marked``), by which tables are looked up.

Negative numbers are mirrored by one's complement, ~x = -x - 1, which turns the marks of each
digit; the index outside the range is all ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from securexgb.arith.bits import to_slices, words_per
from securexgb.mpc.circuits.carries import (
    Network,
    fold,
    join_carries,
    network_cost,
    side_by_side,
)
from securexgb.mpc.compare import plain_bits, signed
from securexgb.mpc.digits import (
    CARRIES,
    digit_cost,
    digit_tables,
    digits_in,
    own_digits,
)
from securexgb.mpc.multiply import and_broadcast, gate_cost
from securexgb.mpc.numbers.marked import (
    composed,
    composed_cost,
    digit_widths,
    kept,
    kept_cost,
    marked_cost,
    marked_sums,
    mirrored,
    mirrored_cost,
)
from securexgb.mpc.numbers.signs import sign_tables, signs_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, Words
from securexgb.mpc.together import together

RANGE_BITS = 46
"""Numbers are within [-2^45, 2^45): whatever 10,000 trees with leaves up to 2^11 add up to."""


@dataclass(frozen=True)
class Index:
    """Which bits of a number are an index: those from ``step_bits`` on, in ``parts`` of so many
    bits each, lowest first.

    Numbers lie within [-2^(range_bits - 1), 2^(range_bits - 1)); at least two of their bits, the
    sign's included, lie above the index. 1 <= ``step_bits``, each part; ``range_bits`` <= 62.
    """

    step_bits: int
    parts: tuple[int, ...]
    range_bits: int = RANGE_BITS

    @property
    def bits(self) -> int:
        return sum(self.parts)

    @property
    def high_bits(self) -> int:
        """Bits above the index, the sign's included."""
        return self.range_bits - self.step_bits - self.bits

    @property
    def digits(self) -> tuple[int, int, int, int]:
        """Of the low part, and of the high one's carries, of it as 0 and as -2."""
        high = digits_in(self.high_bits)
        return digits_in(self.step_bits), high, high, high

    @property
    def ends(self) -> list[int]:
        """Where each of these begins, all digits in one row, and the number of digits."""
        ends = [0]
        for digits in self.digits:
            ends.append(ends[-1] + digits)
        return ends

    def network(self) -> Network:
        """How digits are joined, level by level."""
        return side_by_side([fold(start, stop) for start, stop in pairwise(self.ends)])


def magnitude_cost(index: Index, count: int) -> Cost:
    """Cost of ``magnitude`` for so many elements."""
    words = words_per(count)
    cost = digit_cost(index.digits[0] * words, CARRIES)
    cost = cost.at_once(signs_cost(index.high_bits, words)) + network_cost(index.network(), words)
    cost += marked_cost(index.bits, words) + gate_cost(2, 2 * words)
    cost += mirrored_cost(index.bits, words) + kept_cost(digit_widths(index.bits), words)
    return cost + composed_cost(index.parts, words)


Marked = tuple[SharedBits, tuple[SharedBits, ...]]


def _ideal(x: Shared, index: Index) -> Marked:
    values = signed(x.words, index.range_bits).reshape(-1)
    indices = np.minimum((values ^ (values >> 63)) >> index.step_bits, (1 << index.bits) - 1)
    marks = []
    for part in index.parts:
        numbers = np.arange(1 << part)[:, None]
        marks.append(plain_bits(numbers == indices & (1 << part) - 1))
        indices >>= part
    return plain_bits(values < 0), tuple(marks)


@protocol(
    cost=lambda x, index: magnitude_cost(index, x.size),
    opens="masked digits and tables, masked bits of the gates, uniform",
    source="docs/protocols.md, tables; digits as in compare",
    ideal=_ideal,
)
def magnitude(party: Party, x: Shared, index: Index) -> Marked:
    """(negative (n,), marks (2^part, n) of each part of the number) of each x (n,).

    With m = x or, where x is negative, -x - 1, the number is floor(m / 2^step_bits), at most
    2^bits - 1.
    """
    words = x.words.reshape(-1)
    g, p = _tables(party, words, index)
    join_carries(party, index.network(), g, p, x.size)
    low, high, zero, two = (end - 1 for end in index.ends[1:])
    into = SharedBits(g[low], x.size)
    digits, out = marked_sums(party, words >> np.uint64(index.step_bits), index.bits, into)
    sign = to_slices(words >> np.uint64(index.range_bits - 1), 1)[0]
    carry = out.words
    gates = [p[high], carry]
    behind = [[carry, p[zero] ^ p[two]], [sign, np.zeros_like(carry)]]
    through = and_broadcast(
        party, SharedBits(np.array(gates), x.size), SharedBits(np.array(behind), x.size)
    ).words
    negative = SharedBits(sign ^ g[high] ^ through[0, 0], x.size)
    inside = SharedBits(through[1, 0] ^ p[zero] ^ through[0, 1], x.size)
    digits = kept(party, inside, mirrored(party, negative, digits), -1)
    return negative, tuple(composed(party, digits, index.parts))


def _tables(party: Party, words: Words, index: Index) -> tuple[Words, Words]:
    """(g, p) of all digits in the order of ``index.digits``."""
    high = words >> np.uint64(index.step_bits + index.bits)
    low, signs = together(
        party,
        lambda part: digit_tables(part, own_digits(part, words, index.step_bits), CARRIES),
        lambda part: sign_tables(part, high, index.high_bits),
    )
    # Of the equalities only the products count, as of p.
    none = np.zeros_like(signs[0])
    return np.concatenate([low[0], signs[0], none, none]), np.concatenate([low[1], *signs[1:]])
