"""Parameters of the homomorphic scheme: rings, noise and failure probability, in this one place.

Two rings. BFV works over Z_q[X] / (X^N + 1), N = 8192, q three primes of 50 bits: 150 bits, below
the 218 that the homomorphic encryption standard allows at N = 8192. All keys are modulo q. Packing
works modulo the first two primes: the third, P, is divided out of products before it, and is the
special prime of the Galois keys. Pads are ring-LWE samples over Z_2^kappa[X] / (X^4096 + 1), kappa
at most 64, below the 109 that it allows at 4096. Both for 128 bits of classical security, ternary
secrets. Estimates of the best known attacks: pads 177 bits, of which many vectors under one A may
cost 17; ciphertexts and Galois keys 189. A modulus 2^kappa asks for errors that are uniform modulo
2: centred binomial ones are, exactly.

Errors are centred binomial: variance 10.5 (standard deviation 3.24), subgaussian with the same
parameter (Hoeffding). A sum of independent errors times known numbers is subgaussian with the
sum of squares times 10.5, so the following add up like variances, of one coefficient:

    an encrypted number     10.5 + 1/6 (rounding of the encoding) + (q / 2^s)^2 / 12, s the bits
                            of c0 on the wire, in units of 1 of Z_q
    a product with W        that, times k 4096 (2^(kappa - 1))^2, k columns side by side: those
                            beside a column add their noise to it, if nothing else
    division by P           P^2 (N + 1) / 12, before the levels of packing
    one packing             P^2 times 1/3 10.5 N 2^44 (a digit below 2^72 against the special
                            prime, E d^2 = 2^144 / 3) + N 2^56 / 12 (what the digit leaves out)
                            + (N + 1) / 12 (rounding of the division)
    levels of packing       each doubles the noise of those before: 4^levels divisions, (4^levels -
                            1) / 3 packings. The product's noise was halved as often beforehand
    encryption of zero      10.5 (2 N + 1)
    modulus switching       all of it times (2^t / q)^2, plus (N + 1) / 12, in units of 1 of Z_2^t
    a pad's own errors      10.5 times the rows of a bin, in units of 1 of Z_2^kappa

*Sums* are shifted up by tau bits before they meet the noise, kappa = (bits of a sum) + tau. What
is taken apart is a running sum over up to B bins of a column, of a node that is its parent minus
its sibling and so on, up to C vectors of the job. The bins have disjoint rows, so pads' own errors
add up to 10.5 times all rows at most. The results of B bins come from the same ciphertexts: their
noises may depend on one another, and subgaussian parameters of such add up (Hoelder), so the
spread of a result counts B times. Vectors have secrets and errors of their own, but Galois keys
serve all of them, so their errors' part counts once more, as if it were the same for all:

    S^2 = C (10.5 rows + (B spread of a result)^2) + (C B spread by the keys)^2

Besides, each side rounds its share of each result to a whole number: by 1 together, B C in a sum.
A sum is exact while all its noise stays below 2^(tau - 1); it does not with probability
2 exp(-x^2 / (2 S^2)), x = 2^(tau - 1) - B C. The smallest tau with less than 2^-40 for all values
of a job is taken, then the shortest messages.

*Words* (conversions, ``he.bfv_words``) have no bits to spare: both parties round to words
locally, and the mask makes the position in a cell uniform, so a value is off by one with
probability E|noise| 2^64 / 2^t, again below 2^-40 for all of a job.

Rounding errors and digits are taken as uniform and independent of the secret, as usual; the
secret's weight is bounded by N.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from securexgb.errors import UsageError

WORD_BITS = 64
STATISTICAL_BITS = 40
DEGREE = 8192
ERROR_VARIANCE = 10.5
ENCODING_VARIANCE = 1 / 6
"""At most 1/2 off, times a ternary coefficient; of a whole word it is 1/12."""

SHORT = 4096
"""Degree of the ring of pads: the numbers of a vector's secret."""
MOST_PAD_BITS = 64
"""A number of a pad is a word."""
MOST_NOISE_BITS = 24

