"""The leak meter counts what is opened, and floors refuse both sides alike."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.layout import Layout
from securexgb.boost.leak import (
    METRIC_VALUES,
    Floors,
    Leak,
    after_training,
    before_training,
    of_splits,
)
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.split import Candidates
from securexgb.errors import UsageError
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.testing.harness import insecure_parties, run_both

ROWS, SETS = 60, [("valid", 20)]


def sides(rows: int = ROWS) -> tuple[Rows, Rows]:
    columns = np.random.default_rng(4).normal(size=(rows, 5))
    labels = (columns[:, 0] + columns[:, 3] > 0).astype(np.float64)
    return (
        Rows(np.ascontiguousarray(columns[:, :2]), ("a", "b"), labels),
        Rows(np.ascontiguousarray(columns[:, 2:]), ("c", "d", "e")),
    )


def job(party: Party, data: Rows, params: TrainingParams, floors: Floors) -> TrainingJob:
    evals, params = (("valid", sides(20)[party.rank]),), params.decided(can_hide=True)
    return TrainingJob(params=params, data=data, evals=evals, floors=floors)


@pytest.mark.parametrize("missing", ["allowed", "refused"])
@pytest.mark.parametrize("share", [1.0, 0.4])
def test_candidates_are_those_of_the_split(missing: str, share: float) -> None:
    """By colsample_bytree 0.4 two of five columns are used, at most two of them theirs."""
    params = TrainingParams(max_bin=8, missing_values=missing, colsample_bytree=share)
    layout = Layout.of(params, ROWS, (2, 3), False)
    used = np.arange(5) if share == 1.0 else np.array([2, 4])
    outcomes = int((Candidates.of(layout, used).owner == 1).sum())
    leak = of_splits(params, layout, 10)
    assert (leak.labels, leak.openings, leak.outcomes) == (ROWS, 10, outcomes)
    assert leak.bits == 10 * math.log2(outcomes)


def test_before_a_training_every_split_counts_and_after_it_those_of_the_feature_party() -> None:
    params = TrainingParams(
        n_estimators=3, max_depth=3, max_bin=8, eval_metric=("logloss", "error"), splits="owner"
    )
    parties = insecure_parties(0, "plaintext")

    def program(party: Party, data: Rows) -> ModelHalf:
        return train(party, job(party, data, params, Floors(ROWS, 20)))

    halves = run_both(program, parties, sides())
    before = before_training(params, halves[0].layout, SETS)
    for party, half in zip(parties, halves, strict=True):
        after = after_training(half, SETS)
        opened = {(row["reveal"], row["to"]): row["values"] for row in party.ledger.rows()}
        assert after[0].openings == opened["SPLIT_INDEX", "feature"]
        assert after[1].openings == opened["METRIC", "both"] == 3 * 2
        assert before[0].openings == opened["SPLIT_OWNER", "both"] == 3 * 7
        assert after[0].bits < before[0].bits
        assert after[1] == before[1] == Leak("evaluation set 'valid'", 20, 6, METRIC_VALUES)


def test_a_side_without_columns_is_told_nothing() -> None:
    params = TrainingParams(splits="owner")
    layout = Layout.of(params, ROWS, (3, 0), False)
    leak = before_training(params, layout)[0]
    assert leak.bits == 0
    assert leak.warning is None


def test_the_warning_begins_above_a_quarter_of_the_labels() -> None:
    leak = Leak("training rows", 64, 4, 16)
    assert leak.bits == 16
    assert leak.warning is None
    assert leak.sentence == (
        "training rows: up to 16 bits about 64 labels are opened to the feature party"
    )
    more = replace(leak, labels=63)
    assert more.warning is not None
    assert more.to_mapping() | {"bits": 0} == {
        "about": "training rows", "labels": 63, "openings": 4, "outcomes": 16, "bits": 0,
        "sentence": more.sentence, "warning": more.warning,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("floors", "says"),
    [
        (Floors(ROWS + 1, 20), "60 training rows are fewer than min_training_rows = 61"),
        (Floors(ROWS, 21), "'valid' has 20 rows, fewer than min_evaluation_rows = 21"),
    ],
)
def test_floors_refuse_at_both_sides_before_anything_is_opened(floors: Floors, says: str) -> None:
    parties = insecure_parties(0)

    def program(party: Party, data: Rows) -> str:
        with pytest.raises(UsageError, match=says) as refused:
            train(party, job(party, data, TrainingParams(n_estimators=1), floors))
        return str(refused.value)

    first, second = run_both(program, parties, sides())
    assert first == second
    assert [party.ledger.rows() for party in parties] == [[], []]
    assert len({party.channel.traffic.messages_received for party in parties}) == 1


def test_floors_say_everything_that_lies_below_them() -> None:
    assert Floors(10, 10).sentences(10, [("a", 10)]) == []
    assert Floors(10, 10).sentences(None, [("a", 10)]) == []
    with pytest.raises(UsageError, match=r"9 training rows.*'a' has 9 rows.*'b' has 8 rows"):
        Floors(10, 10).check(9, [("a", 9), ("b", 8)])


def test_a_sample_counts_as_its_rows() -> None:
    """An auc of few rows after every tree tells as much of them as a set of so few would."""
    params = TrainingParams(eval_metric=("auc",), auc_rows=50, splits="owner")
    layout = Layout.of(params, ROWS, (2, 3), False)
    *_, sampled, small = before_training(params, layout, [("valid", 1000), ("tiny", 20)])
    assert (sampled.labels, small.labels) == (50, 20)
    assert not Floors().of(replace(params, auc_rows=200)).sentences(None, [("valid", 1000)])
    (said,) = Floors().of(params).sentences(None, [("valid", 1000)])
    assert "'valid' is measured (auc_rows) on 50 rows" in said
    whole = replace(params, eval_metric=("logloss",))
    assert before_training(whole, layout, [("valid", 1000)])[-1].labels == 1000
    assert not Floors().of(whole).sentences(None, [("valid", 1000)])
