"""Several classes: the objective by itself, alone and in a federation, and files."""

from contextlib import contextmanager

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.utils import get_tags

from securexgb import SecureXGBClassifier
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, UsageError
from securexgb.federation.session import Federation
from securexgb.mpc.party import ROLES
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from securexgb.testing.harness import insecure_parties, run_both

X, CODES = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[CODES]
SMALL = {"n_estimators": 2, "max_depth": 2}
TERMS = {"objective": "multi:softprob", "num_class": 3, "eval_metric": ("merror",), **SMALL}


@pytest.fixture(scope="module")
def fitted():
    metrics = ["mlogloss", "merror"]
    model = SecureXGBClassifier(**SMALL, eval_metric=metrics)
    return model.fit(X, NAMES, eval_set=[(X[::2], NAMES[::2])])


def test_classes_are_named_and_the_objective_is_multi_softprob(fitted):
    assert fitted.classes_.tolist() == sorted(set(NAMES))
    assert fitted.n_classes_ == 3
    shown = fitted.get_xgb_params()
    assert (shown["objective"], shown["num_class"]) == ("multi:softprob", 3)
    margins, p = fitted.decision_function(X), fitted.predict_proba(X)
    assert margins.shape == p.shape == (150, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    np.testing.assert_array_equal(fitted.predict(X), fitted.classes_[margins.argmax(axis=1)])
    np.testing.assert_array_equal(fitted.predict(X, output_margin=True), margins)
    assert fitted.score(X, NAMES) > 0.95
    assert fitted.intercept_ == pytest.approx([0.0] * 3, abs=1e-5)
    measured = fitted.evals_result()["validation_0"]
    own = p[::2][np.arange(75), CODES[::2]]
    assert measured["mlogloss"][-1] == pytest.approx(-np.log(own).mean(), abs=2e-3)
    wrong = (p[::2].argmax(axis=1) != CODES[::2]).mean()
    assert measured["merror"][-1] == pytest.approx(wrong, abs=1e-4)


def test_a_saved_model_predicts_the_same(fitted, tmp_path):
    fitted.save_model(tmp_path)
    again = SecureXGBClassifier()
    again.load_model(tmp_path)
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))


def test_xgboost_reads_the_exported_model(fitted, tmp_path):
    """Values are float64 here and float32 there, so rows on a cut may part."""
    xgboost = pytest.importorskip("xgboost")
    fitted.export_xgboost(tmp_path / "model.json")
    booster = xgboost.Booster(model_file=tmp_path / "model.json")
    np.testing.assert_allclose(
        booster.predict(xgboost.DMatrix(X)), fitted.predict_proba(X), atol=1e-5
    )


def test_metrics_of_opened_scores_are_those_in_shares(fitted):
    opened = SecureXGBClassifier(
        **SMALL, eval_metric=["mlogloss", "merror"], evaluation_scores_to="label"
    ).fit(X, NAMES, eval_set=[(X[::2], NAMES[::2])])
    shown, there = (model.evals_result()["validation_0"] for model in (opened, fitted))
    for metric in ("mlogloss", "merror"):
        assert shown[metric] == pytest.approx(there[metric], abs=2e-3)


def test_a_training_goes_on(fitted):
    more = SecureXGBClassifier(**SMALL).fit(X, NAMES, xgb_model=fitted)
    whole = SecureXGBClassifier(**{**SMALL, "n_estimators": 4}).fit(X, NAMES)
    np.testing.assert_array_equal(more.predict_proba(X), whole.predict_proba(X))


def test_two_classes_may_be_asked_for_as_several():
    rows = CODES < 2
    model = SecureXGBClassifier(**SMALL, objective="multi:softmax").fit(X[rows], NAMES[rows])
    odds, p = model.decision_function(X), model.predict_proba(X)
    assert odds.shape == (150,)
    np.testing.assert_allclose(p[:, 1], 1 / (1 + np.exp(-odds)))


