"""How hard is ring-LWE at a degree and a modulus? The primal attack, estimated.

A secret of ternary numbers and errors of deviation sigma are the unusually short vector of a
lattice (Kannan's embedding of m samples, the secret's part scaled to the errors'; Bai, Galbraith,
ACISP 2014). Reduction with blocks of size b finds it when its projection onto the last block is
shorter than what the block holds by the geometric series (Alkim and others, USENIX Security 2016):

    sqrt(b) sigma <= delta(b)^(2 b - d - 1) (q^m (sigma / sigma_s)^n)^(1/d),   d = n + m + 1

for the best m. Nobody knows a way to use the ring. Two prices of a block size b:

*operations* 2^(0.292 b + 16.4) for a block by sieving (Becker, Ducas, Gama, Laarhoven, SODA 2016),
8 d blocks; the price behind the table of the homomorphic encryption standard, whose largest moduli
come out at 128 bits here too (a test compares);
*core* 2^(0.292 b): one block, no factor at all, the floor that designers of key exchanges take.

Dual and hybrid attacks are not reckoned. Full estimators (Albrecht, Player, Scott, 2015) have them;
for these parameters they find a few bits less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_TERNARY = math.sqrt(2 / 3)
_LARGEST_BLOCK = 4000


@dataclass(frozen=True)
class Hardness:
    """log2 of the operations, and of the floor."""

    operations: float
    core: float


def ring_lwe(degree: int, modulus_log2: float, deviation: float) -> Hardness:
    """For a uniform ternary secret and as many samples as the attack likes."""
    low, high = 60, _LARGEST_BLOCK
    while high - low > 1:
        middle = (low + high) // 2
        if _finds(middle, degree, modulus_log2, deviation):
            high = middle
        else:
            low = middle
    core = 0.292 * high
    return Hardness(core + 16.4 + math.log2(8 * 2 * degree), core)


def _finds(block: int, degree: int, modulus_log2: float, deviation: float) -> bool:
    root = math.log2(_root_hermite(block))
    scale = degree * math.log2(deviation / _TERNARY)
    short = math.log2(block) / 2 + math.log2(deviation)
    for samples in range(degree // 4, 2 * degree, degree // 128):
        dimension = degree + samples + 1
        volume = (samples * modulus_log2 + scale) / dimension
        if short <= (2 * block - dimension - 1) * root + volume:
            return True
    return False


def _root_hermite(block: int) -> float:
    """delta(b) for blocks of 60 and more (Chen, 2013)."""
    inner = (math.pi * block) ** (1 / block) * block / (2 * math.pi * math.e)
    return float(inner ** (1 / (2 * (block - 1))))
