"""Parameters: security by the standard's table, noise, failure probability, refusals."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from securexgb.errors import UsageError
from securexgb.he import noise
from securexgb.he.noise import (
    MODULUS,
    PRIMES,
    Sums,
    sums_precision,
    words_precision,
)


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
    assert len({*PRIMES}) == 3
    for p in PRIMES:
        assert is_prime(p)
        assert p % (2 * noise.DEGREE) == 1
        assert p % (2 * noise.SHORT) == 1
        assert p < 1 << 50


def test_security_is_128_bits_by_the_standards_table_in_both_rings() -> None:
    # Albrecht et al. 2018, table 1: uniform ternary secret, classical, 128 bits.
    table = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}
    assert table == noise.STANDARD_BITS
    assert math.log2(MODULUS) <= table[noise.DEGREE]
    assert table[noise.SHORT] >= noise.MOST_PAD_BITS
    # The standard assumes a deviation of 3.19 or more (8 / sqrt(2 pi)).
    assert math.sqrt(noise.ERROR_VARIANCE) >= 8 / math.sqrt(2 * math.pi)


@pytest.mark.parametrize("degree", ["DEGREE", "SHORT"])
def test_a_modulus_beyond_the_table_is_refused(
    degree: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noise, degree, 2048)
    with pytest.raises(UsageError, match="128 bits of security"):
        sums_precision(Sums(1000, 48, 17, 3, 1000))


@pytest.mark.parametrize("rows", [1, 10_000, 1_000_000, 1 << 25])
@pytest.mark.parametrize("bits", [10, 33, 42])
@pytest.mark.parametrize("values", [1, 2**29])
@pytest.mark.parametrize(("bins", "chain"), [(1, 1), (33, 5), (256, 10)])
def test_the_failure_bound_holds_for_a_whole_job(
    rows: int, bits: int, values: int, bins: int, chain: int
) -> None:
    found = sums_precision(Sums(rows, bits, bins, chain, values))
    assert found.word_bits == bits + found.noise_bits <= 64
    # Four columns side by side; eight levels of packing modulo q / P, in units of 1 of Z_q.
    last = float(PRIMES[-1])
    # A digit of 72 bits, uniform, against errors of variance 10.5; 28 bits of 100 are left out.
    by_keys = (4**8 - 1) / 3 * 10.5 * 8192 * 2**144 / 3
    packing = 4**8 * 8193 / 12 + (4**8 - 1) / 3 * (8192 * 2**56 / 12 + 8193 / 12)
    assert noise.packing_variance(noise.MOST_LEVELS) == pytest.approx(last**2 * packing + by_keys)
    result = noise.result_spread(
        4 * 4096 * 4.0 ** (found.word_bits - 1),
        noise.packing_variance(noise.MOST_LEVELS),
        found.word_bits,
        found.fresh_bytes,
        found.result_bytes,
    )
    # Errors of all rows' pads are independent; the noises of a column's results may be the same
    # one, and each is rounded by one besides. Vectors of a chain are independent, but for the
    # errors of the Galois keys.
    unit = 2.0**found.word_bits / float(MODULUS)
    spread = math.sqrt(chain) * math.hypot(math.sqrt(10.5 * rows), bins * result)
    spread = math.hypot(spread, chain * bins * math.sqrt(by_keys) * unit)
    assert spread == pytest.approx(found.spread)
    # A subgaussian bound on all values of the job: 2 values exp(-x^2 / 2 S^2) < 2^-40.
    least = 2 ** (found.noise_bits - 1) - bins * chain
    assert least > 0
    assert 2 * values * math.exp(-((least / spread) ** 2) / 2) <= 2.0**-40
    # Pads' own errors and roundings alone would be too much for two bits less.
    short = 2 ** (found.noise_bits - 3) - bins * chain
    own = math.sqrt(10.5 * rows * chain)
    assert short <= 0 or 2 * values * math.exp(-((short / own) ** 2) / 2) > 2.0**-40


def test_no_cheaper_precision_is_passed_over() -> None:
    """What is found is the first that holds among all, in the order of what they cost."""
    sums = Sums(10_000, 40, 33, 3, 1 << 28)
    all_of_them = (
        (noise_bits, fresh, result)
        for noise_bits in range(2, noise.MOST_NOISE_BITS + 1)
        for fresh in range(-(-(sums.bits + noise_bits) // 8), noise.KEY_BYTES + 1)
        for result in range(-(-sums.bits // 8), noise.KEY_BYTES - 1)
    )
    first = next(
        (noise_bits, fresh, result)
        for noise_bits, fresh, result in all_of_them
        if noise.sums_failure_log2(
            sums, noise.sums_spread(sums, sums.bits + noise_bits, fresh, result), noise_bits
        )
        <= -40
    )
    found = sums_precision(sums)
    assert first == (found.noise_bits, found.fresh_bytes, found.result_bytes)


SHAPES = {
    "W1": Sums(10_000, 35, 17, 3, 1 << 29),
    "W2": Sums(50_000, 37, 33, 5, 1 << 29),
    "W3": Sums(200_000, 35, 33, 4, 1 << 29),
    "1M": Sums(1_000_000, 37, 17, 4, 1 << 29),
    "10M": Sums(10_000_000, 41, 33, 5, 1 << 29),
}


def test_figures_of_the_documentation() -> None:
    found = {name: sums_precision(of) for name, of in SHAPES.items()}
    assert [(p.noise_bits, p.word_bits, p.fresh_bytes, p.result_bytes) for p in found.values()] == [
        (14, 49, 13, 7),
        (15, 52, 14, 7),
        (16, 51, 13, 7),
        (17, 54, 14, 7),
        (19, 60, 15, 8),
    ]


def test_noise_grows_with_everything_that_makes_it() -> None:
    of = SHAPES["W1"]
    base = noise.sums_spread(of, 49, 13, 7)
    for more in ({"rows": 10_000_000}, {"bins": 34}, {"chain": 4}):
        assert noise.sums_spread(replace(of, **more), 49, 13, 7) > base
    assert noise.sums_spread(of, 54, 13, 7) > base
    assert noise.sums_spread(of, 49, 11, 7) > base
    assert noise.sums_spread(of, 49, 13, 6) > base
    assert noise.sums_spread(replace(of, chain=12), 49, 13, 7) == pytest.approx(2 * base)


def test_more_bins_and_vectors_take_more_bits() -> None:
    """As many roundings as there are bins and vectors count, however few the rows are."""
    few = Sums(100, 30, 2, 1, 1000)
    many = replace(few, bins=256, chain=10)
    assert 2 ** (sums_precision(many).noise_bits - 1) > 256 * 10
    assert sums_precision(few).noise_bits < sums_precision(many).noise_bits


@pytest.mark.parametrize("values", [1, 10**6, 2**33])
def test_words_come_back_right(values: int) -> None:
    found = words_precision(values)
    spread = noise.result_spread(1024, 0.0, 64, found.fresh_bytes, found.result_bytes)
    assert math.log2(spread) + math.log2(values) <= -40
    assert 8 * found.result_bytes < math.log2(MODULUS)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="64 bits"):
        sums_precision(Sums(10**6, 50, 17, 4, 2**28))
    with pytest.raises(UsageError, match="convert fewer"):
        words_precision(2**80)
