"""Shares to Paillier and back: the identity, its cost, and what the key holder sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from securexgb.errors import UsageError
from securexgb.he import paillier_sums
from securexgb.he.paillier import InsecureSecretKey, SecretKey
from securexgb.he.paillier_sums import Slots, block
from securexgb.hybrid.paillier_shares import (
    PaillierKeys,
    add,
    agree_cost,
    agree_keys,
    conversion_cost,
    paillier_to_shares,
    shares_to_paillier,
)
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from securexgb.testing.harness import Backend, insecure_parties, run_both, run_parties
from tests.mpc.kit import assert_uniform, recorded, revealed, shared

SHORT = Slots(4, 512, 1 << 10)


def there_and_back(
    party: Party, x: Shared, holder: int = 0, slots: Slots = SHORT
) -> tuple[PaillierKeys, Shared]:
    kind = SecretKey if slots.key_bits >= 2048 else InsecureSecretKey
    keys = agree_keys(party, holder, slots.key_bits, kind)
    return keys, paillier_to_shares(party, keys, shares_to_paillier(party, keys, x, slots))


def values(*shape: int) -> np.ndarray:
    edges = [0, 1, -1, 2**63 - 1, -(2**63)]
    drawn = np.random.default_rng(2).integers(-(2**63), 2**63 - 1, shape)
    drawn.reshape(-1)[: len(edges)] = edges[: drawn.size]
    return drawn


@pytest.mark.parametrize("backend", ["shared", "plaintext"])
@pytest.mark.parametrize("holder", [0, 1])
@pytest.mark.parametrize("shape", [(7,), (2, 3, 4), (1,), (0,)])
def test_there_and_back_is_the_identity(
    shape: tuple[int, ...], holder: int, backend: Backend
) -> None:
    x = values(*shape)
    ends = run_parties(lambda party, own: there_and_back(party, own, holder), shared(x), backend)
    np.testing.assert_array_equal(revealed(*(end[1] for end in ends)), x)


def test_with_a_real_key() -> None:
    x, slots = values(30), Slots(2, 2048, 1 << 10)
    ends = run_parties(lambda party, own: there_and_back(party, own, 1, slots), shared(x))
    np.testing.assert_array_equal(revealed(*(end[1] for end in ends)), x)


def test_sums_of_ciphertexts() -> None:
    x, y = values(11), values(11)[::-1].copy()

    def program(party: Party, own: tuple[Shared, Shared]) -> Shared:
        keys = agree_keys(party, 0, 512, InsecureSecretKey)
        first, second = (shares_to_paillier(party, keys, z, SHORT) for z in own)
        both = add(keys, first, second)
        assert both.summands == 4
        with pytest.raises(UsageError, match="would not hide sums of 6"):
            add(keys, both, first)
        return paillier_to_shares(party, keys, both)

    sides = list(zip(shared(x, 1), shared(y, 2), strict=True))
    np.testing.assert_array_equal(revealed(*run_parties(program, sides)), x + y)


@pytest.mark.parametrize("holder", [0, 1])
@pytest.mark.parametrize("count", [0, 1, 3, 50, 200])
def test_measured_equals_declared(holder: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paillier_sums, "MESSAGE_BYTES", 4096)
    assert block(512) == 32

    def measure(party: Party, own: Shared) -> tuple[int, int]:
        there_and_back(party, own, holder)
        return party.rounds, party.channel.traffic.bytes_sent

    ends = run_both(measure, insecure_parties(0), list(shared(values(count))))
    cost = (
        agree_cost(holder, 512)
        + conversion_cost(holder, count, SHORT)
        + conversion_cost(1 - holder, count, SHORT)
    )
    assert ends[0] == (cost.rounds, 8 * cost.label_words)
    assert ends[1] == (cost.rounds, 8 * cost.feature_words)


def observed(value: int, count: int) -> tuple[PaillierKeys, Any]:
    """The holder's keys and all that is sent, where every word is ``value``."""
    results, ends, _ = recorded(there_and_back, list(shared(np.full(count, value))))
    return results[0][0], ends


def test_tags_and_sizes_say_nothing() -> None:
    shapes = [[end.shape for end in observed(value, 9)[1]] for value in (0, -1)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("value", [0, -1])
def test_what_the_key_holder_sees_is_uniform(value: int) -> None:
    keys, (holder, evaluator) = observed(value, 900)
    assert keys.secret is not None
    plaintexts = keys.secret.decrypt(keys.public.read(evaluator.sent[0][1]))
    width = SHORT.width_bytes
    data = b"".join(p.to_bytes(SHORT.count * width, "little") for p in plaintexts)
    slots = np.frombuffer(data, np.uint8).reshape(-1, width)
    assert_uniform(slots[:, :-1].tobytes())
    # The highest byte has seven bits: 16 cells of its upper four, chi-square beyond 2e-6.
    cells, expected = np.bincount(slots[:, -1] >> 3, minlength=16), len(slots) / 16
    assert len(cells) == 16
    assert np.sum((cells - expected) ** 2) / expected < 55
    # No randomness of the ciphertexts that came is left as it was.
    sent = [c % keys.public.modulus for c in keys.public.read(holder.sent[1][1])]
    assert not {c % keys.public.modulus for c in keys.public.read(evaluator.sent[0][1])} & set(sent)
