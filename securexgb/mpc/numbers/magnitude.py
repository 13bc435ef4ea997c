"""Sign and bounded magnitude of a shared number: what a table on [-L, L) is asked with.

x = x0 + x1 has a low part (below the table's step), a middle part (the index) and a high
part, which is 0 or -1 where x is inside. Of the low part only the carry matters, of the
middle part every sum bit, of the high part the sign and whether it is 0 or -1. With h0, h1
the parties' own high parts and c the carry into them that is h0 + h1 = -c or -c - 1: 0 and -2
are equalities of private numbers (``mpc.numbers.signs``), -1 lets a carry through all its bits. All
parts are taken digit by digit.

Negative numbers are mirrored by one's complement, ~x = -x - 1, which is free; the index
outside the range is all ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from securexgb.arith.bits import to_slices, words_per
from securexgb.correlations.digits import DIGIT
from securexgb.mpc.circuits.carries import (
    Network,
    fold,
    join_carries,
    network_cost,
    prefix,
    side_by_side,
)
from securexgb.mpc.compare import not_bits, plain_bits, signed
from securexgb.mpc.digits import (
    CARRIES,
    SUMS,
    Digits,
    digit_cost,
    digit_tables,
    digits_in,
    own_digits,
)
from securexgb.mpc.multiply import and_broadcast, gate_cost
from securexgb.mpc.numbers.signs import sign_tables, signs_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.shared import Shared, SharedBits, Words
from securexgb.mpc.together import together

RANGE_BITS = 46
"""Numbers are within [-2^45, 2^45): whatever 10,000 trees with leaves up to 2^11 add up to."""


@dataclass(frozen=True)
class Index:
    """Which bits of a number are an index: ``bits`` of them from ``step_bits`` on.

    Numbers lie within [-2^(range_bits - 1), 2^(range_bits - 1)); at least two of their bits, the
    sign's included, lie above the index. 1 <= ``step_bits``, ``bits``; ``range_bits`` <= 62.
    """

    step_bits: int
    bits: int
    range_bits: int = RANGE_BITS

    @property
    def high_bits(self) -> int:
        """Bits above the index, the sign's included."""
        return self.range_bits - self.step_bits - self.bits

    @property
    def digits(self) -> tuple[int, int, int, int, int]:
        """Of the low part, the high one's carries, it as 0 and as -2, and the middle part."""
        high = digits_in(self.high_bits)
        return digits_in(self.step_bits), high, high, high, digits_in(self.bits)

    @property
    def ends(self) -> list[int]:
        """Where each of these begins, all digits in one row, and the number of digits."""
        ends = [0]
        for digits in self.digits:
            ends.append(ends[-1] + digits)
        return ends

    def network(self) -> Network:
        """How digits are joined, level by level; of the middle part all prefixes but the last."""
        ends = self.ends
        folds = [fold(start, stop) for start, stop in pairwise(ends[:5])]
        return side_by_side([*folds, prefix(ends[4], ends[5] - 1)])

    @property
    def behind(self) -> int:
        """Bits that a carry meets in a digit of the middle part: its sum's, and its way out."""
        return DIGIT - 1 if self.bits % DIGIT else DIGIT


def magnitude_cost(index: Index, count: int) -> Cost:
    """Cost of ``magnitude`` for so many elements."""
    words, (low, *_, middle) = words_per(count), index.digits
    cost = digit_cost(low * words, CARRIES).at_once(
        signs_cost(index.high_bits, words), digit_cost(middle * words, SUMS)
    )
    cost += network_cost(index.network(), words)
    if middle > 1:
        cost += gate_cost(middle - 1, words)
    cost += gate_cost(index.behind, middle * words) + gate_cost(2, 2 * words)
    return cost + gate_cost(index.bits, words)


def _ideal(x: Shared, index: Index) -> tuple[SharedBits, SharedBits]:
    values = signed(x.words, index.range_bits)
    indices = np.minimum((values ^ (values >> 63)) >> index.step_bits, (1 << index.bits) - 1)
    slices = to_slices(indices.view(np.uint64), index.bits)
    return plain_bits(values < 0), SharedBits(slices, x.size)


