"""CKKS: words of SEAL's objects, parameters, exact slots, precision, what is refused."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from securexgb.errors import ProtocolDesync, UsageError
from securexgb.he import ckks_words
from securexgb.he.ckks import MASK_BITS, RESULT_BITS, CkksEvaluator, CkksKeyHolder, Numbers
from securexgb.he.ckks_slots import ROOT_BITS, SLOT_BITS, SlotReader
from securexgb.he.ckks_words import DEGREE, SLOTS, SealLibrary
from tests.he.ckks_kit import encrypted, evaluator_of, masked_sum

TABLE_128_BITS = 218
"""Greatest modulus for N = 8192, ternary secrets, 128 bits: homomorphicencryption.org, 2018."""

Roles = tuple[CkksKeyHolder, CkksEvaluator]


@pytest.fixture(scope="module")
def roles() -> Roles:
    holder = CkksKeyHolder()
    return holder, evaluator_of(holder)


def numbers(terms: int, count: int, seed: int = 0) -> Numbers:
    """Points on the unit circle."""
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, (terms, count))
    result: Numbers = np.exp(1j * angles)
    return result


def error(roles: Roles, u: Numbers, v: Numbers) -> float:
    holder, evaluator = roles
    message, own = masked_sum(evaluator, encrypted(holder, u), v)
    both = own + holder.opened([message.tobytes()], u.shape[1])
    exact = (u * v).sum(axis=0).imag
    return float(np.abs(both.view(np.int64) / 2.0**RESULT_BITS - exact).max())


def test_parameters_have_128_bits_and_room_for_the_mask() -> None:
    primes = SealLibrary().primes
    assert sum(prime.bit_length() for prime in primes) <= TABLE_128_BITS
    modulus = primes[0] * primes[1]
    # Message and noise stay below 2^63, see he.ckks.
    assert modulus // 2 > (1 << MASK_BITS) + (1 << 63)


def test_forty_bits_hold_for_all_that_one_key_serves() -> None:
    from securexgb.he.ckks import CIPHERTEXTS_PER_KEY

    greatest = np.sqrt(DEGREE) * 2.0**54 * 2 + 2.0**45
    assert CIPHERTEXTS_PER_KEY * greatest / 2.0**MASK_BITS <= 2.0**-40


@pytest.mark.parametrize("count", [1, 100, SLOTS])
def test_sums_of_products(roles: Roles, count: int) -> None:
    assert error(roles, numbers(10, count, 1), numbers(10, count, 2) / 10) < 2.0**-15


@pytest.mark.parametrize("value", [0, 1, -1, 1j, -1j, 0.6 + 0.8j])
def test_equal_slots_are_the_worst_plaintexts_and_fit(roles: Roles, value: complex) -> None:
    own = np.full((1, SLOTS), 1 + 0j)
    assert error(roles, own, np.full((1, SLOTS), value) * 2 + 1e-9) < 2.0**-14


def test_zero_against_zero(roles: Roles) -> None:
    assert error(roles, np.zeros((2, 9), complex), np.full((2, 9), 1e-3 + 0j)) < 2.0**-15


class Counted:
    """SEAL's evaluator, noting which operations are asked for, in order."""

    def __init__(self, evaluator: Any) -> None:
        self.evaluator, self.calls = evaluator, list[str]()

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(self.evaluator, name)


