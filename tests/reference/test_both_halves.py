"""Both halves put together are a model of xgboost's: it loads the file and predicts the same.

Nobody who keeps the rules holds both halves; this shows that they mean what xgboost's trees
mean, split by split, to every version of xgboost that reads its format (``make thorough`` tries
several).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import xgboost

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict
from securexgb.boost.tree import TreeHalf
from securexgb.testing import run_parties
from tests.boost.data import sides, table, train_both
from tests.reference.oracle import joined

MARGIN = 2.0**-20
"""A unit of leaf values and of margins."""
LARGEST = float(np.finfo(np.float32).max)
"""Stands for infinity, which xgboost's format has not: every present value is below."""


@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror"])
def test_xgboost_predicts_the_same(objective: str) -> None:
    features, labels = table(400, missing=0.1, seed=11)
    features = features.astype(np.float32).astype(np.float64)  # xgboost compares in float32
    params = TrainingParams(
        objective=objective,
        n_estimators=6,
        max_depth=4,
        max_bin=32,
        base_score=0.5,
        target_exponent=0 if objective == "reg:squarederror" else None,
    )
    data = sides(features, labels, 2)
    halves = train_both(params, data)

    def program(party: Any, half_and_side: Any) -> Any:
        half, side = half_and_side
        return predict(party, half, side.values, Request("both", decimals=6))

    ours = run_parties(program, list(zip(halves, data, strict=True)))[0]
    booster = xgboost.Booster()
    booster.load_model(bytearray(json.dumps(xgboost_model(halves)).encode()))
    theirs = booster.predict(xgboost.DMatrix(features))
    assert np.ptp(theirs) > 0.3, "the trees say something"
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)


def xgboost_model(halves: tuple[ModelHalf, ModelHalf]) -> dict[str, Any]:
    """The JSON model of xgboost 3.0, which later versions read."""
    columns = len(halves[0].columns) + len(halves[1].columns)
    trees = [
        _tree(joined(halves, number), number, columns) for number in range(len(halves[0].trees))
    ]
    parameters = {"num_feature": str(columns), "num_class": "0", "num_target": "1"}
    objective = {
        "name": halves[0].params.objective,
        "reg_loss_param": {"scale_pos_weight": "1"},
    }
    return {
        "version": [3, 0, 0],
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "learner_model_param": parameters
            | {"base_score": str(halves[0].params.base_score), "boost_from_average": "1"},
            "objective": objective,
            "gradient_booster": {
                "name": "gbtree",
                "model": {
                    "gbtree_model_param": {
                        "num_trees": str(len(trees)),
                        "num_parallel_tree": "1",
                    },
                    "iteration_indptr": list(range(len(trees) + 1)),
                    "tree_info": [0] * len(trees),
                    "trees": trees,
                },
            },
        },
    }


def _tree(tree: TreeHalf, number: int, columns: int) -> dict[str, Any]:
    """A complete tree in heap order: inner nodes, then leaves."""
    inner, leaves = tree.owners.size, tree.leaf_values.size
    nodes, nobody = inner + leaves, 2**31 - 1
    cuts = np.where(np.isfinite(tree.thresholds), tree.thresholds, LARGEST)
    values = tree.leaf_values.view(np.int64) * MARGIN
    return {
        "id": number,
        "tree_param": {
            "num_nodes": str(nodes),
            "num_feature": str(columns),
            "num_deleted": "0",
            "size_leaf_vector": "1",
        },
        "left_children": [2 * k + 1 for k in range(inner)] + [-1] * leaves,
        "right_children": [2 * k + 2 for k in range(inner)] + [-1] * leaves,
        "parents": [nobody] + [(k - 1) // 2 for k in range(1, nodes)],
        "split_indices": [*tree.features.tolist(), *[0] * leaves],
        "split_conditions": [*cuts.tolist(), *values.tolist()],
        "split_type": [0] * nodes,
        "default_left": [*tree.missing_left.astype(int).tolist(), *[0] * leaves],
        "base_weights": [0.0] * inner + values.tolist(),
        "loss_changes": [1.0] * inner + [0.0] * leaves,
        "sum_hessian": [1.0] * nodes,
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
    }
