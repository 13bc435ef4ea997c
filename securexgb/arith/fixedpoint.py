"""Fixed-point numbers: how many bits each quantity of a training has, and why none overflows.

A real x is the ring word floor(x * 2^f) mod 2^64, f its fraction bits. The numbers of
fraction bits follow from public terms alone, so both parties compute the same ones.

Notation: n rows, W the bound on a row's weight (weight_bound * max(1, scale_pos_weight)),
t trees, s = 2^gradient_bits. Logistic: |g| <= W, 0 <= h <= W/4. Squared error, targets
divided by their bound: g clamped to |g| <= 2 W, h <= W. Overflow budget:

    quantity                     units       bound             why it holds
    p, of the sigmoid            2^-gb       2^gb              the sigmoid's range
    p^2, before its truncation   2^-2gb      2^40 < 2^62       gb <= 20
    margin - y, squared error    2^-20       2^46 < 2^62       see margin; clamped to 2 before use
    g or h times row weight      2^-(gb+16)  W 2^(gb+17)       refused from 2^62 on
    G, sum of g over any rows    2^-gb       n g_max s < 2^30  gb is chosen so
    H + lambda                   2^-gb       < 2^30            gb is chosen so, lambda counted in
    D, see boost.score           2^-2gb      2^60              |G| H' with the two above
    pair g + 2^low h, its sums   -           2^(low + high)    low, high <= 31
    weight w = T(G)/(H+lambda)   2^-19       2^11 2^19 = 2^30  logistic |g/h| <= 2^11, squared 2
    w * learning rate            2^-39       2^50 < 2^62       learning rate <= 1, 20 bits
    leaf value                   2^-20       2^31              w * learning rate, truncated
    margin                       2^-20       (t+1) 2^31 < 2^45 t <= 10^4
    margin times rounding steps  2^-40       < 2^62            boost.predict refuses more trees
    metric sums                  -           < 2^62            boost.evaluation drops bits

A row with weight never has hessian zero: p is within [2^-11, 1 - 2^-11] and weighted hessians
are rounded up, so that |g / h| <= 2^11 in every row even with lambda = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.errors import UsageError

SUM_BITS = 30
"""G and H + lambda stay below 2^SUM_BITS in absolute value."""
LEAST_GRADIENT_BITS = 4
_LEAST_GAIN = 1e-6
MARGIN_BITS = 20
RATE_BITS = 20
ROW_WEIGHT_BITS = 16
LEAF_WEIGHT_INTEGER_BITS = 11
LEAF_WEIGHT_BITS = 19


def encode(values: NDArray[np.float64] | float, fraction_bits: int) -> NDArray[np.uint64]:
    """The nearest ring words of real values; |value| * 2^fraction_bits < 2^63."""
    scaled = np.rint(np.asarray(values, np.float64) * 2.0**fraction_bits)
    assert bool(np.all(np.abs(scaled) < 2.0**63)), "a value does not fit a ring word"
    return scaled.astype(np.int64).view(np.uint64)


def decode(words: NDArray[np.uint64], fraction_bits: int) -> NDArray[np.float64]:
    """The reals that ring words stand for."""
    return words.view(np.int64).astype(np.float64) / 2.0**fraction_bits


@dataclass(frozen=True)
class NumberFormat:
    """The bit widths of one job, and its penalties as integers of those widths.

    ``gradient_bits``: fraction bits of g, h, G, H. ``low_bits``: width of signed G in a
    gradient pair; ``high_bits``: width of H; ``hessian_bits``: width of H + lambda, which is
    not negative; ``determinant_bits``: width of signed D, see ``boost.score``.
    ``reg_lambda``, ``reg_alpha``, ``min_child_weight``: integers in units of G and H.
    ``gamma``: a real, in units of G^2/H for targets divided by ``target_scale``.
    ``target_scale``: what margins are multiplied by to give predictions of the user's unit;
    1 for a classification.
    """

    gradient_bits: int
    low_bits: int
    high_bits: int
    hessian_bits: int
    determinant_bits: int
    reg_lambda: int
    reg_alpha: int
    min_child_weight: int
    gamma: float
    target_scale: float
    margin_bits: int = MARGIN_BITS
    rate_bits: int = RATE_BITS
    row_weight_bits: int = ROW_WEIGHT_BITS
    leaf_weight_integer_bits: int = LEAF_WEIGHT_INTEGER_BITS
    leaf_weight_bits: int = LEAF_WEIGHT_BITS

    @property
    def least_gain(self) -> float:
        """The least gain of a split (xgboost 3.2, hist), in the units of ``gamma``."""
        return _LEAST_GAIN / self.target_scale**2

    def gain(self, real: float, fraction_bits: int) -> int:
        """A public gain, say gamma, as an integer with these fraction bits (rounded up)."""
        return math.ceil(real * 2.0**fraction_bits)

    @staticmethod
    def for_job(
        *,
        rows: int,
        squared_error: bool,
        gradient_cap: int,
        weight_bound: float,
        target_scale: float,
        penalties: Penalties,
    ) -> NumberFormat:
        """The finest format in which nothing overflows.

        ``weight_bound`` includes scale_pos_weight; ``target_scale`` is 1 for a
        classification. Raises UsageError where too few bits remain.
        """
        most_g, most_h = _most(squared_error, weight_bound, LEAST_GRADIENT_BITS)
        sums = max(rows * most_g, rows * most_h + penalties.reg_lambda)
        gradient_bits = min(gradient_cap, math.floor(SUM_BITS - math.log2(sums) - 1e-9))
        if gradient_bits < LEAST_GRADIENT_BITS:
            raise UsageError(
                f"{rows} rows with weights up to {weight_bound:g} and reg_lambda "
                f"{penalties.reg_lambda:g} leave {gradient_bits} bits for a gradient, "
                f"{LEAST_GRADIENT_BITS} are needed: use fewer rows or lower bounds at both sides"
            )
        if weight_bound * 2.0 ** (gradient_bits + 1 + ROW_WEIGHT_BITS) >= 2.0**62:
            raise UsageError(f"weight_bound {weight_bound:g} is too large: scale the weights down")
        unit = 2.0**gradient_bits
        most_g, most_h = _most(squared_error, weight_bound, gradient_bits)
        g, h = (math.ceil(rows * most * unit) for most in (most_g, most_h))
        reg_lambda = round(penalties.reg_lambda * unit)
        return NumberFormat(
            gradient_bits=gradient_bits,
            low_bits=1 + g.bit_length(),
            high_bits=1 + h.bit_length(),
            hessian_bits=max(h + reg_lambda, 2).bit_length(),
            # |G_L| H_R + |G_R| H_L: of n_L n_R <= n^2 / 4 pairs of rows, twice.
            determinant_bits=1 + (g * h // 2 + g * reg_lambda + 1).bit_length(),
            reg_lambda=reg_lambda,
            reg_alpha=min(round(penalties.reg_alpha / target_scale * unit), 2**SUM_BITS),
            min_child_weight=min(round(penalties.min_child_weight * unit), 2**SUM_BITS),
            gamma=penalties.gamma / target_scale**2,
            target_scale=target_scale,
        )


def _most(squared_error: bool, weight_bound: float, gradient_bits: int) -> tuple[float, float]:
    """Bounds on a row's weighted |g| and h, as reals.

    Both are rounded by one unit at most, and h, before it is weighted, by one and a half
    (see boost.loss).
    """
    unit = 2.0**-gradient_bits
    most_g = (2.0 if squared_error else 1.0) * weight_bound + unit
    return most_g, (1.0 if squared_error else 0.25 + 1.5 * unit) * weight_bound + unit


@dataclass(frozen=True)
class Penalties:
    """The regularisation that enters gains and leaves, as reals in the user's units."""

    reg_lambda: float
    reg_alpha: float
    gamma: float
    min_child_weight: float