def test_the_evaluator_s_work_does_not_depend_on_its_numbers(
    roles: Roles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its marks are zero it computes the same: the same operations in the same order."""
    holder, evaluator = roles
    u = numbers(3, 20)
    messages = encrypted(holder, u)
    dense = numbers(3, 20, 1)
    sparse, none = dense * [[1], [0], [1]], np.zeros((3, 20), complex)
    seen = []
    for v in (dense, sparse, none):
        counted = Counted(evaluator._seal.evaluator)
        with monkeypatch.context() as patch:
            patch.setattr(evaluator._seal, "evaluator", counted)
            message, own = masked_sum(evaluator, messages, v)
        seen.append(counted.calls)
        both = (own + holder.opened([message.tobytes()], 20)).view(np.int64) / 2.0**RESULT_BITS
        assert np.abs(both - (u * v).sum(axis=0).imag).max() < 2.0**-15
    assert seen[0] == seen[1] == seen[2]
    assert seen[0].count("multiply_plain") == 4


def test_a_shift_of_the_factors_leaves_no_trace(roles: Roles) -> None:
    """Decrypted, sums of products differ by the encryption of zero alone: 2^26 of 2^54 at most."""
    holder, evaluator = roles
    messages = encrypted(holder, numbers(2, SLOTS))
    sums = []
    for _ in range(2):
        words = evaluator._seal.words(evaluator._sum(messages, np.zeros((2, SLOTS), complex)))
        sums.append(np.array(holder.decrypted(words), object))
    assert max(abs(value) for value in np.concatenate(sums)) < 1 << 26
    assert (sums[0] != sums[1]).any()


def test_a_public_key_encryption_of_the_same_numbers_differs(roles: Roles) -> None:
    holder, evaluator = roles
    message = encrypted(holder, numbers(1, 5))
    first, second = (masked_sum(evaluator, message, numbers(1, 5)) for _ in "ab")
    for part in (0, 1):
        assert (first[0][part] != second[0][part]).mean() > 0.99


def test_ciphertexts_survive_the_way_through_words() -> None:
    seal = SealLibrary()
    holder = CkksKeyHolder()
    words = encrypted(holder, numbers(1, 7))[0]
    np.testing.assert_array_equal(seal.words(seal.ciphertext(words, 1.0)), words)
    key = np.frombuffer(holder.announcement(), np.uint64).reshape(2, -1, DEGREE)
    np.testing.assert_array_equal(seal.words(seal.public_key(key), primes=3), key)


def test_residues_beyond_the_modulus_are_refused(roles: Roles) -> None:
    words = encrypted(roles[0], numbers(1, 7))
    words[0, 1, 1, 5] = np.uint64(1) << np.uint64(63)
    with pytest.raises(ProtocolDesync, match="residues"):
        masked_sum(roles[1], words, numbers(1, 7))


def test_slots_are_those_of_seal() -> None:
    seal = SealLibrary()
    slots = numbers(1, SLOTS)[0]
    plain = seal.plaintext(slots, 2.0**20)
    twice = np.repeat(seal.words(plain, 1), 2, axis=0)
    transformed = seal.ciphertext(twice, 1.0)
    seal.evaluator.transform_from_ntt_inplace(transformed)
    residues = seal.words(transformed)[0, 0]
    signed = np.where(
        residues > seal.primes[0] // 2, residues - np.uint64(seal.primes[0]), residues
    )
    got = SlotReader().imaginary(signed).view(np.int64) / 2.0 ** (20 + SLOT_BITS)
    assert np.abs(got - slots.imag).max() < 2.0**-12


def test_slots_of_shares_add_up_exactly() -> None:
    draw, reader = np.random.default_rng(3), SlotReader()
    secret, mask = (draw.integers(0, 2**64, DEGREE, np.uint64) for _ in range(2))
    both = reader.imaginary(mask) + reader.imaginary(secret - mask)
    np.testing.assert_array_equal(both, reader.imaginary(secret))


def test_no_root_is_near_a_rounding_boundary() -> None:
    """Both sides' mathematics libraries give the same integers, even if last digits differ."""
    angles = np.pi / DEGREE * np.arange(2 * DEGREE)
    values = 2.0**ROOT_BITS * np.concatenate([np.cos(angles), np.sin(angles)])
    assert np.abs(values - np.floor(values) - 0.5).min() > 1e-6


def test_without_tenseal_the_user_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tenseal", None)
    with pytest.raises(UsageError, match="TenSEAL"):
        ckks_words.library()


def test_without_files_in_memory_the_user_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ckks_words.os, "memfd_create")
    with pytest.raises(UsageError, match="Linux"):
        ckks_words.library()
