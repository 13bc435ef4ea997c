"""Parameters: xgboost's names, every one declared, wrong ones refused by a sentence."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from securexgb.boost.objective.registry import OBJECTIVES
from securexgb.boost.objective.traits import TRAITS
from securexgb.boost.params import TrainingParams, declarations
from securexgb.errors import UsageError


def test_every_parameter_is_declared_with_a_sentence() -> None:
    assert list(declarations()) == [field.name for field in dataclasses.fields(TrainingParams)]
    for declaration in declarations().values():
        assert declaration.help.endswith(".")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("objective", "rank:ndcg"),
        ("n_estimators", 0),
        ("n_estimators", 2.5),
        ("n_estimators", True),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", "0.1"),
        ("max_depth", 11),
        ("max_bin", 256),
        ("subsample", 1.5),
        ("eval_metric", ("mae",)),
        ("eval_metric", 3),
        ("base_score", 1.0),
        ("missing_values", "maybe"),
        ("n_estimators", None),
    ],
)
def test_wrong_values_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=name):
        TrainingParams(**{name: value})


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'num_trees'.*n_estimators"):
        TrainingParams.from_mapping({"num_trees": 3})


def test_the_mapping_round_trips() -> None:
    params = TrainingParams(eval_metric="auc", base_score=0.25, max_depth=2, learning_rate=1)
    assert TrainingParams.from_mapping(params.to_mapping()) == params
    assert isinstance(params.learning_rate, float)


def test_default_metrics() -> None:
    assert set(TRAITS) == set(OBJECTIVES)
    for name, objective in OBJECTIVES.items():
        assert objective.traits is TRAITS[name]
        assert objective.traits.name == name
        first = objective.traits.metrics[0]
        named = f"{first}1.5" if first.endswith("@") else first
        assert TrainingParams(objective=name).metrics == (named,)


def test_regression_needs_a_public_scale() -> None:
    with pytest.raises(UsageError, match="target_exponent"):
        _ = TrainingParams(objective="reg:squarederror").target_scale
    params = TrainingParams(objective="reg:squarederror", target_exponent=-3)
    assert params.target_scale == 0.125


def test_base_score_is_within_the_targets_bound() -> None:
    settings = {"objective": "reg:squarederror", "base_score": -1000.0}
    with pytest.raises(UsageError, match="base_score -1000 is beyond target_bound 10"):
        TrainingParams(**settings, target_bound=10.0)
    assert TrainingParams(**settings, target_bound=1000.0).base_score == -1000.0
    assert TrainingParams(**settings).base_score == -1000.0


def test_scale_pos_weight_is_for_classification() -> None:
    with pytest.raises(UsageError, match="scale_pos_weight"):
        TrainingParams(objective="reg:squarederror", scale_pos_weight=2.0)
