"""The estimators as their users meet them, both parties in memory."""

import inspect
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xgboost
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from securexgb.boost.callbacks import EarlyStopping, TrainingCallback
from securexgb.boost.params import TrainingParams, declarations
from securexgb.errors import DataError, UsageError
from securexgb.estimator import SecureXGBClassifier, SecureXGBRegressor
from tests.profiles import is_thorough
from tests.reference.oracle import binned

SMALL = {"n_estimators": 3, "max_depth": 2, "max_bin": 8}


@pytest.fixture(scope="module")
def cancer():
    data = load_breast_cancer()
    return data.data[:200, :6], data.target[:200]


@pytest.fixture(scope="module")
def fitted(cancer):
    return SecureXGBClassifier(**SMALL).fit(*cancer)


@pytest.fixture(scope="module")
def few(cancer):
    """Rows that Paillier's encryption does not take long for."""
    X, y = cancer
    return X[:60], y[:60]


@pytest.fixture(scope="module")
def fitted_to_few(few):
    return SecureXGBClassifier(**SMALL).fit(*few)


def test_parameters_are_those_of_training_params():
    signature = inspect.signature(SecureXGBClassifier).parameters
    defaults = TrainingParams()
    own = {
        "missing",
        "importance_type",
        "feature_party_columns",
        "feature_types",
        "callbacks",
        "prediction_decimals",
        "algorithm",
        "he",
        "offline",
        "prediction",
        "positive_label",
        "federation",
        "align",
    }
    assert set(signature) == set(declarations()) | own
    for name in declarations():
        if name != "objective":
            assert signature[name].default == getattr(defaults, name), name


def test_a_number_may_stand_for_missing(cancer):
    X, y = cancer
    holes = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    marked = np.where(np.isnan(holes), -999.0, holes)
    with_nan = SecureXGBClassifier(**SMALL).fit(holes, y)
    with_mark = SecureXGBClassifier(**SMALL, missing=-999.0).fit(marked, y)
    np.testing.assert_array_equal(
        with_nan.decision_function(holes), with_mark.decision_function(marked)
    )


def test_refits_are_bit_identical_and_predictions_do_not_depend_on_the_batch(cancer, fitted):
    X, y = cancer
    again = SecureXGBClassifier(**SMALL).fit(X, y)
    whole = fitted.decision_function(X)
    np.testing.assert_array_equal(whole, again.decision_function(X))
    for left, right in zip(fitted._halves, again._halves, strict=True):
        for one, other in zip(left.trees, right.trees, strict=True):
            np.testing.assert_array_equal(one.leaf_values, other.leaf_values)
            np.testing.assert_array_equal(one.tables, other.tables)
    for rows in ([7], [3, 150, 4], range(100, 200)):
        np.testing.assert_array_equal(whole[list(rows)], fitted.decision_function(X[list(rows)]))


