"""Parameters: security by the standard's table, noise, failure probability, refusals."""

from __future__ import annotations

import math

import pytest

from securexgb.errors import UsageError
from securexgb.he import noise
from securexgb.he.noise import MODULUS, PRIMES, SPECIAL_PRIME, sums_precision, words_precision


def is_prime(n: int) -> bool:
    """Miller and Rabin, with bases that decide below 3.3 * 10^24."""
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41):
        powers = [pow(base, odd << i, n) for i in range(twos)]
        if powers[0] != 1 and n - 1 not in powers:
            return False
    return True


def test_the_moduli_are_primes_with_roots_in_both_rings() -> None:
    assert len({*PRIMES, SPECIAL_PRIME}) == 4
    for p in (*PRIMES, SPECIAL_PRIME):
        assert is_prime(p)
        assert p % (2 * noise.DEGREE) == 1
        assert p % (2 * noise.SHORT) == 1
        assert p < 1 << 50


def test_security_is_128_bits_by_the_standards_table_in_both_rings() -> None:
    # Albrecht et al. 2018, table 1: uniform ternary secret, classical, 128 bits.
    table = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}
    assert table == noise.STANDARD_BITS
    assert math.log2(MODULUS * SPECIAL_PRIME) <= table[noise.DEGREE]
    assert table[noise.SHORT] >= noise.MOST_PAD_BITS
    # The standard assumes a deviation of 3.19 or more (8 / sqrt(2 pi)).
    assert math.sqrt(noise.ERROR_VARIANCE) >= 8 / math.sqrt(2 * math.pi)


@pytest.mark.parametrize("degree", ["DEGREE", "SHORT"])
def test_a_modulus_beyond_the_table_is_refused(
    degree: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise, degree, 2048)
    with pytest.raises(UsageError, match="128 bits of security"):
        sums_precision(1000, 60, 1000)


@pytest.mark.parametrize("rows", [1, 10_000, 1_000_000, 4_000_000])
@pytest.mark.parametrize("sum_bits", [10, 44, 60])
@pytest.mark.parametrize("values", [1, 1000, 2**28])
def test_the_failure_bound_holds_for_a_whole_job(rows: int, sum_bits: int, values: int) -> None:
    found = sums_precision(rows, sum_bits, values)
    assert found.word_bits == sum_bits + found.noise_bits <= 79
    result = noise.result_spread(
        4096 * 4.0 ** (found.word_bits - 1),
        noise.MOST_LEVELS,
        found.word_bits,
        found.fresh_bytes,
        found.result_bytes,
    )
    spread = math.hypot(math.sqrt(10.5 * rows), result)
    assert spread == pytest.approx(found.spread)
    # A subgaussian bound on all values of the job: 2 values exp(-x^2 / 2 S^2) < 2^-40.
    least = 2 ** (found.noise_bits - 1) - 1
    assert 2 * values * math.exp(-((least / spread) ** 2) / 2) <= 2.0**-40
    # The pads' own errors alone would be too much for one bit less.
    less = noise.sums_failure_log2(math.sqrt(10.5 * rows), found.noise_bits - 2, values)
    assert less > -40


def test_figures_of_the_documentation() -> None:
    found = {n: sums_precision(n, 60, 1 << 28) for n in (10**4, 5 * 10**4, 2 * 10**5, 10**6)}
    assert [p.noise_bits for p in found.values()] == [13, 14, 15, 16]
    assert [(p.fresh_bytes, p.result_bytes) for p in found.values()] == [
        (18, 9),
        (18, 9),
        (18, 9),
        (19, 9),
    ]


def test_noise_grows_with_everything_that_makes_it() -> None:
    base = noise.sums_spread(10_000, 73, 18, 9)
    assert noise.sums_spread(10_000_000, 73, 18, 9) > base
    assert noise.sums_spread(10_000, 76, 18, 9) > base
    assert noise.sums_spread(10_000, 73, 16, 9) > base
    assert noise.sums_spread(10_000, 73, 18, 8) > base


@pytest.mark.parametrize("values", [1, 10**6, 2**33])
def test_words_come_back_right(values: int) -> None:
    found = words_precision(values)
    spread = noise.result_spread(1024, 0, 64, found.fresh_bytes, found.result_bytes)
    assert math.log2(spread) + math.log2(values) <= -40
    assert 8 * found.result_bytes < math.log2(MODULUS)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="79 bits"):
        sums_precision(10**6, 64, 2**28)
    with pytest.raises(UsageError, match="convert fewer"):
        words_precision(2**80)
