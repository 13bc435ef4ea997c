"""Export: own splits by name, of the other side the owner alone, and no share."""

from __future__ import annotations

import json

import numpy as np

from securexgb.boost.params import TrainingParams
from securexgb.model.export import own_splits
from tests.boost.data import sides, table, train_both


def test_own_splits() -> None:
    features, labels = table(60, missing=0.4)
    params = TrainingParams(n_estimators=3, max_bin=8)
    halves = train_both(params, sides(features, labels, 2), "shared")
    for half in halves:
        exported = json.loads(json.dumps(own_splits(half), allow_nan=False))
        assert exported["role"] == half.role
        for tree, nodes in zip(half.trees, exported["trees"], strict=True):
            assert [node["owner"] == half.role for node in nodes] == list(tree.owners == half.rank)
            for node in nodes:
                mine = node["owner"] == half.role
                assert ("column" in node) == mine
                if mine:
                    assert node["column"] in half.columns
                    cut = tree.thresholds[node["node"]]
                    assert node["threshold"] == (float(cut) if np.isfinite(cut) else None)
        text = json.dumps(exported)
        assert not any(str(int(word)) in text for word in half.trees[0].leaf_values)
