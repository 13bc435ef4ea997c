"""Training: odd shapes, samples, early stopping, callbacks, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.leak import after_training
from securexgb.boost.metrics.schedule import (
    evaluated_round,
    evaluations,
    is_evaluated,
    place_of,
)
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, SecureXGBError, TermsDiffer, UsageError
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.reveals import Reveal
from securexgb.testing import run_parties
from tests.boost.data import jobs, opened_leaves, same_model, sides, table, train_both

SMALL = TrainingParams(n_estimators=2, max_depth=2, max_bin=8)


def test_backends_give_the_same_model_and_the_same_metrics() -> None:
    data = sides(*table(150, missing=0.1), 2)
    test = sides(*table(70, missing=0.1, seed=4), 2)
    params = replace(
        SMALL, subsample=0.7, colsample_bytree=0.6, eval_metric=("auc", "error", "logloss")
    )
    one, two = (
        train_both(params, data, backend, {"train": data, "test": test})
        for backend in ("plaintext", "shared")
    )
    assert same_model(one, two)
    assert one[0].history == two[0].history == two[1].history


def test_seeds_of_the_shares_do_not_matter() -> None:
    data = sides(*table(100), 2)
    params = replace(SMALL, base_score=0.5)
    assert same_model(
        train_both(params, data, "shared", seed=1), train_both(params, data, "shared", seed=2)
    )


@pytest.mark.parametrize("label_columns", [0, 5])
def test_a_side_without_columns(backend, label_columns: int) -> None:
    features, labels = table(60)
    halves = train_both(SMALL, sides(features, labels, label_columns), backend)
    owner = 1 if label_columns == 0 else 0
    assert np.all(halves[0].trees[0].owners == owner)
    assert len(set(opened_leaves(halves)[0])) > 1


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_very_few_rows(backend, rows: int) -> None:
    features, _ = table(rows)
    labels = np.arange(rows) % 2.0
    halves = train_both(SMALL, sides(features, labels, 2), backend)
    assert len(halves[0].trees) == 2


def test_constant_and_empty_columns_are_never_split_on(backend) -> None:
    features, labels = table(80)
    features[:, 0], features[:, 4] = 3.0, np.nan
    halves = train_both(SMALL, sides(features, labels, 2), backend)
    root = halves[0].trees[0].owners[0]
    half = halves[root]
    assert half.columns[half.trees[0].features[0]] not in {"x0", "x4"}


def test_only_useless_columns_give_equal_leaves(backend) -> None:
    features, labels = np.full((40, 2), 7.0), np.arange(40) % 2.0
    labels[:10] = 0.0
    p = 1 / (1 + np.exp(-1 / 4096))  # the middle of a step of the sigmoid's table
    halves = train_both(replace(SMALL, base_score=p), sides(features, labels, 1), backend)
    leaves = opened_leaves(halves)[0]
    assert len(set(leaves)) == 1
    expected = 0.3 * (15 - 40 * p) / (40 * p * (1 - p) + 1)
    assert leaves[0] == pytest.approx(2**20 * expected, rel=1e-3)


def test_one_class(backend) -> None:
    features, _ = table(30)
    halves = train_both(SMALL, sides(features, np.ones(30), 2), backend)
    assert all(leaf >= 0 for leaf in opened_leaves(halves)[0])


def test_refused_missing_values_make_the_same_trees_as_allowed_ones() -> None:
    data = sides(*table(120), 2)
    allowed, refused = (
        train_both(replace(SMALL, missing_values=word), data) for word in ("allowed", "refused")
    )
    assert opened_leaves(allowed) == opened_leaves(refused)


def test_a_sampled_tree_uses_the_sampled_columns_only() -> None:
    data = sides(*table(100), 2)
    params = replace(SMALL, n_estimators=6, colsample_bytree=0.2)
    halves = train_both(params, data)
    for label, feature in zip(halves[0].trees, halves[1].trees, strict=True):
        used = {("label", int(f)) for f in label.features if f >= 0}
        used |= {("feature", int(f)) for f in feature.features if f >= 0}
        assert len(used) == 1


def test_random_state_changes_the_sample() -> None:
    data = sides(*table(100), 2)
    one, two = (
        opened_leaves(train_both(replace(SMALL, subsample=0.5, random_state=seed), data))
        for seed in (1, 2)
    )
    assert one != two


def test_early_stopping_at_both_sides(backend) -> None:
    data = sides(*table(60), 2)
    flipped = sides(table(60)[0], 1 - table(60)[1], 2)
    params = replace(SMALL, n_estimators=20, early_stopping_rounds=3)
    halves = train_both(params, data, backend, {"flipped": flipped})
    for half in halves:
        assert half.best_iteration == 0
        assert len(half.trees) == 4
        assert len(half.best_trees) == 1
        assert len(half.history["flipped"]["logloss"]) == 4


class Recorder(TrainingCallback):
    """Writes down the hooks in the order of their calls; stops after tree ``stop``."""

    def __init__(self, stop: int | None = None) -> None:
        self.calls: list[str] = []
        self.stop = stop

    def before_training(self, model):
        self.calls.append("before training")
        return model

    def before_iteration(self, model, epoch, evals_log):
        self.calls.append(f"before {epoch}")
        return False

    def after_iteration(self, model, epoch, evals_log):
        self.calls.append(f"after {epoch} {len(model.trees)} {len(evals_log['e']['error'])}")
        return epoch == self.stop

    def after_training(self, model):
        self.calls.append("after training")
        return model


def test_metrics_of_every_other_tree_and_the_last(backend) -> None:
    data = sides(*table(80), 2)
    every = replace(SMALL, n_estimators=5, eval_metric=("error",))
    one, two = (
        train_both(params, data, backend, {"a": data})
        for params in (every, replace(every, eval_every=2))
    )
    assert same_model(one, two)
    for half in two:
        for metric, values in half.history["a"].items():
            assert values == [one[0].history["a"][metric][tree] for tree in (1, 3, 4)]
    assert [leak.openings for leak in after_training(two[0], [("a", 80)])][1] == 3


@pytest.mark.parametrize("early", [None, 2])
def test_the_auc_of_all_rows_is_opened_at_the_end(backend, early: int | None) -> None:
    """Of the rounds that predict: with early stopping these are fewer than were grown."""
    data, flipped = sides(*table(80), 2), sides(table(60)[0], 1 - table(60)[1], 2)
    whole = replace(SMALL, n_estimators=4, eval_metric=("auc",), base_score=0.5)
    params = replace(whole, auc_rows=40, early_stopping_rounds=early)
    sets = {"few": tuple(rows.take(np.arange(30)) for rows in data), "all": flipped}

    def program(party, job):
        return train(party, job), party.ledger.entries

    (one, ledger), (two, _) = run_parties(program, jobs(params, data, sets), backend=backend)
    grown = one.best_iteration if early else len(one.rounds) - 1
    expected = train_both(whole, data, evals={"all": flipped})[0].history["all"]["auc"][grown]
    assert one.whole_auc == two.whole_auc == {"all": expected}
    assert one.history["all"]["auc"][grown] != expected
    assert len(one.best_rounds) == grown + 1
    assert ledger[Reveal.METRIC, "both"] == 2 * len(one.rounds) + 1
    few, many = after_training(one, [("few", 30), ("all", 60)])[1:]
    assert many.openings == few.openings + 1


@pytest.mark.parametrize(("every", "trees"), [(3, 20), (7, 20), (7, 3)])
def test_evaluations_are_counted_as_they_come(every: int, trees: int) -> None:
    params = TrainingParams(n_estimators=trees, eval_every=every)
    due = [number for number in range(trees) if is_evaluated(params, number)]
    assert due[-1] == trees - 1
    assert due == [evaluated_round(params, place) for place in range(len(due))]
    assert [place_of(params, number) for number in due] == list(range(len(due)))
    for done in range(trees + 1):
        assert evaluations(params, done) == sum(number < done for number in due)


def test_callbacks_run_in_xgboosts_order_and_one_side_stops_both() -> None:
    data = sides(*table(40), 2)
    params = replace(SMALL, n_estimators=9, eval_metric=("error",))
    label, feature = jobs(params, data, {"e": data})
    recorder, silent = Recorder(stop=1), Recorder()
    given = [replace(label, callbacks=(silent,)), replace(feature, callbacks=(recorder,))]
    halves = run_parties(train, given)
    assert [len(half.trees) for half in halves] == [2, 2]
    assert recorder.calls == [
        "before training", "before 0", "after 0 1 1", "before 1", "after 1 2 2", "before 2",
        "after training",
    ]  # fmt: skip
    assert silent.calls == recorder.calls


def test_only_named_things_are_revealed() -> None:
    data = sides(*table(60), 2)

    def program(party, job):
        train(party, job)
        return party.ledger.rows()

    rows = run_parties(program, jobs(SMALL, data, {"e": data}))[0]
    assert {row["reveal"] for row in rows} == {"METRIC", "SPLIT_INDEX", "SPLIT_OWNER"}
    counts = {(row["reveal"], row["to"]): row["values"] for row in rows}
    assert counts["METRIC", "both"] == 2
    assert counts["SPLIT_OWNER", "both"] == 6
    assert sum(v for (reveal, _), v in counts.items() if reveal == "SPLIT_INDEX") == 6


GOOD = sides(*table(20), 2)


@pytest.mark.parametrize(
    ("label", "feature", "error", "words"),
    [
        ({"labels": None}, {}, DataError, "one label"),
        ({"labels": np.arange(20.0)}, {}, DataError, "must hold 0 and 1"),
        ({"weights": np.full(20, 2.0)}, {}, DataError, "`weight_exponent = 1`"),
        ({"weights": np.full(3, 1.0)}, {}, DataError, "one weight"),
        ({}, {"labels": np.ones(20)}, UsageError, "feature party comes with labels"),
        ({}, {"values": np.full((20, 3), np.inf)}, DataError, "infinite"),
        ({}, {"values": np.zeros((19, 3))}, DataError, "label party has 20 rows"),
        ({}, {"column_names": ("a",)}, DataError, "one name"),
    ],
)
def test_data_that_does_not_fit_is_refused(label, feature, error, words) -> None:
    data = (replace(GOOD[0], **label), replace(GOOD[1], **feature))
    with pytest.raises(error, match=words):
        train_both(SMALL, data, "shared")


def test_no_columns_at_all_are_refused() -> None:
    data = (Rows(np.zeros((5, 0)), (), np.zeros(5)), Rows(np.zeros((5, 0)), ()))
    with pytest.raises(DataError, match="neither side has a column"):
        train_both(SMALL, data)


def test_terms_that_differ_are_refused_at_both_sides() -> None:
    seen: list[type[BaseException]] = []

    def program(party, job: TrainingJob) -> None:
        try:
            train(party, job)
        except SecureXGBError as error:
            seen.append(type(error))

    label, feature = jobs(SMALL, GOOD)
    run_parties(program, [label, replace(feature, params=replace(SMALL, max_bin=9))])
    assert seen == [TermsDiffer, TermsDiffer]
    seen.clear()
    run_parties(program, [label, replace(feature, evals=(("e", GOOD[1]),))])
    assert seen == [DataError, DataError]


def test_early_stopping_needs_a_set_and_sets_need_names_of_their_own() -> None:
    with pytest.raises(UsageError, match="eval_set"):
        train_both(replace(SMALL, early_stopping_rounds=1), GOOD)
    label, feature = jobs(SMALL, GOOD)
    twice = [
        replace(job, evals=(("e", side), ("e", side)))
        for job, side in zip((label, feature), GOOD, strict=True)
    ]
    with pytest.raises(UsageError, match="same name"):
        run_parties(train, twice)
