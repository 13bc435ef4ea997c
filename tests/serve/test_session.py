"""A session by itself: how many messages a batch takes one after the other, and what they cost."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams
from securexgb.channel.memory import memory_pair
from securexgb.errors import MalformedFrame, PeerGone, ProtocolDesync, StoppedByPeer
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.serve.scoring.messages import Asked, hear_call
from securexgb.serve.scoring.session import Batch, FeatureEnd, LabelEnd, Looked
from securexgb.testing.harness import join_parties, run_both
from tests.boost.data import sides, table, train_both
from tests.recorded import RecordedChannel

PARAMS = TrainingParams(n_estimators=3, max_depth=3, max_bin=8)
DATA = sides(*table(80, missing=0.1), 2)
HALVES = train_both(PARAMS, DATA)
KEYS = ("a", "b", "c")
ROWS = [4, 9, 30]


def _session(label: Any, look_up: Any) -> tuple[list[Any], list[RecordedChannel], list[Party]]:
    """What ``label(end)`` gives, with the other end answering."""
    ends = [RecordedChannel(channel) for channel in memory_pair(20.0)]
    parties = join_parties((ends[0], ends[1]), 3, "shared", 20.0)

    def program(party: Party, half: ModelHalf) -> Any:
        if party.rank == 0:
            result = label(LabelEnd(party, 4, 8))
            party.channel.close()
            return result
        try:
            FeatureEnd(party, 4, 16).serve(lambda: {half.model_id: half}, look_up, lambda: False)
        except PeerGone:
            return None

    return run_both(program, parties, HALVES), ends, list(parties)


def _found(_asked: Asked, _half: ModelHalf) -> Looked:
    return Looked(DATA[1].values[ROWS], ("scored", "unknown", "scored"), {})


def test_four_messages_one_after_the_other_at_the_cost_that_is_declared() -> None:
    batch = Batch(HALVES[0].model_id, KEYS, DATA[0].values[ROWS])

    def label(end: LabelEnd) -> Any:
        end.open(HALVES[0])
        before, rounds = len(end.party.channel.transcript), end.party.rounds  # type: ignore[attr-defined]
        found = end.score(batch)
        cost = end._open[batch.model].cost(4)  # padded
        return before, rounds, found, cost, dict(end.party.ledger.entries)

    (given, _), ends, _ = _session(label, _found)
    before, _, found, cost, opened = given
    online = ends[0].transcript[before:]
    assert [way for way, _ in groupby(entry.direction for entry in online)] == [
        "sent",
        "received",
    ] * 2
    assert found.marks == ("scored", "unknown", "scored")
    assert found.predictions.shape == (2,)
    assert opened == {
        (Reveal.PREDICTION, "label"): 2,
        (Reveal.REQUESTED_KEYS, "feature"): 3,
    }
    words = sum(entry.size for entry in online if entry.direction == "sent")
    assert words <= 8 * cost.label_words + 200  # the call in the clear


def test_messages_do_not_depend_on_values() -> None:
    def shape(rows: list[int], back: list[int]) -> Any:
        batch = Batch(HALVES[0].model_id, KEYS, DATA[0].values[rows])

        def label(end: LabelEnd) -> None:
            end.open(HALVES[0])
            end.score(batch)

        values = DATA[1].values[back]
        marks = ("scored", "scored", "unknown")
        _, ends, _ = _session(label, lambda *_: Looked(values, marks, {}))
        return ends[0].shape

    assert shape([1, 2, 3], [5, 6, 7]) == shape([40, 2, 77], [11, 70, 7])


def test_rows_that_cannot_be_looked_up_open_nothing() -> None:
    batch = Batch(HALVES[0].model_id, KEYS, DATA[0].values[ROWS])

    def label(end: LabelEnd) -> Any:
        end.open(HALVES[0])
        return end.score(batch), dict(end.party.ledger.entries), end.stock.rows

    ((found, opened, stocked), _), _, _ = _session(label, lambda *_: None)
    assert found.failure
    assert found.predictions.size == 0
    assert opened == {(Reveal.REQUESTED_KEYS, "feature"): 3}
    assert stocked == 8


def test_a_model_that_was_not_opened_is_refused() -> None:
    def label(end: LabelEnd) -> Any:
        end._open_model(HALVES[0])
        return end.score(Batch(HALVES[0].model_id, KEYS, DATA[0].values[ROWS]))

    with pytest.raises((ProtocolDesync, StoppedByPeer), match=r"not opened|Desync"):
        _session(label, _found)


def test_halves_of_different_trainings_are_not_opened() -> None:
    def label(end: LabelEnd) -> Any:
        other = ModelHalf(**{**vars(HALVES[0]), "model_id": "f" * 32})
        end.open(other)

    with pytest.raises(Exception, match=r"has no such model|TermsDiffer"):
        _session(label, _found)


def test_a_key_is_not_in_what_an_end_says_of_malformed_calls() -> None:
    def program(party: Party, _: Any) -> Any:
        if party.rank == 0:
            party.pass_bytes(0, b'{"number": 0, "asked": {"keys": ["secret name"]}}')
            return None
        with pytest.raises(MalformedFrame) as caught:
            hear_call(party)
        return str(caught.value), caught.value.__cause__

    ends = memory_pair(20.0)
    parties = join_parties(ends, 3, "shared", 20.0)
    _, (text, cause) = run_both(program, parties, (None, None))
    assert "secret" not in text
    assert cause is None
