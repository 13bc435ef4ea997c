"""Parameters of sums of fixed words by private bits: the ring, its noise, and how words lie.

One party has words that stay for long, K for each of T trees, the other one bits of rows; both get
shares of each row's and tree's sum, modulo 2^w, at g bits below the number
(``kernels/src/lattice/fixed_sums.rs`` says what is computed). The ring is Z_p[X] / (X^2048 + 1),
p a prime of 50 bits where the homomorphic encryption standard allows 54; ternary secrets, errors
centred binomial as in ``he.noise``. A result has 256 rows of 8 trees.

*Noise* of one coefficient of C0 + C1 s, subgaussian, in units of 2^-b of the torus, b = w + g bits
of what leaves; q = p 2^-b is what errors are divided by:

    ciphertexts         10.5 / q^2 for each coefficient of each of K words: 2048 K
    encryption of zero  10.5 2048 / q^2 for e1 s and as much for u e
    C1's rounding       2048 / 12

The first line's errors are others for each tree. Those of the other two lines are the same in all
8 trees of a result, and parameters of dependent ones add up (Hoelder). What is off otherwise is
rounding of words and of shares, K / q + 1 halves at most. A sum over all trees, taken in both
directions and with any signs, is exact after rounding g bits off while its noise stays below
2^(g - 1); the smallest g is taken that fails with probability 2^-64 at most: 2^-40 for 2^24 sums.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from securexgb.he.noise import ERROR_VARIANCE, PRIMES, STANDARD_BITS

DEGREE = 2048
PRIME = PRIMES[0]
PRIME_BITS = 50
ROWS = 256
"""Of a result."""
TREES = DEGREE // ROWS
"""Of a result."""
MOST_WORDS = 128
"""K: of a tree."""
TABLE_BYTES = 1 << 28
"""Most memory of what the owner of the bits adds up from."""
FAILURE_LOG2 = -64
"""Of one sum over all trees."""
_LEAST_SENT, _MOST_SENT = 33, PRIME_BITS - 1


@dataclass(frozen=True)
class FixedLayout:
    """How K = ``words`` of ``word_bits`` bits for each of T = ``trees`` lie. Public.

    ``guard_bits``: g.
    """

    trees: int
    words: int
    word_bits: int
    guard_bits: int

    @property
    def sent_bits(self) -> int:
        """b: of a coefficient of C1, and of shares."""
        return self.word_bits + self.guard_bits

    @property
    def kernel(self) -> tuple[int, int, int, int]:
        """What the kernels call the layout."""
        return self.trees, self.words, self.word_bits, self.sent_bits

    @property
    def upload_bytes(self) -> int:
        """From the owner of the words, once."""
        return (self.trees * self.words + 1) * DEGREE * PRIME_BITS // 8

    @property
    def table_bytes(self) -> int:
        """What the owner of the bits holds."""
        return -(-self.trees // TREES) * TREES * self.words * 2 * 8 * DEGREE

    @property
    def sent_bytes(self) -> int:
        """Of a result."""
        return DEGREE * self.sent_bits // 8

    def results(self, rows: int) -> int:
        """C1 that so many rows take."""
        return -(-rows // ROWS) * -(-self.trees // TREES)


def failure_log2(layout: FixedLayout) -> float:
    """log2 of the bound on the probability that a sum over all trees is wrong."""
    trees, words = 2 * layout.trees, layout.words  # in both directions
    share = 4.0 ** (layout.sent_bits - PRIME_BITS)
    apart = ERROR_VARIANCE * DEGREE * words * share
    together = 2 * ERROR_VARIANCE * DEGREE * share + DEGREE / 12
    spread = trees * apart + trees * TREES * together
    rounded = trees / 2 * (1 + words * math.sqrt(share))
    room = 2.0 ** (layout.guard_bits - 1) - rounded
    return 0.0 if room <= 0 else 1 - room**2 / (2 * spread) / math.log(2)


def plan_fixed_sums(trees: int, words: int, word_bits: int) -> FixedLayout | None:
    """The layout that sends least; None where the ring or memory has no room for it."""
    if STANDARD_BITS[DEGREE] < PRIME_BITS or not 1 <= words <= MOST_WORDS or trees < 1:
        return None
    for bits in range(max(_LEAST_SENT, word_bits + 1), _MOST_SENT + 1):
        layout = FixedLayout(trees, words, word_bits, bits - word_bits)
        if layout.table_bytes > TABLE_BYTES:
            return None
        if failure_log2(layout) <= FAILURE_LOG2:
            return layout
    return None
