"""How hard is the parity problem behind stretched transfers? Estimates from its parameters.

Of n = trees x leaves samples u A ^ e a secret u of ``dimension`` bits is to be found; A has six
ones a row at random places, and of each tree's leaves one sample is wrong (regular noise). So two
samples of a tree are never both wrong, and a set of samples is right with a probability that its
size gives. The attacks:

*Algebraic* (Briaud, Oygarden, EUROCRYPT 2023). With e_i = y_i ^ (u A)_i linear in u, e_i e_j = 0
for two leaves of a tree. Products of these equations with monomials of degree d - 2 make a linear
system in the monomials of degree d; it has one solution when the coefficient of z^d in

    (1 + (leaves - 1) z)^trees / (1 + z)^(n - dimension)

is not positive (tests compare ranks of small instances with these numbers). For d = 2 that is
n leaves >= (dimension - trees)^2. Guessing g leaves to be right removes g unknowns and leaves.
Since a row of A has six ones, so few monomials stand in a row that the system is solved by
Wiedemann's algorithm: 3 M^2 operations of a bit for each of 7^2 monomials in a row.

*Shrinking sets*. A is sparse, so some sets of columns have as many rows of their own as there are
columns. Who removes the column of least degree again and again comes to such a set: a fraction of
all columns, so fewer samples have to be right than unknowns in all. Each trial solves a sparse
system.

*Shrinking sets with lists* (Lee, Brickell 1988; Stern 1989, on such a set). Some 130 equations
more than columns tell whether few of them are wrong, and lists of all pairs find up to four of them
at the price of one solution: a set is right often enough when it has at most four wrong samples.
Over a field the wrong ones have unknown factors as well, and lists find three.

*Short relations*. Rows of A that add up to nothing show the noise of their samples alone, and tell
it from coins by their sum's bias. How few rows can add up to nothing follows from counting sets of
rows; nobody knows how to find the fewest, so the number of them that is needed is a floor.

*As published estimators count* (Liu, Wang, Yang, Yu, EUROCRYPT 2024): the algebraic attack with
monomials in the noise, degrees up to four and dense rows; and decoding of permuted blocks (Esser,
Santini, CRYPTO 2024). A cross-check: it gives the estimator's 109.7 bits for Ferret's numbers with
the dimension 2^17, where the first three attacks are far cheaper.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.offline.oblivious_transfer import DIMENSION, LEVELS, PLACES, TREES

PAIR_WORDS = 3
"""Words of the public stream for the places of two rows; see kernels/src/ot/silent.rs."""
_MOST_DEGREE = 12
_SPARE_ROWS = 20
"""Of a shrinking set, above its columns: so that its rank is full."""
_ROWS_AT_ONCE = 1 << 19


@dataclass(frozen=True)
class Parity:
    """An instance: samples are ``trees`` times ``leaves``."""

    dimension: int = DIMENSION
    trees: int = TREES
    leaves: int = 1 << LEVELS
    ones: int = PLACES

    @property
    def samples(self) -> int:
        return self.trees * self.leaves


FERRET = Parity(dimension=1 << 17, trees=4971, leaves=1 << 11, ones=10)
"""What was used before: emp-ot's set b11 with a dimension of 2^17."""


@dataclass(frozen=True)
class Algebraic:
    """The cheapest algebraic attack: log2 of its operations, and how it goes."""

    bits: float
    degree: int
    guessed: int
    monomials_log2: float


def solving_degrees(parity: Parity) -> list[float]:
    """Coefficients of z^0, z^1, ...: the free monomials of each degree, until none is left."""
    excess = parity.samples - parity.dimension
    powers = [parity.trees * (parity.leaves - 1.0) ** j - excess for j in range(_MOST_DEGREE + 1)]
    found = [1.0]
    for degree in range(1, _MOST_DEGREE + 1):
        terms = ((-1) ** (j + 1) * powers[j] * found[degree - j] for j in range(1, degree + 1))
        found.append(sum(terms) / degree)
        if found[-1] <= 0:
            break
    return found


def algebraic(parity: Parity) -> Algebraic:
    """The least over degrees, each with as few guesses as it needs."""
    return min(_algebraic(parity), key=lambda attack: attack.bits)


def _algebraic(parity: Parity) -> Iterator[Algebraic]:
    for degree in range(2, _MOST_DEGREE + 1):
        guessed = _guesses(parity, degree)
        unknown = parity.dimension - parity.trees - guessed
        monomials = _choose_log2(unknown, degree)
        bits = 2 * monomials + math.log2(3 * (parity.ones + 1) ** 2)
        yield Algebraic(bits + _right_log2(parity, guessed), degree, guessed, monomials)


