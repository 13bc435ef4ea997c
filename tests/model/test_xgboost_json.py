"""A whole model as xgboost's JSON: xgboost reads it and predicts what both sides predict."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict_margins
from securexgb.boost.splits.opened import OpenedModel, OpenedTree
from securexgb.errors import MalformedFrame, NotAvailable, TermsDiffer, UsageError
from securexgb.jobs.export import joint_export
from securexgb.model.xgboost_json import both_columns, unique_names, xgboost_json
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Audience, Reveal
from securexgb.testing import run_parties
from securexgb.testing.harness import Backend
from tests.boost.data import Floats, sides, table, train_both

Halves = tuple[ModelHalf, ModelHalf]
SIDES = ("bank", "bureau")
NAMES = [f"x{column}" for column in range(5)]
LABEL = 2
TOLERANCE = 1e-5


def trained(rows: int = 240, seed: int = 0, **params: Any) -> tuple[Halves, Floats]:
    """Both halves of a small model, and the rows that it was trained on."""
    features, labels = table(rows, missing=0.1, seed=seed)
    if params.get("objective") == "reg:squarederror":
        labels = 1000.0 + 50.0 * labels + np.nan_to_num(features[:, 1])
    known = {"n_estimators": 3, "max_depth": 3, "max_bin": 8, "target_exponent": None} | params
    return train_both(TrainingParams(**known), sides(features, labels, LABEL)), features


def exported(
    halves: Halves, to: Audience = "label", backend: Backend = "plaintext"
) -> list[tuple[bytes | None, dict[Any, int]]]:
    """What each side gets, and its ledger."""

    def program(party: Party, half: ModelHalf) -> tuple[bytes | None, dict[Any, int]]:
        return joint_export(party, half, to, SIDES), party.ledger.entries

    return run_parties(program, halves, backend=backend)


def margins(halves: Halves, features: Floats) -> Floats:
    """What both sides predict together, with all decimals."""
    parts = [features[:, :LABEL].copy(), features[:, LABEL:].copy()]

    def program(party: Party, half: ModelHalf) -> Any:
        return predict_margins(party, half, parts[party.rank], Request("label", 12))

    found: Floats = run_parties(program, halves, backend="plaintext")[0]
    return found


def read_back(content: bytes | None, features: NDArray[Any]) -> Floats:
    """The margins of xgboost, which reads the file."""
    assert content is not None
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(content))
    rows = xgboost.DMatrix(features, feature_names=NAMES)
    return np.asarray(booster.predict(rows, output_margin=True), np.float64)


@pytest.mark.parametrize(
    "params",
    [
        {"gamma": 1.0},
        {"objective": "reg:squarederror", "target_exponent": 5, "gamma": 3000.0},
    ],
    ids=["binary", "regression"],
)
def test_xgboost_predicts_the_same_and_stopped_nodes_are_leaves(params: dict[str, Any]) -> None:
    files = []
    for splits in ("owner", "hidden"):
        halves, features = trained(splits=splits, **params)
        content = exported(halves)[0][0]
        found, known = read_back(content, features), margins(halves, features)
        assert np.abs(found - known).max() <= TOLERANCE * max(1.0, np.abs(known).max())
        assert content is not None
        files.append(json.loads(content))
        files[-1]["learner"]["attributes"].pop("securexgb_model_id")
    assert files[0] == files[1]
    trees = files[0]["learner"]["gradient_booster"]["model"]["trees"]
    sizes = [len(tree["parents"]) for tree in trees]
    assert min(sizes) < 15, "no node stopped: the case is none"


def test_keys_are_those_of_a_model_that_xgboost_saves() -> None:
    halves, features = trained(splits="owner")
    found = json.loads(exported(halves)[0][0] or b"")
    rows = xgboost.DMatrix(features, features[:, 0] > 0, feature_names=NAMES)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, rows, 1)
    known = json.loads(bytes(booster.save_raw("json")))

    def shape(value: Any) -> Any:
        """Keys, and the types of values; of a list the first one's."""
        if isinstance(value, dict):
            return {name: shape(entry) for name, entry in value.items()}
        return [shape(entry) for entry in value[:1]] if isinstance(value, list) else type(value)

    known["learner"]["gradient_booster"]["model"].pop("cats", None)  # since version 3.1
    known["learner"]["attributes"] = found["learner"]["attributes"]
    known["learner"]["feature_types"] = found["learner"]["feature_types"]
    assert shape(found) == shape(known)


