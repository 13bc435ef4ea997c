"""Scores of rows under CKKS: for each tree the value of the one leaf that both sides allow.

A row's leaf is where the label party's mark a and the feature party's mark b are both one; its
value w = w0 + w1 is shared modulo 2^64. Shares are cut into limbs. With the same limb of both
shares as fractions x0, x1 of one,

    Im sum over leaves of a (x0 + i) * b (x1 + i) = x0 + x1    at the leaf of the row

is one product of complex numbers a leaf (``ckks_products``). A slot is a row and a tree, so a sum
never exceeds 2 whatever the number of trees.

*Precision.* The low limb keeps CKKS's error, which is noise: a slot's standard deviation grows with
the root of a tree's leaves, a score's with that of the trees. The limb is so short that 2^-10 is
twelve of a score's standard deviations at least. Higher limbs have at most 12 bits, and fewer for
deep trees: half of their unit is twelve of a slot's, and rounding in shares makes them exact. The
highest one counts modulo its length, which takes off the wrap of the shares: values are signed and
8 times below it.

*Who learns what.* As in ``ckks_products``: the feature party sees fresh encryptions, the label
party coefficients that are all masked. Both end with shares. Where these are opened, see
``boost.predict``: to the label party alone, and in steps that hide the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from securexgb.he.ckks import RESULT_BITS, Numbers
from securexgb.hybrid.ckks_products import KEY_HOLDER, products, products_cost
from securexgb.hybrid.conversions import Keys
from securexgb.mpc.numbers.truncate import round_off, shift_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.shared import Shared

Marks = NDArray[np.bool_]

ERROR_BITS = 10
"""A score is off by at most 2^-10 in units of a margin."""
_NOISE_BITS = 16
"""A slot's error is measured in units of 2^-16 of the numbers' range."""
_DEVIATIONS = 12
_BIAS = 0.08
_LIMB_BITS = 12
_WORD = 64
_HEADROOM = 3


@dataclass(frozen=True)
class Limbs:
    """How leaf values are cut: bits of the low limb, then of the exact ones above it."""

    low: int
    high: tuple[int, ...]

    @staticmethod
    def of(trees: int, depth: int, margin_bits: int, integer_bits: int) -> Limbs:
        """For trees of this depth, and values below 2^integer_bits with ``margin_bits`` of
        fraction."""
        deviation = _deviation(depth)
        error = _DEVIATIONS * deviation * sqrt(trees) + _BIAS * trees
        low = max(1, margin_bits + _NOISE_BITS - ERROR_BITS - _bits(error))
        rest = integer_bits + margin_bits + _HEADROOM - low
        most = min(_LIMB_BITS, _NOISE_BITS - 1 - _bits(_DEVIATIONS * deviation))
        parts = -(-rest // most)
        return Limbs(low, tuple(rest // parts + (i < rest % parts) for i in range(parts)))

    @property
    def places(self) -> list[tuple[int, int]]:
        """First bit and length of every limb."""
        sizes = [self.low, *self.high]
        return [(sum(sizes[:i]), size) for i, size in enumerate(sizes)]


def _deviation(depth: int) -> float:
    """Standard deviation of a slot's error, in units of 2^-16: as measured, see docs/ckks.md.

    Each leaf of the tree adds a ciphertext's fresh noise, the rest does not depend on them."""
    return sqrt(0.019 + 0.0054 * (1 << depth))


def _bits(value: float) -> int:
    """Which power of two is the least that is not below it: the same at both sides."""
    return (ceil(value) - 1).bit_length()


def scores_cost(leaves: int, slots: int, limbs: Limbs) -> Cost:
    """Cost of ``tree_scores``; ``slots``: rows times trees."""
    total = Cost()
    for number, (_, size) in enumerate(limbs.places):
        drop = _WORD - size if number == len(limbs.high) else RESULT_BITS - size
        total += products_cost(leaves, slots) + shift_cost(drop, slots)
    return total


@protocol(
    cost=lambda keys, marks, values, limbs: scores_cost(marks.shape[2], marks[..., 0].size, limbs),
    opens=COMPOSED,
    source="docs/ckks.md, predictions",
    ideal=None,
)
def tree_scores(party: Party, keys: Keys, marks: Marks, values: Shared, limbs: Limbs) -> Shared:
    """The sum over trees of each row's leaf value: shared (n,), off by 2^-ERROR_BITS at most.

    ``marks``: this party's own (trees, n, leaves); ``values``: shared (trees, leaves), signed,
    below 2^integer_bits as ``limbs`` was made for.
    """
    trees, rows, _ = marks.shape
    total = Shared.zeros(rows)
    for number, (start, size) in enumerate(limbs.places):
        # The limb's bits, as fractions of one.
        limb = (values.words >> np.uint64(start) & np.uint64((1 << size) - 1)) / 2.0**size
        sums = _at_leaves(party, keys, marks, limb)
        if number < len(limbs.high):
            part = round_off(party, sums, RESULT_BITS - size)
        else:  # modulo 2^size, signed
            part = round_off(party, sums.scale(1 << (_WORD - RESULT_BITS)), _WORD - size)
        total = total + part.reshape(trees, rows).sum(axis=0).scale(1 << start)
    return total


def _at_leaves(party: Party, keys: Keys, marks: Marks, limb: NDArray[np.float64]) -> Shared:
    """x0 + x1 at the leaf of each tree and row: shared (trees n,), RESULT_BITS of fraction."""
    numbers: Numbers = marks * (limb[:, None, :] + 1j)
    own = np.ascontiguousarray(numbers.reshape(-1, marks.shape[2]).T)
    if party.rank == KEY_HOLDER:
        return products(party, keys, own / 2, None)
    return products(party, keys, None, own * 2)
