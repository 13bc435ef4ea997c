"""Opening: to whom, and the ledger; the party's steps and its defence against desync."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from securexgb.errors import ProtocolDesync, SecureXGBError
from securexgb.mpc.open import open_by_owner, open_shared, open_to
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Ledger, Reveal
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.testing.harness import Backend, insecure_parties, run_both, run_parties
from tests.mpc.kit import recorded, shared


def test_to_both(backend: Backend) -> None:
    def program(party: Party, x: Shared) -> Any:
        return open_shared(party, x, Reveal.METRIC).view(np.int64), party.ledger.rows()

    for values, rows in run_parties(program, shared([[1, -2, 3]]), backend=backend):
        np.testing.assert_array_equal(values, [[1, -2, 3]])
        assert rows == [
            {"reveal": "METRIC", "meaning": Reveal.METRIC.value, "to": "both", "values": 3}
        ]


@pytest.mark.parametrize("rank", [0, 1])
def test_to_one(rank: int, backend: Backend) -> None:
    def program(party: Party, x: Shared) -> Any:
        return open_to(party, rank, x, Reveal.PREDICTION), party.ledger.rows()

    results = run_parties(program, shared([[4], [-5]]), backend=backend)
    np.testing.assert_array_equal(results[rank][0].view(np.int64), [[4], [-5]])
    assert results[1 - rank][0] is None
    role = ("label", "feature")[rank]
    assert results[0][1] == results[1][1]
    assert [(row["to"], row["values"]) for row in results[0][1]] == [(role, 2)]


@pytest.mark.parametrize("rank", [0, 1])
def test_the_other_side_hears_nothing(rank: int) -> None:
    _, channels, _ = recorded(
        lambda party, x: open_to(party, rank, x, Reveal.SPLIT_INDEX), shared([9, 9])
    )
    assert channels[rank].sent == []
    assert len(channels[1 - rank].sent) == 1


def test_the_ledger_adds_up() -> None:
    ledger = Ledger()
    for values in (2, 3):
        ledger.record(Reveal.SPLIT_OWNER, "both", values)
    ledger.record(Reveal.SPLIT_INDEX, "label", 1)
    assert [(row["reveal"], row["values"]) for row in ledger.rows()] == [
        ("SPLIT_INDEX", 1),
        ("SPLIT_OWNER", 5),
    ]


def test_tags_tell_the_place() -> None:
    def program(party: Party, x: Shared) -> None:
        with party.step("tree", 3), party.step("level", 1):
            open_shared(party, x, Reveal.METRIC)
        assert party.place == ""

    _, channels, _ = recorded(program, shared([1]))
    assert [tag for tag, _ in channels[0].sent] == ["tree 3/level 1/_open#1"]


def test_two_programs_at_different_places_stop_at_the_first_message() -> None:
    def program(party: Party, x: Shared) -> None:
        with party.step(f"way {party.rank}"):
            open_shared(party, x, Reveal.METRIC)

    with pytest.raises(ProtocolDesync, match="way"):
        run_parties(program, shared([1]))


def test_another_size_is_refused() -> None:
    parties = insecure_parties(0)
    sizes = [np.zeros(2, np.uint64), np.zeros(3, np.uint64)]
    with pytest.raises(ProtocolDesync, match=r"instead of|are due"):
        run_both(lambda party, words: party.exchange(words), parties, sizes)


@pytest.mark.parametrize("lacking", ["both", "label", "feature"])
def test_of_owners_and_numbers_nothing_is_sent_that_was_not_announced(lacking: str) -> None:
    def program(party: Party, _: object) -> int:
        party.ledger.keeper = lambda: None
        most = {
            (Reveal.SPLIT_OWNER, "both"): 4,
            (Reveal.SPLIT_INDEX, "label"): 4,
            (Reveal.SPLIT_INDEX, "feature"): 4,
        }
        less = {key: count - (key[1] == lacking) for key, count in most.items()}
        owners, number = SharedBits.zeros(1, count=4), SharedBits.zeros(3, count=4)
        with (
            party.ledger.announced(less),  # type: ignore[arg-type]
            pytest.raises(SecureXGBError, match="nothing of them was sent"),
        ):
            open_by_owner(party, owners, (number, number), Reveal.SPLIT_OWNER, Reveal.SPLIT_INDEX)
        return party.channel.traffic.bytes_sent

    assert run_parties(program, [None, None]) == [0, 0]
