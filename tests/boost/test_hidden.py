"""Hidden splits: the leaves, margins and metrics of owned ones, bit for bit, and nothing opened."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.ensemble import History, ModelHalf, Round
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict_margins
from securexgb.boost.splits.hidden_scores import HiddenScores
from securexgb.correlations.rows import RowShape
from securexgb.errors import DataError, SecureXGBError, UsageError
from securexgb.jobs.evaluation import measure
from securexgb.jobs.job import TrainingJob, check_hidden
from securexgb.jobs.prediction import Predictor
from securexgb.jobs.resuming.checkpoint import CheckpointStore
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import Ways, predict_alone, train_alone
from securexgb.jobs.training import train
from securexgb.model.export import own_splits
from securexgb.model.files import dump_half, parse_half
from securexgb.mpc.left_bits import register_rows
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.shared import SharedBits
from securexgb.offline.method import Method
from securexgb.testing import run_parties
from securexgb.testing.harness import Backend
from tests.boost.cases import random_case
from tests.boost.data import jobs, same_model, sides, table, train_both
from tests.mpc.kit import recorded
from tests.profiles import moments

PARAMS = TrainingParams(n_estimators=4, max_depth=3, max_bin=8, splits="hidden")
EVERYTHING = replace(
    PARAMS,
    subsample=0.8,
    colsample_bytree=0.7,
    colsample_bylevel=0.8,
    colsample_bynode=0.7,
    eval_metric=("auc", "logloss"),
    early_stopping_rounds=2,
)


def grown(seed: int, splits: str, backend: Backend, **settings: Any) -> list[np.ndarray]:
    """Leaves and rows' values of one tree."""
    case = random_case(seed, splits=splits, **settings)
    halves = run_parties(lambda party, _: case.program(party), [None, None], backend, seed)
    leaves = halves[0].half.leaf_values + halves[1].half.leaf_values
    return [leaves, (halves[0].values + halves[1].values).words]


@pytest.mark.parametrize("seed", range(moments(8, 20)))
def test_leaves_and_values_are_those_of_owned_splits(seed: int, backend: Backend) -> None:
    draw = np.random.default_rng(seed)
    settings = {
        "rows": int(draw.integers(2, 300)),
        "columns": (int(draw.integers(0, 4)), int(draw.integers(1, 4))),
        "holes": float(draw.choice([0.0, 0.2])),
        "bins": int(draw.integers(2, 15)),
        "max_depth": int(draw.integers(1, 5)),
        "min_child_weight": float(draw.choice([0.0, 1.0, 5.0])),
        "gamma": float(draw.choice([0.0, 1.0])),
    }
    for owned, hidden in zip(
        grown(seed, "owner", backend, **settings),
        grown(seed, "hidden", backend, **settings),
        strict=True,
    ):
        np.testing.assert_array_equal(owned, hidden)


def test_a_nodes_table_says_which_bins_its_split_sends_left() -> None:
    """Put together, tables and owned halves describe the same splits; of a dummy it is empty."""
    case = random_case(5, rows=60, holes=0.1, min_child_weight=5.0)
    owned = run_parties(lambda party, _: case.program(party).half, [None, None], "plaintext")
    hidden_case = replace(case, params=replace(case.params, splits="hidden"))
    hidden = run_parties(
        lambda party, _: hidden_case.program(party).half, [None, None], "plaintext"
    )
    tables = SharedBits(hidden[0].tables ^ hidden[1].tables, hidden[0].nodes).flags()
    empty = 0
    for node in range(hidden[0].nodes):
        half = owned[int(owned[0].owners[node])]
        column = int(half.features[node]) + case.label_columns * int(half.owners[node])
        expected = np.zeros(tables.shape[:2], np.bool_)
        expected[column, : half.bins[node] + 1] = True
        expected[column, case.params.max_bin] = half.missing_left[node]
        found = tables[:, :, node]
        empty += not found.any()
        assert not found.any() or np.array_equal(found, expected)
    assert 0 < empty < hidden[0].nodes


