"""A digest of joint trees: two trainings have the same one where they grew the same trees.

Only who holds both halves can take it, as in a simulation. Of owned trees it covers every split
with leaves below it that differ, and all leaf values; what a node below a stopped one has, a dummy,
is left out. Of hidden trees it covers the joined tables of all nodes, and the leaf values.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.tree import HiddenTree, Tree, TreeHalf, splitting
from securexgb.errors import UsageError


def trees_sha256(halves: Sequence[ModelHalf]) -> str:
    """SHA-256 of the trees of both halves of one model, in hex; the label party's half first."""
    label, feature = halves
    digest = hashlib.sha256(f"{label.params.max_depth} {label.layout.columns}".encode())
    for pair in zip(label.trees, feature.trees, strict=True):
        digest.update(_joined(pair, label.layout.label_columns))
    return digest.hexdigest()


def _joined(pair: tuple[Tree, Tree], label_columns: int) -> bytes:
    """One tree as bytes."""
    one, other = pair
    leaves = one.leaf_values + other.leaf_values
    if isinstance(one, HiddenTree) and isinstance(other, HiddenTree):
        return leaves.tobytes() + (one.tables ^ other.tables).tobytes()
    if not isinstance(one, TreeHalf) or not isinstance(other, TreeHalf):
        raise UsageError("the two halves have splits of different kinds: they are of two models")
    splits = splitting(leaves[None])[0]
    of_label = one.owners == 0
    columns = np.where(of_label, one.features, other.features + label_columns).astype(np.int64)
    parts = [leaves, splits, one.owners[splits], columns[splits]]
    for name in ("thresholds", "missing_left", "one_hot"):
        mine, theirs = one.arrays()[name], other.arrays()[name]
        parts.append(np.where(of_label, mine, theirs)[splits])
    return b"".join(part.tobytes() for part in parts)
