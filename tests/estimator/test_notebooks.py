"""The estimators take what is typed for xgboost's, and refuse the rest in words."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_selector
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import NotFittedError

from securexgb.errors import DataError, NotAvailable, UsageError
from securexgb.estimator import SecureXGBClassifier, SecureXGBRegressor, load_model

SMALL = {"n_estimators": 3, "max_depth": 2, "max_bin": 8}
TYPED = {
    "n_jobs": -1, "nthread": 4, "verbosity": 0, "tree_method": "hist", "device": "cpu",
    "booster": "gbtree", "grow_policy": "depthwise", "validate_parameters": True, "seed": 0,
    "eta": 0.3, "lambda": 1, "alpha": 0, "use_label_encoder": False,
    "max_leaves": 0, "colsample_bylevel": 1.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def cancer():
    data = load_breast_cancer(as_frame=True)
    return data.data.iloc[:200, :6], data.target[:200]


@pytest.fixture(scope="module")
def fitted(cancer):
    model = SecureXGBClassifier(**SMALL, early_stopping_rounds=1, eval_metric=["error", "logloss"])
    return model.fit(*cancer, eval_set=[cancer])


def test_what_changes_nothing_is_taken_and_not_kept():
    for kind in (SecureXGBClassifier, SecureXGBRegressor):
        model = kind(**SMALL, **TYPED)
        assert model.get_params() == kind(**SMALL).get_params() | {"missing": model.missing}
        assert clone(model).get_params()["max_bin"] == 8
        assert model.set_params(n_jobs=2, tree_method="hist", max_depth=3).max_depth == 3


def test_a_second_name_is_taken_where_it_says_what_the_first_does():
    model = SecureXGBClassifier(learning_rate=0.1, eta=0.1, random_state=5, seed=5)
    assert (model.learning_rate, model.random_state) == (0.1, 5)
    assert model.set_params(eta=0.1, reg_lambda=2.0, **{"lambda": 2.0}).reg_lambda == 2.0


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"tree_method": "exact"}, "has tree_method='hist' only; leave it out"),
        ({"device": "cuda"}, "device='cuda' is not supported"),
        ({"booster": "dart"}, "booster='dart' is not supported"),
        ({"grow_policy": "lossguide"}, "grow_policy='depthwise' only"),
        ({"num_parallel_tree": 4}, "num_parallel_tree=1 only"),
        ({"eta": 0.1}, "calls it learning_rate, which is 0.3: write learning_rate=0.1"),
        ({"lambda": 2}, "write reg_lambda=2"),
        ({"seed": 7}, "write random_state=7"),
        ({"max_dept": 3}, "SecureXGBClassifier has no parameter 'max_dept': did you mean max_dep"),
        ({"zzz": 3}, "has no parameter 'zzz': there are "),
    ],
)
def test_what_would_change_a_model_is_refused_in_words(typed, says):
    with pytest.raises(UsageError, match=re.escape(says)):
        SecureXGBClassifier(**typed)
    with pytest.raises(UsageError, match=re.escape(says)):
        SecureXGBClassifier().set_params(**typed)


def test_arguments_that_a_method_does_not_have(cancer, fitted):
    X, y = cancer
    with pytest.raises(UsageError, match="takes its parameters by name"):
        SecureXGBClassifier(20)
    with pytest.raises(UsageError, match=r"SecureXGBClassifier.fit takes no feature_weights: it t"):
        SecureXGBClassifier(**SMALL).fit(X, y, feature_weights=np.ones(X.shape[1]))
    with pytest.raises(UsageError, match="predict takes no validate_features"):
        fitted.predict(X, validate_features=False)
    with pytest.raises(UsageError, match="predict_proba takes no validate_features"):
        fitted.predict_proba(X, validate_features=False)


def test_verbose_writes_a_line_a_tree(cancer, capsys):
    X, y = cancer
    model = SecureXGBClassifier(**SMALL, eval_metric=["logloss"])
    model.fit(X, y, eval_set=[(X, y)], verbose=2)
    values = model.evals_result()["validation_0"]["logloss"]
    lines = [f"[{tree}]\tvalidation_0-logloss:{values[tree]:.5f}" for tree in (0, 2)]
    assert capsys.readouterr().out.splitlines() == lines
    model.fit(X, y, eval_set=[(X, y)], verbose=True)
    assert len(capsys.readouterr().out.splitlines()) == 3
    model.fit(X, y, eval_set=[(X, y)])
    assert capsys.readouterr().out == ""
    with pytest.raises(UsageError, match="verbose must be true, false or a number"):
        model.fit(X, y, verbose=-1)


def test_margins_and_a_range_of_trees(cancer, fitted):
    X, _ = cancer
    whole = fitted.decision_function(X)
    np.testing.assert_array_equal(fitted.predict(X, output_margin=True), whole)
    np.testing.assert_array_equal(fitted.predict(X, iteration_range=(0, 0)), fitted.predict(X))
    base = np.log(fitted.intercept_[0] / (1 - fitted.intercept_[0]))
    parts = [
        fitted.predict(X, output_margin=True, iteration_range=(tree, tree + 1)) - base
        for tree in range(3)
    ]
    np.testing.assert_allclose(base + sum(parts), whole, atol=4e-6)
    one = fitted.predict_proba(X, iteration_range=(0, 1))[:, 1]
    np.testing.assert_allclose(np.log(one / (1 - one)), base + parts[0], atol=2e-6)
    with pytest.raises(UsageError, match="not within the 3 trees"):
        fitted.predict(X, iteration_range=(0, 4))


def test_figures_of_a_fitted_model(cancer, fitted):
    X, y = cancer
    metrics = fitted.evals_result()["validation_0"]
    assert fitted.best_score == metrics["logloss"][fitted.best_iteration]
    assert fitted.intercept_ == pytest.approx([y.mean()], abs=1e-3)
    other = SecureXGBRegressor(**SMALL, base_score=0.25).fit(X, y)
    assert other.intercept_ == pytest.approx([0.25])
    for name in ("best_score", "best_iteration"):
        with pytest.raises(NotAvailable, match="early_stopping_rounds"):
            getattr(other, name)
    with pytest.raises(NotFittedError, match="is not fitted"):
        _ = SecureXGBClassifier().intercept_


def test_xgboost_trains_with_these_parameters(cancer, fitted):
    xgboost = pytest.importorskip("xgboost")
    params = fitted.get_xgb_params()
    assert params["objective"] == "binary:logistic"
    assert not {"splits", "n_estimators", "federation", "base_score"} & set(params)
    model = xgboost.train(params, xgboost.DMatrix(*cancer), 1)
    assert model.num_boosted_rounds() == 1


@pytest.mark.parametrize(
    "columns",
    ["^mean (radius|area)$", re.compile("radius|area"), lambda X: list(X.columns[[0, 3]]),
     make_column_selector("radius|area"), lambda X: np.array([0, 3])],
    ids=["text", "pattern", "callable", "selector", "numbers"],
)  # fmt: skip
def test_columns_by_pattern_or_callable(cancer, columns):
    X, y = cancer
    model = SecureXGBClassifier(**SMALL | {"n_estimators": 1}, feature_party_columns=columns)
    assert model.fit(X, y)._sides[1].tolist() == [0, 3]


def test_the_positive_class_may_be_the_smaller(cancer, tmp_path):
    X, y = cancer
    names = np.where(y == 1, "good", "bad")
    weighted = SMALL | {"scale_pos_weight": 3.0}
    usual = SecureXGBClassifier(**weighted).fit(X, y == 0)
    turned = SecureXGBClassifier(**weighted, positive_label="bad").fit(X, names)
    assert turned.classes_.tolist() == ["bad", "good"]
    np.testing.assert_array_equal(turned.decision_function(X), -usual.decision_function(X))
    np.testing.assert_allclose(
        turned.predict_proba(X)[:, 0], usual.predict_proba(X)[:, 1], rtol=1e-12
    )
    assert (turned.predict(X) == "bad").sum() == usual.predict(X).sum()
    turned.save_model(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    np.testing.assert_array_equal(loaded.decision_function(X), turned.decision_function(X))
    with pytest.raises(DataError, match="y: no label is 'ugly'"):
        turned.set_params(positive_label="ugly").fit(X, names)
    with pytest.raises(UsageError, match="a regression has none"):
        SecureXGBRegressor(**SMALL, positive_label=1).fit(X, y)


def test_own_splits_are_a_table(cancer, fitted):
    X, y = cancer
    model = SecureXGBClassifier(**SMALL, splits="owner", feature_party_columns=[0]).fit(X, y)
    frame = pd.DataFrame(model.own_splits())
    assert len(frame) == 3 * 3
    assert set(frame.loc[frame["party"] == "feature", "column"]) <= {X.columns[0]}
    assert set(frame["column"]) <= set(X.columns)
    with pytest.raises(NotAvailable, match="hidden"):
        fitted.own_splits()


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_columns_that_are_no_numbers_are_named(cancer, fitted, kind):
    X, y = cancer
    columns = {name: X[name].to_numpy() for name in X}
    texts = np.where(np.arange(len(X)) == 4, "many", "1")
    with pytest.raises(
        DataError, match=r"X: column 'mean area' \(.*, first in data row 5\)"
    ) as why:
        SecureXGBClassifier(**SMALL).fit(kind(columns | {"mean area": texts}), y)
    assert why.value.__notes__ == ["column 'mean area', data row 5: 'many'"]
    infinite = columns | {"mean radius": np.where(np.arange(len(X)) == 2, np.inf, 1.0)}
    with pytest.raises(DataError, match="'mean radius' holds infinity, first in data row 3"):
        fitted.predict(kind(infinite))


def test_a_pattern_that_nothing_matches(cancer):
    X, y = cancer
    with pytest.raises(UsageError, match="no column of X matches 'bureau_'"):
        SecureXGBClassifier(**SMALL, feature_party_columns="bureau_").fit(X, y)
    assert isinstance(X, pd.DataFrame)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (lambda name: "area" in name, "gets X, whole, and returns names .* this one returned"),
        (lambda X: "mean area", "returned 'mean area'"),
        ("*area", r"'\*area' is no regular expression: nothing to repeat"),
    ],
    ids=["by name", "one name", "no pattern"],
)
def test_columns_that_are_not_named_as_they_should(cancer, columns, says):
    with pytest.raises(UsageError, match=says):
        SecureXGBClassifier(**SMALL, feature_party_columns=columns).fit(*cancer)
