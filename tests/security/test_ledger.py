"""The ledger after a training holds the declared reveals with exact counts, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.training import train
from securexgb.mpc.party import Message, Party
from securexgb.mpc.reveals import Audience, Reveal
from securexgb.mpc.shared import Words
from securexgb.testing import run_parties
from tests.boost.data import jobs, sides, table
from tests.mpc.kit import recorded

TREES, DEPTH = 3, 2
SPLITS = TREES * (2**DEPTH - 1)

Entries = dict[tuple[Reveal, Audience], int]


def opened(party: Party, job: TrainingJob) -> tuple[Entries, Any, list[Any]]:
    model = train(party, job)
    owners = [tree.owners for tree in model.trees]
    return party.ledger.entries, model, owners


@pytest.mark.parametrize("metrics", [(), ("logloss", "error", "auc")])
def test_a_training(metrics: tuple[str, ...]) -> None:
    data = sides(*table(60, missing=0.1), label_columns=2)
    params = TrainingParams(n_estimators=TREES, max_depth=DEPTH, max_bin=6, eval_metric=metrics)
    evals = {"valid": sides(*table(20, seed=1), label_columns=2)} if metrics else None
    (label, _, owners), (feature, _, _) = run_parties(opened, jobs(params, data, evals))
    theirs = int(np.sum(owners))
    expected: Entries = {
        (Reveal.SPLIT_OWNER, "both"): SPLITS,
        (Reveal.SPLIT_INDEX, "label"): SPLITS - theirs,
        (Reveal.SPLIT_INDEX, "feature"): theirs,
    }
    if metrics:
        expected[Reveal.METRIC, "both"] = len(metrics) * TREES
    assert label == feature == expected


@pytest.mark.parametrize("recipient", ["label", "feature", "both"])
def test_a_prediction(recipient: Any) -> None:
    features, labels = table(30)
    data = sides(features, labels, label_columns=2)
    params = TrainingParams(n_estimators=1, max_depth=1, max_bin=4)

    def program(party: Party, job: TrainingJob) -> Any:
        model = train(party, job)
        party.ledger.entries.clear()
        scores = predict(party, model, job.data.values[:7], Request(recipient, 4))
        return party.ledger.entries, scores

    results = run_parties(program, jobs(params, data))
    assert results[0][0] == results[1][0] == {(Reveal.PREDICTION, recipient): 7}
    heard = [entries[1] is not None for entries in results]
    assert heard == [recipient in ("label", "both"), recipient in ("feature", "both")]


def test_every_opened_word_is_in_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the words of all openings, and compare with what the ledger says.

    Splits are opened as bits: a word for a level's owners, to either side one for each bit of its
    numbers, which are zeros where the other side owns the split: the ledger counts the others. An
    opening may share its message with other steps, so words are counted step by step.
    """
    data = sides(*table(40), label_columns=2)
    params = TrainingParams(n_estimators=2, max_depth=2, max_bin=4)
    sent, in_round = [0, 0], Party.in_round

    def counted(party: Party, messages: Sequence[Message]) -> list[Words]:
        if party._round is None:  # no branch, whose messages come by here again
            own = [m.payload.nbytes for m in messages if m.payload and "/_open" in m.place]
            sent[party.rank] += sum(own) // 8
        return in_round(party, messages)

    monkeypatch.setattr(Party, "in_round", counted)
    halves, _, parties = recorded(train, jobs(params, data))
    index_bits = (2 * 3 * 4 - 1).bit_length()
    levels = 2 * 2
    assert sent == [levels * (1 + index_bits)] * 2
    owners = np.concatenate([tree.owners for tree in halves[0].trees])
    entries = parties[0].ledger.entries
    assert entries[Reveal.SPLIT_OWNER, "both"] == owners.size
    assert entries[Reveal.SPLIT_INDEX, "feature"] == owners.sum()
    assert entries[Reveal.SPLIT_INDEX, "label"] == owners.size - owners.sum()
