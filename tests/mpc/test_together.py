"""Steps side by side: the same results, the rounds of the longest, one failure ends all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from securexgb.channel.memory import memory_pair
from securexgb.errors import DataError, ProtocolDesync, SecureXGBError, UsageError
from securexgb.jobs.local import close_parties
from securexgb.mpc.compare import is_negative
from securexgb.mpc.convert import to_bits
from securexgb.mpc.multiply import multiply
from securexgb.mpc.open import open_shared, open_to
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import REGISTRY, Cost
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.shared import Shared
from securexgb.mpc.together import together
from securexgb.offline.method import Method
from securexgb.testing.harness import Backend, join_parties, run_both, run_parties
from tests.mpc.kit import Recording, shared

VALUES = np.arange(-50, 50)
INPUTS = shared(VALUES, 1)


def _squared(party: Party, x: Shared) -> Shared:
    return multiply(party, x, x)


def _steps(party: Party, x: Shared) -> tuple[Shared, Any, Any, Any]:
    """Steps of several lengths, one with steps of its own; their results."""

    def inner(within: Party) -> tuple[Any, Any]:
        return together(
            within,
            lambda part: is_negative(part, x),
            lambda part: _squared(part, _squared(part, x)),
        )

    square, bits, (signs, fourth) = together(
        party, lambda part: _squared(part, x), lambda part: to_bits(part, x, 20), inner
    )
    return square, fourth, bits, signs


@pytest.mark.parametrize("backend", ["shared", "plaintext"])
def test_results_are_those_of_the_steps(backend: Backend) -> None:
    first, second = run_parties(_steps, INPUTS, backend)
    square, fourth = (
        (a.words + b.words).view(np.int64) for a, b in zip(first[:2], second[:2], strict=True)
    )
    np.testing.assert_array_equal(square, VALUES**2)
    np.testing.assert_array_equal(fourth, VALUES**4)
    np.testing.assert_array_equal((first[2] ^ second[2]).flags()[-1], VALUES < 0)
    np.testing.assert_array_equal((first[3] ^ second[3]).flags(), VALUES < 0)


def _run(
    program: Callable[[Party, Shared], Any], method: Method | None = None, seed: int = 0
) -> tuple[list[Any], tuple[Recording, Recording], tuple[Party, Party]]:
    first, second = memory_pair(10.0)
    channels = Recording(first), Recording(second)
    parties = join_parties(channels, seed, "shared", 10.0, method)
    results = run_both(program, parties, INPUTS)
    close_parties(parties)
    return results, channels, parties


@pytest.mark.parametrize("method", [None, Method()])
def test_rounds_are_those_of_the_longest_and_words_of_all(method: Method | None) -> None:
    _, channels, parties = _run(_steps, method)
    costs = REGISTRY["mpc.multiply.multiply"].cost, REGISTRY["mpc.compare.is_negative"].cost
    bits, prices = REGISTRY["mpc.convert.to_bits"].cost, parties[0].source.prices
    x = INPUTS[0]
    product = costs[0](prices, x, x)
    inner = costs[1](prices, x).at_once(product.times(2))
    declared: Cost = product.at_once(bits(prices, x, 20)).at_once(inner)
    for channel, party in zip(channels, parties, strict=True):
        assert party.rounds == declared.rounds == len(channel.sent)
        assert sum(len(payload) for _, payload in channel.sent) == 8 * declared.label_words


def test_two_runs_send_the_same_to_the_last_byte() -> None:
    """The order in which steps take from what they share does not depend on time."""
    contents = [[channel.sent for channel in _run(_steps)[1]] for _ in range(3)]
    assert contents[0] == contents[1] == contents[2]


def test_messages_of_one_direction_only() -> None:
    """Nothing is sent where no step sends; each gets its own."""

    def program(party: Party, x: Shared) -> list[Any]:
        opened = together(
            party,
            lambda part: open_to(part, 0, x[:3], Reveal.SPLIT_INDEX),
            lambda part: open_to(part, 0, x[5:], Reveal.SPLIT_INDEX),
        )
        both = together(
            party,
            lambda part: open_to(part, 0, x[:3], Reveal.SPLIT_INDEX),
            lambda part: open_shared(part, x[7:], Reveal.SPLIT_OWNER),
            lambda part: open_to(part, 1, x[1:], Reveal.SPLIT_INDEX),
        )
        return [*opened, *both]

    (label, feature), channels, parties = _run(program)
    expected = VALUES.view(np.uint64)
    parts = [expected[:3], expected[5:], expected[:3], expected[7:], None]
    others = [None, None, None, expected[7:], expected[1:]]
    for found, wanted in ((label, parts), (feature, others)):
        for one, two in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, two)
    assert [len(c.transcript) for c in channels] == [3, 3]
    assert [party.rounds for party in parties] == [2, 2]
    rows = [party.ledger.rows() for party in parties]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("failing", range(3))
@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_step_that_fails_ends_all(failing: int, after: int) -> None:
    """At one side: its own error there, the news at the other; no thread stays behind."""
    before = threading.active_count()

    def step(place: int, x: Shared) -> Callable[[Party], Shared]:
        def run(party: Party) -> Shared:
            for number in range(8):
                if (place, number, party.rank) == (failing, after, 1):
                    raise DataError("of this step")
                x_now = multiply(party, x, x)
            return x_now

        return run

    def program(party: Party, x: Shared) -> Any:
        return together(party, *(step(place, x) for place in range(3)))

    with pytest.raises(DataError, match="of this step"):
        _run(program)
    assert threading.active_count() == before


def test_an_interrupt_in_a_step_ends_all() -> None:
    before = threading.active_count()

    def interrupted(_: Party) -> None:
        raise KeyboardInterrupt

    def program(party: Party, x: Shared) -> Any:
        return together(party, lambda part: _squared(part, x), interrupted)

    with pytest.raises(KeyboardInterrupt):
        _run(program)
    assert threading.active_count() == before


def test_a_link_that_breaks_ends_all() -> None:
    before = threading.active_count()

    def program(party: Party, x: Shared) -> Any:
        if party.rank == 1:
            party.channel.close()
        return together(party, lambda part: _squared(part, x), lambda part: to_bits(part, x, 9))

    with pytest.raises(SecureXGBError):
        _run(program)
    assert threading.active_count() == before


def test_steps_in_another_order_at_the_other_side_are_seen() -> None:
    def program(party: Party, x: Shared) -> Any:
        steps = [lambda part: _squared(part, x), lambda part: open_shared(part, x, Reveal.METRIC)]
        return together(party, *steps[:: 1 - 2 * party.rank])

    with pytest.raises(ProtocolDesync):
        _run(program)


def test_bytes_of_any_length_have_a_round_of_their_own() -> None:
    def program(party: Party, x: Shared) -> Any:
        return together(
            party, lambda part: _squared(part, x), lambda part: part.exchange_bytes(b"1")
        )

    with pytest.raises(UsageError, match="beside other steps"):
        _run(program)
