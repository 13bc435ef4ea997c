"""Parameters: security by the standard's table, noise, failure probability, refusals."""

from __future__ import annotations

import math

import pytest

from securexgb.errors import UsageError
from securexgb.he import noise
from securexgb.he.noise import MODULUS, PRIMES, SPECIAL_PRIME, fitted


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


def test_the_moduli_are_primes_with_roots() -> None:
    assert len({*PRIMES, SPECIAL_PRIME}) == 4
    for p in (*PRIMES, SPECIAL_PRIME):
        assert is_prime(p)
        assert p % (2 * noise.DEGREE) == 1
        assert p < 1 << 50


def test_security_is_128_bits_by_the_standards_table() -> None:
    # Albrecht et al. 2018, table 1: uniform ternary secret, classical, 128 bits.
    table = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}
    assert table == noise.STANDARD_BITS
    assert math.log2(MODULUS * SPECIAL_PRIME) <= table[noise.DEGREE]
    # The standard assumes a deviation of 3.19 or more (8 / sqrt(2 pi)).
    assert math.sqrt(noise.ERROR_VARIANCE) >= 8 / math.sqrt(2 * math.pi)


def test_a_modulus_beyond_the_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "DEGREE", 4096)
    with pytest.raises(UsageError, match="128 bits of security"):
        fitted(1000, 0, 1000)


@pytest.mark.parametrize("ones", [1, 10_000, 20_000_000])
@pytest.mark.parametrize("levels", [0, 8, 13])
@pytest.mark.parametrize("values", [1, 1000, 2**24])
def test_the_failure_bound_holds_for_a_whole_job(ones: int, levels: int, values: int) -> None:
    found = fitted(ones, levels, values)
    spread = noise.deviation(ones, levels, found.fresh_bytes, found.result_bytes)
    # log2 q' >= k + log2(noise) + 40 + log2(values), as the design requires.
    assert 8 * found.result_bytes >= 64 + math.log2(spread) + 40 + math.log2(values)
    assert found.failure_log2 <= -40
    assert 8 * found.result_bytes < math.log2(MODULUS)
    shorter = noise.deviation(ones, levels, noise.KEY_BYTES, found.result_bytes - 1)
    assert noise.failure_log2(shorter, found.result_bytes - 1, values) > -40


def test_noise_grows_with_everything_that_makes_it() -> None:
    base = noise.deviation(10_000, 8, 17, 17)
    assert noise.deviation(10_000_000, 8, 17, 17) > base
    assert noise.deviation(10_000, 13, 17, 17) > base
    assert noise.deviation(10_000, 8, 16, 17) > base


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match=r"failure below 2\^-40"):
        fitted(10**6, 13, 2**40)
