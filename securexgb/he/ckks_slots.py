"""From shares of a CKKS plaintext's coefficients to shares of its slots, in the ring.

A slot is a linear function of the N coefficients: m(zeta^e) with zeta = exp(i pi / N), where
e = 3^k mod 2N for slot k (SEAL's order). Its factors are real numbers; rounded to fixed point
they are public integers, and a map with integer factors may be applied to each share by
itself, modulo 2^64, with nothing lost whatever the size of the masks. In floating point a mask
2^60 above the message would leave no digit of it.

Two stages, N = 64 * 128: i = i1 + 64 i2 gives zeta^(e i) = zeta^(e i1) (zeta^64)^(e i2), and
the second factor depends on e mod 256 alone. Factors have 18 fraction bits in each stage.
Rounding them costs at most 2^-11 in a slot whose plaintext has slots of size 1 (Cauchy, over
each stage), and about 2^-18 in practice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.he.ckks_words import DEGREE, SLOTS

Words = NDArray[np.uint64]

ROOT_BITS = 18
SLOT_BITS = 2 * ROOT_BITS
"""Fraction bits that a slot has above those of the coefficients."""
_INNER = 64
_OUTER = DEGREE // _INNER
_TURN = 2 * DEGREE


def roots() -> tuple[Words, Words]:
    """cos and sin of all multiples of pi / N, fixed point in the ring: (2 N,) each.

    Both parties must have the very same integers: no value lies near a rounding boundary, so
    the last digit of a mathematics library does not matter (a test looks).
    """
    angles = np.pi / DEGREE * np.arange(_TURN)
    cos, sin = (np.round(2.0**ROOT_BITS * f(angles)) for f in (np.cos, np.sin))
    return cos.astype(np.int64).view(np.uint64), sin.astype(np.int64).view(np.uint64)


class SlotReader:
    """The public tables of the two stages."""

    def __init__(self) -> None:
        cos, sin = roots()
        exponents = np.array([pow(3, k, _TURN) for k in range(SLOTS)])
        outer = _INNER * np.outer(2 * np.arange(_OUTER) + 1, np.arange(_OUTER)) % _TURN
        inner = np.outer(exponents, np.arange(_INNER)) % _TURN
        self._outer = cos[outer], sin[outer]
        self._inner = cos[inner], sin[inner]
        self._class = exponents % (2 * _OUTER) // 2

    def imaginary(self, coefficients: Words) -> Words:
        """The slots' imaginary parts (N/2,) of coefficients (N,); SLOT_BITS more fraction bits."""
        grid = coefficients.reshape(_OUTER, _INNER)
        real, imaginary = ((table @ grid)[self._class] for table in self._outer)
        cos, sin = self._inner
        total: Words = (real * sin + imaginary * cos).sum(axis=1, dtype=np.uint64)
        return total