PRIMES = (0x3FFFFFFFFC001, 0x3FFFFFFFCC001, 0x3FFFFFFEF4001)
"""The primes of q: the largest below 2^50 that are 1 modulo 2 N. The first two also serve the
exact products of pads."""

MODULUS = PRIMES[0] * PRIMES[1] * PRIMES[2]

STANDARD_BITS = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}
"""Largest log2 of the modulus of any key at each degree: 128 bits, classical, ternary secret
(Albrecht et al., Homomorphic Encryption Security Standard, 2018, table 1)."""

KEY_BYTES = 20
"""Bytes of a number modulo q that loses nothing: 2^160 > 4 q."""

DIGIT_BITS = 72
"""Of c1 modulo the first two primes, in a key switch; as in kernels/src/lattice/packing.rs."""

MOST_LEVELS = 8
"""Levels of packing that noise is reckoned with: summands of 32 wanted coefficients, of 8192."""
MOST_SIDE = 4
"""Columns side by side that noise is reckoned with."""
ADDED = 1024
"""Encrypted words that may be added before they are converted back."""
_Q = float(MODULUS)


@dataclass(frozen=True)
class Precision:
    """Lengths of one kind of ciphertext, and what they are good for.

    ``fresh_bytes`` and ``result_bytes``: of a coefficient that is sent to the evaluator and back.
    ``word_bits``: of the numbers; ``noise_bits``: the lowest of these, which rounding takes
    away (0 for words). ``spread``: noise, a standard deviation, in units of 1 of the numbers.
    """

    fresh_bytes: int
    result_bytes: int
    word_bits: int
    noise_bits: int
    spread: float


def check_security(pad_bits: int = 0) -> None:
    """Refuse parameters that the standard's table does not cover."""
    bits = math.log2(MODULUS)
    for degree, used in ((DEGREE, bits), (SHORT, pad_bits)):
        if used > STANDARD_BITS[degree]:
            raise UsageError(
                f"a modulus of {used:.0f} bits at degree {degree} has less than 128 bits of "
                "security"
            )


def keys_variance(levels: int) -> float:
    """What the errors of Galois keys add to a result of so many levels, in units of 1 of Z_q."""
    digit = 4.0**DIGIT_BITS / 3
    return (4.0**levels - 1) / 3 * ERROR_VARIANCE * DEGREE * digit


def packing_variance(levels: int) -> float:
    """What so many levels and the division before them add to a result, in units of 1 of Z_q."""
    rounding = (DEGREE + 1) / 12
    left_out = DEGREE * 4.0 ** (100 - DIGIT_BITS) / 12
    packing = (4.0**levels - 1) / 3 * (left_out + rounding)
    return float(PRIMES[-1]) ** 2 * (4.0**levels * rounding + packing) + keys_variance(levels)


def result_spread(
    squares: float, packing: float, word_bits: int, fresh_bytes: int, result_bytes: int
) -> float:
    """Standard deviation of a result's noise, in units of 1 of numbers modulo 2^word_bits.

    ``squares``: the sum of squares of what one result multiplies encrypted numbers with;
    ``packing``: what ``packing_variance`` says, 0 where nothing is packed.
    """
    fresh = ERROR_VARIANCE + ENCODING_VARIANCE + (_Q / 2.0 ** (8 * fresh_bytes)) ** 2 / 12
    zero = ERROR_VARIANCE * (2 * DEGREE + 1)
    total = squares * fresh + packing + zero
    switched = (DEGREE + 1) / 12 * 4.0 ** (word_bits - 8 * result_bytes)
    return math.sqrt(total * (2.0**word_bits / _Q) ** 2 + switched)


@dataclass(frozen=True)
class Sums:
    """What is taken apart: running sums over ``bins`` bins of ``rows`` rows, of ``chain`` vectors.

    ``bits``: of a sum. ``values``: so many sums in a job.
    """

    rows: int
    bits: int
    bins: int
    chain: int
    values: int