def test_subsamples_follow_random_state(cancer):
    X, y = cancer
    settings = SMALL | {"subsample": 0.5, "colsample_bytree": 0.5}
    scores = [
        SecureXGBClassifier(**settings, random_state=seed).fit(X, y).decision_function(X)
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


@pytest.mark.parametrize(
    "columns", [None, [0], [1, 0], [], list(range(6))], ids=["half", "one", "two", "none", "all"]
)
def test_who_holds_which_column_does_not_matter_to_the_scores(cancer, fitted, columns):
    X, y = cancer
    other = SecureXGBClassifier(**SMALL, feature_party_columns=columns).fit(X, y)
    np.testing.assert_allclose(
        other.predict_proba(X), fitted.predict_proba(X), atol=2e-3
    )  # ties between equal gains may go to another column


METHODS = {
    "bfv": {"he": "bfv"},
    "ss": {"algorithm": "ss"},
    "two-party": {"algorithm": "hybrid", "offline": "two-party"},
    **({"paillier": {"he": "paillier"}} if is_thorough() else {}),
}
"""Paillier's keys, of full length, take ten seconds; tests of processes have it each time."""


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_every_method_grows_the_same_trees(few, fitted_to_few, method):
    """On the same quantised gradients: products are exact, whatever scheme makes them."""
    X, y = few
    settings, expected = SMALL, fitted_to_few
    if method.get("he") == "paillier":
        pytest.importorskip("phe")
        # The first tree's gradients are the label party's own; the second's are products, too.
        X, y, settings = X[:30], y[:30], SMALL | {"n_estimators": 2}
        expected = SecureXGBClassifier(**settings).fit(X, y)
    model = clone(SecureXGBClassifier(**settings, **method)).fit(X, y)
    assert same_trees(model, expected)
    np.testing.assert_array_equal(model.decision_function(X), expected.decision_function(X))


def test_scores_under_ckks_agree_with_the_exact_ones(cancer):
    pytest.importorskip("tenseal")
    X, y = cancer
    fitted = SecureXGBClassifier(**SMALL, splits="owner").fit(X, y)
    exact = fitted.decision_function(X)
    model = pickle.loads(pickle.dumps(fitted)).set_params(prediction="ckks")
    scores = model.decision_function(X)
    assert np.abs(scores - exact).max() <= 0.005 + 2.0**-10
    np.testing.assert_array_equal(scores, np.round(scores, 2))
    assert (model.predict(X) == fitted.predict(X)).mean() > 0.98
    with pytest.raises(UsageError, match="choose among transfers, ckks"):
        model.set_params(prediction="bfv").predict(X)


def same_trees(one, other):
    """Splits where there are any, and leaf values put together, bit for bit."""
    values = [
        [
            sum(half.trees[k].leaf_values for half in model._halves)
            for k in range(len(model._halves[0].trees))
        ]
        for model in (one, other)
    ]
    return all(np.array_equal(a, b) for a, b in zip(*values, strict=True))


def test_string_labels_and_frames(cancer, fitted):
    X, y = cancer
    names = [f"c{i}" for i in range(X.shape[1])]
    labels = np.where(y == 1, "good", "bad")
    frames = [
        pd.DataFrame(X, columns=names),
        pl.DataFrame(X, schema=names),
        pa.table({name: X[:, i] for i, name in enumerate(names)}),
    ]
    for frame in frames:
        model = SecureXGBClassifier(**SMALL, feature_party_columns=["c3", "c4", "c5"])
        model.fit(frame, labels)
        assert model.classes_.tolist() == ["bad", "good"]
        assert model.feature_names_in_.tolist() == names
        np.testing.assert_array_equal(
            model.predict(frame), np.where(fitted.predict(X) == 1, "good", "bad")
        )


def test_missing_values_one_column_and_constant_columns():
    draws = np.random.default_rng(0)
    X = draws.normal(size=(60, 1))
    y = (X[:, 0] > 0).astype(int)
    X[::7] = np.nan
    assert SecureXGBClassifier(**SMALL).fit(X, y).score(X, y) > 0.9
    wide = np.column_stack([np.ones(60), np.full(60, np.nan), X[:, 0]])
    assert SecureXGBClassifier(**SMALL).fit(wide, y).score(wide, y) > 0.9
    useless = SecureXGBClassifier(**SMALL).fit(wide[:, :2], y)
    assert len(np.unique(useless.predict_proba(wide[:, :2])[:, 1])) == 1


def test_two_rows():
    model = SecureXGBClassifier(**SMALL, min_child_weight=0).fit([[0.0], [1.0]], [0, 1])
    assert model.predict([[0.0], [1.0]]).tolist() == [0, 1]
    one = SecureXGBRegressor(**SMALL).fit([[0.0]], [3.0])
    assert one.predict([[5.0]]) == pytest.approx([3.0], abs=1e-5)


def test_pickle_clone_and_search(cancer, fitted):
    X, y = cancer
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.decision_function(X), fitted.decision_function(X))
    assert not hasattr(clone(fitted), "classes_")
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SecureXGBClassifier(n_estimators=2, max_bin=8)),
        {"securexgbclassifier__max_depth": [1, 2]},
        cv=2,
    ).fit(X, y)
    assert search.best_score_ > 0.7


def test_evaluation_sets_early_stopping_and_callbacks(cancer):
    X, y = cancer
    calls = []

    class Watch(TrainingCallback):
        def before_training(self, model):
            calls.append("start")
            return model

        def after_iteration(self, model, epoch, evals_log):
            calls.append(epoch)
            return False

        def after_training(self, model):
            calls.append("end")
            return model

    model = SecureXGBClassifier(
        **SMALL | {"n_estimators": 12, "learning_rate": 1.0},
        eval_metric=["logloss", "auc"],
        early_stopping_rounds=2,
        callbacks=[Watch()],
    ).fit(X[:120], y[:120], eval_set=[(X[:120], y[:120]), (X[120:], y[120:])])
    result = model.evals_result()
    assert list(result) == ["validation_0", "validation_1"]
    assert list(result["validation_1"]) == ["logloss", "auc"]
    trees = len(result["validation_1"]["auc"])
    assert trees < 12
    assert model.best_iteration == trees - 3
    assert calls == ["start", *range(trees), "end"]
    assert {row["reveal"] for row in model.ledger_} == {"METRIC"}


