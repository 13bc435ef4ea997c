"""The attack of the unmasked halves on what CKKS's key holder sees.

The key holder (label party) knows its own share x0 of every margin. Of sum_j b_j exp(i j w x)
it may learn masked imaginary parts only. Two insecure variants, which exist in this file alone,
show what goes wrong otherwise: one masks the wanted half of each slot and leaves the other, one
masks everything, but on a coarse grid. From each the attacks below read the other party's share.
On the protocol's own messages the same attacks do no better than guessing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.he.ckks import MASK_BITS, CkksEvaluator, CkksKeyHolder, Numbers, Words
from securexgb.he.ckks_words import DEGREE, SLOTS
from securexgb.hybrid.fourier import PERIOD_BITS, SERIES, waves_of
from tests.he.ckks_kit import encrypted, evaluator_of, masked_sum
from tests.mpc.kit import assert_uniform

Real = NDArray[np.float64]
Integers = NDArray[np.int64]
Masked = Callable[[CkksEvaluator, Words, Numbers], Words]

SCALE = 2.0**54
HIDING = 2.0**40
GRID_BITS = 60
SHARE_BITS = 14
"""The attack looks for this many high bits of a share modulo the period."""
STEP = 1 << (PERIOD_BITS - SHARE_BITS)


def protocol(evaluator: CkksEvaluator, messages: Words, numbers: Numbers) -> Words:
    return masked_sum(evaluator, messages, numbers)[0]


def insecure_wanted_half_only(evaluator: CkksEvaluator, messages: Words, numbers: Numbers) -> Words:
    """Masks the imaginary parts of the slots, which are shared; forgets the real ones."""
    masks = 2j * HIDING * np.random.default_rng(7).uniform(-1, 1, SLOTS)
    return _with(evaluator, messages, numbers, lambda seal: seal.plaintext(masks, SCALE))


def insecure_coarse_grid(evaluator: CkksEvaluator, messages: Words, numbers: Numbers) -> Words:
    """Masks all coefficients with multiples of 2^60 only: nothing hides what lies below."""
    seal = evaluator._seal
    result = seal.words(evaluator._sum(messages, numbers)).copy()
    coarse = np.random.default_rng(7).integers(0, 1 << 57, DEGREE).astype(object) << GRID_BITS
    for row, prime in zip(result[0], seal.primes, strict=False):
        row[:] = ((row.astype(object) + coarse) % prime).astype(np.uint64)
    return result


def _with(
    evaluator: CkksEvaluator, messages: Words, numbers: Numbers, mask: Callable[[Any], Any]
) -> Words:
    seal = evaluator._seal
    total = evaluator._sum(messages, numbers)
    seal.evaluator.transform_to_ntt_inplace(total)
    seal.evaluator.add_plain_inplace(total, mask(seal))
    seal.evaluator.transform_from_ntt_inplace(total)
    return seal.words(total)


def view(masked: Masked, x0: Words, x1: Words) -> list[int]:
    """All that the key holder gets: the coefficients that the answer decrypts to."""
    holder = CkksKeyHolder()
    evaluator = evaluator_of(holder)
    messages = encrypted(holder, waves_of(x0))
    return holder.decrypted(masked(evaluator, messages, np.array(SERIES)[:, None] * waves_of(x1)))


def real_parts(coefficients: list[int]) -> Real:
    """The slots' real parts of a plaintext."""
    powers = np.exp(1j * np.pi / DEGREE * np.arange(DEGREE))
    values = np.fft.ifft(np.array(coefficients, np.float64) * powers) * DEGREE
    exponents = np.array([pow(3, k, 2 * DEGREE) for k in range(SLOTS)])
    result: Real = values[exponents // 2].real / SCALE
    return result


def straight(coefficients: list[int]) -> Real:
    """Attack 1: decode as it is, and read the halves that carry no result."""
    return real_parts(coefficients)


def below_the_grid(coefficients: list[int]) -> Real:
    """Attack 2: drop what is above 2^60, decode the rest."""
    half = 1 << (GRID_BITS - 1)
    return real_parts([(value + half) % (2 * half) - half for value in coefficients])


ATTACKS = [straight, below_the_grid]


def cosines(x: Words) -> Real:
    """What stands in the real half: sum_j b_j cos(j w x)."""
    result: Real = (np.array(SERIES)[:, None] * waves_of(x)).sum(axis=0).real
    return result


def shares(seed: int) -> tuple[Words, Words]:
    """The key holder's share, uniform, and the other's on the attack's grid."""
    draw = np.random.default_rng(seed)
    x0 = draw.integers(0, 2**64, SLOTS, np.uint64)
    return x0, (draw.integers(0, 1 << SHARE_BITS, SLOTS) * STEP).astype(np.uint64)


def bits_learned(seen: Real, x0: Words, x1: Words, tolerance: float) -> tuple[float, float]:
    """Bits of the share that the attack excludes, of 14, and how often the truth survives."""
    candidates = (np.arange(1 << SHARE_BITS) * STEP).astype(np.uint64)
    learned, right = [], []
    for value, own, true in zip(seen[:200], x0[:200], x1[:200], strict=True):
        fits = np.abs(cosines(own + candidates) - value) < tolerance
        learned.append(SHARE_BITS - np.log2(max(int(fits.sum()), 1)))
        right.append(fits[int(true) // STEP])
    return float(np.mean(learned)), float(np.mean(right))


def guesses(seen: Real, x0: Words, x1: Words, seed: int) -> float:
    """How often the attack tells the true share from another one, of two that are offered."""
    true, false = (cosines(x0 + share) for share in (x1, shares(seed)[1]))
    # |true - seen| < |false - seen|, without losing the difference beside a great ``seen``.
    return float(((true - false) * (seen - (true + false) / 2) > 0).mean())


@pytest.mark.parametrize(
    ("masked", "attack"),
    [(insecure_wanted_half_only, straight), (insecure_coarse_grid, below_the_grid)],
)
def test_the_attack_works_on_insecure_masks(masked: Masked, attack: Callable[..., Real]) -> None:
    x0, x1 = shares(1)
    seen = attack(view(masked, x0, x1))
    learned, right = bits_learned(seen, x0, x1, tolerance=2.0**-9)
    assert right > 0.95
    assert learned > 8
    assert guesses(seen, x0, x1, seed=2) > 0.95


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_attack_learns_nothing_when_all_dimensions_are_masked(
    attack: Callable[..., Real],
) -> None:
    x0, x1 = shares(1)
    seen = attack(view(protocol, x0, x1))
    # A guess of two: 4,096 rows, within 6 standard deviations of one half.
    assert abs(guesses(seen, x0, x1, seed=2) - 0.5) < 6 * 0.5 / np.sqrt(SLOTS)
    # What is decoded is not even near a value that any share could have.
    assert np.median(np.abs(seen)) > 4 * np.abs(cosines(x1)).max()
    assert abs(np.corrcoef(seen, cosines(x0 + x1))[0, 1]) < 6 / np.sqrt(SLOTS)


def test_equal_margins_do_not_show_in_any_byte() -> None:
    """All rows alike put the whole sum into two coefficients: every byte is uniform anyway."""
    zeros = np.zeros(SLOTS, np.uint64)
    seen = view(protocol, zeros, zeros + np.uint64(3 << 20))
    assert min(seen) > -(1 << 63)
    assert max(seen) < (1 << MASK_BITS) + (1 << 63)
    shifts = (0, 24, 54, 62, 110)
    assert_uniform(bytes(value >> shift & 255 for value in seen for shift in shifts))


def test_the_second_half_does_not_carry_the_evaluators_numbers() -> None:
    """Without the encryption of zero c1 is a linear image of its plaintexts; with it, noise."""
    holder = CkksKeyHolder()
    evaluator = evaluator_of(holder)
    messages = encrypted(holder, waves_of(np.zeros(SLOTS, np.uint64)))
    factors = np.array(SERIES)[:, None] * waves_of(shares(1)[1])
    seal = evaluator._seal
    bare = seal.api.Ciphertext()
    for words, row in zip(messages, factors, strict=True):
        product = seal.api.Ciphertext()
        seal.evaluator.multiply_plain(
            seal.ciphertext(words, 2.0**28), seal.plaintext(row, 2.0**26), product
        )
        if bare.size() == 0:
            bare = product
        else:
            seal.evaluator.add_inplace(bare, product)
    seal.evaluator.transform_from_ntt_inplace(bare)
    sent = masked_sum(evaluator, messages, factors)[0]
    difference = (sent[1] - seal.words(bare)[1]) % np.array(seal.primes[:2], np.uint64)[:, None]
    assert_uniform((difference & np.uint64(0xFFFFFFFF)).astype(np.uint32).tobytes())
