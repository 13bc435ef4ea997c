"""The splits of one level: what a party knows of them, and what they do to rows.

The tree side finds them and hands them to its row side. Children's vectors and rows' values are
written against ``LevelSplits`` alone, so they are the same whatever is known: of owned splits
(``owned``) the owner sees which rows go left, of hidden ones (``hidden``) nobody does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from securexgb.boost.executor import Executor
from securexgb.boost.tree import value_bits
from securexgb.mpc.numbers.lift import widen, widen_cost
from securexgb.mpc.packed import RingBits
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Shared


class LevelSplits(Protocol):
    """Which rows the splits of a level send left, whoever knows it."""

    def keep_left(self, party: Party, x: Shared, ring_bits: RingBits) -> Shared:
        """x (nodes, k, rows) where a row goes left at a node, else 0; modulo 2^ring_bits each.

        ``x`` may be of the first rows only.
        """


class Level(Protocol):
    """What the tree side has found: the splits of a level, before they meet rows."""

    def of_rows(self, party: Party, own: Executor, rows: int) -> LevelSplits:
        """What they do to so many rows, of which ``own`` has this party's bins."""


def chosen_leaves(
    party: Party,
    levels: Sequence[LevelSplits],
    leaves: Shared,
    rows: int,
    ring_bits: int,
) -> Shared:
    """Each row's leaf value (trees, rows), chosen bottom-up: right + bit (left - right).

    ``leaves``: (trees, 2^depth), margin_bits fraction bits; ``levels``: of all trees at once, top
    first. The values are right modulo 2^ring_bits only.
    """
    values = leaves.reshape(-1, 1)  # one word a node, until the first choice among them
    for splits in reversed(levels):
        left, right = values[0::2], values[1::2]
        gap = (left - right).broadcast_to(right.shape[0], rows).reshape(-1, 1, rows)
        values = splits.keep_left(party, gap, (ring_bits,))[:, 0]
        values += right
    return values


def widened_leaves(party: Party, values: Shared, learning_rate: float) -> Shared:
    """Leaf values that were chosen in the smallest ring that tells them apart, ``value_bits``, in
    the whole one."""
    ring_bits = value_bits(learning_rate)
    if ring_bits == 64:
        return values
    return widen(party, values.reshape(-1), ring_bits).reshape(*values.shape)


def widen_leaves_cost(rows: int, learning_rate: float) -> Cost:
    """Cost of the end of ``chosen_leaves`` for so many rows of all trees."""
    ring_bits = value_bits(learning_rate)
    return widen_cost(ring_bits, rows) if ring_bits < 64 else Cost()