def product_squares(pad_bits: int) -> float:
    """Of a product with columns of W side by side, the sum of squares of all numbers in it."""
    return MOST_SIDE * SHORT * 4.0 ** (pad_bits - 1)


def sums_spread(sums: Sums, pad_bits: int, fresh_bytes: int, result_bytes: int) -> float:
    """Standard deviation of all noise in one of these sums."""
    squares, packing = product_squares(pad_bits), packing_variance(MOST_LEVELS)
    result = result_spread(squares, packing, pad_bits, fresh_bytes, result_bytes)
    by_keys = math.sqrt(keys_variance(MOST_LEVELS)) * 2.0**pad_bits / _Q
    own = sums.chain * (ERROR_VARIANCE * sums.rows + (sums.bins * result) ** 2)
    return math.sqrt(own + (sums.chain * sums.bins * by_keys) ** 2)


def sums_failure_log2(sums: Sums, spread: float, noise_bits: int) -> float:
    """log2 of the bound on the probability that one of a job's sums is wrong."""
    least = max(2.0 ** (noise_bits - 1) - sums.bins * sums.chain, 0.0)
    return 1 + math.log2(max(sums.values, 1)) - (least / spread) ** 2 / 2 / math.log(2)


def sums_precision(sums: Sums) -> Precision:
    """For sums that are exact once their noise is taken away.

    Raises UsageError where no precision is enough for all values of the job.
    """
    for noise_bits in range(2, MOST_NOISE_BITS + 1):
        pad_bits = sums.bits + noise_bits
        if pad_bits > MOST_PAD_BITS:
            break
        check_security(pad_bits)
        results = range(-(-sums.bits // 8), KEY_BYTES - 1)
        # Bytes never add noise: where the most of both are too few, all are.
        spread = sums_spread(sums, pad_bits, KEY_BYTES, results[-1])
        if sums_failure_log2(sums, spread, noise_bits) > -STATISTICAL_BITS:
            continue
        for fresh_bytes in range(-(-pad_bits // 8), KEY_BYTES + 1):
            for result_bytes in results:
                spread = sums_spread(sums, pad_bits, fresh_bytes, result_bytes)
                if sums_failure_log2(sums, spread, noise_bits) <= -STATISTICAL_BITS:
                    return Precision(fresh_bytes, result_bytes, pad_bits, noise_bits, spread)
    raise UsageError(
        f"sums of {sums.bits} bits over {sums.rows} rows, {sums.values} in the job, need pads of "
        f"more than the {MOST_PAD_BITS} bits that there are for a failure below "
        f"2^-{STATISTICAL_BITS}: use fewer rows, fewer trees or fewer gradient_bits"
    )


def words_failure_log2(spread: float, values: int) -> float:
    """log2 of the bound on the probability that one of ``values`` words is off by one."""
    return math.log2(spread) + math.log2(max(values, 1))


def words_precision(values: int) -> Precision:
    """For conversions of ``values`` words in a job, hundreds of them added in between.

    Raises UsageError where no modulus up to q is large enough.
    """
    check_security()
    largest = math.floor(math.log2(MODULUS)) // 8
    for result_bytes in range(WORD_BITS // 8 + 1, largest + 1):
        for fresh_bytes in (result_bytes, result_bytes + 1, KEY_BYTES):
            spread = result_spread(ADDED, 0.0, WORD_BITS, fresh_bytes, result_bytes)
            if words_failure_log2(spread, values) <= -STATISTICAL_BITS:
                return Precision(fresh_bytes, result_bytes, WORD_BITS, 0, spread)
    raise UsageError(
        f"conversions of {values} words in a job need more than the {8 * largest} bits that the "
        f"homomorphic scheme has for a failure below 2^-{STATISTICAL_BITS}: convert fewer"
    )
