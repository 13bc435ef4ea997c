"""Circuits of ands, exclusive ors and negations on both parties' private bits.

Wires are numbers: the garbler's bits, the evaluator's, then one for each gate. An and costs a table
of two labels; all else is free. A circuit is the same for every element that it works on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from securexgb import _kernels

_XOR, _AND, _NOT = range(3)


@dataclass(frozen=True, eq=False, repr=False)
class Circuit:
    """``inputs``: bits of each party; ``ands``, ``outputs``: how many; ``kernel``: what works."""

    inputs: int
    ands: int
    outputs: int
    kernel: _kernels.GarbledCircuit


@dataclass
class _Gates:
    """A circuit in the making."""

    inputs: int
    rows: list[tuple[int, int, int]] = field(default_factory=list)

    def _wire(self, what: int, a: int, b: int) -> int:
        self.rows.append((what, a, b))
        return 2 * self.inputs + len(self.rows) - 1

    def xor(self, a: int, b: int) -> int:
        return self._wire(_XOR, a, b)

    def both(self, a: int, b: int) -> int:
        return self._wire(_AND, a, b)

    def either(self, a: int, b: int) -> int:
        """The or: of both bits' sum and product."""
        return self.xor(self.xor(a, b), self.both(a, b))

    def sums(self, width: int) -> tuple[list[int], list[int]]:
        """Sum bits of both parties' summands, and the carries out of these bits."""
        own, theirs = range(width), range(self.inputs, self.inputs + width)
        sums, carries = [self.xor(0, self.inputs)], [self.both(0, self.inputs)]
        for x, y in zip(own[1:], theirs[1:], strict=True):
            into = carries[-1]
            left = self.xor(x, into)
            sums.append(self.xor(left, y))
            carries.append(self.xor(into, self.both(left, self.xor(y, into))))
        return sums, carries

    def made(self, outputs: Sequence[int]) -> Circuit:
        rows = np.array(self.rows, np.uint32).reshape(-1, 3)
        kernel = _kernels.GarbledCircuit(self.inputs, rows, np.array(outputs, np.uint32))
        ands = int((rows[:, 0] == _AND).sum())
        return Circuit(self.inputs, ands, len(outputs), kernel)


@cache
def carry_circuit(width: int) -> Circuit:
    """The carry out of so many bits of a sum of two summands."""
    gates = _Gates(width)
    _, carries = gates.sums(width)
    return gates.made(carries[-1:])


@cache
def marking_circuit(width: int, least: int) -> Circuit:
    """Of a sum modulo 2^width: its bits, a mark of the highest set one, whether it reaches
    ``least``; 0 < ``least`` < 2^width, and ``width`` >= 2.
    """
    gates = _Gates(width)
    bits, carries = gates.sums(width - 1)  # nobody asks for the carry out of the last one
    above = gates.xor(gates.xor(width - 1, 2 * width - 1), carries[-1])
    bits.append(above)
    marks = [above]
    for bit in reversed(bits[:-1]):
        reached = gates.either(above, bit)
        marks.append(gates.xor(reached, above))
        above = reached
    free = (least & -least).bit_length() - 1
    reaches = bits[free]
    for place in range(free + 1, width):
        join = gates.both if least >> place & 1 else gates.either
        reaches = join(reaches, bits[place])
    return gates.made([*bits, *reversed(marks), reaches])
