"""A whole model as the JSON file that xgboost reads: ``Booster.load_model``, treelite and others.

What a reader computes is the sum of float32 leaf values and of the base, as here. Four things are
not the same in both worlds:

- **Comparisons.** xgboost rounds every value to float32 and sends it left where it is below a
  float32 threshold; here both are float64. The threshold written is the cut rounded to the nearest
  float32. Rounding keeps order, so a value that is not below the cut is not below the threshold
  either, and a value below the cut stays below unless both round to the same float32: only values
  below the cut by less than half a unit of float32 (6 parts in 10^8) go right there and left here.
  Cuts are values of the data, so rows that lie on a cut are the common case, and these go right in
  both. (A threshold rounded up would part all float32 numbers like the cut, and send every row that
  lies on it left as often as not.) Where every present value goes left it is the greatest float32.
- **The base.** xgboost keeps it as a prediction in float32 and turns it into a margin again, some
  readers in float64. That is exact enough only where it is not near 1. So it is written between
  10^-5 and 0.9, and what the margin lacks then is added to the leaves of the first round. Nine
  digits tell all float32 numbers apart; a base_score of ten digits is 0.5 to xgboost 2.1 and 3.0,
  without a word.
- **Categories.** A split on a category is xgboost's one-hot split, a set of the one number that
  goes right. Where every category goes left it is a set of a number that no row has. The numbers'
  names are an attribute, ``securexgb_categories``, since xgboost numbers what a table brings along.
- **Statistics.** No half holds a node's sum of hessians or gain, so ``sum_hessian`` and
  ``loss_changes`` are zeros: importance by gain or cover and SHAP values say nothing.

The version written is 2.1, whose plain ``base_score`` all later ones read; from 3.1 on they write a
list, which 2.1 and 3.0 take for 0.5 as well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.objective.traits import POISSON, TWEEDIE
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.opened import OpenedModel, OpenedTree
from securexgb.errors import MalformedFrame, NotAvailable

CATEGORIES = "securexgb_categories"
"""The attribute with the names of categories, JSON: a list by column, in the order of numbers."""
_VERSION = [2, 1, 0]
_NO_PARENT = 2**31 - 1
_GREATEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class _Written:
    """How an objective is written: its own ``table`` of settings in the file; the ``margin`` of a
    base_score, and the bounds within which that is exact enough."""

    table: str
    margin: Callable[[float], float]
    least: float = -_GREATEST
    most: float = _GREATEST


_WRITTEN = {
    "binary:logistic": _Written("reg_loss_param", lambda p: math.log(p / (1.0 - p)), 1e-5, 0.9),
    "reg:squarederror": _Written("reg_loss_param", float),
    "multi:softprob": _Written("softmax_multiclass_param", float),
    "multi:softmax": _Written("softmax_multiclass_param", float),
    "count:poisson": _Written("poisson_regression_param", math.log, 1e-5, 0.9),
    "reg:gamma": _Written("reg_loss_param", math.log, 1e-5, 0.9),
    "reg:tweedie": _Written("tweedie_regression_param", math.log, 1e-5, 0.9),
}
_FORBIDDEN = str.maketrans("[]<", "___")
"""No name of a column has these in xgboost."""


@dataclass(frozen=True, repr=False)
class Categories:
    """Of a categorical column: ``names``, in the order of their numbers in the file; ``numbers``:
    of each category as the opened model counts them, that of the file."""

    names: Sequence[str]
    numbers: Sequence[int]

    def of(self, threshold: float) -> int:
        """The number that goes right; one that no row has where every category goes left. A reader
        numbers all that have no name ``len(names)``. MalformedFrame where there is no such one."""
        if threshold == np.inf:
            return len(self.names) + 1
        if threshold >= len(self.numbers):
            raise MalformedFrame("a split of the exported model is of a category without a name")
        return self.numbers[int(threshold)]


@dataclass(frozen=True, eq=False, repr=False)
class Columns:
    """The columns of the file: ``names``, none where they have none, and for each column over both
    parties, the label party's first, its ``position`` among them; ``categories`` of those that are
    categorical, by number over both parties."""

    names: Sequence[str]
    position: NDArray[np.intp]
    categories: Mapping[int, Categories] = field(default_factory=dict)

    @property
    def types(self) -> list[str]:
        """xgboost's, in the order of the file; none where there is nothing to say."""
        if not (self.names or self.categories):
            return []
        found = ["float"] * self.position.size
        for column in self.categories:
            found[self.position[column]] = "c"
        return found

    @property
    def category_names(self) -> dict[str, list[str]]:
        """By column's name, or number where columns have none."""
        at = {int(self.position[column]): of for column, of in self.categories.items()}
        return {
            self.names[place] if self.names else str(place): list(at[place].names)
            for place in sorted(at)
        }


