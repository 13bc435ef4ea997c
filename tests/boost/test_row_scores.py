"""Scores on request are those of ``predict`` bit for bit, whatever the model."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict
from securexgb.boost.scoring.row_scores import RowScores
from securexgb.boost.splits.hidden_scores import MANY_ROWS
from securexgb.mpc.party import Party
from securexgb.testing import run_parties
from tests.boost.data import sides, table, train_both

NEW = sides(*table(40, missing=0.2, seed=9), 2)
MANY = sides(*table(MANY_ROWS + 2, missing=0.2, seed=9), 2)
PARAMS = {
    "binary": TrainingParams(n_estimators=3, max_depth=3, max_bin=8),
    "regression": TrainingParams(
        n_estimators=2, max_depth=2, max_bin=8, objective="reg:squarederror", target_exponent=-1
    ),
    "classes": TrainingParams(
        n_estimators=2, max_depth=2, max_bin=8, objective="multi:softprob", num_class=2
    ),
    "hidden": TrainingParams(n_estimators=2, max_depth=2, max_bin=8, splits="hidden"),
    "hidden classes": TrainingParams(
        n_estimators=1,
        max_depth=1,
        max_bin=8,
        objective="multi:softprob",
        num_class=3,
        splits="hidden",
    ),
    "no trees": TrainingParams(n_estimators=1, max_depth=2, max_bin=8),
}


@cache
def _halves(name: str) -> Any:
    features, labels = table(80, missing=0.1)
    halves = train_both(PARAMS[name], sides(features, labels, 2))
    for half in halves if name == "no trees" else ():
        half.trees.clear()
    return halves


def _requested(party: Party, given: Any) -> Any:
    half, values, decimals = given
    scores = RowScores(party, half, decimals)
    margins, centre = scores.margins(values, None)
    rows = np.arange(values.shape[0])[::3]
    found = scores.opened(margins, centre, rows)
    return None if found is None else scores.predictions(found)


def test_rows_with_base_margins() -> None:
    halves = [replace(half) for half in _halves("binary")]
    for half in halves:
        half.params = replace(half.params, base_margin_bound=4.0)
    base = np.linspace(-3.9, 4.0, 40)

    def job(party: Party, given: Any) -> Any:
        half, values, own = given
        return predict(party, half, values, Request("label", 4), base_margin=own)

    def requested(party: Party, given: Any) -> Any:
        half, values, own = given
        scores = RowScores(party, half, 4)
        margins, centre = scores.margins(values, own)
        found = scores.opened(margins, centre, np.arange(40))
        return None if found is None else scores.predictions(found)

    inputs = list(zip(halves, (rows.values for rows in NEW), (base, None), strict=True))
    assert np.array_equal(run_parties(requested, inputs)[0], run_parties(job, inputs)[0])


@pytest.mark.parametrize("decimals", [2, 6, 12])
@pytest.mark.parametrize("name", PARAMS)
@pytest.mark.parametrize("backend", ["shared", "plaintext"])
def test_equal_to_predict(name: str, decimals: int, backend: Any) -> None:
    halves = _halves(name)

    def program(party: Party, given: Any) -> Any:
        half, values, decimals = given
        return predict(party, half, values, Request("label", decimals))

    inputs = [(half, rows.values, decimals) for half, rows in zip(halves, NEW, strict=True)]
    expected = run_parties(program, inputs, seed=1)[0]
    found = run_parties(_requested, inputs, backend=backend, seed=2)[0]
    assert np.array_equal(found, expected[::3])


@pytest.mark.parametrize("name", ["hidden", "hidden classes"])
@pytest.mark.parametrize("backend", ["shared", "plaintext"])
def test_many_rows_of_hidden_splits(name: str, backend: Any) -> None:
    """Leaf values come by sums then."""
    halves = _halves(name)

    def program(party: Party, given: Any) -> Any:
        half, values, decimals = given
        return predict(party, half, values, Request("label", decimals))

    def requested(party: Party, given: Any) -> Any:
        half, values, decimals = given
        scores = RowScores(party, half, decimals)
        before = party.rounds
        margins, centre = scores.margins(values, None)
        found = scores.opened(margins, centre, np.arange(values.shape[0]))
        rounds = party.rounds - before
        if party.ideal is None:
            assert rounds == scores.cost(values.shape[0]).rounds
        return None if found is None else scores.predictions(found)

    inputs = [(half, rows.values, 6) for half, rows in zip(halves, MANY, strict=True)]
    expected = run_parties(program, inputs, seed=1)[0]
    found = run_parties(requested, inputs, backend=backend, seed=2)[0]
    assert np.array_equal(found, expected)
