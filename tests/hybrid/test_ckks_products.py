"""Shares to CKKS to shares: the identity within its precision, and what each side sees."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.errors import UsageError
from securexgb.he.ckks import CIPHERTEXTS_PER_KEY, MASK_BITS, RESULT_BITS, CkksKeyHolder, Numbers
from securexgb.he.ckks_words import DEGREE, SLOTS
from securexgb.hybrid.ckks_products import agree_keys, products
from securexgb.hybrid.conversions import Keys
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from securexgb.testing.harness import Backend, run_parties
from tests.mpc.kit import Recording, assert_uniform, recorded

FORM = (2, 2, DEGREE)


def program(party: Party, own: Numbers) -> tuple[Keys, Shared]:
    keys = agree_keys(party)
    sides = (own, None) if party.rank == 0 else (None, own)
    return keys, products(party, keys, *sides)


def through(label: Numbers, feature: Numbers, backend: Backend = "shared") -> np.ndarray:
    (_, first), (_, second) = run_parties(program, [label, feature], backend)
    return (first.words + second.words).view(np.int64) / 2.0**RESULT_BITS


@pytest.mark.parametrize("backend", ["shared", "plaintext"])
def test_there_and_back_is_the_identity(backend: Backend) -> None:
    """x = x0 + x1: one term for each party's share; two ciphertexts of rows."""
    x0, x1 = np.random.default_rng(1).uniform(-0.5, 0.5, (2, SLOTS + 3))
    one = np.ones_like(x0)
    label, feature = np.array([1j * x0, one]), np.array([one, 1j * x1])
    tolerance = 2.0**-15 if backend == "shared" else 2.0**-50
    assert np.abs(through(label, feature, backend) - (x0 + x1)).max() < tolerance


def observed(value: float, rows: int = SLOTS) -> tuple[Keys, tuple[Recording, Recording]]:
    """The label party's keys, and all that is sent, where every product is ``value``."""
    label, feature = np.full((1, rows), 1j), np.full((1, rows), value + 0j)
    results, ends, _ = recorded(program, [label, feature])
    return results[0][0], ends


def test_tags_and_sizes_say_nothing() -> None:
    shapes = [[end.shape for end in observed(value)[1]] for value in (1e-3, 1.9)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("value", [1e-3, 1.9])
def test_what_the_key_holder_sees_is_uniform(value: float) -> None:
    """Every product is the same: the plaintext without its mask has one coefficient only."""
    keys, (_, evaluator) = observed(value)
    (_, payload), *more = evaluator.sent
    assert not more
    message = np.frombuffer(payload, np.uint64).reshape(FORM)
    assert isinstance(keys.secret, CkksKeyHolder)
    seen = [value % (1 << MASK_BITS) for value in keys.secret.decrypted(message)]
    # Every byte of the masked coefficients, the lowest and the highest alike.
    shifts = range(0, MASK_BITS - 7, 8)
    assert_uniform(bytes(value >> shift & 255 for shift in shifts for value in seen))
    assert_uniform(bytes(value >> (MASK_BITS - 8) for value in seen))
    # The second half of the ciphertext: low bytes of residues modulo 60-bit primes.
    assert_uniform((message[1] & np.uint64(0xFFFFFFFF)).astype(np.uint32).tobytes())


def test_the_evaluator_sees_fresh_encryptions_of_fixed_size() -> None:
    _, (holder, _) = observed(1.0)
    (_, key), (_, ciphertext) = holder.sent
    assert (len(key), len(ciphertext)) == (8 * 6 * DEGREE, 8 * 4 * DEGREE)
    residues = np.frombuffer(ciphertext, np.uint64)
    assert_uniform((residues & np.uint64(0xFFFFFFFF)).astype(np.uint32).tobytes())


def test_a_key_serves_no_more_than_it_can_hide() -> None:
    keys, _ = observed(1.0, 1)
    keys.spend((CIPHERTEXTS_PER_KEY - 1) * SLOTS)
    with pytest.raises(UsageError, match="40 bits"):
        keys.spend(1)


def test_keys_are_not_printed() -> None:
    keys, _ = observed(1.0, 1)
    assert "used" not in repr(keys)
