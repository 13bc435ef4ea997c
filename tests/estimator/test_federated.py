"""Estimators as the two sides of a job, over a link in memory: the same rows, or nothing."""

from contextlib import contextmanager

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xgboost
from sklearn.base import clone

from securexgb import SecureXGBClassifier
from securexgb.boost.params import TrainingParams
from securexgb.errors import (
    DataError,
    NotAvailable,
    PeerError,
    ProtocolDesync,
    SecureXGBError,
    StoppedByPeer,
    TermsDiffer,
    UsageError,
)
from securexgb.federation.session import Federation
from securexgb.jobs.rows import Rows
from securexgb.mpc.party import ROLES
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from securexgb.testing.harness import insecure_parties, run_both

NAMES = ("bank", "bureau")
ROWS = 40
IDS = [f"c{row:03}" for row in range(ROWS)]
DRAWS = np.random.default_rng(0)
TABLES = [DRAWS.normal(size=(ROWS, columns)) for columns in (2, 3)]
LABELS = (TABLES[0][:, 0] + TABLES[1][:, 0] > 0).astype(int)
SHUFFLED = DRAWS.permutation(ROWS)


@pytest.fixture
def both(monkeypatch):
    """Run a program of (rank, estimator) at both sides of a job; both results."""

    def run(program, id_column="customer", own_id_column=None, base_margin_bound=None, **more):
        small = {"n_estimators": 2, "max_depth": 2, "max_bin": 8, "eval_metric": ("error",)}
        usual = TrainingParams(**small, base_margin_bound=base_margin_bound)
        params = more.pop("training", usual)
        terms = JobTerms(
            name="loans",
            label_party="bank",
            feature_party="bureau",
            id_column=id_column,
            min_training_rows=1,
            min_evaluation_rows=1,
            training=params,
            **more,
        )
        parties = insecure_parties(seed=3)

        @contextmanager
        def session(federation, _purpose):
            yield parties[federation.config.rank]

        monkeypatch.setattr(Federation, "session", session)

        def side(party, name):
            config = PartyConfig(role=ROLES[party.rank], name=name, id_column=own_id_column)
            return program(party.rank, SecureXGBClassifier(federation=Federation(config, terms)))

        return run_both(side, parties, NAMES)

    return run


def fit(rank, model, table=None, order=slice(None), **more):
    X = TABLES[rank] if table is None else table
    return model.fit(X[order], LABELS[order] if rank == 0 else None, **more)


def frames(rank):
    columns = {f"x{i}": column for i, column in enumerate(TABLES[rank].T)}
    return [kind({**columns, "customer": IDS}) for kind in (pd.DataFrame, pl.DataFrame, pa.table)]


def test_after_a_fit_the_terms_parameters_are_shown(both):
    def program(rank, model):
        before = model.get_params()
        fit(rank, model, ids=IDS)
        return before, model, model.get_xgb_params()

    for before, model, xgboost_params in both(program):
        shown = model.get_params()
        assert (before["n_estimators"], before["max_bin"], before["splits"]) == (50, 32, None)
        assert (shown["n_estimators"], shown["max_bin"], shown["splits"]) == (2, 8, "hidden")
        assert xgboost_params["max_depth"] == 2
        assert clone(model).get_params()["n_estimators"] == 2


def test_a_metric_that_takes_more_than_the_tree_is_warned_of_at_both_sides(both):
    table = [np.tile(own, (5, 1)) for own in TABLES]
    ids = [f"e{row}" for row in range(5 * ROWS)]

    def program(rank, model):
        labels = np.tile(LABELS, 5) if rank == 0 else None
        fit(rank, model, ids=IDS, eval_set=[(table[rank], labels)], eval_set_ids=[ids])

    training = TrainingParams(n_estimators=1, max_depth=1, max_bin=2, eval_metric=("auc",))
    with pytest.warns(UserWarning, match="metrics after a tree take .* more than the tree") as seen:
        both(program, training=training)
    assert len(seen) == 2


def test_the_intercept_is_the_label_party_s(both):
    def program(rank, model):
        fit(rank, model, ids=IDS)
        try:
            return model.intercept_
        except NotAvailable as error:
            return str(error)

    label, feature = both(program)
    assert label == pytest.approx([LABELS.mean()], abs=1e-3)
    assert "the intercept is the label party's" in feature