def _guesses(parity: Parity, degree: int) -> int:
    """The fewest leaves to be guessed right so that the system of this degree is solved."""

    def solved(guessed: int) -> bool:
        less = guessed / parity.trees
        left = replace(
            parity,
            dimension=parity.dimension - guessed,
            leaves=parity.leaves - less,  # type: ignore[arg-type]  # evenly, so a fraction
        )
        found = solving_degrees(left)
        return found[-1] <= 0 and len(found) - 1 <= degree

    low, high = -1, parity.dimension - parity.trees - degree
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if solved(middle) else (middle, high)
    return high


def _right_log2(parity: Parity, guessed: int) -> float:
    """-log2 of the probability that so many leaves, of all trees evenly, are right."""
    return -parity.trees * math.log2(1 - guessed / parity.samples)


def _choose_log2(n: int, k: int) -> float:
    return sum(math.log2((n - i) / (i + 1)) for i in range(k))


def shrinking_bits(parity: Parity, fraction: float) -> float:
    """log2 of the operations with sets of this fraction of all columns."""
    columns = fraction * parity.dimension
    right = -columns * math.log2(1 - 1 / parity.leaves)
    return right + math.log2(3 * parity.ones * columns**2)


def listed_bits(parity: Parity, fraction: float, wrong: int = 4) -> float:
    """log2 of the operations with such sets of which up to so many samples may be wrong.

    A trial solves a sparse system, and sorts the sums of all pairs of samples of the set.
    """
    columns = fraction * parity.dimension
    pairs = columns**2
    trial = 3 * parity.ones * pairs + pairs * math.log2(pairs)
    mean = columns / parity.leaves
    often = sum(mean**few / math.factorial(few) for few in range(wrong + 1))
    right = -columns * math.log2(1 - 1 / parity.leaves)
    return right + math.log2(trial) - math.log2(often)


def relations(parity: Parity) -> tuple[int, float]:
    """The fewest rows that are expected to add up to nothing, and log2 of how many such sets it
    takes to see the noise.

    Of L rows all L d ones have to meet in pairs: (L d / (e k))^(L d / 2) of all sets do, of which
    there are (e n / L)^L.
    """
    half = parity.ones / 2
    log = half * (math.log(parity.dimension / parity.ones) + 1) - 1 - math.log(parity.samples)
    rows = math.exp(log / (half - 1))
    return round(rows), -2 * rows * math.log2(1 - 2 / parity.leaves)


def published_bits(parity: Parity) -> float:
    """The least of what published estimators count."""
    unknown = parity.samples - parity.dimension + parity.trees
    permuted = 2 * math.log2(unknown) + math.log2(parity.samples)
    known = parity.dimension - parity.trees
    found = [permuted - parity.trees * math.log2(1 - known / parity.samples)]
    for degree in (2, 3, 4):
        guessed = _guesses(parity, degree)
        noise = (parity.leaves - 1 - guessed / parity.trees) ** degree
        monomials = _choose_log2(parity.trees, degree) + math.log2(noise)
        dense = math.log2(3 * (parity.dimension + 1 - guessed))
        found.append(2 * monomials + dense + _right_log2(parity, guessed))
    return min(found)


def places(key: bytes, first: int, rows: int, dimension: int = DIMENSION) -> NDArray[np.uint32]:
    """The places of ones in rows of the public matrix of this key: (rows, 6); both counts even.

    As the kernel reads them (a test compares): sixteen bits of the stream each.
    """
    words = _kernels.prg_words(key, PAIR_WORDS * first // 2, PAIR_WORDS * rows // 2)
    found = words.view("<u2").reshape(rows, PLACES)
    return found.astype(np.uint32) & np.uint32(dimension - 1)


def matrix(parity: Parity, key: bytes) -> NDArray[np.uint32]:
    """All rows' places, (samples, 6)."""
    found = np.empty((parity.samples, PLACES), np.uint32)
    for start in range(0, parity.samples, _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, parity.samples)
        found[start:stop] = places(key, start, stop - start, parity.dimension)
    return found


def shrunk(rows: NDArray[np.uint32], dimension: int) -> float:
    """The fraction of columns of the smallest set found that has as many rows of its own.

    Columns of least degree go first, few at a time, and the fewer the nearer the end is.
    """
    alive = np.ones(dimension, np.bool_)
    degrees = np.bincount(rows.reshape(-1), minlength=dimension)
    columns = dimension
    while True:
        spare = len(rows) - columns - _SPARE_ROWS
        coarse = columns >> (6 if len(rows) > 4 * columns else 9)
        step = max(1, min(coarse, spare * columns // (2 * rows.size)))
        living = np.flatnonzero(alive)
        leaving = living[np.argpartition(degrees[living], step)[:step]]
        dead = np.zeros(dimension, np.bool_)
        dead[leaving] = True
        lost = dead[rows].any(axis=1)
        if len(rows) - int(lost.sum()) < columns - step + _SPARE_ROWS:
            return columns / dimension
        degrees -= np.bincount(rows[lost].reshape(-1), minlength=dimension)
        rows = rows[~lost]
        alive[leaving] = False
        columns -= step
