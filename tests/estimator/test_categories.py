"""Categorical columns in notebooks: xgboost's words, and its predictions."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xgboost

from securexgb import SecureXGBClassifier, load_model
from securexgb.errors import DataError, UsageError

CITIES = ["Turin", "Lyon", "Oslo", "Cadiz", "Graz"]
SETTINGS: dict[str, Any] = {"n_estimators": 3, "max_depth": 3, "max_bin": 12, "base_score": 0.5}


def data(rows: int = 400) -> tuple[pd.DataFrame, np.ndarray]:
    """Cities in no order, a number on a grid, and numbers of branches; some are missing."""
    draw = np.random.default_rng(8)
    city, branch = draw.integers(0, 5, rows), draw.integers(0, 6, rows).astype(float)
    amount = draw.integers(0, 9, rows).astype(float)
    score = (city == 1) - 1.2 * (city == 3) + (branch == 4) + 0.2 * amount
    labels = (score + draw.normal(scale=0.5, size=rows) > 1).astype(int)
    branch[draw.random(rows) < 0.1] = np.nan
    names = pd.Categorical.from_codes(np.where(draw.random(rows) < 0.1, -1, city), CITIES)
    frame = pd.DataFrame({"city": names, "amount": amount, "branch": branch})
    return frame, labels


def numbers_of(frame: pd.DataFrame) -> np.ndarray:
    codes = frame["city"].cat.codes.to_numpy(dtype=float)
    codes[codes < 0] = np.nan
    return np.column_stack([codes, frame["amount"], frame["branch"]])


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_pandas_and_feature_types_are_taken_as_by_xgboost(splits: str) -> None:
    frame, labels = data()
    branches = frame["branch"].fillna(-1).astype(int)
    frame["branch"] = pd.Categorical.from_codes(branches, list("uvwxyz"))
    more = {"enable_categorical": True, "max_cat_to_onehot": 12}
    ours = SecureXGBClassifier(**SETTINGS, **more, splits=splits).fit(frame, labels)
    codes = SecureXGBClassifier(**SETTINGS, **more, splits=splits, feature_types=["c", "q", "c"])
    columns = numbers_of(data()[0])
    codes.fit(columns, labels)
    theirs = xgboost.XGBClassifier(**SETTINGS, **more, tree_method="hist").fit(frame, labels)
    assert ours._halves[0].layout.categorical == (0, 2)
    found = ours.predict_proba(frame)[:, 1]
    np.testing.assert_array_equal(found, codes.predict_proba(columns)[:, 1])
    np.testing.assert_allclose(found, theirs.predict_proba(frame)[:, 1], atol=1e-3)


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_other_orders_and_unknown_categories(splits: str, tmp_path: Any) -> None:
    frame, labels = data()
    model = SecureXGBClassifier(**SETTINGS, enable_categorical=True, splits=splits)
    model.fit(frame, labels)
    model.save_model(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    expected = model.predict_proba(frame)
    renamed = frame.assign(city=frame["city"].cat.reorder_categories(CITIES[::-1]))
    texts = frame.assign(city=frame["city"].astype(object))
    polars = pl.from_pandas(texts)
    for table in (renamed, texts, polars):
        np.testing.assert_array_equal(loaded.predict_proba(table), expected)
    # What the training did not have is no category: as a number beyond all others.
    unknown, beyond = texts.assign(city="Bern"), numbers_of(frame)
    beyond[:, 0] = 77
    theirs = xgboost.XGBClassifier(
        **SETTINGS, enable_categorical=True, max_cat_to_onehot=12, feature_types=["c", "q", "q"]
    ).fit(numbers_of(frame), labels)
    np.testing.assert_allclose(
        loaded.predict_proba(unknown)[:, 1], theirs.predict_proba(beyond)[:, 1], atol=1e-3
    )
    if splits == "owner":
        of_city = [row for row in loaded.own_splits() if row["column"] == "city"]
        assert {row["category"] for row in of_city} & {"Lyon", "Cadiz"}


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_xgboost_takes_the_same_table_by_the_exported_model(splits: str, tmp_path: Any) -> None:
    """Alone all names are here, so numbers are those of the table's own categories."""
    frame, labels = data()
    model = SecureXGBClassifier(**SETTINGS, enable_categorical=True, splits=splits)
    model.set_params(feature_party_columns=["city"]).fit(frame, labels)
    assert model.export_xgboost(tmp_path / "model.json")
    theirs = xgboost.XGBClassifier(enable_categorical=True)
    theirs.load_model(tmp_path / "model.json")
    named = json.loads(theirs.get_booster().attr("securexgb_categories") or "")
    assert named == {"city": CITIES}
    np.testing.assert_allclose(theirs.predict_proba(frame), model.predict_proba(frame), atol=1e-5)
    unnamed = SecureXGBClassifier(
        **SETTINGS, enable_categorical=True, splits=splits, feature_types=["c", "q", "c"]
    ).fit(numbers_of(frame), labels)
    unnamed.export_xgboost(tmp_path / "bare.json")
    booster = xgboost.Booster(model_file=tmp_path / "bare.json")
    assert list(json.loads(booster.attr("securexgb_categories") or "")) == ["0", "2"]
    rows = xgboost.DMatrix(
        numbers_of(frame), feature_types=["c", "q", "c"], enable_categorical=True
    )
    expected = unnamed.predict_proba(numbers_of(frame))[:, 1]
    np.testing.assert_allclose(booster.predict(rows), expected, atol=1e-5)