def test_a_metric_that_takes_more_than_the_tree_is_warned_of(cancer):
    X, y = cancer
    small = {"n_estimators": 1, "max_depth": 1, "max_bin": 2, "eval_metric": "auc"}
    with pytest.warns(UserWarning, match=r"eval_every = 5 in the terms .* and auc_rows = 2048"):
        SecureXGBClassifier(**small).fit(X[:40], y[:40], eval_set=[(X, y)])


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_the_leak_meter_is_an_attribute_and_few_rows_are_told_in_the_log(cancer, caplog, splits):
    X, y = cancer
    with caplog.at_level("INFO", logger="securexgb.estimator"):
        model = SecureXGBClassifier(**SMALL, splits=splits).fit(X, y, eval_set=[(X[:50], y[:50])])
    revealed = {(row["reveal"], row["to"]): row["values"] for row in model.ledger_}
    assert model.leak_.openings == revealed.get(("SPLIT_INDEX", "feature"), 0)
    assert (model.leak_.openings > 0) == (splits == "owner")
    assert (model.leak_.labels, model.leak_.outcomes) == (200, 3 * 15)
    assert model.leak_.sentence in caplog.text
    told = "200 training rows are fewer than min_training_rows" in caplog.text
    assert told == (splits == "owner")
    assert "'validation_0' has 50 rows" in caplog.text


def test_scales_follow_from_the_data(cancer):
    X, y = cancer
    weights = np.full(200, 1e-7)
    model = SecureXGBClassifier(**SMALL).fit(X, y, sample_weight=weights)
    params = model._halves[0].params
    assert (params.weight_exponent, params.target_exponent) == (-23, None)
    assert params.metric_exponent == -4
    values = SecureXGBRegressor(**SMALL).fit(X, 1e6 + y)
    params = values._halves[0].params
    assert (params.weight_exponent, params.target_exponent) == (None, -1)
    assert values._halves[0].centre == pytest.approx(1e6 + y.mean())
    assert values.score(X, 1e6 + y) > 0.5
    given = SecureXGBRegressor(**SMALL, target_exponent=2, metric_exponent=-6).fit(X, y)
    params = given._halves[0].params
    assert (params.target_exponent, params.metric_exponent) == (2, -6)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_targets_beyond_every_scale_are_refused_with_the_cure(cancer, scale):
    X, y = cancer
    with pytest.raises(DataError, match="by a factor on the whole column"):
        SecureXGBRegressor(**SMALL).fit(X, y * scale)


def test_importances_by_cover_are_exact_alone(cancer, fitted):
    """Also of a training that a callback has stopped: both halves are here."""
    by_cover = SecureXGBClassifier(**SMALL, importance="cover", importance_type="cover")
    shares = by_cover.fit(*cancer).feature_importances_
    assert shares.sum() == pytest.approx(1.0)
    assert np.abs(shares - fitted.feature_importances_).max() > 0.01
    asked = clone(fitted).set_params(importance_type="cover").fit(*cancer)
    assert not hasattr(asked, "feature_importances_")
    stop = EarlyStopping(1, min_delta=9.0)
    stopped = clone(by_cover).set_params(callbacks=[stop]).fit(*cancer, eval_set=[cancer])
    assert stopped.best_iteration == 0
    assert stopped.feature_importances_.sum() == pytest.approx(1.0)
    assert {row["reveal"] for row in stopped.ledger_} == {"METRIC"}


def test_importances(cancer, fitted):
    assert fitted.feature_importances_.shape == (6,)
    assert fitted.feature_importances_.sum() == pytest.approx(1.0)
    assert [row["reveal"] for row in fitted.ledger_] == []
    fitted_by_count = SecureXGBClassifier(**SMALL, splits="owner").fit(*cancer)
    counts = 9 * fitted_by_count.feature_importances_
    np.testing.assert_allclose(counts, counts.round())
    assert counts.sum() == pytest.approx(9)
    for model, kind in ((fitted, "weight"), (fitted_by_count, "gain")):
        asked = clone(model).set_params(importance_type=kind).fit(*cancer)
        assert not hasattr(asked, "feature_importances_")
        with pytest.raises(UsageError, match="is not available"):
            _ = asked.feature_importances_


