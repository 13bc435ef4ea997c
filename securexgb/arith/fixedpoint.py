"""Fixed-point numbers: how many bits each quantity of a training has, and why none overflows.

A real x is the ring word floor(x * 2^f) mod 2^64, f its fraction bits. The numbers of
fraction bits follow from public terms alone, so both parties compute the same ones.

Rows need to be right relatively, or on average; sums need to be right absolutely. So a row's g
and h have units of their own, finer than those of sums: b_g and b_h fraction bits against s. They
are added up exactly, and running sums are rounded to s bits when they are taken apart.

Scales are public powers of two. Weights (scale_pos_weight included) are divided by 2^k, the mean
weight is at most 1 then; lambda, alpha, gamma and min_child_weight are divided by it too, which
changes no tree. Where k > 0 there are k fraction bits more while they fit: so weights that are
whole numbers give what repeated rows give. Targets of a regression are centred, and divided by
S = 2^target_exponent, their root mean square is at most 1 then.

Notation: n rows, l = log2 n, t trees. Logistic: |g| <= w, 0 <= h <= w / 4 (several classes: w / 2),
and the weights w add up to n at most. Squared error: g = margin - y, h = w. With the full rows and
a learning rate of at most 1 no tree makes the sum of w g^2 greater, which is at most n at the
start; so the sum of w |g| over any rows is at most n (Cauchy, Schwarz). Subsampling may make it
greater; then there are four bits more. Overflow budget:

    quantity                     units       bound             why it holds
    p, h of the sigmoid          2^-b        2^b               the sigmoid's range
    margin - y, squared error    2^-20       2^46 < 2^62       see margin
    g or h times row weight      2^-(b+20)   n 2^(b+20) < 2^62 b <= 20 to 2^17 rows, then 16, and
                                                               one less a doubling from 2^24 on
    G, H, sums of rows           2^-b_g      n 2^b_g, widths   exact in the ring of their width
    G, rounded sums              2^-s        2^30              s is chosen so
    H + lambda                   2^-s        < 2^30            s is chosen so, lambda counted in
    D, see boost.splits.score           2^-2s       2^60              |G| H' with the two above
    G_L, H_L of the best split   2^-s        2^30              modulo 2^32, then widened
    weight w = T(G)/(H+lambda)   2^-19       2^11 2^19 = 2^30  clipped, see boost.splits.weights
    w * learning rate            2^-39       2^50 < 2^62       learning rate <= 1, 20 bits
    leaf value                   2^-20       2^31              w * learning rate, truncated
    margin                       2^-20       (t+1) 2^31 < 2^45 t <= 10^4
    margin times rounding steps  2^-40       < 2^62            boost.predict refuses more trees
    metric sums                  -           < 2^62            boost.metrics.evaluation drops bits
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.errors import SecureXGBError, UsageError

SUM_BITS = 30
"""G and H + lambda stay below 2^SUM_BITS in absolute value."""
MOST_SUM_FRACTION_BITS = 16
"""Fraction bits of sums where the terms say nothing of ``gradient_bits``."""
FINE_ROWS = 1 << 17
"""Up to so many rows their gradients are finer: the coins of more rows even out."""
_FINE_ROW_BITS = 20, 18
_ROW_BITS = 16, 14
_MOST_WHOLE_ROWS = 1 << 24
"""Beyond, rows lose a bit of either with each doubling, so that sums keep their width: 43 bits, one
of them free, and 20 of noise or 21, in the 64 that pads have (``he.noise``)."""
MOST_ROWS = 1 << 27
"""Of a job: sums of so many rows are taken apart in quarters of a row's greatest gradient."""
_MOST_ROW_BITS = 37
"""log2 of the rows and fraction bits of g together, at most, where weights ask for more bits."""
_LEAST_GAIN = 1e-6
"""xgboost's. It would leave a constant of targets that spread over 10^-5 or less: where they spread
over less than 1, it counts in units of their scale."""
MARGIN_BITS = 20
RATE_BITS = 20
ROW_WEIGHT_BITS = 20
LEAF_WEIGHT_INTEGER_BITS = 11
LEAF_WEIGHT_BITS = 19


def encode(values: NDArray[np.float64] | float, fraction_bits: int) -> NDArray[np.uint64]:
    """The nearest ring words of real values; |value| * 2^fraction_bits < 2^63.

    SecureXGBError for what is larger or no number: another value would stand for it.
    """
    scaled = np.rint(np.asarray(values, np.float64) * 2.0**fraction_bits)
    if not np.all(np.abs(scaled) < 2.0**63):
        raise SecureXGBError("a value does not fit a ring word, or is no number")
    return scaled.astype(np.int64).view(np.uint64)