def test_both_sides_predict_by_the_same_trees(both):
    def program(rank, model):
        fit(rank, model, ids=IDS)
        one = model.predict_proba(TABLES[rank], ids=IDS, iteration_range=(0, 1))
        with pytest.raises(SecureXGBError) as refused:
            model.predict_proba(TABLES[rank], ids=IDS, iteration_range=(rank, rank + 1))
        return one, refused.value

    (label, one), (feature, other) = both(program)
    assert label.shape == (ROWS, 2)
    assert feature is None
    assert isinstance(one, ProtocolDesync | StoppedByPeer | PeerError)
    assert isinstance(other, ProtocolDesync | StoppedByPeer | PeerError)
    assert "trees 0 to 1" in f"{one}{other}"


def test_the_terms_say_which_class_counts_as_one(both):
    def program(rank, model):
        names = np.where(LABELS == 1, "good", "bad") if rank == 0 else None
        model.fit(TABLES[rank], names, ids=IDS)
        return model.decision_function(TABLES[rank], ids=IDS), model

    usual, turned = (both(program, positive_label=name)[0] for name in ("good", "bad"))
    assert usual[1].classes_.tolist() == turned[1].classes_.tolist() == ["bad", "good"]
    assert turned[1].intercept_ + usual[1].intercept_ == pytest.approx([1.0], abs=1e-3)
    assert np.corrcoef(usual[0], turned[0])[0, 1] > 0.99


def test_the_terms_may_fix_the_columns_of_a_side(both):
    fixed = {"label": Rows(TABLES[0], ("column 0",)).names_sha256}
    with pytest.raises(DataError, match="bank: the 2 columns to learn from have the digest"):
        both(lambda rank, model: fit(rank, model, ids=IDS), columns_sha256=fixed)


@pytest.mark.parametrize("shuffled", [0, 1])
def test_rows_in_another_order_are_refused_at_both_sides(both, shuffled):
    refused = []

    def program(rank, model):
        order = SHUFFLED if rank == shuffled else np.arange(ROWS)
        try:
            fit(rank, model, order=order, ids=[IDS[row] for row in order])
        except DataError as error:
            refused.append(str(error))

    both(program)
    assert len(refused) == 2
    assert all("ids in column 'customer' differ from the other side's" in text for text in refused)


def test_evaluation_sets_and_rows_to_predict_are_compared_too(both):
    def program(rank, model):
        order = SHUFFLED if rank else np.arange(ROWS)
        ids = [IDS[row] for row in order]
        sets = [(TABLES[rank][order], LABELS[order])]
        with pytest.raises(DataError, match="differ from the other side's"):
            fit(rank, model, ids=IDS, eval_set=sets, eval_set_ids=[ids])
        fit(rank, model, ids=IDS, eval_set=[(TABLES[rank], LABELS)], eval_set_ids=[IDS])
        with pytest.raises(DataError, match="differ from the other side's"):
            model.predict_proba(TABLES[rank][order], ids=ids)
        return model.predict(TABLES[rank], ids=IDS)

    label, feature = both(program)
    assert label.shape == (ROWS,)
    assert feature is None


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["pandas", "polars", "pyarrow"])
def test_a_table_may_bring_its_ids_as_a_column(both, kind):
    def program(rank, model):
        table = frames(rank)[kind]
        y = LABELS if rank == 0 else None
        model.fit(table, y, eval_set=[(table, y)])
        answer = model.decision_function(table)
        assert model.feature_names_in_.tolist() == [f"x{i}" for i in range(TABLES[rank].shape[1])]
        apart = model.decision_function(table.drop(columns="customer"), ids=IDS) if not kind else 0
        return answer, apart

    (answer, apart), _ = both(program)
    assert answer.shape == (ROWS,)
    if kind == 0:
        np.testing.assert_array_equal(answer, apart)


def test_a_side_s_own_name_for_the_ids(both):
    def program(rank, model):
        table = pd.DataFrame(TABLES[rank]).add_prefix("x").assign(key=range(ROWS))
        return model.fit(table, LABELS if rank == 0 else None).n_features_in_

    assert both(program, own_id_column="key") == [2, 3]


