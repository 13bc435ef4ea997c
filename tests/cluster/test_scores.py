"""Scores and metrics by shards are those of one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from securexgb.boost.ensemble import ModelHalf
from securexgb.cluster.data import load_set_tables, load_table
from securexgb.cluster.scores import like_model, moved_by_shards, predict_by_shards
from securexgb.errors import StoppedByPeer, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.data.files import load_rows, load_sets
from securexgb.jobs.evaluation import evaluate
from securexgb.jobs.prediction import Predictor
from securexgb.jobs.runs import FinishedRun, RunDirectory
from securexgb.jobs.simulation import simulate_parties
from securexgb.jobs.training import agreed_job, train
from securexgb.mpc.party import Party
from tests.cluster.running import Sharded
from tests.processes.companies import SIDES, edit_cell
from tests.serve.pair import record

SHARDS = 2
Program = Callable[[Party, Federation, FinishedRun], Any]


TRAININGS: dict[str, dict[str, Any]] = {
    "base margins": {"splits": "hidden", "base_margin_bound": 4.0},
    "classes": {"splits": "owner", "objective": "multi:softprob", "num_class": 3},
}


@pytest.fixture(scope="module", params=TRAININGS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two companies, and both halves of a model."""
    root = tmp_path_factory.mktemp("companies")
    files = {"train_data": "train.parquet", "predict_data": "test.parquet"}
    found = Sharded(root, SHARDS, rows=100, eval_data="test.parquet", **files)
    training = TRAININGS[request.param]
    if "base_margin_bound" in training:
        found.settings("bank", base_margin_column="age")
    else:
        for path in (root / "bank").glob("*.csv"):
            for row in range(1, 100, 7):
                edit_cell(path, row, "default", 2)
    found.parquet()
    found.terms(*SIDES, training=training)
    relay = found.relay()

    def program(party: Party, federation: Federation) -> ModelHalf:
        path = federation.config.train_data
        assert path is not None
        return train(party, agreed_job(party, federation, load_rows(federation, path), []))

    federations = [found.federation(name) for name in SIDES]
    halves = simulate_parties(program, federations, seed=1).results
    classes = (0, 1, 2)[: training.get("num_class", 2)]
    runs = {
        name: FinishedRun(
            RunDirectory(root / name / "run" / "a-run"),
            half,
            replace(record(half), classes=classes),
        )
        for name, half in zip(SIDES, halves, strict=True)
    }
    yield found, runs
    relay.stop()


def by_heads(
    found: Sharded,
    runs: dict[str, FinishedRun],
    program: Program,
    ends: tuple[type[BaseException] | None, ...] = (None,),
) -> dict[str, Any]:
    """What both heads compute, with their shards in threads; ``ends``: of these."""

    def head(name: str) -> Any:
        federation = found.federation(name)
        with federation.session("predict") as party:
            return program(party, federation, runs[name])

    with found.workers() as running, ThreadPoolExecutor(2) as pool:
        results = {name: pool.submit(head, name) for name in SIDES}
        ended = {name: result.result() for name, result in results.items()}
    errors = [future.exception() for future in running.values()]
    assert {None if error is None else type(error) for error in errors} <= {*ends}, errors
    return ended


def in_one_process(runs: dict[str, FinishedRun], found: Sharded, program: Program) -> list[Any]:
    inputs = [(found.federation(name), runs[name]) for name in SIDES]
    return list(simulate_parties(lambda party, given: program(party, *given), inputs, 1).results)


def test_scores_are_those_of_one_process(made: tuple[Sharded, dict[str, FinishedRun]]) -> None:
    found, runs = made

    def by_shards(party: Party, federation: Federation, run: FinishedRun) -> Any:
        path = federation.config.predict_data
        assert path is not None
        table = load_table(federation, path, like=like_model(run), is_label_optional=True)
        return predict_by_shards(federation, party, run, table)

    def alone(party: Party, federation: Federation, run: FinishedRun) -> Any:
        path = federation.config.predict_data
        assert path is not None
        rows = load_rows(federation, path, columns=run.half.columns, is_label_optional=True)
        return Predictor(party, run.half, federation.terms.request, federation).score(rows)

    scores = by_heads(found, runs, by_shards)
    assert scores["bureau"] is None
    np.testing.assert_array_equal(scores["bank"], in_one_process(runs, found, alone)[0])


def test_metrics_are_those_of_one_process(made: tuple[Sharded, dict[str, FinishedRun]]) -> None:
    found, runs = made

    def by_shards(party: Party, federation: Federation, run: FinishedRun) -> Any:
        sets = load_set_tables(federation, like_model(run))
        with moved_by_shards(federation, party, run, "evaluate") as moved:
            return evaluate(party, federation, run.half, sets, moved)

    def alone(party: Party, federation: Federation, run: FinishedRun) -> Any:
        sets = load_sets(federation, run.half.columns, run.record.classes, run.half.categories)
        return evaluate(party, federation, run.half, sets)

    metrics = by_heads(found, runs, by_shards)
    assert metrics["bank"] == metrics["bureau"] == in_one_process(runs, found, alone)[0]
    assert set(metrics["bank"]) == {"eval"}


def test_a_set_that_a_shard_does_not_know_is_refused(
    made: tuple[Sharded, dict[str, FinishedRun]],
) -> None:
    found, runs = made

    def program(party: Party, federation: Federation, run: FinishedRun) -> None:
        ((_, table),) = load_set_tables(federation, like_model(run))
        with (
            pytest.raises(UsageError, match=r"asks for the rows 'eval.other'"),
            moved_by_shards(federation, party, run, "evaluate") as moved,
        ):
            moved("other", table)

    by_heads(found, runs, program, ends=(UsageError, StoppedByPeer))
