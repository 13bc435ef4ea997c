"""One tree of the distributed model: what each party holds of it.

A tree is complete, of depth d: inner nodes in heap order, node 0 the root, node i's
children 2 i + 1 (left) and 2 i + 2; 2^d - 1 inner nodes, then 2^d leaves from left to
right. Leaf values are shared. A row goes left where value < threshold, or where its value is
missing and the split says so. A split on a category sends this category right and all others,
those that the training did not have among them, left. Where splits are owned both parties know who
owns each one, and feature and threshold are at the owner only; where they are hidden each party has
shares of which bins go left, and nobody knows more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import words_per
from securexgb.arith.fixedpoint import LEAF_WEIGHT_INTEGER_BITS, MARGIN_BITS, NumberFormat, encode
from securexgb.boost.layout import Layout
from securexgb.errors import DataError
from securexgb.mpc.compare import DIGITS, Carries
from securexgb.mpc.numbers.truncate import shift_cost, truncate
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.shared import Shared, Words

NOT_MINE = -1


@dataclass(frozen=True, eq=False, repr=False)
class TreeHalf:
    """One party's half of a tree of depth d.

    ``owners``: rank of each inner node's owner, int8 (2^d - 1,). ``features``: own column
    number, int32, -1 where the other party owns the node. ``bins``: the cut's number,
    int32, -1 likewise. ``thresholds``: float64, NaN likewise; infinity where every present
    value goes left. ``missing_left``: bool, False likewise. ``one_hot``: bool, whether the
    threshold is a category's number; False likewise. ``leaf_values``: this party's
    share, words (2^d,), with the format's margin_bits fraction bits.
    """

    owners: NDArray[np.int8]
    features: NDArray[np.int32]
    bins: NDArray[np.int32]
    thresholds: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    one_hot: NDArray[np.bool_]
    leaf_values: Words

    @property
    def depth(self) -> int:
        return int(self.leaf_values.size).bit_length() - 1

    @property
    def own_nodes(self) -> NDArray[np.int64]:
        """Numbers of the inner nodes whose splits this party owns."""
        return np.flatnonzero(self.features != NOT_MINE)

    def goes_left(self, features: NDArray[np.float64]) -> NDArray[np.bool_]:
        """For own columns (n, f): whether each row would go left at each own node.

        Shape (n, own nodes), in the order of ``own_nodes``.
        """
        nodes = self.own_nodes
        values = features[:, self.features[nodes]]
        thresholds = self.thresholds[nodes]
        present = np.where(self.one_hot[nodes], values != thresholds, values < thresholds)
        return np.where(np.isnan(values), self.missing_left[nodes], present)

    def possible_leaves(self, features: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which leaves are possible for each row, judged by own splits alone: (n, 2^d).

        Exactly one leaf is possible at both parties.
        """
        rows, leaves = features.shape[0], int(self.leaf_values.size)
        possible = np.ones((rows, leaves), bool)
        left = self.goes_left(features)
        for column, node in enumerate(self.own_nodes):
            level = int(node + 1).bit_length() - 1
            width = leaves >> level
            first = (int(node) + 1 - (1 << level)) * width
            middle = first + width // 2
            possible[:, first:middle] &= left[:, column, None]
            possible[:, middle : first + width] &= ~left[:, column, None]
        return possible

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The half as named arrays, for files."""
        return {name: getattr(self, name) for name in _DTYPES}

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]], columns: int) -> TreeHalf:
        """The half that ``arrays`` hold, for a party with so many columns.

        Raises DataError where they are no tree: wrong names, types, shapes or numbers.
        """
        if not all(name in arrays and arrays[name].dtype == _DTYPES[name] for name in _DTYPES):
            raise DataError("a tree of the model file lacks a part, or has one of a wrong type")
        tree = TreeHalf(**{name: np.asarray(arrays[name]) for name in _DTYPES})
        leaves, nodes = tree.leaf_values.size, tree.leaf_values.size - 1
        shapes = {name: array.shape for name, array in tree.arrays().items()}
        mine = tree.features != NOT_MINE
        if (
            leaves < 2
            or leaves != 1 << tree.depth
            or any(shapes[n] != ((leaves,) if n == "leaf_values" else (nodes,)) for n in shapes)
            or bool(np.any((tree.owners != 0) & (tree.owners != 1)))
            or bool(np.any((tree.features < NOT_MINE) | (tree.features >= columns)))
            or bool(np.any(np.isnan(tree.thresholds[mine])))
        ):
            raise DataError("a tree of the model file is not a complete binary tree of this model")
        return tree


_DTYPES = {
    "owners": np.dtype(np.int8),
    "features": np.dtype(np.int32),
    "bins": np.dtype(np.int32),
    "thresholds": np.dtype(np.float64),
    "missing_left": np.dtype(np.bool_),
    "one_hot": np.dtype(np.bool_),
    "leaf_values": np.dtype(np.uint64),
}


@dataclass(frozen=True, eq=False, repr=False)
class HiddenTree:
    """One party's half of a tree of depth d whose splits nobody knows.

    ``tables``: its shares of whether rows go left, packed words (label party's columns, then the
    feature party's, bins, ceil((2^d - 1) / 64)), inner nodes in heap order. ``leaf_values``: its
    shares, words (2^d,), with the format's margin_bits fraction bits. ``amounts``: its shares of
    the gain, cover or number of all splits on each of these columns, words (columns,), see
    ``leaves``; (0,) where nobody asked for them.
    """

    tables: Words
    leaf_values: Words
    amounts: Words

    @property
    def depth(self) -> int:
        return int(self.leaf_values.size).bit_length() - 1

    @property
    def nodes(self) -> int:
        return int(self.leaf_values.size) - 1

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The half as named arrays, for files."""
        return {"tables": self.tables, "leaf_values": self.leaf_values, "amounts": self.amounts}

    @staticmethod
    def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> HiddenTree:
        """The half that ``arrays`` hold; DataError where they are no tree."""
        tables, leaves, amounts = (
            arrays.get(name) for name in ("tables", "leaf_values", "amounts")
        )
        if (
            tables is None
            or leaves is None
            or amounts is None
            or amounts.dtype != np.uint64
            or amounts.ndim != 1
            or tables.dtype != np.uint64
            or leaves.dtype != np.uint64
            or leaves.ndim != 1
            or leaves.size < 2
            or leaves.size & (leaves.size - 1)
            or tables.ndim != 3
            or tables.shape[2] != words_per(int(leaves.size) - 1)
        ):
            raise DataError("a tree of the model file is not a complete binary tree of this model")
        return HiddenTree(np.asarray(tables), np.asarray(leaves), np.asarray(amounts))


Tree = TreeHalf | HiddenTree
"""One party's half of a tree."""


def tree_of(arrays: Mapping[str, NDArray[Any]], columns: int) -> Tree:
    """The half that a file's ``arrays`` hold, for a party with so many columns; or DataError."""
    if "tables" in arrays:
        return HiddenTree.from_arrays(arrays)
    return TreeHalf.from_arrays(arrays, columns)


def check_trees(trees: Sequence[Tree], layout: Layout, *, is_hidden: bool) -> None:
    """Refuse trees of the other kind of splits, and hidden ones of other columns or bins.

    DataError; ``is_hidden``: what the model's parameters say.
    """
    if any(isinstance(tree, HiddenTree) != is_hidden for tree in trees):
        named, held = ("hidden", "owned") if is_hidden else ("owned", "hidden")
        raise DataError(
            f"the parameters of the model file name {named} splits and its trees have {held} ones: "
            "restore it from a copy"
        )
    shape = layout.total_columns, layout.all_bins
    if any(
        isinstance(tree, HiddenTree)
        and (tree.tables.shape[:2] != shape or tree.amounts.size not in (0, shape[0]))
        for tree in trees
    ):
        raise DataError("a tree of the model file is of other columns or bins than the model")


def value_bits(learning_rate: float) -> int:
    """The smallest ring (64, 32 bits) in which rows' leaf values are told apart, signs included.

    A leaf is at most learning_rate times 2^11 and a unit, with 20 fraction bits; ``widen`` takes
    what is below 2^30.
    """
    return 32 if _most_leaf(learning_rate) < 2.0**30 else 64


def _most_leaf(learning_rate: float) -> float:
    """What no leaf value reaches, with MARGIN_BITS fraction bits."""
    return learning_rate * 2.0 ** (LEAF_WEIGHT_INTEGER_BITS + MARGIN_BITS) + 2


def leaf_bits(learning_rate: float) -> int:
    """The bits of the smallest ring from which ``widen`` takes a leaf value, whose size is below a
    quarter of it."""
    return math.ceil(math.log2(_most_leaf(learning_rate))) + 2


def leaf_values_cost(
    numbers: NumberFormat, count: int, more_bits: int = 0, carries: Carries = DIGITS
) -> Cost:
    """Cost of ``leaf_values`` of so many weights."""
    return shift_cost(_dropped_bits(numbers) + more_bits, count, carries=carries)


def splitting(leaves: Words) -> NDArray[np.bool_]:
    """Which nodes have leaves below them that differ, to the last bit: of opened leaves (trees,
    2^d), (trees, 2^d - 1). All leaves below a node that stopped are equal."""
    trees, count = leaves.shape
    levels = []
    for depth in range(count.bit_length() - 1):
        below = leaves.reshape(trees, 1 << depth, -1)
        levels.append((below != below[..., :1]).any(axis=2))
    return np.concatenate(levels, axis=1)


def _dropped_bits(numbers: NumberFormat) -> int:
    return numbers.leaf_weight_bits + numbers.rate_bits - numbers.margin_bits


def leaf_values(
    party: Party,
    weights: Shared,
    numbers: NumberFormat,
    learning_rate: float,
    more_bits: int = 0,
    carries: Carries = DIGITS,
) -> Shared:
    """-learning_rate * w for shared w = T(G) / (H + lambda): the one place of the rate.

    ``weights``: any shape, leaf_weight_bits fraction bits and ``more_bits``, at most ten. Result:
    margin_bits fraction bits, rounded down exactly.
    """
    rate = encode(learning_rate, numbers.rate_bits)
    bits = _dropped_bits(numbers) + more_bits
    return truncate(party, -weights.scale(rate), bits, carries=carries)
