"""The sigmoid of a shared margin, its Fourier series evaluated under CKKS.

Inside [-8, 8) the series of ``fourier``: the label party encrypts exp(i j w x0), the feature
party multiplies by b_j exp(i j w x1), and the imaginary part comes back as shares
(``ckks_products``). Outside, two comparisons on shares put 0 and 1 in its place: sigmoid(-8) is as
small as the series' error. The series itself never comes closer than 6e-4 to 0 and 1.

The error of p is at most 3.5e-4 for every margin as measured, 6e-4 by worst-case bounds. It is not
relative: rare events need the table, and ``refuse_rare`` says so. Encryption is noisy: two runs on
the same data may differ in units of 2^-16, and so may this and the plaintext backend.
"""

from __future__ import annotations

import numpy as np

from securexgb.arith.bits import words_per
from securexgb.arith.fixedpoint import MARGIN_BITS
from securexgb.errors import DataError
from securexgb.he.ckks import RESULT_BITS
from securexgb.hybrid.ckks_products import KEY_HOLDER, products, products_cost
from securexgb.hybrid.conversions import Keys
from securexgb.hybrid.fourier import SERIES, TERMS, waves_of
from securexgb.mpc.compare import carry_cost, is_negative
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.numbers.truncate import round_off, shift_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared

P_BITS = 20
"""Fraction bits of p before it is rounded: as many as may be asked for."""
RAREST = 0.02
"""Least mean label, and least mean of the others, that the error of p leaves room for."""

_CLAMP = 8 << MARGIN_BITS
_WIDTH = 47  # margins up to 2^45 units, as mpc.numbers.sigmoid, and the clamp


def refuse_rare(mean: float) -> None:
    """At the label party: raise DataError where events, or the rest, are too rare for CKKS.

    ``mean``: of the labels 0 and 1, by weight.
    """
    if not RAREST <= mean <= 1 - RAREST:
        raise DataError(
            f"the label party's labels have a weighted mean of {mean:.2g}, and the sigmoid under "
            f"CKKS is off by up to 3.5e-4, too much below {RAREST:g} and above {1 - RAREST:g}: "
            'agree on sigmoid = "table", which is right for rare events as well'
        )


def sigmoid_cost(count: int, gradient_bits: int, hessian_bits: int) -> Cost:
    """Cost of ``ckks_sigmoid`` for so many margins."""
    series = products_cost(TERMS, count) + shift_cost(RESULT_BITS - P_BITS, count)
    marks = carry_cost(_WIDTH - 1, 2 * count) + lift_cost(words_per(2 * count))
    total = series + marks + product_cost(count) + product_cost(count)
    if gradient_bits < P_BITS:
        total += shift_cost(P_BITS - gradient_bits, count)
    return total + shift_cost(2 * P_BITS - hessian_bits, count)


@protocol(
    cost=lambda keys, margins, gradient_bits, hessian_bits: sigmoid_cost(
        margins.size, gradient_bits, hessian_bits
    ),
    opens=COMPOSED,
    source="docs/ckks.md; clamped Fourier series",
    ideal=None,
)
def ckks_sigmoid(
    party: Party, keys: Keys, margins: Shared, gradient_bits: int, hessian_bits: int
) -> tuple[Shared, Shared]:
    """(p, p (1 - p)), p = sigmoid(margin), with up to 20 fraction bits each; error <= 3.5e-4.

    ``margins``: (n,), 20 fraction bits, |x| < 2^25 - 8. Outside [-8, 8) p is 0 or 1.
    """
    inside = round_off(party, _series(party, keys, margins), RESULT_BITS - P_BITS)
    unit = 1 << P_BITS
    below, above = _marks(party, margins)
    within = constant(party, 1, margins.shape) - below - above
    half = constant(party, unit >> 1, margins.shape)
    p = above.scale(unit) + multiply(party, within, inside + half)
    h = p.scale(unit) - multiply(party, p, p)
    if gradient_bits < P_BITS:
        p = round_off(party, p, P_BITS - gradient_bits)
    return p, round_off(party, h, 2 * P_BITS - hessian_bits)


def _series(party: Party, keys: Keys, margins: Shared) -> Shared:
    """sigmoid - 1/2 by the series, RESULT_BITS fraction bits; no clamp."""
    waves = waves_of(margins.words)
    if party.rank == KEY_HOLDER:
        return products(party, keys, waves, None)
    return products(party, keys, None, np.array(SERIES)[:, None] * waves)


def _marks(party: Party, margins: Shared) -> tuple[Shared, Shared]:
    """[x < -8] and [x >= 8], as shares of 0 or 1."""
    edges = constant(party, [[_CLAMP], [_CLAMP - 1]], (2, margins.size))
    both = edges + Shared.stack([margins, -margins])
    flags = to_arithmetic(party, is_negative(party, both, _WIDTH)).reshape(2, margins.size)
    return flags[0], flags[1]
