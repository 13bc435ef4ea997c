"""What one party can show of its half, as plain data: its own splits, where it knows them.

Of the other party's splits only the owner is known here, and of hidden splits nothing but how
large the tables are. Tables and leaf values are shares, random numbers each for itself, so they are
left out.
"""

from __future__ import annotations

import math
from typing import Any

from securexgb.boost.ensemble import ModelHalf, owned
from securexgb.boost.tree import HiddenTree, TreeHalf
from securexgb.mpc.party import ROLES


def own_splits(model: ModelHalf) -> dict[str, Any]:
    """A JSON object: role, model id, own columns, and the inner nodes of every tree.

    Node 0 is the root, node i has children 2 i + 1 (left) and 2 i + 2. An own node has
    ``column``, ``threshold`` (null where every present value goes left) and
    ``missing_left``; where it splits on a category, which goes right, ``category``, its name, in
    place of ``threshold``. Splits below a node that was not worth splitting are among them: their
    owner cannot tell. NotAvailable where splits are hidden.
    """
    trees = [
        [_node(model, tree, node) for node in range(tree.owners.size)]
        for tree in owned(model.trees)
    ]
    return _identity(model) | {"trees": trees}


def split_table(model: ModelHalf) -> list[dict[str, Any]]:
    """A half's own splits as rows of a table: tree and node (from 0), column, threshold, and
    ``missing_left``; a row whose value is below the threshold goes left, and where there is none
    every present value does; of a split on a category ``category`` in place of ``threshold``.
    NotAvailable where splits are hidden."""
    rows = []
    for number, tree in enumerate(own_splits(model)["trees"]):
        for node in tree:
            if "column" in node:
                own = {name: value for name, value in node.items() if name != "owner"}
                rows.append({"tree": number, **own})
    return rows


def hidden_half(model: ModelHalf) -> dict[str, Any]:
    """A JSON object: role, model id, own columns, and how many words of shares a tree has.

    ``trees``: for each one ``tables`` (columns of both sides, bins, nodes), ``leaves``, and
    ``amounts``, how many columns it has shares of the importance of, 0 where nobody asked.
    """
    trees = [
        {
            "tables": [*tree.tables.shape[:2], tree.nodes],
            "leaves": int(tree.leaf_values.size),
            "amounts": int(tree.amounts.size),
        }
        for tree in model.trees
        if isinstance(tree, HiddenTree)
    ]
    return _identity(model) | {"trees": trees}


def _identity(model: ModelHalf) -> dict[str, Any]:
    return {
        "role": model.role,
        "model_id": model.model_id,
        "job_digest": model.job_digest,
        "columns": list(model.columns),
        "best_iteration": model.best_iteration,
    }


def _node(model: ModelHalf, tree: TreeHalf, node: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"node": node, "owner": ROLES[int(tree.owners[node])]}
    if tree.owners[node] != model.rank:
        return entry
    column, threshold = model.columns[int(tree.features[node])], float(tree.thresholds[node])
    cut: dict[str, Any] = {"threshold": threshold if math.isfinite(threshold) else None}
    if tree.one_hot[node]:
        names = model.categories[column]
        cut = {"category": names[int(threshold)] if math.isfinite(threshold) else None}
    left = {"missing_left": bool(tree.missing_left[node])}
    return entry | {"column": column} | cut | left