@pytest.mark.parametrize("scale", [10, 0.5])
def test_categories_that_are_called_by_numbers_are_found_by_them(scale: float) -> None:
    """In a later table of plain numbers, with NaN, of any library; of an ordered type as well."""
    frame, labels = data(80)
    branch = pd.Categorical(frame["branch"] * scale, ordered=True)
    model = SecureXGBClassifier(**SETTINGS, enable_categorical=True)
    expected = model.fit(frame.assign(branch=branch), labels).predict_proba(
        frame.assign(branch=branch)
    )
    plain = frame.assign(branch=frame["branch"] * scale, city=frame["city"].astype(object))
    with_nan = pl.from_pandas(plain).with_columns(pl.col("branch").fill_null(np.nan))
    for table in (plain, pl.from_pandas(plain), with_nan):
        np.testing.assert_array_equal(model.predict_proba(table), expected)
    typed = pl.from_pandas(plain).with_columns(pl.col("city").cast(pl.Categorical))
    np.testing.assert_array_equal(model.predict_proba(typed), expected)


def test_flags_and_unknown_categories_of_polars() -> None:
    frame, labels = data(80)
    flagged = frame.assign(amount=frame["amount"] > 4)
    model = SecureXGBClassifier(**SETTINGS, enable_categorical=True).fit(flagged, labels)
    expected = model.predict_proba(flagged)
    nullable = flagged.assign(amount=flagged["amount"].astype("boolean"))
    np.testing.assert_array_equal(model.predict_proba(nullable), expected)
    cities = pl.Series(["Bern", None, "Lyon"], dtype=pl.Categorical)
    few = pl.DataFrame({"city": cities, "amount": [True] * 3, "branch": [1.0] * 3})
    known = pd.DataFrame({"city": ["Bern", None, "Lyon"], "amount": True, "branch": 1.0})
    np.testing.assert_array_equal(model.predict_proba(few), model.predict_proba(known))
    columns = [[np.nan, 1.0, 1.0], [77.0, 1.0, 1.0]]
    rows = np.array(columns)
    with pytest.warns(UserWarning, match="feature names"):
        missing, beyond = model.predict_proba(rows)
    np.testing.assert_array_equal(model.predict_proba(few)[:2], [beyond, missing])


def test_what_cannot_be_is_refused_in_words() -> None:
    frame, labels = data(60)
    codes = numbers_of(frame)

    def fit(table: Any, **more: Any) -> None:
        SecureXGBClassifier(**(SETTINGS | more)).fit(table, labels)

    with pytest.raises(DataError, match=r"categories \(enable_categorical=True\)"):
        fit(frame)
    with pytest.raises(DataError, match="and a categorical type"):
        fit(frame.assign(city=frame["city"].astype(str)), enable_categorical=True)
    with pytest.raises(UsageError, match="each of the 3 columns"):
        fit(codes, feature_types="cqq", enable_categorical=True)
    with pytest.raises(UsageError, match="set enable_categorical=True"):
        fit(codes, feature_types=["c", "q", "q"])
    with pytest.raises(UsageError, match="each of the 3 columns"):
        fit(codes, feature_types=["c"], enable_categorical=True)
    with pytest.raises(DataError, match=r"'city'.* has 5 categories.* fewer than 5"):
        fit(frame, enable_categorical=True, max_bin=5)
    with pytest.raises(DataError, match="whole numbers from 0"):
        fit(codes - 0.5, feature_types=["c", "q", "q"], enable_categorical=True)
    with pytest.raises(DataError, match=r"categories \(enable_categorical=True\)"):
        fit(frame)
    with pytest.raises(DataError, match="and a categorical type"):
        fit(frame.assign(city=frame["city"].astype(str)), enable_categorical=True)
    with pytest.raises(UsageError, match="each of the 3 columns"):
        fit(codes, feature_types="cqq", enable_categorical=True)
    with pytest.raises(UsageError, match="set enable_categorical"):
        fit(codes, max_cat_to_onehot=8)
    with pytest.raises(UsageError, match="true or false"):
        fit(codes, enable_categorical="yes")
    with pytest.raises(UsageError, match="a direction for a categorical column"):
        fit(frame, enable_categorical=True, monotone_constraints=(1, 0, 0))
