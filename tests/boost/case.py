"""One tree on given bin numbers and gradients: how it is grown, and what both halves say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.arith.prg import Prg
from securexgb.boost.grower import TreeJob, grow_trees
from securexgb.boost.layout import Layout
from securexgb.boost.objective.objective import Labels
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.row_side import LocalRows, RowJob
from securexgb.boost.splits.groups import Groups
from securexgb.boost.splits.interactions import in_all
from securexgb.boost.tree import TreeHalf
from securexgb.mpc.matrix import Buckets
from securexgb.mpc.party import Party
from securexgb.mpc.share import share
from securexgb.mpc.shared import Shared
from securexgb.testing.harness import Backend, run_parties

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """``bins``: (rows, columns), label party's columns first, params.max_bin where missing.

    ``gradient``, ``hessian``: (rows,) integers in the units of rows, see ``numbers``.
    """

    bins: Integers
    label_columns: int
    gradient: Integers
    hessian: Integers
    params: TrainingParams
    used: Integers = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def layout(self) -> Layout:
        rows, columns = self.bins.shape
        return Layout.of(
            self.params, rows, (self.label_columns, columns - self.label_columns), False
        )

    @property
    def numbers(self) -> NumberFormat:
        return self.layout.numbers(self.params)

    @property
    def columns(self) -> Integers:
        """The columns that the tree, or each of its nodes, may use."""
        return self.used if self.used.size else np.arange(self.bins.shape[1])

    def buckets(self, rank: int) -> Buckets:
        """A party's own bins."""
        own = slice(self.label_columns) if rank == 0 else slice(self.label_columns, None)
        return np.ascontiguousarray(self.bins[:, own]).astype(np.uint8)

    def job(self, party: Party) -> TreeJob:
        """What a party grows the tree from."""
        edges = np.arange(self.params.max_bin) + 0.5
        return TreeJob(
            layout=self.layout,
            numbers=self.numbers,
            max_depth=self.params.max_depth,
            learning_rate=self.params.learning_rate,
            cuts=np.tile(edges, (self.layout.columns[party.rank], 1)),
            used=self.columns,
            dummies=None if self.params.is_hidden else party.private.derive("dummies"),
            importance=self.params.importance,
            groups=Groups.of(in_all(self.params.interaction_constraints, self.bins.shape[1]))
            if self.params.interaction_constraints
            else None,
            directions=np.array(self.params.monotone_constraints)
            if self.params.is_monotone
            else None,
        )

    def rows(self, party: Party) -> LocalRows:
        """A party's rows with these gradients; its matrix is registered."""
        labels, coins = Labels(Shared.zeros(self.layout.rows), None), Prg(bytes(16))
        job = RowJob(
            self.params,
            self.layout,
            self.numbers,
            objective_of(self.params),
            labels,
            coins,
            self.buckets(party.rank),
            1,
            slice(0, self.layout.rows),
        )
        rows = LocalRows(party, job)
        rows.take(self.vectors(party))
        return rows

    def vectors(self, party: Party) -> Shared:
        """g and h of the rows, (1, 2, rows)."""
        words = np.stack([self.gradient, self.hessian]).view(np.uint64)[None]
        return share(party, words if party.rank == 0 else None, 0, words.shape)

    def program(self, party: Party) -> GrownTree:
        """What a party runs."""
        job, rows = self.job(party), self.rows(party)
        (half,) = grow_trees(party, job, rows)
        return GrownTree(half, rows.margins(slice(None))[0])


@dataclass(frozen=True)
class GrownTree:
    """One party's half of the tree, and shares of each row's leaf value (rows,)."""

    half: TreeHalf
    values: Shared


@dataclass(frozen=True)
class Tree:
    """A tree in the clear; columns are numbers over both parties."""

    owners: Integers
    columns: Integers
    cuts: Integers
    missing_left: NDArray[np.bool_]
    leaves: Integers
    values: Integers

    def same_as(self, other: Tree) -> bool:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return all(np.array_equal(one, two) for one, two in pairs)


def grow(case: Case, backend: Backend = "plaintext", seed: int = 0) -> Tree:
    """The tree that both parties grow."""
    halves = run_parties(lambda party, _: case.program(party), [None, None], backend, seed)
    return combined(halves, case.label_columns)


def combined(grown: list[GrownTree], label_columns: int) -> Tree:
    """Both halves put together, and checked against one another."""
    first, second = (tree.half for tree in grown)
    np.testing.assert_array_equal(first.owners, second.owners)
    mine, theirs = first.owners == 0, first.owners == 1
    for half, own in ((first, mine), (second, theirs)):
        assert (half.features[~own] == -1).all()
        assert (half.bins[~own] == -1).all()
        assert np.isnan(half.thresholds[~own]).all()
        assert not half.missing_left[~own].any()
        np.testing.assert_array_equal(half.thresholds[own], half.bins[own] + 0.5)

    def pick(name: str, shift: int = 0) -> Any:
        return np.where(mine, getattr(first, name), getattr(second, name) + shift)

    return Tree(
        owners=first.owners.astype(np.int64),
        columns=pick("features", label_columns).astype(np.int64),
        cuts=pick("bins").astype(np.int64),
        missing_left=pick("missing_left", 0).astype(bool),
        leaves=(first.leaf_values + second.leaf_values).view(np.int64),
        values=(grown[0].values.words + grown[1].values.words).view(np.int64),
    )


def leaves_below(tree: Tree, node: int) -> Integers:
    """Leaf values below an inner node."""
    level = (node + 1).bit_length() - 1
    width = len(tree.leaves) >> level
    first = (node + 1 - (1 << level)) * width
    return tree.leaves[first : first + width]


def stopped(tree: Tree, node: int) -> bool:
    """Whether the leaves below are equal."""
    return bool(np.unique(leaves_below(tree, node)).size == 1)


def told(tags: Integers) -> tuple[Integers, Integers]:
    """Owner and number of each split out of ``splits.owned.shown_tags`` in the clear.

    The side that does not own it is told 0.
    """
    owner, numbers = tags[0], tags[1:].reshape(2, -1, tags.shape[1])
    places = np.arange(numbers.shape[1])[:, None]
    at_label, at_feature = (numbers << places).sum(axis=1)
    assert not at_label[owner == 1].any()
    assert not at_feature[owner == 0].any()
    return owner, at_label + at_feature