@pytest.mark.parametrize(
    ("settings", "error", "why"),
    [
        ({"num_class": 4}, DataError, "y holds 3 classes, and num_class is for 4"),
        ({"positive_label": "setosa"}, UsageError, "positive_label is for two classes"),
        ({"scale_pos_weight": 2.0}, UsageError, "scale_pos_weight is for"),
        ({"eval_metric": "auc"}, UsageError, "mlogloss, merror"),
        ({"objective": "reg:squarederror"}, UsageError, "is for objective"),
        ({"base_margin_bound": 1.0}, UsageError, "base margins are one number a row"),
    ],
)
def test_what_does_not_go_with_several_classes_is_refused(settings, error, why):
    settings = {"objective": "multi:softprob"} | settings
    with pytest.raises(error, match=why):
        SecureXGBClassifier(**SMALL, **settings).fit(X, NAMES)


@pytest.mark.parametrize(
    ("settings", "y", "given", "error", "why"),
    [
        (
            {},
            CODES,
            {"base_margin": np.zeros((150, 3))},
            UsageError,
            r"one number for each of 150 rows.*\(150, 3\)",
        ),
        ({}, CODES, {"base_margin": np.zeros(150)}, UsageError, "each class: leave them"),
        ({}, np.array(["a", 0.5, 1] * 50, dtype=object), {}, DataError, "labels of several types"),
        ({"num_class": "3", "objective": "multi:softmax"}, CODES, {}, UsageError, "num_class must"),
        ({}, np.zeros(150), {}, DataError, "only one class"),
        ({}, np.arange(150) % 75, {}, UsageError, "num_class must be .* at most 64"),
    ],
)
def test_labels_and_margins_that_cannot_be_are_refused(settings, y, given, error, why):
    with pytest.raises(error, match=why):
        SecureXGBClassifier(**SMALL, **settings).fit(X, y, **given)


def test_base_margins_of_rows_to_predict_are_refused(fitted):
    with pytest.raises(UsageError, match="a margin for each class: leave them out"):
        fitted.predict(X, base_margin=np.zeros(150))
    with pytest.raises(UsageError, match="one number for each"):
        fitted.predict(X, base_margin=np.zeros((150, 3)))


def test_scikit_learn_knows_that_there_may_be_several():
    assert get_tags(SecureXGBClassifier()).classifier_tags.multi_class


def test_predictions_under_ckks_are_refused(fitted):
    model = SecureXGBClassifier(**SMALL, splits="owner", prediction="ckks").fit(X[::3], NAMES[::3])
    with pytest.raises(UsageError, match="one score a row"):
        model.predict(X)
    with pytest.raises(ValueError, match="one score a row"):
        terms(prediction="ckks")


def terms(**more):
    parties = {"label_party": "bank", "feature_party": "bureau"}
    rows = {"min_training_rows": 1, "min_evaluation_rows": 1}
    return JobTerms(name="irises", training=TrainingParams(**TERMS), **parties, **rows, **more)


@pytest.mark.parametrize("to", ["label", "both"])
def test_in_a_federation_the_terms_decide(monkeypatch, to):
    parties, agreed = insecure_parties(seed=3), terms(predictions_to=to)

    @contextmanager
    def session(federation, _purpose):
        yield parties[federation.config.rank]

    monkeypatch.setattr(Federation, "session", session)

    def side(party, name):
        own = X[:, :2] if party.rank == 0 else X[:, 2:]
        config = PartyConfig(role=ROLES[party.rank], name=name)
        model = SecureXGBClassifier(federation=Federation(config, agreed))
        if party.rank == 0:
            with pytest.raises(DataError, match="y holds 2 classes, and num_class is for 3"):
                model.fit(own[:100], NAMES[:100])
        model.fit(own, NAMES if party.rank == 0 else None)
        return model.predict_proba(own)

    label, feature = run_both(side, parties, ("bank", "bureau"))
    alone = SecureXGBClassifier(**SMALL, feature_party_columns=[2, 3]).fit(X, NAMES)
    np.testing.assert_allclose(label, alone.predict_proba(X), atol=1e-4)
    assert (feature is None) == (to == "label")