@pytest.mark.parametrize("to", ["label", "feature", "both"])
@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_whom_the_terms_name_gets_it_and_the_ledger_counts_every_number(
    to: Audience, splits: str
) -> None:
    halves, _ = trained(60, splits=splits, gamma=1.0, n_estimators=2)
    both = exported(halves, to, "shared")
    heard = [content is not None for content, _ in both]
    assert heard == [to in ("label", "both"), to in ("feature", "both")]
    content = next(content for content, _ in both if content is not None)
    assert content == exported(halves, to)[heard.index(True)][0], "plaintext backend"
    trees = json.loads(content)["learner"]["gradient_booster"]["model"]["trees"]
    split = [
        column for tree in trees
        for column, child in zip(tree["split_indices"], tree["left_children"], strict=True)
        if child > 0
    ]  # fmt: skip
    expected: dict[Any, int] = {(Reveal.MODEL, to): 2 * 8 + 2 + 2 * len(split)}
    if to != "both":
        expected[Reveal.MODEL, "feature" if to == "label" else "label"] = 2 * 7
    if splits == "hidden":
        expected[Reveal.SPLIT_OWNER, "both"] = len(split)
        expected[Reveal.SPLIT_INDEX, "label"] = sum(column < LABEL for column in split)
        expected[Reveal.SPLIT_INDEX, "feature"] = sum(column >= LABEL for column in split)
        expected = {key: count for key, count in expected.items() if count}
    assert both[0][1] == both[1][1] == expected


def test_two_models_or_two_recipients_are_refused() -> None:
    halves, other = trained(60, splits="owner")[0], trained(60, seed=1, splits="owner")[0]

    def program(party: Party, given: tuple[ModelHalf, Audience]) -> Any:
        try:
            joint_export(party, *given, SIDES)
        except TermsDiffer as error:
            return party.ledger.entries, str(error)

    cases: list[list[tuple[ModelHalf, Audience]]] = [
        [(halves[0], "label"), (replace(other[1], model_id="another"), "label")],
        [(halves[0], "label"), (halves[1], "feature")],
    ]
    for given in cases:
        for ledger, sentence in run_parties(program, given, backend="plaintext"):
            assert not ledger
            assert "do not export the same thing" in sentence


def test_what_cannot_be_exported_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    halves, _ = trained(60, splits="owner")
    empty = tuple(replace(half, trees=[]) for half in halves)
    for given, words in [((halves[1], halves[0]), "belongs to"), (empty, "no tree yet")]:
        with pytest.raises(UsageError, match=words):
            exported((given[0], given[1]))
    monkeypatch.setattr("securexgb.model.xgboost_json._WRITTEN", {})
    with pytest.raises(NotAvailable, match="'binary:logistic' is not exported"):
        exported(halves)


def test_shapes_that_are_no_tree_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    halves, _ = trained(60, splits="owner")
    monkeypatch.setattr(
        "securexgb.boost.splits.opened.splitting",
        lambda leaves: np.arange(leaves.size - leaves.shape[0]).reshape(leaves.shape[0], -1) > 3,
    )
    with pytest.raises(MalformedFrame, match="is no model's"):
        exported(halves)


