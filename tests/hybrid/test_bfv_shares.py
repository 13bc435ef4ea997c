"""Shares to BFV and back: the identity, its cost, and what the key holder sees."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from securexgb.errors import UsageError
from securexgb.he.noise import DEGREE
from securexgb.hybrid.bfv_shares import (
    add,
    agree_cost,
    agree_keys,
    bfv_to_shares,
    shares_to_bfv,
    to_bfv_cost,
    to_shares_cost,
)
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Shared
from securexgb.testing.harness import run_parties
from tests.mpc.kit import revealed, shared

VALUES = 10**6


def there_and_back(party: Party, x: Shared, holder: int = 0) -> tuple[Shared, list[Cost]]:
    costs = []

    def measured() -> Cost:
        traffic = party.channel.traffic
        sent, received = traffic.bytes_sent // 8, traffic.bytes_received // 8
        words = (sent, received) if party.rank == 0 else (received, sent)
        return Cost(party.rounds, *words)

    costs.append(measured())
    keys = agree_keys(party, holder, VALUES)
    costs.append(measured())
    encrypted = shares_to_bfv(party, keys, x)
    costs.append(measured())
    back = bfv_to_shares(party, keys, encrypted)
    costs.append(measured())
    return back, [b - a for a, b in itertools.pairwise(costs)]


def values(*shape: int) -> np.ndarray:
    drawn = np.random.default_rng(2).integers(-(2**63), 2**63 - 1, shape)
    edges = [0, 1, -1, 2**63 - 1, -(2**63)]
    drawn.reshape(-1)[: len(edges)] = edges[: drawn.size]
    return drawn


@pytest.mark.parametrize("holder", [0, 1])
@pytest.mark.parametrize("shape", [(7,), (2, 3, 4), (1,), (0,), (DEGREE,), (20_000,)])
def test_there_and_back_is_the_identity_at_the_declared_cost(
    shape: tuple[int, ...], holder: int
) -> None:
    x = values(*shape)
    ends = run_parties(lambda party, own: there_and_back(party, own, holder), shared(x))
    np.testing.assert_array_equal(revealed(*(end[0] for end in ends)), x)
    declared = [
        agree_cost(holder),
        to_bfv_cost(holder, x.size, VALUES),
        to_shares_cost(holder, x.size, VALUES),
    ]
    for end in ends:
        assert end[1] == declared


def test_sums_of_ciphertexts() -> None:
    x, y = values(11), values(11)[::-1].copy()

    def program(party: Party, own: tuple[Shared, Shared]) -> Shared:
        keys = agree_keys(party, 1, VALUES)
        first, second = (shares_to_bfv(party, keys, z) for z in own)
        return bfv_to_shares(party, keys, add(keys, first, second))

    sides = list(zip(shared(x, 1), shared(y, 2), strict=True))
    np.testing.assert_array_equal(revealed(*run_parties(program, sides)), x + y)


@pytest.mark.parametrize("value", [0, -1])
def test_the_decryptor_sees_uniform_words(value: int) -> None:
    ends = run_parties(there_and_back, shared(np.full(4096, value)))
    for back, _ in ends:
        counts = np.bincount(back.words.view(np.uint8).reshape(-1), minlength=256)
        expected = counts.sum() / 256
        assert abs(((counts - expected) ** 2 / expected).sum() - 255) < 6 * 22.6


def test_two_agreements_of_one_job_share_no_key_and_no_mask() -> None:
    def program(party: Party, _: None) -> tuple[bytes, ...]:
        keys = [agree_keys(party, 0, 100) for _ in range(2)]
        return tuple(k.secret.announcement() for k in keys if k.secret is not None)

    first, second = run_parties(program, [None, None])[0]
    assert first != second


def test_more_words_than_agreed_are_refused() -> None:
    def program(party: Party, x: Shared) -> None:
        keys = agree_keys(party, 0, 5)
        for _ in range(2):
            bfv_to_shares(party, keys, shares_to_bfv(party, keys, x))

    with pytest.raises(UsageError, match="agreed for 5 words"):
        run_parties(program, shared(np.arange(3)))
