"""xgboost as the oracle: the same training on the same bins, and a comparison of trees."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from securexgb.boost.columns.binning import Binner
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams
from securexgb.boost.tree import TreeHalf

Floats = NDArray[np.float64]


def binned(features: Floats, max_bin: int, categorical: tuple[int, ...] = ()) -> Floats:
    """Our bin numbers as floats, NaN where missing."""
    bins = Binner.fit(features, max_bin, categorical).transform(features).astype(np.float64)
    return np.where(np.isnan(features), np.nan, bins)


def xgboost_on_bins(
    features: Floats,
    labels: Floats,
    params: TrainingParams,
    weights: Floats | None = None,
    categorical: tuple[int, ...] = (),
) -> xgboost.Booster:
    """xgboost's hist on the columns of both sides, label party's first, on our bins.

    With more bins than there are bin numbers, its cuts separate all of them.
    """
    bins = binned(features, params.max_bin, categorical)
    kinds = ["c" if column in categorical else "q" for column in range(features.shape[1])]
    matrix = xgboost.DMatrix(
        bins, labels, weight=weights, feature_types=kinds, enable_categorical=True
    )
    settings: dict[str, Any] = {
        "objective": params.objective,
        "tree_method": "hist",
        "max_bin": 512,
        "max_cat_to_onehot": 512,
        "nthread": 1,
        "eta": params.learning_rate,
        "max_depth": params.max_depth,
        "min_child_weight": params.min_child_weight,
        "max_delta_step": params.max_delta_step,
        "gamma": params.gamma,
        "lambda": params.reg_lambda,
        "alpha": params.reg_alpha,
        "scale_pos_weight": params.scale_pos_weight,
        "base_score": params.base_score,
    }
    if params.max_delta_step is None:
        del settings["max_delta_step"]
    if params.traits.is_log:
        del settings["scale_pos_weight"]
    if params.objective == "reg:tweedie":
        settings["tweedie_variance_power"] = params.tweedie_variance_power
    if params.base_score is None:
        del settings["base_score"]
    return xgboost.train(settings, matrix, params.n_estimators)


@dataclass(frozen=True)
class Difference:
    """Of one tree: nodes that xgboost splits and we split otherwise; greatest leaf gap of a row."""

    splits: list[str]
    leaf_gap: float


def compare_tree(
    halves: tuple[ModelHalf, ModelHalf], number: int, features: Floats, booster: xgboost.Booster
) -> Difference:
    """Walk both trees together over the training rows."""
    max_bin = halves[0].params.max_bin
    tree = joined(halves, number)
    plain = json.loads(booster.get_dump(dump_format="json")[number])
    bins = binned(features, max_bin, halves[0].layout.categorical)
    splits: list[str] = []
    _walk(plain, 0, tree, bins, splits)
    ours = tree.leaf_values[np.argmax(tree.possible_leaves(features), axis=1)]
    ours = ours.view(np.int64) / 2.0**20 * halves[0].numbers.target_scale
    return Difference(splits, float(np.max(np.abs(ours - _leaves(plain, bins)))))


def joined(halves: tuple[ModelHalf, ModelHalf], number: int) -> TreeHalf:
    """A tree in the clear: columns numbered over both sides, leaf values opened."""
    label, feature = (half.trees[number] for half in halves)
    mine = label.owners == 0
    shift = halves[0].layout.label_columns
    return TreeHalf(
        owners=label.owners,
        features=np.where(mine, label.features, feature.features + shift).astype(np.int32),
        bins=np.where(mine, label.bins, feature.bins).astype(np.int32),
        thresholds=np.where(mine, label.thresholds, feature.thresholds),
        missing_left=label.missing_left | feature.missing_left,
        one_hot=label.one_hot | feature.one_hot,
        leaf_values=label.leaf_values + feature.leaf_values,
    )


def _goes_left(node: dict[str, Any], bins: Floats) -> NDArray[np.bool_]:
    values = bins[:, int(node["split"][1:])]
    if isinstance(node["split_condition"], list):  # categories go right, which is "yes" here
        missing_left = node["missing"] == node["no"]
        others = ~np.isin(values, node["split_condition"])
        return np.where(np.isnan(values), missing_left, others)
    missing_left = node["missing"] == node["yes"]
    return np.where(np.isnan(values), missing_left, values < node["split_condition"])


def _leaves(node: dict[str, Any], bins: Floats) -> Floats:
    if "leaf" in node:
        return np.full(bins.shape[0], node["leaf"])
    left, right = node["children"]
    return np.where(_goes_left(node, bins), _leaves(left, bins), _leaves(right, bins))


def _walk(
    node: dict[str, Any], place: int, tree: TreeHalf, bins: Floats, splits: list[str]
) -> None:
    """Compare column and rows of each split that xgboost makes."""
    if "leaf" in node:
        return
    theirs = _goes_left(node, bins)
    column = int(tree.features[place])
    values = bins[:, column]
    cut = tree.bins[place]
    present = values != cut if tree.one_hot[place] else values <= cut
    ours = np.where(np.isnan(values), tree.missing_left[place], present)
    if column != int(node["split"][1:]) or bool(np.any(theirs != ours)):
        splits.append(f"node {place}: f{column} <= {tree.bins[place]}, xgboost {node}")
        return
    for child, sub, rows in zip((0, 1), node["children"], (theirs, ~theirs), strict=True):
        _walk(sub, 2 * place + 1 + child, tree, bins[rows], splits)
