"""Carries, and denominators brought to bits, by garbled circuits.

An addition of both parties' words, as in ``mpc.compare`` and ``mpc.convert``, in two rounds
whatever the width: 80 bytes a bit of a carry, half of them each way. So it is for few elements on a
slow link; on a fast one digits take less of everything.
"""

from __future__ import annotations

import numpy as np

from securexgb.arith.bits import to_slices
from securexgb.mpc.compare import Carries, plain_bits
from securexgb.mpc.garbled.circuit import carry_circuit, marking_circuit
from securexgb.mpc.garbled.execute import garbled, garbled_cost, own_bits
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost, protocol
from securexgb.mpc.share import constant_bits
from securexgb.mpc.shared import Shared, SharedBits, Words


def garbled_carry_cost(width: int, count: int) -> Cost:
    """Cost of ``garbled_carry``."""
    return garbled_cost(carry_circuit(width), count)


def garbled_carry(party: Party, words: Words, width: int) -> SharedBits:
    """The carry out of the low ``width`` bits of the sum of both parties' words (n,)."""
    return garbled(party, carry_circuit(width), own_bits(words, width))[0]


GARBLED = Carries(garbled_carry, garbled_carry_cost)


def marked_bits_cost(count: int, width: int, least: int) -> Cost:
    """Cost of ``marked_bits`` for so many elements."""
    return garbled_cost(marking_circuit(width, _tested(width, least)), count)


def _tested(width: int, least: int) -> int:
    """What is compared with in the circuit: where every sum reaches ``least``, or none does, both
    know that, and the answer is not read."""
    return least if 0 < least < 1 << width else 1 << (width - 1)


def _ideal(x: Shared, width: int, least: int) -> tuple[SharedBits, SharedBits, SharedBits]:
    values = x.words & np.uint64((1 << width) - 1)
    bits = SharedBits(to_slices(values, width), x.size)
    marks = np.bitwise_or.accumulate(bits.words[::-1], axis=0)
    marks[1:] ^= marks[:-1].copy()
    reached = values.astype(np.float64) >= least
    return bits, SharedBits(marks[::-1].copy(), x.size), plain_bits(reached)


@protocol(
    cost=lambda x, width, least: marked_bits_cost(x.size, width, least),
    opens="masked choices; labels of own bits, tables, labels of masked choices: uniform to whom "
    "holds one label a wire",
    source="half gates: Zahur, Rosulek, Evans, EUROCRYPT 2015; hash: Guo and others, S&P 2020",
    ideal=_ideal,
)
def marked_bits(
    party: Party, x: Shared, width: int, least: int
) -> tuple[SharedBits, SharedBits, SharedBits]:
    """Bits of each x mod 2^width, (n,), a mark of the highest one, and whether x reaches ``least``.

    (width, n), (width, n), all zero for zero, and (n,). ``least``: public; ``width``: 2 or more.
    """
    circuit = marking_circuit(width, _tested(width, least))
    found = garbled(party, circuit, own_bits(x.words, width))
    reached = found[2 * width]
    if not 0 < least < 1 << width:
        reached = constant_bits(party, least <= 0, (), x.size)
    return found[:width], found[width : 2 * width], reached