def evaluated(missing: float = 0.1, rows: int = 300) -> tuple[Any, Any]:
    """Both sides' training data and evaluation sets."""
    more = table(80, missing=missing, seed=1)
    return sides(*table(rows, missing=missing), 2), {"valid": sides(*more, label_columns=2)}


def program(party: Party, job: TrainingJob) -> tuple[ModelHalf, Any, Any, Any]:
    """A model, its predictions and metrics, and what the training opened."""
    half = train(party, job)
    ledger = dict(party.ledger.entries)
    margins = predict_margins(party, half, job.data.values, Request("both", 9))
    measured = measure(party, half, "again", job.evals[0][1], half.params.metrics)
    return half, margins, measured, ledger


@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror"])
def test_a_whole_training_and_its_predictions(objective: str, backend: Backend) -> None:
    data, evals = evaluated()
    params = EVERYTHING
    if objective == "reg:squarederror":
        params = replace(params, objective=objective, target_exponent=0, eval_metric=("rmse",))
    found = {}
    for splits in ("owner", "hidden"):
        given = jobs(replace(params, splits=splits), data, evals)
        found[splits] = run_parties(program, given, backend=backend)
    owned, hidden = found["owner"][0], found["hidden"][0]
    assert owned[0].history == hidden[0].history
    assert owned[0].best_iteration == hidden[0].best_iteration
    np.testing.assert_array_equal(owned[1], hidden[1])
    assert owned[2] == hidden[2]
    assert {reveal for reveal, _ in hidden[3]} == {Reveal.METRIC}
    assert hidden[3][Reveal.METRIC, "both"] == owned[3][Reveal.METRIC, "both"]


@pytest.mark.parametrize("method", [Method(), Method(offline="dealt")], ids=["made", "dealt"])
def test_with_the_real_correlations(method: Method) -> None:
    features, labels = table(400, missing=0.1)
    label, feature = sides(features, labels, 2)
    whole = replace(label, values=features, column_names=label.column_names + feature.column_names)
    split = (np.arange(2), np.arange(2, features.shape[1]))
    evals = [("valid", whole.take(np.arange(100)))]
    results = []
    for splits in ("owner", "hidden"):
        params = replace(PARAMS, splits=splits)
        run = train_alone(params, whole, split, 3, evals, ways=Ways(method))
        scores = predict_alone(run.results, whole, split, Request("label", 9), 4, method)
        results.append((run.results[0].history, scores.results[0]))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_messages_depend_on_shapes_alone() -> None:
    """The same tags and sizes whatever the labels and holes are, and whoever owned the splits."""
    features, labels = table(100)
    holes = features.copy()
    holes[::3, 1] = np.nan
    flipped = features[:, ::-1].copy()
    seen = []
    for values, targets in (
        (features, labels),
        (features, 1 - labels),
        (holes, np.eye(1, 100)[0]),
        (flipped, labels),
    ):
        _, channels, _ = recorded(train, jobs(PARAMS, sides(values, targets, 2)))
        seen.append([[(tag, len(payload)) for tag, payload in c.sent] for c in channels])
    assert all(one == seen[0] for one in seen[1:])


