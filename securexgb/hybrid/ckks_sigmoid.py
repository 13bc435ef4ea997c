"""The sigmoid of a shared margin, its Fourier series evaluated under CKKS.

Inside [-7, 7) the series of ``fourier``: the label party encrypts exp(i j w x0), the feature
party multiplies by b_j exp(i j w x1), and the imaginary part comes back as shares
(``ckks_products``). Outside, two comparisons on shares put the constants 2^-11 and 1 - 2^-11 in
its place, the same as ``mpc.sigmoid``, so that leaf weights stay below 2^11. At the clamp the
series is above 2^-11: p never falls when it saturates.

The error is at most 6e-4 for every margin as measured, 9e-4 by worst-case bounds. Encryption
is noisy: two runs on the same data may differ in units of 2^-16, and so may this and the
plaintext backend.
"""

from __future__ import annotations

import numpy as np

from securexgb.he.ckks import RESULT_BITS
from securexgb.hybrid.ckks_products import KEY_HOLDER, CkksKeys, products, products_cost
from securexgb.hybrid.fourier import SERIES, TERMS, waves_of
from securexgb.mpc.compare import carry_cost, is_negative
from securexgb.mpc.convert import lift_cost, to_arithmetic
from securexgb.mpc.multiply import multiply, product_cost
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import COMPOSED, Cost, protocol
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, words_per
from securexgb.mpc.sigmoid import FLOOR_BITS, MARGIN_BITS
from securexgb.mpc.truncate import round_off, shift_cost

_CLAMP = 7 << MARGIN_BITS
_WIDTH = 47  # margins up to 2^45 units, as mpc.sigmoid, and the clamp


def sigmoid_cost(count: int, out_bits: int) -> Cost:
    """Cost of ``ckks_sigmoid`` for so many margins."""
    series = products_cost(TERMS, count) + shift_cost(RESULT_BITS - out_bits, count)
    marks = carry_cost(_WIDTH - 1, 2 * count) + lift_cost(words_per(2 * count))
    return series + marks + product_cost(count)


@protocol(
    cost=lambda keys, margins, out_bits: sigmoid_cost(margins.size, out_bits),
    opens=COMPOSED,
    source="docs/ckks.md; clamped Fourier series",
    ideal=None,
)
def ckks_sigmoid(party: Party, keys: CkksKeys, margins: Shared, out_bits: int) -> Shared:
    """p = sigmoid(margin) with ``out_bits`` <= 24 fraction bits; error <= 6e-4.

    ``margins``: (n,), 20 fraction bits, |x| < 2^25 - 8.
    """
    inside = round_off(party, _series(party, keys, margins), RESULT_BITS - out_bits)
    unit, floor = 1 << out_bits, 1 << out_bits >> FLOOR_BITS
    below, above = _marks(party, margins)
    half = constant(party, unit >> 1, margins.shape)
    ends = below.scale(floor) + above.scale(unit - floor)
    within = constant(party, 1, margins.shape) - below - above
    return ends + multiply(party, within, inside + half)


def _series(party: Party, keys: CkksKeys, margins: Shared) -> Shared:
    """sigmoid - 1/2 by the series, RESULT_BITS fraction bits; no clamp."""
    waves = waves_of(margins.words)
    if party.rank == KEY_HOLDER:
        return products(party, keys, waves, None)
    return products(party, keys, None, np.array(SERIES)[:, None] * waves)


def _marks(party: Party, margins: Shared) -> tuple[Shared, Shared]:
    """[x < -7] and [x >= 7], as shares of 0 or 1."""
    edges = constant(party, [[_CLAMP], [_CLAMP - 1]], (2, margins.size))
    both = edges + Shared.stack([margins, -margins])
    flags = to_arithmetic(party, is_negative(party, both, _WIDTH)).reshape(2, margins.size)
    return flags[0], flags[1]
