"""Words of two fields taken apart: the integer of each field out of the sum of both parties' words.

A word modulo 2^(low + high) is split into its low bits and its high ones, as they are. Each
party's summands of a field are known to it; a field's shares add up with the carry out of the
field below, and without the carry out of its own:

    low = l0 + l1 - 2^low c_low        high = h0 + h1 + c_low - 2^high c_high

Generate and propagate bits of all fields, of words of several kinds side by side, come from carry
trees at once. Nothing is rounded: whoever wants a field rounded adds a public number before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from securexgb.arith.bits import words_per
from securexgb.mpc.compare import blocks_cost, carry_blocks
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.multiply import and_bits, and_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Shared, SharedBits, Words

Widths = tuple[int, int]
"""Bits of the low field, which may be 0, and of the high one; 64 together at most."""


def split_cost(widths: Sequence[Widths], count: int) -> Cost:
    """Cost of ``split_fields`` for so many words of each kind."""
    words, fields = words_per(count), [field for pair in widths for field in pair if field]
    joined = len(fields) - len(widths)
    cost = blocks_cost(fields, count, (), _above(widths)) + lift_cost(len(fields) * words)
    return cost + and_cost(joined * words) if joined else cost


def split_fields(
    party: Party, kinds: Sequence[Words], widths: Sequence[Widths]
) -> list[tuple[Shared, Shared]]:
    """The low and the high fields of this party's summands (n,), for each kind of word."""
    blocks = []
    for words, (low, high) in zip(kinds, widths, strict=True):
        blocks += [(_field(words, 0, low), low)] if low else []
        blocks.append((_field(words, low, high), high))
    carries = iter(to_arithmetic(party, _carries(party, blocks, widths)).words)
    parts, found = iter(blocks), []
    for low, high in widths:
        below = from_low = np.zeros_like(kinds[0])
        if low:
            (below, _), from_low = next(parts), next(carries)
            below = below - (from_low << np.uint64(low))
        (above, _), from_high = next(parts), next(carries)
        # 2^64 is nothing: a field of a whole word has no carry to take away.
        lost = from_high << np.uint64(high) if high < 64 else np.uint64(0)
        found.append((Shared(below), Shared(above + from_low - lost)))
    return found


def _field(words: Words, start: int, width: int) -> Words:
    """Bits start to start + width."""
    return words >> np.uint64(start) & np.uint64((1 << width) - 1)


def _carries(party: Party, blocks: list[tuple[Words, int]], widths: Sequence[Widths]) -> SharedBits:
    """The carry out of each field that has a width, in their order: (fields, n)."""
    above = _above(widths)
    g, p, _ = carry_blocks(party, blocks, (), above)
    if above:
        through = and_bits(party, p[above], g[[place - 1 for place in above]]).words
        carries = g.words.copy()
        carries[above] ^= through
        return SharedBits(carries, g.count)
    return g


def _above(widths: Sequence[Widths]) -> list[int]:
    """The fields that a carry comes into, among all that have a width."""
    at, above = -1, []
    for low, _ in widths:
        at += 2 if low else 1
        above += [at] if low else []
    return above
