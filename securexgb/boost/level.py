"""The splits of one level: what is told of them, and what they do to rows.

The tree side finds them and tells its row side what this party knows. Children's vectors and rows'
values are written against ``LevelSplits`` alone, so that they are the same whatever is known: here
each split is its owner's, who sees which rows go left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.executor import Bits, Cuts, Executor
from securexgb.mpc.packed import RingBits
from securexgb.mpc.party import Party
from securexgb.mpc.select import select
from securexgb.mpc.shared import Shared


@dataclass(frozen=True)
class ToldSplits:
    """What a party knows of the splits of a level, arrays (nodes,): public owners, own cuts.

    Of nodes that the other party owns ``cuts`` says nothing of meaning.
    """

    owners: NDArray[np.int64]
    cuts: Cuts

    def __getitem__(self, nodes: slice) -> ToldSplits:
        return ToldSplits(self.owners[nodes], self.cuts[nodes])


class LevelSplits(Protocol):
    """Which rows the splits of a level send left, whoever knows it."""

    def keep_left(self, party: Party, x: Shared, ring_bits: RingBits) -> Shared:
        """x (nodes, k, rows) where a row goes left at a node, else 0; modulo 2^ring_bits each."""


@dataclass(frozen=True)
class OwnedSplits:
    """Splits whose owners see which rows go left: ``left`` (nodes, rows), False where not own."""

    owners: NDArray[np.int64]
    left: Bits

    @staticmethod
    def of(rank: int, told: ToldSplits, executor: Executor, rows: int) -> OwnedSplits:
        """The own rows' bits at own nodes."""
        mine = told.owners == rank
        left = np.zeros((mine.size, rows), np.bool_)
        left[mine] = executor.left(told.cuts[mine])
        return OwnedSplits(told.owners, left)

    def keep_left(self, party: Party, x: Shared, ring_bits: RingBits) -> Shared:
        return select(party, self.owners, self.left, x, ring_bits)
