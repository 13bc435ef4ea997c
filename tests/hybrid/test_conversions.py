"""Shares to ciphertexts and back, by BFV and Paillier: the identity, its cost, what is seen."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from securexgb.errors import UsageError
from securexgb.he import paillier_sums
from securexgb.he.bfv_words import BfvWords
from securexgb.he.ckks import CkksNumbers
from securexgb.he.noise import DEGREE
from securexgb.he.paillier import InsecureSecretKey
from securexgb.he.paillier_sums import Slots, block
from securexgb.he.paillier_words import PaillierWordHolder, PaillierWords
from securexgb.he.scheme import Parameters
from securexgb.hybrid.conversions import (
    Keys,
    add,
    agree_cost,
    agree_keys,
    encrypt_cost,
    to_ciphertexts,
    to_shares,
    to_shares_cost,
)
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Shared
from securexgb.testing.harness import Backend, run_parties
from tests.mpc.kit import assert_uniform, recorded, revealed, shared

SHORT = Slots(4, 512, 1 << 20)
PARAMETERS: dict[str, Parameters] = {
    "bfv": BfvWords(10**6),
    "paillier": PaillierWords(SHORT, InsecureSecretKey),
}


def there_and_back(
    party: Party, x: Shared, parameters: Parameters, holder: int = 0
) -> tuple[Keys, Shared, list[Cost]]:
    def measured() -> Cost:
        traffic = party.channel.traffic
        sent, received = traffic.bytes_sent // 8, traffic.bytes_received // 8
        words = (sent, received) if party.rank == 0 else (received, sent)
        return Cost(party.rounds, *words)

    costs = [measured()]
    keys = agree_keys(party, holder, parameters)
    costs.append(measured())
    encrypted = to_ciphertexts(party, keys, x)
    costs.append(measured())
    back = to_shares(party, keys, encrypted)
    costs.append(measured())
    return keys, back, [b - a for a, b in itertools.pairwise(costs)]


def values(*shape: int) -> np.ndarray:
    edges = [0, 1, -1, 2**63 - 1, -(2**63)]
    drawn = np.random.default_rng(2).integers(-(2**63), 2**63 - 1, shape)
    drawn.reshape(-1)[: len(edges)] = edges[: drawn.size]
    return drawn


@pytest.mark.parametrize("backend", ["shared", "plaintext"])
@pytest.mark.parametrize("holder", [0, 1])
@pytest.mark.parametrize("shape", [(7,), (2, 3, 4), (1,), (0,)])
@pytest.mark.parametrize("scheme", PARAMETERS)
def test_there_and_back_is_the_identity(
    scheme: str, shape: tuple[int, ...], holder: int, backend: Backend
) -> None:
    x, parameters = values(*shape), PARAMETERS[scheme]
    ends = run_parties(
        lambda party, own: there_and_back(party, own, parameters, holder), shared(x), backend
    )
    np.testing.assert_array_equal(revealed(*(end[1] for end in ends)), x)


@pytest.mark.parametrize("scheme", [BfvWords, PaillierWords.of])
def test_with_the_parameters_of_a_job(scheme: Callable[[int], Parameters]) -> None:
    x = values(30)
    ends = run_parties(lambda party, own: there_and_back(party, own, scheme(1 << 10), 1), shared(x))
    np.testing.assert_array_equal(revealed(*(end[1] for end in ends)), x)


@pytest.mark.parametrize("holder", [0, 1])
@pytest.mark.parametrize("count", [0, 1, 3, 50, 200, DEGREE, 20_000])
@pytest.mark.parametrize("scheme", PARAMETERS)
def test_measured_equals_declared(
    scheme: str, holder: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paillier_sums, "MESSAGE_BYTES", 4096)
    assert block(512) == 32
    if scheme == "paillier" and count > 200:
        count = 250
    parameters = PARAMETERS[scheme]
    ends = run_parties(
        lambda party, own: there_and_back(party, own, parameters, holder), shared(values(count))
    )
    declared = [
        agree_cost(holder, parameters),
        encrypt_cost(holder, parameters, count),
        to_shares_cost(holder, parameters, count),
    ]
    for end in ends:
        assert end[2] == declared


@pytest.mark.parametrize("scheme", PARAMETERS)
def test_sums_of_ciphertexts(scheme: str) -> None:
    x, y = values(11), values(11)[::-1].copy()

    def program(party: Party, own: tuple[Shared, Shared]) -> Shared:
        keys = agree_keys(party, 1, PARAMETERS[scheme])
        first, second = (to_ciphertexts(party, keys, z) for z in own)
        both = add(keys, first, second)
        assert both.summands == 4
        if scheme == "paillier":
            with pytest.raises(UsageError, match="would not hide sums of 6"):
                add(keys, both, first)
        return to_shares(party, keys, both)

    sides = list(zip(shared(x, 1), shared(y, 2), strict=True))
    np.testing.assert_array_equal(revealed(*run_parties(program, sides)), x + y)


def test_numbers_of_ckks_are_no_words() -> None:
    def program(party: Party, x: Shared) -> None:
        keys = agree_keys(party, 0, CkksNumbers())
        with pytest.raises(UsageError, match="sums of 1 words and would not hide sums of 2"):
            to_ciphertexts(party, keys, x)

    run_parties(program, shared(values(3)))


def observed(scheme: str, value: int, count: int) -> tuple[list[Any], Any]:
    """What both ends have in the end, and all that is sent, where every word is ``value``."""
    parameters = PARAMETERS[scheme]
    results, ends, _ = recorded(
        lambda party, own: there_and_back(party, own, parameters),
        list(shared(np.full(count, value))),
    )
    return results, ends


@pytest.mark.parametrize("scheme", PARAMETERS)
def test_tags_and_sizes_say_nothing(scheme: str) -> None:
    shapes = [[end.shape for end in observed(scheme, value, 9)[1]] for value in (0, -1)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize("scheme", PARAMETERS)
def test_both_sides_shares_are_uniform_words(scheme: str, value: int) -> None:
    results, _ = observed(scheme, value, 900)
    for _, back, _ in results:
        assert_uniform(back.words.tobytes())


@pytest.mark.parametrize("value", [0, -1])
def test_what_a_paillier_key_holder_sees_is_uniform(value: int) -> None:
    results, (holder, evaluator) = observed("paillier", value, 900)
    held = results[0][0].secret
    assert isinstance(held, PaillierWordHolder)
    public = held.secret.public
    plaintexts = held.secret.decrypt(public.read(evaluator.sent[0][1]))
    width = SHORT.width_bytes
    data = b"".join(p.to_bytes(SHORT.count * width, "little") for p in plaintexts)
    slots = np.frombuffer(data, np.uint8).reshape(-1, width)
    assert_uniform(slots[:, :-1].tobytes())
    # The highest byte has seven bits: 16 cells of its upper four, chi-square beyond 2e-6.
    cells, expected = np.bincount(slots[:, -1] >> 3, minlength=16), len(slots) / 16
    assert len(cells) == 16
    assert np.sum((cells - expected) ** 2) / expected < 55
    # No randomness of the ciphertexts that came is left as it was.
    sent = [c % public.modulus for c in public.read(holder.sent[1][1])]
    assert not {c % public.modulus for c in public.read(evaluator.sent[0][1])} & set(sent)


def test_two_agreements_of_one_job_share_no_key_and_no_mask() -> None:
    def program(party: Party, _: None) -> tuple[bytes, ...]:
        keys = [agree_keys(party, 0, BfvWords(100)) for _ in range(2)]
        return tuple(k.secret.announcement() for k in keys if k.secret is not None)

    first, second = run_parties(program, [None, None])[0]
    assert first != second


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (BfvWords(5), "agreed for 5 words"),
        (PaillierWords(Slots(4, 512, 5), InsecureSecretKey), "for 5 words a job"),
    ],
)
def test_more_words_than_agreed_are_refused(parameters: Parameters, sentence: str) -> None:
    def program(party: Party, x: Shared) -> None:
        keys = agree_keys(party, 0, parameters)
        for _ in range(2):
            to_shares(party, keys, to_ciphertexts(party, keys, x))

    with pytest.raises(UsageError, match=sentence):
        run_parties(program, shared(np.arange(3)))
