"""The sigmoid as a Fourier series, split into functions of each party's own share.

    sigmoid(x) - 1/2 = sum_j b_j sin(j w x), w = 2 pi / 32, j = 1 ... K

The period of 32 is 2^25 units of a margin, a divisor of 2^64: the wrap of the ring does not
change a term, and the shares may be taken modulo 2^25. With x = x0 + x1

    sum_j b_j sin(j w x) = Im sum_j exp(i j w x0) * b_j exp(i j w x1)

so that each factor depends on one party's share alone.

The result is clamped outside [-8, 8). The series is fitted on |x| <= 11 all the same, and free to
turn back between 11 and 16 only: so it keeps its distance from 0 and 1, and its terms add
up to 1 (``he.ckks`` hides sums below 2). Fitted as far as 12 the greatest error would be
1.7e-3, 4.4e-4, 1.2e-4 for 8, 10, 12 terms; as far as 11 it is 1.3e-3, 3.3e-4, 8e-5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import MARGIN_BITS
from securexgb.mpc.shared import Words

Numbers = NDArray[np.complex128]

SERIES = (
    0.548616886,
    0.089805055,
    0.012631450,
    0.118254575,
    -0.068929337,
    0.080636584,
    -0.042996717,
    0.030047400,
    -0.010702370,
    0.004715011,
)
"""b_1 ... b_10, of least greatest error on |x| <= 11 (tests/hybrid/test_ckks_sigmoid.py fits)."""
TERMS = len(SERIES)
PERIOD_BITS = MARGIN_BITS + 5


def waves_of(share: Words) -> Numbers:
    """exp(i j w x) of this party's share (n,) of margins, for j = 1 ... K: (K, n)."""
    angle = 2 * np.pi / 2**PERIOD_BITS * (share % np.uint64(1 << PERIOD_BITS)).astype(np.float64)
    waves: Numbers = np.exp(1j * np.outer(np.arange(1, TERMS + 1), angle))
    return waves