def both_columns(label: Sequence[str], feature: Sequence[str], sides: tuple[str, str]) -> Columns:
    """The label party's columns, then the feature party's; "side.name" where both have a name."""
    twice = set(label) & set(feature)
    names = [
        f"{side}.{name}" if name in twice else name
        for side, own in zip(sides, (label, feature), strict=True)
        for name in own
    ]
    return Columns(unique_names(names), np.arange(len(names)))


def unique_names(names: Sequence[str]) -> list[str]:
    """The same without characters that xgboost refuses, and a number where that makes two alike."""
    plain = [name.translate(_FORBIDDEN) for name in names]
    found = dict[str, None]()
    for name in plain:
        one, number = name, 1
        while one in found or (number > 1 and one in plain):
            number += 1
            one = f"{name}_{number}"
        found[one] = None
    return list(found)


def check_written(params: TrainingParams) -> None:
    """NotAvailable for an objective whose models are not written: to be asked before one is
    opened."""
    if params.objective not in _WRITTEN:
        raise NotAvailable(
            f"a model of {params.objective!r} is not exported: there is no file for it; export "
            f"those of {', '.join(_WRITTEN)}"
        )


def xgboost_json(opened: OpenedModel, half: ModelHalf, columns: Columns) -> dict[str, Any]:
    """The content of the file; ``half``: either half, for what both sides know."""
    params, outputs = half.params, half.outputs
    features = columns.position.size
    base, rests = _base_score(half, opened.base)
    added = [*rests, *[0.0] * (len(opened.trees) - outputs)]
    trees = [
        _tree(tree, number, columns, rest)
        for number, (tree, rest) in enumerate(zip(opened.trees, added, strict=True))
    ]
    attributes = {"securexgb_model_id": half.model_id}
    if columns.categories:
        attributes[CATEGORIES] = json.dumps(columns.category_names)
    if half.best_iteration is not None:
        attributes["best_iteration"] = str(half.best_iteration)
    booster = {
        "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(len(trees))},
        "iteration_indptr": list(range(0, len(trees) + 1, outputs)),
        "tree_info": [number % outputs for number in range(len(trees))],
        "trees": trees,
    }
    return {
        "learner": {
            "attributes": attributes,
            "feature_names": list(columns.names),
            "feature_types": columns.types,
            "gradient_booster": {"model": booster, "name": "gbtree"},
            "learner_model_param": {
                "base_score": f"{base:.9g}",
                "boost_from_average": "1",
                "num_class": str(outputs if outputs > 1 else 0),
                "num_feature": str(features),
                "num_target": "1",
            },
            "objective": {
                "name": params.objective,
                _WRITTEN[params.objective].table: _settings(params),
            },
        },
        "version": _VERSION,
    }


