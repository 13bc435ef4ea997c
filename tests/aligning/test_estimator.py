"""An estimator's tables, of different rows in different orders, aligned by the terms."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from securexgb import SecureXGBClassifier, SecureXGBRegressor
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, UsageError
from securexgb.estimator.tables import RowExtras
from securexgb.federation.session import Federation
from securexgb.jobs.aligning import session as sessions
from securexgb.jobs.aligning.kept import load
from securexgb.jobs.prediction import Predictor
from securexgb.mpc.party import ROLES
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from securexgb.testing.harness import insecure_parties, run_both
from tests.aligning.kit import in_the_clear

NAMES = ("bank", "bureau")
ROWS = 60
DRAWS = np.random.default_rng(0)
TABLES = [DRAWS.normal(size=(ROWS, columns)) for columns in (2, 3)]
LABELS = (TABLES[0][:, 0] + TABLES[1][:, 0] > 0).astype(int)
OWN = [DRAWS.permutation(ROWS - 10) + 10 * rank for rank in (0, 1)]
"""Which rows each side has, in its order: the bank the first 50, the bureau the last."""


@pytest.fixture
def both(monkeypatch, tmp_path):
    """Run a program of (rank, estimator) at both sides of a job; both results."""

    def run(program, align, kind=SecureXGBClassifier, **terms):
        params = TrainingParams(n_estimators=2, max_depth=2, max_bin=8, eval_metric=("error",))
        agreed = JobTerms(
            name="loans",
            label_party="bank",
            feature_party="bureau",
            min_training_rows=1,
            min_evaluation_rows=1,
            training=params,
            align=align,
            **terms,
        )
        parties = insecure_parties(seed=3)

        @contextmanager
        def session(federation, _purpose):
            yield parties[federation.config.rank]

        monkeypatch.setattr(Federation, "session", session)

        def side(party, name):
            config = PartyConfig(
                role=ROLES[party.rank], name=name, aligned_directory=tmp_path / name
            )
            return program(party.rank, kind(federation=Federation(config, agreed)))

        return run_both(side, parties, NAMES)

    return run


def table(rank, rows):
    columns = {f"x{i}": column[rows] for i, column in enumerate(TABLES[rank].T)}
    return pd.DataFrame({**columns, "pid": [f"p{row:03} " for row in rows]})


def fit(rank, model, rows, **more):
    return model.fit(table(rank, rows), LABELS[rows] if rank == 0 else None, **more)


TERMS = {"keys": ["pid"], "min_common": 5, "normalise": ["strip"]}


def test_a_predictor_takes_aligned_rows_only(both):
    def program(rank, model):
        fit(rank, model, OWN[rank])
        rows = model._own_columns(table(rank, OWN[rank]), RowExtras(), reset=False)
        predictor = Predictor.open(model.federation, model._halves[0])
        with pytest.raises(UsageError, match="keys to align by, and are not aligned"):
            predictor.margins(rows)

    both(program, TERMS)


def test_a_model_is_that_of_the_join_and_predictions_have_the_order_of_the_table(both, tmp_path):
    asked = np.array([3, 25, 8, 40, 30, 12, 45])

    def program(rank, model):
        rows = OWN[rank]
        fit(rank, model, rows, eval_set=[(table(rank, rows[:40]), LABELS[rows[:40]])])
        predicted = model.predict_proba(table(rank, asked if rank == 0 else OWN[1]))
        return predicted, model.predict(table(rank, asked if rank == 0 else OWN[1])), model

    (found, classes, model), (nothing, none, _) = both(program, TERMS)
    assert nothing is none is None
    assert np.isnan(found[:, 0]).tolist() == [True, False, True, *[False] * 4]
    known = ~np.isnan(found[:, 0])
    assert [kind is None for kind in classes] == (~known).tolist()
    assert model.n_features_in_ == 2
    common, held = (
        OWN[0][load(tmp_path / "bank", part).rows] for part in ("train", "eval.validation_0")
    )
    assert set(common) == set(range(10, 50)) > set(held)

    def by_hand(rank, model):
        model.align = False
        fit(rank, model, common, eval_set=[(table(rank, held), LABELS[held])])
        return model.predict_proba(table(rank, asked[known])), model

    (expected, other), _ = both(by_hand, TERMS)
    assert np.array_equal(found[known], expected)
    assert model.evals_result() == other.evals_result()


def test_the_same_tables_are_aligned_once(both, monkeypatch):
    calls = []

    def counted(*given, **more):
        calls.append(1)
        return in_the_clear(*given, **more)

    monkeypatch.setattr(sessions, "intersect", counted)

    def program(rank, model):
        for _ in range(2):
            fit(rank, model, OWN[rank])
        model.predict_proba(table(rank, OWN[rank]))

    both(program, TERMS)
    assert len(calls) == 2  # one at each side


def test_ids_are_the_keys_where_there_is_one(both):
    def program(rank, model):
        own = table(rank, OWN[rank])
        X = own.drop(columns="pid").to_numpy()
        model.fit(X, LABELS[OWN[rank]] if rank == 0 else None, ids=own["pid"])
        return model.ledger_

    both(program, TERMS)


def test_rows_in_one_order_need_no_alignment_where_it_is_not_asked_for(both):
    def program(rank, model):
        model.align = False
        fit(rank, model, np.arange(ROWS))
        return model

    label, _ = both(program, TERMS)
    assert label.n_features_in_ == 2


@pytest.mark.parametrize(
    ("align", "own", "more", "error", "says"),
    [
        (None, True, {}, UsageError, r"align=True is for a federation whose terms have a table"),
        (TERMS, None, {"ids": ["a"] * 50}, UsageError, "ids are given, and X has a column 'pid'"),
        ({"keys": ["pid", "born"]}, None, {"ids": ["a"] * 50}, UsageError, "let X be a table with"),
        ({"keys": ["pid", "born"]}, None, {}, UsageError, "name the id column 'born'"),
    ],
)
def test_what_is_not_there_to_align_by_is_refused(both, align, own, more, error, says):
    def program(rank, model):
        model.align = own
        with pytest.raises(error, match=says):
            fit(rank, model, OWN[rank], **more)

    both(program, align)


def test_a_column_of_numbers_with_a_point_is_no_key(both):
    def program(rank, model):
        own = table(rank, OWN[rank]).assign(pid=1.5)
        with pytest.raises(DataError, match="must be texts or whole numbers"):
            model.fit(own, LABELS[OWN[rank]] if rank == 0 else None)

    both(program, TERMS)


def test_alone_nothing_is_aligned():
    with pytest.raises(UsageError, match="align=True is for a federation"):
        SecureXGBRegressor(align=True).fit(TABLES[0], TABLES[0][:, 0])
