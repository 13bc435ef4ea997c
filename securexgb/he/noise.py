"""Parameters of the BFV scheme: ring, noise and failure probability, in this one place.

Words have k = 64 bits. The ring is Z_q[X] / (X^N + 1), N = 8192, q three primes of 50 bits; a
fourth prime of 50 bits is special: it appears in the keys for merging only. Together 200 bits,
below the 218 that the homomorphic encryption standard allows at N = 8192 for 128 bits of
classical security and ternary secrets.

Errors are centred binomial, variance 10.5 (standard deviation 3.24). Noise adds up as follows,
as variances of one coefficient, in units of 1 of Z_q:

    an encrypted word       10.5 + 1/12 (rounding of the encoding) + (q / 2^s)^2 / 12, s the bits
                            of c0 on the wire
    a product               that, times the one-hot entries in a group's product: they take
                            different coefficients of one error, so there is no cross term
    one merging             10.5 N (three digits below 2^50 against the special prime, E d^2 =
                            p^2 / 3) + (N + 1) / 12 (rounding of the division)
    levels of merging       each doubles the noise of those before: (4^levels - 1) / 3 mergings
    encryption of zero      10.5 (2 N + 1)
    modulus switching       all of it times (2^t / q)^2, plus (N + 1) / 12

Both parties round to words locally. A value is off by one where the noise crosses the edge of a
cell, and the mask makes the position in the cell uniform: probability E|noise| 2^64 / 2^t. The
sum over all values of a job has to stay below 2^-40; the smallest t of whole bytes that does is
taken, and what fits no t is refused. Rounding errors and digits are taken as uniform and
independent of the secret, as usual; the secret's weight is bounded by N.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from securexgb.errors import UsageError

WORD_BITS = 64
STATISTICAL_BITS = 40
DEGREE = 8192
ERROR_VARIANCE = 10.5

PRIMES = (0x3FFFFFFFFC001, 0x3FFFFFFFCC001, 0x3FFFFFFEF4001)
"""The primes of q: the largest below 2^50 that are 1 modulo 2 N."""

SPECIAL_PRIME = 0x3FFFFFFE94001
"""The prime of the keys for merging."""

MODULUS = PRIMES[0] * PRIMES[1] * PRIMES[2]

STANDARD_BITS = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}
"""Largest log2 of the modulus of any key at each degree: 128 bits, classical, ternary secret
(Albrecht et al., Homomorphic Encryption Security Standard, 2018, table 1)."""

KEY_BYTES = 20
"""Bytes of a number modulo q that loses nothing: 2^160 > 4 q."""


@dataclass(frozen=True)
class Noise:
    """Precision of one kind of product; see ``fitted``.

    ``fresh_bytes`` and ``result_bytes``: a coefficient of a sent vector and of a result.
    ``failure_log2``: log2 of the probability that any value of the job is off by one.
    """

    fresh_bytes: int
    result_bytes: int
    deviation: float
    failure_log2: float


def check_security() -> None:
    """Refuse parameters that the standard's table does not cover."""
    bits = math.log2(MODULUS) + math.log2(SPECIAL_PRIME)
    if bits > STANDARD_BITS[DEGREE]:
        raise UsageError(
            f"a modulus of {bits:.0f} bits at degree {DEGREE} has less than 128 bits of security"
        )


def deviation(ones: int, levels: int, fresh_bytes: int, result_bytes: int) -> float:
    """Standard deviation of a result's noise, in units of 1 of Z_(2^t), t = 8 result_bytes.

    ``ones``: entries of the one-hot matrix in one product; ``levels`` of merging.
    """
    q = float(MODULUS)
    fresh = ERROR_VARIANCE + 1 / 12 + (q / 2.0 ** (8 * fresh_bytes)) ** 2 / 12
    rounding = (DEGREE + 1) / 12
    merging = ERROR_VARIANCE * DEGREE + rounding
    zero = ERROR_VARIANCE * (2 * DEGREE + 1)
    total = ones * fresh + (4.0**levels - 1) / 3 * merging + zero
    return math.sqrt(total * (2.0 ** (8 * result_bytes) / q) ** 2 + rounding)


def failure_log2(spread: float, result_bytes: int, values: int) -> float:
    """log2 of the bound on the probability that one of ``values`` words is off by one."""
    return math.log2(spread) + WORD_BITS - 8 * result_bytes + math.log2(max(values, 1))


def fitted(ones: int, levels: int, values: int) -> Noise:
    """The shortest ciphertexts that keep a job of ``values`` words right.

    Raises UsageError where no modulus up to q is large enough.
    """
    check_security()
    largest = math.floor(math.log2(MODULUS)) // 8
    for result_bytes in range(WORD_BITS // 8 + 1, largest + 1):
        for fresh_bytes in (result_bytes, result_bytes + 1, KEY_BYTES):
            spread = deviation(ones, levels, fresh_bytes, result_bytes)
            failure = failure_log2(spread, result_bytes, values)
            if failure <= -STATISTICAL_BITS:
                return Noise(fresh_bytes, result_bytes, spread, failure)
    raise UsageError(
        f"products of {ones} entries, {values} values in the job and {levels} levels of merging "
        f"need more than the {8 * largest} bits that the homomorphic scheme has for a failure "
        f"below 2^-{STATISTICAL_BITS}: train fewer trees or use fewer rows"
    )