def test_without_ids_nothing_starts(both):
    def program(rank, model):
        with pytest.raises(UsageError) as caught:
            fit(rank, model)
        return str(caught.value)

    label, feature = both(program)
    assert label.startswith("bank: the terms name the id column 'customer'")
    assert "ids=" in label
    assert feature.startswith("bureau: ")


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (IDS[:-1], r"40 rows and ids of the shape \(39,\)"),
        ([*IDS[:-1], IDS[0]], "data rows 1 and 40 hold the same id"),
        ([*IDS[:-1], ""], "1 empty fields"),
        ([float(row) for row in range(ROWS)], "must be texts or whole numbers"),
        ([*IDS[:-1], None], "must be texts or whole numbers"),
    ],
)
def test_ids_that_are_none(both, ids, says):
    def program(rank, model):
        with pytest.raises(DataError, match=says):
            fit(rank, model, ids=ids)

    both(program)


def test_ids_that_nobody_compares_are_refused(both):
    def program(rank, model):
        with pytest.raises(UsageError, match="name an id_column"):
            fit(rank, model, ids=IDS)

    both(program, id_column=None)
    with pytest.raises(UsageError, match="name an id_column"):
        SecureXGBClassifier().fit(TABLES[0], LABELS, ids=IDS)


def test_without_an_id_column_row_counts_are_compared(both):
    def program(rank, model):
        with pytest.raises(DataError, match=r"has (40|39) rows and the other side (40|39)"):
            fit(rank, model, order=slice(ROWS - rank))

    both(program, id_column=None)


MARGINS = np.linspace(-2.0, 2.0, ROWS)


def test_base_margins_are_the_label_party_s_and_the_terms_ask_for_them(both):
    def program(rank, model):
        own = {"base_margin": MARGINS} if rank == 0 else {}
        more = {"base_margin_eval_set": [MARGINS]} if rank == 0 else {}
        fit(rank, model, eval_set=[(TABLES[rank], LABELS if rank == 0 else None)], **own, **more)
        return model.predict_proba(TABLES[rank], **own), model.evals_result()["validation_0"]

    (scores, seen), (nothing, also) = both(program, id_column=None, base_margin_bound=2.0)
    assert nothing is None
    assert seen == also
    assert seen["error"][-1] == pytest.approx(np.mean((scores[:, 1] > 0.5) != LABELS), abs=1e-4)


def test_base_margins_that_only_one_side_asks_for_are_refused(both):
    def without(rank, model):
        return fit(rank, model)

    def theirs(rank, model):
        return fit(rank, model, base_margin=MARGINS)

    with pytest.raises(UsageError, match="come without base margins"):
        both(without, id_column=None, base_margin_bound=2.0)
    with pytest.raises(DataError, match="base_margin_bound = 2`"):
        both(lambda rank, model: (theirs if rank == 0 else without)(rank, model), id_column=None)
    with pytest.raises(UsageError, match="these are the label party's"):
        both(theirs, id_column=None, base_margin_bound=2.0)


def test_a_federation_goes_on_from_its_own_halves(both):
    def program(rank, model):
        fit(rank, model)
        before = model._halves[0]
        fit(rank, model, xgb_model=model)
        return before, model._halves[0], model.predict_proba(TABLES[rank])

    (before, after, scores), (_, theirs, nothing) = both(program, id_column=None)
    assert (len(before.trees), len(after.trees), len(theirs.trees)) == (2, 4, 4)
    assert before.model_id != after.model_id == theirs.model_id
    assert after.params.past.model_id == before.model_id
    assert nothing is None
    assert np.isfinite(scores).all()


def test_one_side_that_goes_on_is_refused_at_both(both):
    def program(rank, model):
        fit(rank, model)
        fit(rank, model, **({"xgb_model": model} if rank == 0 else {}))

    with pytest.raises(TermsDiffer, match="do not go on from the same model"):
        both(program, id_column=None)


def exporting(tmp_path):
    def program(rank, model):
        fit(rank, model, ids=IDS)
        path = tmp_path / f"{rank}.json"
        return model.export_xgboost(path), path, model.decision_function(TABLES[rank], ids=IDS)

    return program


def test_the_whole_model_goes_to_the_side_that_the_terms_name(both, tmp_path):
    terms = {"export_to": "feature", "prediction_decimals": 6}
    (label, own, scores), (feature, path, _) = both(exporting(tmp_path), **terms)
    assert (label, feature) == (False, True)
    assert not own.exists()
    booster = xgboost.Booster(model_file=path)
    assert booster.feature_names[:2] == ["bank.column 0", "bank.column 1"]
    rows = xgboost.DMatrix(np.hstack(TABLES), feature_names=booster.feature_names)
    assert booster.predict(rows, output_margin=True) == pytest.approx(scores, abs=1e-5)
