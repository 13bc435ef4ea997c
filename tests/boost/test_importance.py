"""Importance: owned splits are counted by their owners, hidden ones weighed by their gains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.importance import amount_shares, importance_of, split_counts
from securexgb.boost.leak import after_training, before_training
from securexgb.boost.params import TrainingParams
from securexgb.errors import NotAvailable, UsageError
from securexgb.jobs.checkpoint import CheckpointStore
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.training import train
from securexgb.model.files import dump_half, parse_half
from securexgb.mpc.numbers.per_cents import WHOLE_BITS, per_cents
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.terms.job import JobTerms
from securexgb.testing import run_parties
from tests.boost.cases import random_case
from tests.boost.data import jobs, sides, table, train_both
from tests.mpc.kit import on_both, shared
from tests.reference.oracle import xgboost_on_bins

PARAMS = TrainingParams(n_estimators=3, max_depth=3, max_bin=8)
OPENED = replace(PARAMS, splits="hidden", importance="gain")


def test_both_sides_counts_add_up_to_all_splits() -> None:
    halves = train_both(PARAMS, sides(*table(80), 2))
    label, feature = (split_counts(half) for half in halves)
    assert (label.shape, feature.shape) == ((2,), (3,))
    assert label.sum() + feature.sum() == 3 * 7
    owners = np.concatenate([tree.owners for tree in halves[0].trees])
    assert feature.sum() == owners.sum()
    assert importance_of(halves[1]).values == dict(zip(("x2", "x3", "x4"), feature, strict=True))


@pytest.mark.parametrize(
    "settings",
    [{}, {"reg_alpha": 2.0}, {"gamma": 4.0}, {"reg_lambda": 0.0, "min_child_weight": 2.0}],
)
def test_gains_are_xgboosts(settings: dict[str, Any]) -> None:
    """Its total_gain, on the same bins; stopped nodes and what is below them count nothing."""
    features, labels = table(600, missing=0.1, seed=3)
    params = replace(OPENED, max_bin=16, gradient_bits=16, **settings)
    halves = train_both(params, sides(features, labels, 2))
    scores = xgboost_on_bins(features, labels, params).get_score(importance_type="total_gain")
    totals = np.array([scores.get(f"f{column}", 0.0) for column in range(5)])
    shares = amount_shares(*halves)
    np.testing.assert_allclose(shares, totals / totals.sum(), atol=2e-4)
    assert shares.sum() == pytest.approx(1.0)
    assert halves[0].importance == halves[1].importance
    np.testing.assert_allclose(np.array(halves[0].importance) / 100, shares, atol=0.005 + 1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_gains_are_the_same_in_shares(seed: int) -> None:
    case = random_case(seed, rows=90, holes=0.1, gamma=0.5, splits="hidden", importance="gain")
    found = []
    for backend in ("plaintext", "shared"):
        halves = run_parties(lambda party, _: case.program(party).half, [None, None], backend)
        found.append(halves[0].amounts + halves[1].amounts)
    np.testing.assert_array_equal(*found)
    assert found[0].size == case.layout.total_columns


def test_per_cents_are_rounded_to_the_nearest() -> None:
    most = 1 << WHOLE_BITS
    for values in ([1, 1, 1], [0, 0], [1, 199], [3, 197], [most - 1, 0], [most // 3] * 3, [7]):
        x = np.array(values, np.int64)
        total = sum(values)
        expected = [sum((2 * k - 1) * total < 200 * v for k in range(1, 101)) for v in values]
        np.testing.assert_array_equal(on_both(per_cents, shared(x)), expected)


def opened(party: Party, job: TrainingJob) -> tuple[ModelHalf, dict[Any, int]]:
    half = train(party, job)
    return half, dict(party.ledger.entries)


@pytest.mark.parametrize("importance", ["none", "gain"])
def test_the_ledger_has_metrics_and_importance_alone(importance: str) -> None:
    evals = {"valid": sides(*table(40, seed=1), 2)}
    params = replace(OPENED, importance=importance, n_estimators=9, early_stopping_rounds=2)
    results = run_parties(opened, jobs(params, sides(*table(100), 2), evals))
    half, ledger = results[0]
    assert ledger == results[1][1]
    expected = {(Reveal.METRIC, "both"): len(half.trees)}
    if importance == "gain":
        expected[Reveal.IMPORTANCE, "both"] = 5
        assert half.best_iteration is not None
        shares = amount_shares(half, results[1][0])
        np.testing.assert_allclose(np.array(half.importance) / 100, shares, atol=0.005 + 1e-9)
        assert list(importance_of(results[1][0]).values) == [
            "label party, no. 1", "label party, no. 2", "x2", "x3", "x4",
        ]  # fmt: skip
    else:
        assert half.importance is None
        assert "not available" in importance_of(half).sentence
        with pytest.raises(NotAvailable, match="hold neither gain nor cover"):
            amount_shares(half, results[1][0])
    assert ledger == expected


@pytest.mark.parametrize("lost", [(), (1,), (0, 1)])
def test_a_finished_training_that_is_resumed_opens_what_a_side_lacks(
    tmp_path: Path, lost: tuple[int, ...]
) -> None:
    """Nothing where both sides have the per cents, else the same ones again."""

    def run(resume: bool) -> list[tuple[ModelHalf, dict[Any, int]]]:
        given = [
            replace(job, store=CheckpointStore(tmp_path / str(rank)), resume=resume)
            for rank, job in enumerate(jobs(OPENED, sides(*table(100), 2)))
        ]
        return run_parties(opened, given, seed=2 if resume else 1, lasting=0)

    first = run(resume=False)
    for rank in lost:
        (tmp_path / str(rank) / "importance.npz").unlink()
    again = run(resume=True)
    assert again[0][0].importance == again[1][0].importance == first[0][0].importance
    assert again[0][1] == ({(Reveal.IMPORTANCE, "both"): 5} if lost else {})


def test_a_half_in_a_file_keeps_it() -> None:
    half = train_both(OPENED, sides(*table(80), 2))[0]
    again = parse_half(dump_half(half), "half")
    assert half.importance is not None
    assert again.importance == half.importance
    np.testing.assert_array_equal(again.trees[0].amounts, half.trees[0].amounts)  # type: ignore[union-attr]


def test_the_leak_meter_counts_it_and_the_floor_holds() -> None:
    half = train_both(OPENED, sides(*table(80), 2))[0]
    for leak in (before_training(half.params, half.layout)[0], after_training(half)[0]):
        assert (leak.labels, leak.openings, leak.outcomes) == (80, 5, 101)
    names = {"name": "j", "label_party": "bank", "feature_party": "shop"}
    for training, rows in (({}, 0), ({"importance": "gain"}, 1000), ({"splits": "owner"}, 1000)):
        terms = JobTerms.from_mapping(names | {"training": training}, "terms")
        assert terms.floors.training_rows == rows


def test_gains_of_owned_splits_are_refused() -> None:
    with pytest.raises(UsageError, match='importance = "gain" is for hidden splits'):
        TrainingParams(splits="owner", importance="gain")
    with pytest.raises(UsageError, match="each side counts its own splits"):
        TrainingParams(importance="gain").decided(can_hide=False)