def decode(words: NDArray[np.uint64], fraction_bits: int) -> NDArray[np.float64]:
    """The reals that ring words stand for."""
    return words.view(np.int64).astype(np.float64) / 2.0**fraction_bits


@dataclass(frozen=True)
class NumberFormat:
    """The bit widths of one job, and its penalties as integers of those widths.

    ``gradient_bits``: fraction bits of sums G and H that are taken apart. ``row_gradient_bits``,
    ``row_hessian_bits``: of a row's g and h, and of their exact sums, which have
    ``gradient_sum_bits`` (signed) and ``hessian_sum_bits`` (not negative) bits. ``is_fine``: the
    sigmoid's steps are fine. ``signed_bits``: width of signed G; ``hessian_bits``: width of
    H + lambda, which is not negative; ``determinant_bits``: width of signed D, see
    ``boost.splits.score``.
    ``reg_lambda``, ``reg_alpha``, ``min_child_weight``: integers in units of G and H.
    ``max_delta_step``: the most that a weight may be, with leaf_weight_bits fraction bits; 0: none.
    ``ranks_by_weights``: candidates rank by what the weights of their children earn, see there.
    ``gamma``, ``least_gain``: reals, in units of G^2/H for scaled weights and targets.
    ``weight_exponent``: k, rows' weights are divided by 2^k. ``target_scale``: what margins are
    multiplied by to give predictions of the user's unit; 1 for a classification.
    """

    gradient_bits: int
    row_gradient_bits: int
    row_hessian_bits: int
    gradient_sum_bits: int
    hessian_sum_bits: int
    is_fine: bool
    signed_bits: int
    hessian_bits: int
    determinant_bits: int
    reg_lambda: int
    reg_alpha: int
    min_child_weight: int
    max_delta_step: int
    ranks_by_weights: bool
    gamma: float
    least_gain: float
    weight_exponent: int
    target_scale: float
    margin_bits: int = MARGIN_BITS
    rate_bits: int = RATE_BITS
    row_weight_bits: int = ROW_WEIGHT_BITS
    leaf_weight_integer_bits: int = LEAF_WEIGHT_INTEGER_BITS
    leaf_weight_bits: int = LEAF_WEIGHT_BITS

    @property
    def dropped_bits(self) -> tuple[int, int]:
        """Low bits of exact sums of g and of h that are rounded off."""
        return (
            self.row_gradient_bits - self.gradient_bits,
            self.row_hessian_bits - self.gradient_bits,
        )

    def gain(self, real: float, fraction_bits: int) -> int:
        """A public gain, say gamma, as an integer with these fraction bits (rounded up)."""
        return math.ceil(real * 2.0**fraction_bits)

    @staticmethod
    def for_job(
        *,
        rows: int,
        most: tuple[float, float],
        gradient_cap: int | None,
        weight_exponent: int,
        scales: Scales,
        penalties: Penalties,
    ) -> NumberFormat:
        """The finest format in which nothing overflows.

        ``most``: |g| and h of a row, on average, at most, in units of weights and targets.
        ``gradient_cap``: most fraction bits of sums, and rows have no more than sums; None:
        rows are finer than sums. Raises UsageError where too few bits remain.
        """
        weights = 2.0**-weight_exponent
        scale, target_scale = weights / scales.hessian, scales.gradient / scales.hessian
        bounds = _Bounds(rows, most, gradient_cap, weight_exponent)
        most_bits = MOST_SUM_FRACTION_BITS if gradient_cap is None else gradient_cap
        most_bits += max(weight_exponent, 0)
        for gradient_bits in range(most_bits, -1, -1):
            unit = 2.0**gradient_bits
            g, h = bounds.sums(gradient_bits)
            reg_lambda = round(penalties.reg_lambda * scale * unit)
            if max(g, h + reg_lambda) < 1 << SUM_BITS:
                break
        else:
            raise UsageError(
                f"{rows} rows and reg_lambda {penalties.reg_lambda:g} with weights divided by "
                f"2^{weight_exponent} leave no bits for a gradient: use fewer rows, a lower "
                "reg_lambda or larger weights, and the same terms at both sides"
            )
        row_g, row_h = bounds.row_bits(gradient_bits)
        exact_g, exact_h = bounds.raised_sums(gradient_bits)
        gain_scale = weights * scales.hessian / scales.gradient**2
        return NumberFormat(
            gradient_bits=gradient_bits,
            row_gradient_bits=row_g,
            row_hessian_bits=row_h,
            gradient_sum_bits=1 + exact_g.bit_length(),
            hessian_sum_bits=exact_h.bit_length(),
            is_fine=rows <= FINE_ROWS,
            signed_bits=1 + g.bit_length(),
            hessian_bits=max(h + reg_lambda, 2).bit_length(),
            # |G_L| H_R + |G_R| H_L: at most W_L W_R / 2 for weights that add up to W, so W^2 / 8
            # or g h / 2 (of several classes twice as much, as h), and a little more for what each
            # row is rounded by.
            determinant_bits=1 + (g * h * 9 // 16 + g * reg_lambda + 1).bit_length(),
            reg_lambda=reg_lambda,
            reg_alpha=min(round(penalties.reg_alpha * scale / target_scale * unit), 2**SUM_BITS),
            min_child_weight=min(round(penalties.min_child_weight * scale * unit), 2**SUM_BITS),
            max_delta_step=_most_step(penalties.max_delta_step / target_scale),
            ranks_by_weights=penalties.ranks_by_weights,
            gamma=penalties.gamma * gain_scale,
            least_gain=_LEAST_GAIN * min(gain_scale, weights),
            weight_exponent=weight_exponent,
            target_scale=target_scale,
        )


def _most_step(real: float) -> int:
    """max_delta_step in units of weights; a bound is at least a unit, and has a bit less than they.

    The bit is for gains, which of a weight that ends are up to twice the weight times T(G).
    """
    if real == 0.0:
        return 0
    most = 2.0 ** (LEAF_WEIGHT_INTEGER_BITS - 1)
    return max(round(min(real, most) * 2.0**LEAF_WEIGHT_BITS), 1)


@dataclass(frozen=True)
class Scales:
    """What g and h of a row are divided by, beside its weight's scale: margins are divided by
    gradient / hessian. Squared error: S and 1; where margins are logarithms, both are the same
    power of S; a classification: 1 and 1."""

    gradient: float = 1.0
    hessian: float = 1.0


class _Bounds:
    """What ``rows`` rows add up to at most; the arguments are those of ``for_job``.

    A row is rounded by two units of its g, or four of its h, at most (boost.objective).
    """

    def __init__(
        self, rows: int, most: tuple[float, float], gradient_cap: int | None, weight_exponent: int
    ) -> None:
        self._rows, self._most = rows, most
        self._least_row_bits = 0, 0
        if gradient_cap is None:
            g, h = _FINE_ROW_BITS if rows <= FINE_ROWS else _ROW_BITS
            fewer = max(math.ceil(math.log2(rows / _MOST_WHOLE_ROWS)), 0)
            g, h = g - fewer, h - fewer
            room = _MOST_ROW_BITS - math.ceil(math.log2(rows)) - g
            more = max(min(weight_exponent, room), 0)
            self._least_row_bits = g + more, h + more

    def row_bits(self, gradient_bits: int) -> tuple[int, int]:
        """Fraction bits of a row's g and h: those of sums, or more."""
        g, h = self._least_row_bits
        return max(g, gradient_bits), max(h, gradient_bits)

    def exact_sums(self, gradient_bits: int) -> tuple[int, int]:
        """Bounds on exact sums of |g| and h, in units of rows."""
        (g, h), (most_g, most_h) = self.row_bits(gradient_bits), self._most
        return (
            math.ceil(self._rows * (most_g * 2.0**g + 2)),
            math.ceil(self._rows * (most_h * 2.0**h + 4)),
        )

    def raised_sums(self, gradient_bits: int) -> tuple[int, int]:
        """A unit of rounded sums more: half a one is added before the low bits go."""
        pairs = zip(self.exact_sums(gradient_bits), self.row_bits(gradient_bits), strict=True)
        g, h = (exact + (1 << (bits - gradient_bits)) for exact, bits in pairs)
        return g, h

    def sums(self, gradient_bits: int) -> tuple[int, int]:
        """The same of rounded sums, in units of sums."""
        pairs = zip(self.exact_sums(gradient_bits), self.row_bits(gradient_bits), strict=True)
        g, h = ((exact >> (bits - gradient_bits)) + 1 for exact, bits in pairs)
        return g, h


@dataclass(frozen=True)
class Penalties:
    """The regularisation that enters gains and leaves, as reals in the user's units.

    ``max_delta_step`` is of leaves; ``ranks_by_weights``: whether it, or alpha, is of gains, too.
    """

    reg_lambda: float
    reg_alpha: float
    gamma: float
    min_child_weight: float
    max_delta_step: float = 0.0
    ranks_by_weights: bool = False
