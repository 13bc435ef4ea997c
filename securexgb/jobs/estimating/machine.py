"""How fast this machine is: prices that were measured once, times what a short trial says now.

Prices are of one core of the machine of docs/benchmarks.md. Three things are tried for a tenth of
a second each, by processor time, the fastest of some repetitions, so that other work does not
count: rounds with next to nothing in them (an interpreter's work), rounds with much (memory and
arithmetic of words), and kernels that correlations are made by. Each is compared with what it took
there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from time import process_time
from typing import Any

import numpy as np

from securexgb import _kernels
from securexgb.correlations.digits import DigitTransfers
from securexgb.correlations.gates import Gates
from securexgb.correlations.kind import Kind
from securexgb.correlations.random_bits import RandomBits
from securexgb.correlations.row_triples import RowTriples
from securexgb.correlations.transfers import Transfers
from securexgb.correlations.triples import Triples
from securexgb.jobs.simulation import simulate_parties
from securexgb.mpc.numbers.truncate import truncate
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared

SECONDS_A_ROUND = 0.54e-3
"""Of a party, on a link without latency; docs/benchmarks.md, "Growth"."""
SECONDS_A_MEGABYTE = 5.7e-3
"""Online, of both directions together; the same page, "Training", with a dealer."""
DRAWN_A_MEGABYTE = 2.5e-3
"""Of what a dealer sends, at the party that draws it; from the same table."""
DEALT_A_MEGABYTE = 4.0e-3
"""Of the dealer's processor; from the same table."""
SECONDS_A_ROW_BIT = 60e-9
"""Of a party, for a row and node in one direction: docs/homomorphic.md, "Row bits"."""
SECONDS_A_BIT = 25e-9
"""Of a party, for a bit of the number and a word of its row in triples of rows."""
SECONDS_A_KEY = 4.0e-6
"""Of a party, to align: docs/alignment.md."""
SECONDS_A_POOL = 0.12
"""Of a party, to fill a pool of transfers from the base ones; docs/offline.md."""

PRODUCTS: Mapping[str, tuple[float, float]] = {
    "avx512": (0.014e-3, 0.5e-3),
    "avx2": (0.03e-3, 2e-3),
    "portable": (0.13e-3, 6e-3),
}
"""Seconds of a batch of products under BFV: a column and ciphertext, and a summand, for merging; by
the instructions that there are. avx512: docs/homomorphic.md, "Figures". avx2: batches of 16 to 128
vectors, processor time on such a machine beside other work; without, as it was found before."""

_ROUND, _MEGABYTE, _KERNELS = 0.25e-3, 5.5e-3, 0.33e-3
"""What the trials took on the machine of the prices."""
_SHORT, _LONG = 64, 1 << 14
_REPEAT = 4


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

    def making(self, kind: Kind[Any], count: int) -> float:
        """Seconds to make so many elements of a kind between two parties."""
        return price(kind) * count * self.kernels

    def row_bits(self, count: int) -> float:
        """Seconds of rows times nodes, in both directions."""
        return 2 * count * SECONDS_A_ROW_BIT * self.kernels

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
        a_ciphertext, merging = PRODUCTS[_kernels.simd_paths()[-1]]
        return (columns * groups * a_ciphertext + summands * merging) * self.kernels


def price(kind: Kind[Any]) -> float:
    """Seconds of an element without a dealer; docs/benchmarks.md, "Correlations by kind",
    transfers as stretched (docs/offline.md)."""
    match kind:
        case Triples():
            return 3.8e-6
        case RowTriples(count, bits):
            return count * bits * SECONDS_A_BIT
        case Gates():
            return 3.6e-6
        case DigitTransfers():
            return 6.1e-6
        case RandomBits(ring_bits=32):
            return 0.06e-6
        case RandomBits():
            return 0.07e-6
        case Transfers():
            return 0.03e-6
    raise LookupError(f"no price was measured for {kind.name}")


@cache
def this_machine() -> Machine:
    """What a short trial says, once a process."""
    short = _least(lambda: _truncated(_SHORT, 8))
    long = _least(lambda: _truncated(_LONG, 1))
    kernels = _least(_made)
    return Machine(short / _ROUND, long / _MEGABYTE, kernels / _KERNELS, float(os.cpu_count() or 1))


def _least(trial: Callable[[], float]) -> float:
    return min(trial() for _ in range(_REPEAT))


def _truncated(count: int, times: int) -> float:
    """Processor seconds of a party: a round of few numbers, or a megabyte of many."""

    def program(party: Party, _: None) -> tuple[int, int]:
        numbers = Shared(np.arange(count, dtype=np.uint64))
        for _number in range(times):
            truncate(party, numbers, 30)
        return party.rounds, party.channel.traffic.bytes_sent

    began = process_time()
    (rounds, sent), (_, theirs) = simulate_parties(program, [None, None], seed=0).results
    seconds = (process_time() - began) / 2
    return seconds / rounds if count == _SHORT else seconds / ((sent + theirs) / 1e6)


def _made() -> float:
    """Processor seconds of messages of triples."""
    count, bits = 1 << 10, 64
    zero = np.arange(count * bits, dtype=np.uint64)
    began = process_time()
    _kernels.ot_products_send(zero, zero[::-1].copy(), zero[:count], bits)
    return process_time() - began