@pytest.mark.parametrize("importance", ["gain", "cover"])
def test_importances_of_one_half_are_those_that_were_opened(cancer, importance):
    model = SecureXGBClassifier(**SMALL, importance=importance).fit(*cancer)
    exact = model.feature_importances_
    model.set_params(importance_type=importance)
    np.testing.assert_array_equal(model.feature_importances_, exact)
    label, feature = model._halves
    assert label.importance == feature.importance
    np.testing.assert_allclose(np.array(label.importance) / 100, exact, atol=0.00501)
    for half in model._halves:
        model._halves, model._sides = (half,), (np.arange(3),)
        own = slice(0, 3) if half.rank == 0 else slice(3, 6)
        model.n_features_in_ = 3
        opened = np.array(label.importance[own]) / 100
        np.testing.assert_array_equal(model.feature_importances_, opened)
    model._halves = (replace(label, importance=None),)
    assert not hasattr(model, "feature_importances_")


def test_save_and_load(tmp_path, cancer, fitted):
    X, _ = cancer
    fitted.save_model(tmp_path / "model")
    names = sorted(path.name for path in (tmp_path / "model").iterdir())
    assert names == ["estimator.json", "feature.npz", "label.npz"]
    again = SecureXGBClassifier()
    again.load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert again.classes_.dtype == fitted.classes_.dtype
    with pytest.raises(DataError, match="SecureXGBClassifier"):
        SecureXGBRegressor().load_model(tmp_path / "model")
    content = (tmp_path / "model" / "label.npz").read_bytes()
    (tmp_path / "model" / "label.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="truncated or damaged"):
        again.load_model(tmp_path / "model")


def test_halves_of_two_models_are_refused(tmp_path, cancer, fitted):
    X, y = cancer
    fitted.save_model(tmp_path / "a")
    SecureXGBClassifier(**SMALL, random_state=5).fit(X, y).save_model(tmp_path / "b")
    (tmp_path / "b" / "feature.npz").replace(tmp_path / "a" / "feature.npz")
    with pytest.raises(DataError, match="do not belong together"):
        SecureXGBClassifier().load_model(tmp_path / "a")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"objective": "reg:squarederror"}, "is for objectives 'binary:logistic', 'multi:softp"),
        ({"max_depth": 0}, "max_depth must be at least 1"),
        ({"eval_metric": "rmse"}, "does not exist for objective"),
        ({"metric_exponent": 99}, "metric_exponent must be at least -30"),
        ({"missing_values": "some"}, "missing_values 'some' is not supported"),
        ({"he": "rsa"}, "choose among bfv, paillier"),
        ({"he": "bfv", "algorithm": "ss"}, 'he is for algorithm "hybrid"'),
        ({"algorithm": "ss", "offline": "two-party"}, "needs a dealer"),
        ({"feature_party_columns": ["x"]}, "feature_party_columns names 'x'"),
        ({"feature_party_columns": [6]}, "counted from 0"),
        ({"feature_party_columns": [True, False]}, "has True: write names of columns"),
        ({"feature_party_columns": [1.0]}, "has 1.0: write names of columns"),
        ({"feature_party_columns": 3}, "is 3, and no list of names or numbers"),
    ],
)
def test_refusals(cancer, settings, says):
    with pytest.raises(UsageError, match=says):
        SecureXGBClassifier(**SMALL | settings).fit(*cancer)


def test_unknown_parameters_and_classes_are_refused(cancer):
    X, y = cancer
    with pytest.raises(UsageError, match="did you mean n_estimators"):
        SecureXGBClassifier(n_estimator=3)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        SecureXGBClassifier(**SMALL).fit(X[:3], [0.5, 1.25, 2.0])
    with pytest.raises(DataError, match="only one class"):
        SecureXGBClassifier(**SMALL).fit(X, np.ones(len(X)))
    with pytest.raises(DataError, match="class that the training data lacks"):
        SecureXGBClassifier(**SMALL).fit(X, y, eval_set=[(X, y + 1)])