@pytest.mark.parametrize("splits", ["owner", "hidden"])
@pytest.mark.parametrize("rank", [0, 1])
def test_missing_values_that_the_terms_refuse_stop_before_anything_is_sent(
    splits: str, rank: int
) -> None:
    """At the side that has them, in words; the other one is told, in words, too."""
    params = replace(PARAMS, n_estimators=1, splits=splits, missing_values="refused")
    data = sides(*table(60), 2)
    halves = train_both(params, data)
    values = data[rank].values.copy()
    values[7, 1] = np.nan
    broken = list(data)
    broken[rank] = replace(data[rank], values=values)

    def predicted(party: Party, own: Rows) -> None:
        predict_margins(party, halves[party.rank], own.values, Request())

    def measured(party: Party, own: Rows) -> None:
        measure(party, halves[party.rank], "valid", own, ("auc",))

    for program in (predicted, measured):
        with pytest.raises(DataError, match=r"column 'x\d' of the .* party holds missing values"):
            run_parties(program, broken)
    sent, ended = [0, 0], ["", ""]

    def counted(party: Party, own: Rows) -> None:
        before = party.channel.traffic.bytes_sent
        try:
            predicted(party, own)
        except SecureXGBError as error:
            ended[party.rank] = f"{type(error).__name__}: {error}"
            raise
        finally:
            sent[party.rank] = party.channel.traffic.bytes_sent - before

    with pytest.raises(DataError):
        run_parties(counted, broken)
    assert sent[rank] == 0
    assert sent[1 - rank] < 200  # what it asks for, and no table
    assert ended[rank].startswith("DataError: column")
    assert ended[1 - rank].startswith("StoppedByPeer: ")


class CrashError(Exception):
    """Stands for a killed process."""


class Crash(TrainingCallback):
    """Fails after tree ``number`` was grown, before it is saved at this side."""

    def __init__(self, number: int) -> None:
        self.number = number

    def after_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        if epoch == self.number:
            raise CrashError
        return False


def with_store(
    directory: Path, seed: int, resume: bool, crashes: tuple[int | None, int | None]
) -> tuple[ModelHalf, ModelHalf]:
    given = []
    for rank, job in enumerate(jobs(EVERYTHING, *evaluated(rows=100))):
        crash = crashes[rank]
        callbacks = () if crash is None else (Crash(crash),)
        store = CheckpointStore(directory / str(rank))
        given.append(replace(job, store=store, resume=resume, callbacks=callbacks))
    first, second = run_parties(train, given, seed=seed, lasting=0)
    return first, second


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelHalf, ModelHalf]:
    """What the trainings of the next test are compared with."""
    return with_store(tmp_path_factory.mktemp("whole"), 1, False, (None, None))


@pytest.mark.parametrize(
    ("crashes", "loses_margins"),
    [((1, None), False), ((2, None), True), ((None, 1), True), ((None, 3), False)],
)
def test_a_resumed_training_ends_with_the_same_model(
    tmp_path: Path,
    unbroken: tuple[ModelHalf, ModelHalf],
    crashes: tuple[int | None, int | None],
    loses_margins: bool,
) -> None:
    """With margins from the checkpoint, and where one side lost them by predicting all rows."""
    with pytest.raises(CrashError):
        with_store(tmp_path / "killed", 1, False, crashes)
    if loses_margins:
        for path in (tmp_path / "killed" / "1").glob("margins-*.npz"):
            path.unlink()
    resumed = with_store(tmp_path / "killed", 2, True, (None, None))
    assert same_model(resumed, unbroken)
    assert resumed[0].history == unbroken[0].history