def _settings(params: TrainingParams) -> dict[str, str]:
    """What xgboost keeps of an objective."""
    if params.objective == POISSON.name:
        return {"max_delta_step": f"{params.delta_step:.9g}"}
    if params.objective == TWEEDIE.name:
        return {"tweedie_variance_power": f"{params.tweedie_variance_power:.9g}"}
    if params.traits.is_multi:
        return {"num_class": str(params.num_class)}
    return {"scale_pos_weight": f"{params.scale_pos_weight:.9g}"}


def _base_score(half: ModelHalf, margins: NDArray[np.float64]) -> tuple[float, list[float]]:
    """A base_score in float32 near the first of these margins, one an output, and what each margin
    is beyond it.

    Where rows have base margins it is that of the margin 0, and no leaf has more: readers put
    a row's base margin in its place, and leaves are all that they add.
    """
    written = _WRITTEN[half.params.objective]
    if half.params.has_base_margin:
        nothing = np.zeros(half.outputs)
        return float(objective_of(half.params).predictions(nothing)[0]), nothing.tolist()
    predicted = float(margins[0])  # as xgboost's several classes have it
    if margins.size == 1:
        predicted = float(objective_of(half.params).predictions(margins)[0])
    base = _single(min(max(predicted, written.least), written.most))
    return base, [float(margin) - written.margin(base) for margin in margins]


def _tree(tree: OpenedTree, number: int, columns: Columns, added: float) -> dict[str, Any]:
    """One tree, node after node and level after level; ``added``: to every leaf."""
    depth = int(tree.leaf_values.size).bit_length() - 1
    heap, left, parents = [0], list[int](), [_NO_PARENT]
    for at, node in enumerate(heap):
        splits = node < tree.splits.size and bool(tree.splits[node])
        left.append(len(heap) if splits else -1)
        if splits:
            heap += [2 * node + 1, 2 * node + 2]
            parents += [at, at]
    is_leaf = [child < 0 for child in left]
    leaf = [
        _single(float(tree.leaf_values[_first_leaf(node, depth)]) + added) if ends else 0.0
        for node, ends in zip(heap, is_leaf, strict=True)
    ]
    inner = [0 if ends else node for node, ends in zip(heap, is_leaf, strict=True)]
    count = len(heap)
    chosen = {
        at: columns.categories[int(tree.columns[node])].of(float(tree.thresholds[node]))
        for at, (node, ends) in enumerate(zip(inner, is_leaf, strict=True))
        if not ends and int(tree.columns[node]) in columns.categories
    }
    return {
        "base_weights": leaf,
        "categories": list(chosen.values()),
        "categories_nodes": list(chosen),
        "categories_segments": list(range(len(chosen))),
        "categories_sizes": [1] * len(chosen),
        "default_left": [
            0 if ends else int(tree.missing_left[node])
            for node, ends in zip(inner, is_leaf, strict=True)
        ],
        "id": number,
        "left_children": left,
        "loss_changes": [0.0] * count,
        "parents": parents,
        "right_children": [child + 1 if child > 0 else -1 for child in left],
        "split_conditions": [
            value if ends else 0.0 if at in chosen else _single(float(tree.thresholds[node]))
            for at, (value, node, ends) in enumerate(zip(leaf, inner, is_leaf, strict=True))
        ],
        "split_indices": [
            0 if ends else int(columns.position[tree.columns[node]])
            for node, ends in zip(inner, is_leaf, strict=True)
        ],
        "split_type": [int(at in chosen) for at in range(count)],
        "sum_hessian": [0.0] * count,
        "tree_param": {
            "num_deleted": "0",
            "num_feature": str(columns.position.size),
            "num_nodes": str(count),
            "size_leaf_vector": "1",
        },
    }


def _first_leaf(node: int, depth: int) -> int:
    """Number of the leftmost leaf below a node of the heap, or of the leaf itself."""
    level = (node + 1).bit_length() - 1
    return (node + 1 - (1 << level)) << (depth - level)


def _single(value: float) -> float:
    """The nearest float32, never an infinite one."""
    return float(np.float32(min(max(value, -_GREATEST), _GREATEST)))