def test_regression_weights_and_base_score():
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:150, :4], y[:150]
    model = SecureXGBRegressor(n_estimators=8, max_depth=2, max_bin=8).fit(X, y)
    assert model.score(X, y) > 0.3
    assert model.predict(X).shape == (150,)
    heavy = SecureXGBRegressor(**SMALL).fit(X, y, sample_weight=np.where(y > 150, 100.0, 1.0))
    assert heavy.predict(X).mean() > model.predict(X).mean() + 10
    fixed = SecureXGBRegressor(**SMALL | {"n_estimators": 1}, base_score=1000.0, learning_rate=1e-6)
    assert fixed.fit(X, y).predict(X) == pytest.approx(np.full(150, 1000.0), abs=0.1)


@pytest.mark.parametrize("positive", [0, 1])
def test_base_margins_alone_are_xgboosts(cancer, positive):
    features, labels = cancer
    margins = np.linspace(-3.0, 3.0, labels.size)
    model = SecureXGBClassifier(**SMALL, positive_label=positive)
    model.fit(features, labels, base_margin=margins)
    assert model._halves[0].params.base_margin_bound == 4
    matrix = xgboost.DMatrix(binned(features, 8), labels, base_margin=margins)
    settings = {"objective": "binary:logistic", "max_depth": 2, "tree_method": "hist"}
    plain = xgboost.train(settings, matrix, 3).predict(matrix)
    ours = model.predict_proba(features, base_margin=margins)[:, 1]
    np.testing.assert_allclose(ours, plain, atol=2e-3)
    found = model.decision_function(features, base_margin=margins)
    np.testing.assert_allclose(1 / (1 + np.exp(-found)), ours, rtol=1e-9)
    assert np.array_equal(model.predict(features, base_margin=margins), found > 0)
    with pytest.raises(UsageError, match="without base margins"):
        model.predict(features)
    with pytest.raises(UsageError, match="come without base margins"):
        model.fit(features, labels, base_margin=margins, eval_set=[(features, labels)])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"base_margin": np.zeros(5)}, r"it has the shape \(5,\)"),
        ({"base_margin": np.zeros((200, 3))}, "must be one number for each of"),
        ({"base_margin": 1.0}, "must be one number for each of"),
        ({"base_margin": np.full(200, np.inf)}, "one finite base margin each"),
        ({"base_margin": np.full(200, np.nan)}, "one finite base margin each"),
        ({"base_margin_eval_set": [np.zeros(200)]}, "has 1 entries, and eval_set 0"),
        ({"eval_set": "X, y"}, "eval_set must be a list of pairs"),
        ({"eval_set": [1], "sample_weight_eval_set": [None]}, "eval_set must be a list of pairs"),
    ],
)
def test_what_comes_with_rows_is_refused_where_it_does_not_fit(cancer, given, words):
    with pytest.raises((UsageError, DataError), match=words):
        SecureXGBClassifier(**SMALL).fit(*cancer, **given)


def test_base_margins_of_a_regression_and_rows_of_weight_zero():
    features, targets = load_diabetes(return_X_y=True)
    features, targets = features[:120, :4], targets[:120]
    margins, weights = targets + np.arange(120.0) % 7 - 3, (np.arange(120) % 5 > 0).astype(float)
    model = SecureXGBRegressor(**SMALL, learning_rate=1.0)
    model.fit(features, targets, base_margin=margins, sample_weight=weights)
    kept = weights > 0
    again = SecureXGBRegressor(**SMALL, learning_rate=1.0)
    again.fit(features[kept], targets[kept], base_margin=margins[kept], sample_weight=weights[kept])
    one, two = (each.predict(features, base_margin=margins) for each in (model, again))
    assert np.array_equal(one, two)
    # Trees learn the gap to the base margin, some 2, and not the targets, some 80.
    assert np.abs(one - margins).max() < 8


def test_a_fit_goes_on_from_an_estimator_or_what_it_saved(cancer, tmp_path):
    features, labels = cancer
    long = SecureXGBClassifier(**SMALL | {"n_estimators": 5}).fit(features, labels)
    first = SecureXGBClassifier(**SMALL).fit(features, labels)
    first.save_model(tmp_path / "model")
    for old in (first, tmp_path / "model", str(tmp_path / "model")):
        model = SecureXGBClassifier(**SMALL | {"n_estimators": 2})
        model.fit(features, labels, xgb_model=old)
        assert np.array_equal(model.predict_proba(features), long.predict_proba(features))
    again = model.fit(features, labels, xgb_model=model, eval_set=[(features, labels)])
    assert len(again._halves[0].trees) == 7
    assert len(again.evals_result()["validation_0"]["logloss"]) == 2
    (mine,) = {half.model_id for half in again._halves}
    assert mine not in {half.model_id for half in first._halves}