@protocol(
    cost=lambda x, index: magnitude_cost(index, x.size),
    opens="masked digits and tables, masked bits of the gates, uniform",
    source="docs/protocols.md, tables; digits as in compare",
    ideal=_ideal,
)
def magnitude(party: Party, x: Shared, index: Index) -> tuple[SharedBits, SharedBits]:
    """(negative (n,), number (index.bits, n)) of each x (n,).

    With m = x or, where x is negative, -x - 1, the number is floor(m / 2^step_bits), at most
    2^bits - 1.
    """
    words = x.words.reshape(-1)
    g, p, within = _tables(party, words, index)
    join_carries(party, index.network(), g, p, x.size)
    low, high, zero, two, _ = (end - 1 for end in index.ends[1:])
    sums, carry = _middle(party, words, index, (g[low], g[two + 1 :], p[two + 1 :], within))
    sign = to_slices(words >> np.uint64(index.range_bits - 1), 1)[0]
    gates = [p[high], carry]
    behind = [[carry, p[zero] ^ p[two]], [sign, np.zeros_like(carry)]]
    through = and_broadcast(
        party, SharedBits(np.array(gates), x.size), SharedBits(np.array(behind), x.size)
    ).words
    negative = sign ^ g[high] ^ through[0, 0]
    inside = SharedBits(through[1, 0] ^ p[zero] ^ through[0, 1], x.size)
    found = and_broadcast(party, inside, SharedBits(sums ^ negative, x.size))
    outside = not_bits(party, inside).words
    return SharedBits(negative, x.size), SharedBits(found.words ^ outside, x.size)


def _tables(party: Party, words: Words, index: Index) -> tuple[Words, Words, Words]:
    """(g, p) of all digits in the order of ``index.digits``; more of the middle ones (5, d, n)."""
    high = words >> np.uint64(index.step_bits + index.bits)
    low, signs, middle = together(
        party,
        lambda part: digit_tables(part, own_digits(part, words, index.step_bits), CARRIES),
        lambda part: sign_tables(part, high, index.high_bits),
        lambda part: digit_tables(part, _middle_digits(part, words, index), SUMS),
    )
    # Of the equalities only the products count, as of p.
    none = np.zeros_like(signs[0])
    g = np.concatenate([low[0], signs[0], none, none, middle[0]])
    p = np.concatenate([low[1], *signs[1:], middle[1]])
    return g, p, middle[2:]


def _middle_digits(party: Party, words: Words, index: Index) -> Digits:
    """This party's summand of the middle part, filled up from above."""
    mask = np.uint64((1 << index.bits) - 1)
    digits = digits_in(index.bits)
    middle = words >> np.uint64(index.step_bits) & mask
    free = (1 << DIGIT) - (1 << (index.bits - 1) % DIGIT + 1)
    return Digits.of(party, middle, [0] * (digits - 1) + [free])


def _middle(
    party: Party, words: Words, index: Index, tables: tuple[Words, Words, Words, Words]
) -> tuple[Words, Words]:
    """The middle part's sum bits (bits, n) and the carry out of it.

    ``tables``: the carry into it; g and p, joined for all digits but the last; the carries
    into bits 1, 2, 3 of each digit, and whether one would reach bits 2 and 3.
    """
    into, g, p, within = tables
    carries = into[None]
    if len(g) > 1:
        through = and_broadcast(
            party, SharedBits(into, words.size), SharedBits(p[:-1], words.size)
        ).words
        carries = np.concatenate([carries, g[:-1] ^ through])
    xors = _middle_digits(party, words, index).bits.swapaxes(0, 1)
    reach = np.concatenate([xors[:1], within[3:], p[None]])[: index.behind]
    met = and_broadcast(party, SharedBits(carries, words.size), SharedBits(reach, words.size)).words
    sums = np.concatenate([xors[:1] ^ carries, xors[1:] ^ within[:3] ^ met[: DIGIT - 1]])
    # What would be the carry into the bit above the index, or out of the last digit.
    place = (index.bits - 1) % DIGIT
    own = within[place, -1] if place < DIGIT - 1 else g[-1]
    flat = sums.swapaxes(0, 1).reshape(-1, sums.shape[-1])
    return flat[: index.bits], own ^ met[place, -1]
