"""How fast this machine is: prices that were measured once, times what a short trial says now.

Prices are of one core of the machine of docs/benchmarks.md; what is tried, and how, is in
``trial``. Those of rounds, megabytes, pools and kinds were fitted together to processor seconds of
W1 and W2 on a quiet machine (`benchmarks/estimates.py`), in the proportions that their own
measurements have.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from securexgb import _kernels
from securexgb.correlations.digits import DigitTransfers
from securexgb.correlations.gates import Gates
from securexgb.correlations.kind import Kind
from securexgb.correlations.random_bits import RandomBits
from securexgb.correlations.row_triples import RowTriples
from securexgb.correlations.slices import SlicedTransfers
from securexgb.correlations.transfers import Transfers
from securexgb.correlations.triples import Triples
from securexgb.jobs.estimating.trial import begun

SECONDS_A_ROUND = 0.72e-3
"""Of a party's protocols and its link's thread; from W1 and W2 of docs/benchmarks.md."""
SECONDS_A_MEGABYTE = 2.9e-3
"""Online, of both directions together; the same runs."""
ONE_CORE = 0.84
"""The share of its only core that a party keeps busy, two parties on two cores."""
DRAWN_A_MEGABYTE = 2.5e-3
"""Of what a dealer sends, at the party that draws it; from the same table."""
DEALT_A_MEGABYTE = 4.0e-3
"""Of the dealer's processor; from the same table."""
SECONDS_A_ROW_BIT = 20e-9
"""Of a party, for a row and node in one direction: docs/homomorphic.md, "Row bits"."""
SECONDS_A_BIT = 6.5e-9
"""Of a party, for a bit of the number and a word of its row in triples of rows."""
SECONDS_A_CELL = 0.65e-6
"""Of a party, for a value of its table: what its sums of a one-hot matrix take once; from W3."""
SECONDS_A_KEY = 4.0e-6
"""Of a party, to align: docs/alignment.md."""
SECONDS_A_CALL = 1.0e-3
"""Of a head, for a question to all of its shards, beside its bytes: docs/cluster.md."""
SECONDS_A_POOL = 0.009
"""Of a party, for both directions: 628,736 transfers each, stretched and hashed."""

PRODUCTS: Mapping[str, tuple[float, float]] = {
    "avx512": (0.014e-3, 0.5e-3),
    "avx2": (0.03e-3, 2e-3),
    "portable": (0.13e-3, 6e-3),
}
"""Seconds of a batch of products under BFV: a column and ciphertext, and a summand, for merging; by
the instructions that there are, the best of them that has a price. avx512:
docs/homomorphic.md, "Figures". avx2: batches of 16 to 128 vectors, processor time on such a machine
beside other work; without, as it was found before."""


@dataclass(frozen=True)
class Machine:
    """One side's machine. ``rounds``, ``megabytes``, ``kernels``: how many times as long it takes
    for each as the machine of the prices. ``cores``: that a party has, at least a half."""

    rounds: float = 1.0
    megabytes: float = 1.0
    kernels: float = 1.0
    cores: float = 2.0

    def online(self, rounds: int, size: float) -> float:
        """Seconds of so many rounds and bytes, both directions."""
        seconds = rounds * SECONDS_A_ROUND * self.rounds
        return seconds + size / 1e6 * SECONDS_A_MEGABYTE * self.megabytes

    def asking(self, calls: int, size: float) -> float:
        """Seconds of so many questions of a head to its shards, of so many bytes together."""
        passing = size / 1e6 * SECONDS_A_MEGABYTE * self.megabytes
        return calls * SECONDS_A_CALL * self.rounds + passing

    def making(self, kind: Kind[Any], count: int) -> float:
        """Seconds to make so many elements of a kind between two parties."""
        return price(kind) * count * self.kernels

    def row_bits(self, count: int) -> float:
        """Seconds of rows times nodes, in both directions."""
        return 2 * count * SECONDS_A_ROW_BIT * self.kernels

    def registering(self, cells: float) -> float:
        """Seconds of a party to prepare its matrix of so many values for products."""
        return cells * SECONDS_A_CELL * self.megabytes

    def pools(self, count: float) -> float:
        """Seconds to fill so many pools of transfers of both directions."""
        return count * SECONDS_A_POOL * self.kernels

    def aligning(self, keys: int) -> float:
        """Seconds to find what two lists of so many keys at most have in common."""
        return keys * SECONDS_A_KEY * self.kernels

    def drawing(self, size: float) -> float:
        """Seconds to draw so many bytes from a dealer."""
        return size / 1e6 * DRAWN_A_MEGABYTE * self.megabytes

    def products(self, columns: int, groups: int, summands: int) -> float:
        """Seconds of a batch of products under BFV."""
        priced = [path for path in _kernels.simd_paths() if path in PRODUCTS]
        a_ciphertext, merging = PRODUCTS[priced[-1]]
        return (columns * groups * a_ciphertext + summands * merging) * self.kernels


def price(kind: Kind[Any]) -> float:
    """Seconds of an element without a dealer: as docs/benchmarks.md, "Correlations by kind", has
    them beside each other, and transfers as stretched (docs/offline.md); together, and with pools,
    what their thread took in W1 and W2."""
    match kind:
        case Triples():
            return 1.0e-6
        case RowTriples(count, bits):
            return count * bits * SECONDS_A_BIT
        case Gates():
            return 0.95e-6
        case DigitTransfers():
            return 1.55e-6
        case RandomBits(ring_bits=32):
            return 0.02e-6
        case RandomBits():
            return 0.023e-6
        case Transfers():
            return 0.008e-6
        case SlicedTransfers():
            return 0.5e-6
    raise LookupError(f"no price was measured for {kind.name}")


def this_machine() -> Machine:
    """What a trial says that was begun before, or is now; once a process."""
    found = begun().speeds()
    return Machine(found.short, found.long, found.kernels, float(os.cpu_count() or 1))