def test_only_the_best_rounds_are_opened_and_written() -> None:
    halves, features = trained(splits="hidden")
    best = tuple(replace(half, best_iteration=1) for half in halves)
    (content, ledger), _ = exported((best[0], best[1]))
    found = json.loads(content or b"")["learner"]
    assert found["attributes"]["best_iteration"] == "1"
    assert len(found["gradient_booster"]["model"]["trees"]) == 2
    assert ledger[Reveal.MODEL, "feature"] == 2 * 7
    known = margins((best[0], best[1]), features)
    assert np.abs(read_back(content, features) - known).max() <= TOLERANCE


@pytest.mark.parametrize("base", [1e-12, 0.3, 0.99, 1 - 1e-9])
def test_a_base_near_0_or_1_loses_nothing(base: float) -> None:
    halves, features = trained(60, splits="owner", base_score=base, learning_rate=0.01)
    content = exported(halves)[0][0]
    found, known = read_back(content, features), margins(halves, features)
    assert np.abs(found - known).max() <= TOLERANCE
    text = json.loads(content or b"")["learner"]["learner_model_param"]["base_score"]
    digits = text.partition("e")[0].replace(".", "").lstrip("0")
    assert len(digits) <= 9, "xgboost 2.1 and 3.0 take more for 0.5"


def test_trees_without_a_split_are_leaves() -> None:
    for splits in ("owner", "hidden"):
        halves, features = trained(60, splits=splits, gamma=1e6)
        content, ledger = exported(halves)[0]
        found = read_back(content, features)
        assert np.abs(found - margins(halves, features)).max() <= TOLERANCE
        assert len(set(found.tolist())) == 1
        assert ledger == {(Reveal.MODEL, "label"): 3 * 8 + 2, (Reveal.MODEL, "feature"): 3 * 7}
    some, features = trained(60, splits="hidden", gamma=12.0)
    content = exported(some)[0][0]
    sizes = [
        len(tree["parents"])
        for tree in json.loads(content or b"")["learner"]["gradient_booster"]["model"]["trees"]
    ]
    assert min(sizes) == 1 < max(sizes), "some trees of one leaf: the case is none"
    assert np.abs(read_back(content, features) - margins(some, features)).max() <= TOLERANCE


@cache
def any_model() -> Halves:
    return trained(60, splits="owner", base_score=0.5)[0]


def one_split(threshold: float) -> bytes:
    """A file of one tree: 1 where the first column is below the threshold, else 0."""
    one, zero = np.array([True]), np.array([0])
    tree = OpenedTree(one, zero, np.array([threshold]), one, np.array([1.0, 0.0]))
    columns = both_columns(NAMES[:LABEL], NAMES[LABEL:], SIDES)
    content = xgboost_json(OpenedModel(np.zeros(1), (tree,)), any_model()[0], columns)
    return json.dumps(content, allow_nan=False).encode()


def sent_left(threshold: float, values: list[float]) -> list[bool]:
    rows = np.zeros((len(values), 5))
    rows[:, 0] = values
    return [margin > 0.5 for margin in read_back(one_split(threshold), rows)]


def test_values_go_where_the_cut_sends_them_but_for_a_hair_below_it() -> None:
    step = 2.0**-24  # half a unit of float32 between 1/2 and 1, relative
    for cut in (0.7, -0.1, 1 / 3, 16777217.0, 2.0**-130, 5.0):
        nearest = np.float32(cut)
        below = float(np.nextafter(nearest, np.float32(-np.inf)))
        above = float(np.nextafter(nearest, np.float32(np.inf)))
        # A value on the cut goes right, as it does here, though it may be below in float32.
        assert sent_left(cut, [cut, below, above, np.nan]) == [False, True, False, True], cut
    near = 0.7 * (1 - step / 8)
    assert near < 0.7
    assert sent_left(0.7, [near]) == [False], "as documented: it rounds to the same float32"
    assert sent_left(np.inf, [0.0, -3e38, 3e38, np.nan]) == [True, True, True, True]