def test_what_a_fit_cannot_go_on_from_is_refused(cancer, fitted):
    features, labels = cancer
    for old, words in (
        (SecureXGBRegressor(**SMALL), "must be a fitted SecureXGBClassifier"),
        (SecureXGBClassifier(**SMALL), "is not fitted"),
        (xgboost.XGBClassifier(), "holds no shares to go on from"),
    ):
        with pytest.raises(UsageError, match=words):
            SecureXGBClassifier(**SMALL).fit(features, labels, xgb_model=old)
    for more, kind, words in (
        ({"positive_label": 0}, DataError, "labels are other ones"),
        ({"max_depth": 3}, UsageError, "max_depth is 3, and 2 in the model to go on from"),
        ({"feature_party_columns": [0]}, DataError, "other columns at the label party"),
    ):
        with pytest.raises(kind, match=words):
            SecureXGBClassifier(**SMALL | more).fit(features, labels, xgb_model=fitted)
    with pytest.raises(DataError, match="labels are other ones"):
        SecureXGBClassifier(**SMALL).fit(features, labels + 1, xgb_model=fitted)


@pytest.mark.parametrize("kind", [SecureXGBClassifier, SecureXGBRegressor])
def test_a_model_alone_is_exported_for_xgboost(kind, cancer, tmp_path):
    X, y = cancer
    frame = pd.DataFrame(X, columns=list("abcdef"))
    target = np.where(y == 1, "no", "yes") if kind is SecureXGBClassifier else 100 + 50 * y
    model = kind(**SMALL, feature_party_columns=["a", "d"]).fit(frame, target)
    assert model.export_xgboost(tmp_path / "model.json")
    booster = xgboost.Booster(model_file=tmp_path / "model.json")
    assert booster.feature_names == list("abcdef")
    found = booster.predict(xgboost.DMatrix(frame))
    known = (
        model.predict_proba(frame)[:, 1] if kind is SecureXGBClassifier else model.predict(frame)
    )
    assert found == pytest.approx(known, abs=1e-5, rel=1e-6)
    half = pickle.loads(pickle.dumps(model))
    half._halves = half._halves[:1]
    with pytest.raises(UsageError, match="one half of a model"):
        half.export_xgboost(tmp_path / "half.json")


def test_an_array_exports_without_names(fitted, cancer, tmp_path):
    fitted.export_xgboost(tmp_path / "model.json")
    other = xgboost.XGBClassifier()
    other.load_model(tmp_path / "model.json")
    assert other.predict_proba(cancer[0])[:, 1] == pytest.approx(
        fitted.predict_proba(cancer[0])[:, 1], abs=1e-5
    )


def test_directions_of_a_frame_and_of_an_array(cancer):
    """By names, by numbers and as a list the same model; xgboost gets what was meant."""
    X, y = cancer
    frame = pd.DataFrame(X, columns=list("abcdef"))
    settings = SMALL | {"n_estimators": 2, "feature_party_columns": [0, 3]}
    given = [({0: 1, 4: -1}, X), ((1, 0, 0, 0, -1, 0), X), ({"a": 1, "e": -1}, frame)]
    models = [
        SecureXGBClassifier(**settings, monotone_constraints=ways).fit(table, y)
        for ways, table in given
    ]
    scores = [
        model.decision_function(table) for model, (_, table) in zip(models, given, strict=True)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])
    assert models[0].get_params()["monotone_constraints"] == {0: 1, 4: -1}
    shown = [model.get_xgb_params()["monotone_constraints"] for model in models]
    assert shown == [(1, 0, 0, 0, -1, 0), (1, 0, 0, 0, -1, 0), {"a": 1, "e": -1}]
    moved = np.repeat(X[:30], 9, axis=0)
    moved[:, 0] = np.tile(np.quantile(X[:, 0], np.linspace(0, 1, 9)), 30)
    assert (np.diff(models[0].decision_function(moved).reshape(30, 9), axis=1) >= 0).all()
    with pytest.raises(UsageError, match="'z', which is no column"):
        SecureXGBClassifier(**settings, monotone_constraints={"z": 1}).fit(frame, y)
