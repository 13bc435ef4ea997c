"""Importance: owned splits are counted by their owners, hidden ones weighed by their gains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from securexgb.arith.fixedpoint import SUM_BITS
from securexgb.boost.callbacks import EarlyStopping, TrainingCallback
from securexgb.boost.ensemble import History, ModelHalf
from securexgb.boost.importance import (
    amount_shares,
    ended_rounds,
    importance_of,
    importances,
    live_split_counts,
    opened_importance,
    split_counts,
)
from securexgb.boost.leak import after_training, before_training
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.leaves import amount_bits
from securexgb.errors import MalformedFrame, NotAvailable, ProtocolDesync, UsageError
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.resuming.checkpoint import CheckpointStore, Ending
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
from tests.profiles import moments
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


@pytest.mark.parametrize("settings", [{}, {"gamma": 4.0}, {"min_child_weight": 20.0}])
def test_of_both_halves_weight_is_xgboosts(settings: dict[str, Any]) -> None:
    """Splits of nodes that stopped, and below them, are not counted."""
    features, labels = table(600, missing=0.1, seed=3)
    params = replace(PARAMS, splits="owner", max_bin=16, gradient_bits=16, **settings)
    halves = train_both(params, sides(features, labels, 2))
    scores = xgboost_on_bins(features, labels, params).get_score("", "weight")
    counts = np.concatenate(live_split_counts(*halves))
    np.testing.assert_array_equal(counts, [scores.get(f"f{column}", 0) for column in range(5)])
    assert (counts.sum() < 3 * 7) == bool(settings)
    np.testing.assert_allclose(np.concatenate(importances(halves)), counts / counts.sum())


THEIRS = {"gain": "total_gain", "cover": "total_cover", "weight": "weight"}


@pytest.mark.parametrize(
    "settings",
    [{}, {"reg_alpha": 2.0}, {"gamma": 4.0}, {"reg_lambda": 0.0, "min_child_weight": 2.0}],
)
@pytest.mark.parametrize("importance", ["gain", "cover", "weight"])
def test_amounts_are_xgboosts(importance: str, settings: dict[str, Any]) -> None:
    """Its total_gain, total_cover and weight, on the same bins; stopped nodes and what is below
    them count nothing."""
    features, labels = table(600, missing=0.1, seed=3)
    params = replace(OPENED, max_bin=16, gradient_bits=16, importance=importance, **settings)
    halves = train_both(params, sides(features, labels, 2))
    scores = xgboost_on_bins(features, labels, params).get_score("", THEIRS[importance])
    totals = np.array([scores.get(f"f{column}", 0.0) for column in range(5)])
    shares = amount_shares(*halves)
    np.testing.assert_allclose(shares, totals / totals.sum(), atol=2e-4)
    assert shares.sum() == pytest.approx(1.0)
    assert halves[0].importance == halves[1].importance
    np.testing.assert_allclose(np.array(halves[0].importance) / 100, shares, atol=0.005 + 1e-9)


def test_covers_are_sums_of_hessians() -> None:
    """To a unit of sums: of a regression they are row counts, and per cents of these exact."""
    features, labels = table(90, seed=2)
    settings: dict[str, Any] = {"objective": "reg:squarederror", "target_exponent": 0}
    params = replace(OPENED, importance="cover", max_depth=2, **settings)
    halves = train_both(params, sides(features, labels, 2))
    words = sum(np.stack([tree.amounts for tree in half.trees]) for half in halves)  # type: ignore[union-attr,misc]
    covers = words / 2.0 ** halves[0].numbers.gradient_bits
    # The root's 90 rows, and those of its children that split.
    np.testing.assert_array_equal(covers, covers.round())
    assert ((covers.sum(axis=1) >= 90) & (covers.sum(axis=1) <= 180)).all()
    totals = covers.sum(axis=0)
    expected = np.ceil(100 * totals / totals.sum() - 0.5)
    np.testing.assert_array_equal(halves[0].importance, expected)
    np.testing.assert_array_equal(halves[1].importance, expected)


def test_the_bits_of_amounts() -> None:
    for depth in range(1, 11):
        most = depth * 2**SUM_BITS + 2**depth
        assert most < 2 ** amount_bits("cover", depth) <= 4 * most
        assert amount_bits("weight", depth) == (2**depth - 1).bit_length()


@pytest.mark.parametrize("importance", ["gain", "cover", "weight"])
@pytest.mark.parametrize("seed", range(moments(2, 4)))
def test_amounts_are_the_same_in_shares(seed: int, importance: str) -> None:
    case = random_case(seed, rows=90, holes=0.1, gamma=0.5, splits="hidden", importance=importance)
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


@pytest.mark.parametrize("importance", ["none", "gain", "cover"])
def test_the_ledger_has_metrics_and_importance_alone(importance: str) -> None:
    evals = {"valid": sides(*table(40, seed=1), 2)}
    params = replace(OPENED, importance=importance, n_estimators=9, early_stopping_rounds=2)
    results = run_parties(opened, jobs(params, sides(*table(100), 2), evals))
    half, ledger = results[0]
    assert ledger == results[1][1]
    expected = {(Reveal.METRIC, "both"): len(half.trees)}
    if importance != "none":
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
        with pytest.raises(NotAvailable, match="hold no importance"):
            amount_shares(half, results[1][0])
    assert ledger == expected


@dataclass(eq=False)
class StopAfter(TrainingCallback):
    """Says stop after so many trees."""

    trees: int

    def after_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        return epoch + 1 == self.trees


def refused(results: Sequence[tuple[ModelHalf, dict[Any, int]]], trees: int) -> None:
    """Both sides have so many trees and no importance, and say why; none of it was opened."""
    for half, ledger in results:
        assert (len(half.trees), half.importance) == (trees, None)
        assert Reveal.IMPORTANCE not in {reveal for reveal, _ in ledger}
        sentence = importance_of(half).sentence
        assert f"a callback of one side stopped the training after {trees} of 3" in sentence
        with pytest.raises(NotAvailable, match="a callback of one side stopped"):
            importances([half])
        assert after_training(half)[0].bits == 0


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("trees", [1, 2])
def test_a_training_that_one_side_stops_has_none(trees: int, rank: int) -> None:
    """Prefixes of one model would give the gains of its trees by differences."""
    given = list(jobs(OPENED, sides(*table(100), 2)))
    given[rank] = replace(given[rank], callbacks=(StopAfter(trees),))
    refused(run_parties(opened, given), trees)


@pytest.mark.parametrize("rank", [0, 1])
def test_early_stopping_of_one_side_is_not_that_of_the_terms(rank: int) -> None:
    """Neither where it stops, nor where it says after all rounds which one is the best."""
    evals = {"valid": sides(*table(40, seed=1), 2)}
    given = list(jobs(OPENED, sides(*table(100), 2), evals))
    given[rank] = replace(given[rank], callbacks=(EarlyStopping(1, min_delta=9.0),))
    refused(run_parties(opened, given), 2)
    given[rank] = replace(given[rank], callbacks=(EarlyStopping(9, min_delta=9.0),))
    results = run_parties(opened, given)
    assert [half.best_iteration for half, _ in results] == [(0, None)[rank], (None, 0)[rank]]
    complete = run_parties(opened, jobs(OPENED, sides(*table(100), 2), evals))
    assert results[0][0].importance == results[1][0].importance == complete[0][0].importance
    assert results[0][1][Reveal.IMPORTANCE, "both"] == 5


def test_one_side_may_stop_where_the_terms_end_the_training() -> None:
    features, labels = table(40, seed=1)
    evals = {"valid": sides(features, labels[::-1].copy(), 2)}
    params = replace(OPENED, n_estimators=9, early_stopping_rounds=2)
    given = jobs(params, sides(*table(100), 2), evals)
    expected = run_parties(opened, given)
    done = len(expected[0][0].trees)
    assert done < 9
    assert ended_rounds(expected[0][0]) == done - 2
    too = replace(given[1], callbacks=(StopAfter(done),))
    results = run_parties(opened, [given[0], too])
    assert results[0][1] == results[1][1] == expected[0][1]
    assert results[0][0].importance == results[1][0].importance == expected[1][0].importance
    last = replace(jobs(OPENED, sides(*table(100), 2))[0], callbacks=(StopAfter(3),))
    half = run_parties(opened, [last, jobs(OPENED, sides(*table(100), 2))[1]])[0][0]
    assert half.importance is not None


@pytest.mark.parametrize("said", [0, 2, 4])
@pytest.mark.parametrize("rank", [0, 1])
def test_another_number_of_rounds_ends_the_session(said: int, rank: int) -> None:
    """A side that announces a prefix, or says that there is none: nothing is opened."""
    halves = train_both(OPENED, sides(*table(60), 2))

    def program(party: Party, half: ModelHalf) -> list[object]:
        if party.rank == rank:
            party.exchange_bytes(said.to_bytes(4, "little") + b"\0")
        else:
            with pytest.raises(ProtocolDesync, match=f"of 3 rounds.*the other side says {said}"):
                opened_importance(party, half)
        return list(party.ledger.entries)

    fresh = [replace(half, importance=None) for half in halves]
    assert run_parties(program, fresh) == [[], []]


def test_a_malformed_announcement_is_refused() -> None:
    halves = train_both(OPENED, sides(*table(60), 2))

    def program(party: Party, half: ModelHalf) -> None:
        if party.rank:
            party.exchange_bytes(b"\3\0\0\0\2")
        else:
            with pytest.raises(MalformedFrame):
                opened_importance(party, half)

    run_parties(program, halves)


def test_a_round_that_is_written_removes_the_importance_of_fewer(tmp_path: Path) -> None:
    def run(resume: bool, *callbacks: TrainingCallback) -> list[tuple[ModelHalf, dict[Any, int]]]:
        given = [
            replace(
                job,
                store=CheckpointStore(tmp_path / str(rank)),
                resume=resume,
                callbacks=callbacks if rank else (),
            )
            for rank, job in enumerate(jobs(OPENED, sides(*table(100), 2)))
        ]
        return run_parties(opened, given, seed=2 if resume else 1, lasting=0)

    refused(run(False, StopAfter(1)), 1)
    files = [tmp_path / str(rank) / "ending.npz" for rank in (0, 1)]
    assert not any(path.exists() for path in files)
    for rank in (0, 1):
        store = CheckpointStore(tmp_path / str(rank))
        store.load((2, 3)[rank], 1)
        store.save_ending(Ending(importance=(100, 0, 0, 0, 0)))
    refused(run(True, StopAfter(2)), 2)
    assert not any(path.exists() for path in files)
    complete = run(True)
    assert complete[0][1] == {(Reveal.IMPORTANCE, "both"): 5}
    assert (
        complete[0][0].importance
        == complete[1][0].importance
        == train_both(OPENED, sides(*table(100), 2))[0].importance
    )
    assert all(path.exists() for path in files)


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
        (tmp_path / str(rank) / "ending.npz").unlink()
    again = run(resume=True)
    assert again[0][0].importance == again[1][0].importance == first[0][0].importance
    assert again[0][1] == ({(Reveal.IMPORTANCE, "both"): 5} if lost else {})


def test_a_half_in_a_file_keeps_it() -> None:
    half = train_both(OPENED, sides(*table(80), 2))[0]
    again = parse_half(dump_half(half), "half")
    assert half.importance is not None
    assert again.importance == half.importance
    np.testing.assert_array_equal(again.trees[0].amounts, half.trees[0].amounts)  # type: ignore[union-attr]


@pytest.mark.parametrize("importance", ["gain", "cover"])
def test_the_leak_meter_counts_it_and_the_floor_holds(importance: str) -> None:
    half = train_both(replace(OPENED, importance=importance), sides(*table(80), 2))[0]
    for leak in (before_training(half.params, half.layout)[0], after_training(half)[0]):
        assert (leak.labels, leak.openings, leak.outcomes) == (80, 5, 101)
    names = {"name": "j", "label_party": "bank", "feature_party": "shop"}
    asks = {"importance": importance}
    for training, rows in (({}, 0), (asks, 1000), ({"splits": "owner"}, 1000)):
        terms = JobTerms.from_mapping(names | {"training": training}, "terms")
        assert terms.floors.training_rows == rows


@pytest.mark.parametrize("importance", ["gain", "cover"])
def test_amounts_of_owned_splits_are_refused(importance: str) -> None:
    with pytest.raises(UsageError, match=f'importance = "{importance}" is for hidden splits'):
        TrainingParams(splits="owner", importance=importance)
    with pytest.raises(UsageError, match="each side counts its own splits"):
        TrainingParams(importance=importance).decided(can_hide=False)