def test_names_that_both_sides_have_are_told_apart() -> None:
    columns = both_columns(["age", "x<1"], ["age", "x[1", "bank.age"], SIDES)
    assert columns.names == ["bank.age", "x_1", "bureau.age", "x_1_2", "bank.age_2"]
    assert unique_names(["a[", "a_", "a__2", "a_"]) == ["a_", "a__3", "a__2", "a__4"]


def with_categories(splits: str) -> tuple[Halves, Floats]:
    """A categorical column at each side, x1 with missing values that matter most, and rows with
    categories that the training did not have."""
    features, _ = table(200, missing=0.0)
    draw = np.random.default_rng(4)
    features[:, 1], features[:, 3] = draw.integers(0, 6, 200), draw.integers(0, 5, 200)
    features[draw.random(200) < 0.3, 1] = np.nan
    features[draw.random(200) < 0.1, 3] = np.nan
    score = 2.0 * np.isnan(features[:, 1]) + 1.5 * (features[:, 3] == 2) + 0.4 * features[:, 0]
    labels = (score + draw.normal(scale=0.3, size=200) > 1).astype(float)
    label, feature = sides(features, labels, LABEL)
    label = replace(label, categories={"x1": tuple("abcdef")})
    feature = replace(feature, categories={"x3": ("Graz", "Łódź", "Oslo", "Turin", "Zug")})
    params = TrainingParams(
        n_estimators=3, max_depth=3, max_bin=8, enable_categorical=True, splits=splits
    )
    halves = train_both(params, (label, feature))
    features[:9, 1], features[:9, 3] = -1.0, -1.0  # as a later table's new categories are
    return halves, features


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_categories_are_sets_of_one_and_only_those_of_splits_are_named(splits: str) -> None:
    halves, features = with_categories(splits)
    content = exported(halves, "both")
    assert content[0][0] == content[1][0] == exported(halves)[0][0]
    assert content[0][0] == exported(halves, "feature")[1][0]
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(content[0][0] or b""))
    assert booster.feature_types == ["float", "c", "float", "c", "float"]
    named = json.loads(booster.attr("securexgb_categories") or "")
    used, codes = 0, features.copy()
    for half, column in zip(halves, ("x1", "x3"), strict=True):
        names, at = half.categories[column], NAMES.index(column)
        assert set(named[column]) <= set(names)
        used += len(named[column])
        # As a reader numbers them: what has no name is none of the others.
        of = {names.index(name): number for number, name in enumerate(named[column])}
        known = features[~np.isnan(features[:, at]), at]
        codes[~np.isnan(features[:, at]), at] = [of.get(int(v), len(of)) for v in known]
    assert 0 < used < 11
    rows = xgboost.DMatrix(
        codes, feature_names=NAMES, feature_types=booster.feature_types, enable_categorical=True
    )
    found = np.asarray(booster.predict(rows, output_margin=True), np.float64)
    np.testing.assert_allclose(found, margins(halves, features), atol=TOLERANCE)
    assert not re.search("x[13]<", "".join(booster.get_dump())), "a numeric split of categories"
    trees = json.loads(content[0][0] or b"")["learner"]["gradient_booster"]["model"]["trees"]
    none = len(named["x1"]) + 1
    assert any(none in tree["categories"] for tree in trees), "no split parts missing values alone"


def test_names_of_categories_are_of_the_columns_that_have_some() -> None:
    halves, _ = with_categories("owner")
    for told in ([], {}, {"columns": ["a"] * 3, "categories": {}}, {"columns": ["a"] * 3}):

        def program(party: Party, half: ModelHalf, told: Any = told) -> Any:
            if party.rank == 1:
                exchange = party.exchange_bytes
                party.exchange_bytes = lambda own: exchange(  # type: ignore[method-assign]
                    json.dumps(told).encode() if own.startswith(b'{"columns"') else own
                )
            return joint_export(party, half, "label", SIDES)

        with pytest.raises(MalformedFrame, match="other side's names"):
            run_parties(program, halves, backend="plaintext")