def test_a_resumed_training_makes_what_it_still_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rounds that are left; and tables once, of training rows and evaluation rows together."""
    params, (data, evals) = replace(PARAMS, n_estimators=5), evaluated(rows=60)
    made, registered = list[int](), list[int]()

    class Counted(HiddenScores):
        def __init__(
            self, party: Party, model: ModelHalf, rounds: Sequence[Round], expected: int
        ) -> None:
            made.append(len(rounds))
            super().__init__(party, model, rounds, expected)

    def counted(party: Party, shape: RowShape, own: Any, nodes: int, rounds: int) -> None:
        registered.append(rounds)
        register_rows(party, shape, own, nodes, rounds)

    monkeypatch.setattr("securexgb.boost.predict.HiddenScores", Counted)
    monkeypatch.setattr("securexgb.boost.row_side.register_rows", counted)
    for resume, crash in ((False, (Crash(2),)), (True, ())):
        given = [
            replace(
                job, store=CheckpointStore(tmp_path / str(rank)), resume=resume, callbacks=crash
            )
            for rank, job in enumerate(jobs(params, data, evals))
        ]
        with nullcontext() if resume else pytest.raises(CrashError):
            run_parties(train, given, seed=int(resume), lasting=0)
        for path in tmp_path.rglob("margins-*.npz"):
            path.unlink()
    assert registered == [5, 5, 3, 3]
    assert made == [2, 2]


@pytest.mark.parametrize("rank", [0, 1])
def test_too_many_bins_are_refused_before_anything_is_made(rank: int) -> None:
    """By the side that has them before its first message; at the latest once both are known."""
    columns = 1027
    features, labels = table(30, columns)
    data = sides(features, labels, columns - 1 if rank == 0 else 1)
    sent = [0, 0]

    def program(party: Party, job: TrainingJob) -> None:
        try:
            train(party, job)
        finally:
            sent[party.rank] = party.channel.traffic.bytes_sent

    with pytest.raises(UsageError, match="262656 bins in its 1026 columns, more than the 262144"):
        run_parties(program, jobs(replace(PARAMS, max_bin=255), data))
    assert sent[rank] == 0
    with pytest.raises(UsageError, match="more than the 262144"):
        check_hidden(replace(PARAMS, max_bin=255), 1026, 30)
    assert check_hidden(replace(PARAMS, missing_values="refused"), 5, 30)[0] == 2 * 30 * 7 * 4


def test_a_session_keeps_to_its_model_and_request(backend: Backend) -> None:
    """What it has encrypted, or agreed on, is of the model that scored its first rows."""
    data = sides(*table(60), 2)
    halves = train_both(PARAMS, data)

    def program(party: Party, own: Rows) -> None:
        half = replace(halves[party.rank])
        predictor = Predictor(party, half, Request("both", 9))
        first = predictor.margins(own)
        np.testing.assert_array_equal(predictor.margins(own), first)
        half.best_iteration = 1
        with pytest.raises(UsageError, match="has changed since this session scored"):
            predictor.margins(own)
        half.best_iteration = None
        np.testing.assert_array_equal(predictor.margins(own), first)

    run_parties(program, data, backend)


def test_ckks_is_refused_for_a_hidden_model() -> None:
    data = sides(*table(60), 2)
    halves = train_both(PARAMS, data)

    def program(party: Party, own: Rows) -> None:
        with pytest.raises(UsageError, match='choose prediction "transfers"'):
            predict_margins(party, halves[party.rank], own.values, Request(prediction="ckks"))

    run_parties(program, data)


@pytest.mark.parametrize(("held", "named"), [("hidden", "owner"), ("owner", "hidden")])
def test_a_file_whose_trees_are_of_another_kind_than_its_parameters_is_refused(
    held: str, named: str
) -> None:
    half = train_both(replace(PARAMS, n_estimators=1, splits=held), sides(*table(40), 2))[0]
    wrong = replace(half, params=replace(half.params, splits=named))
    with pytest.raises(DataError, match=r"parameters of the model file name \w+ splits and its"):
        parse_half(dump_half(wrong), "half")


def test_a_half_in_a_file() -> None:
    data, _ = evaluated()
    half = run_parties(train, jobs(PARAMS, data), "plaintext")[0]
    again = parse_half(dump_half(half), "half")
    for one, other in zip(half.trees, again.trees, strict=True):
        for name, array in one.arrays().items():
            np.testing.assert_array_equal(array, other.arrays()[name])
    np.testing.assert_array_equal(half.cuts, again.cuts)
    wrong = replace(half, layout=replace(half.layout, feature_columns=7))
    with pytest.raises(DataError, match="other columns or bins"):
        parse_half(dump_half(wrong), "half")


def test_nobody_has_own_splits_to_show() -> None:
    data, _ = evaluated()
    half = run_parties(train, jobs(PARAMS, data), "plaintext")[0]
    with pytest.raises(UsageError, match="hidden"):
        own_splits(half)
