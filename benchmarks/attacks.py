"""Attacks on what a job opens, written from one party's view: its half, its columns, the terms.

Where splits are owned the half has the own splits, and who owns the others. Every own split is an
equation about labels: of all candidates of the feature party this one had the highest score. Two
ways to use that:

``rebuilt_labels`` looks for labels from which a training would have chosen just these splits, by
simulated annealing over whole label vectors. It needs few rows: then there are more equations than
labels.

``scores_without_labels`` needs many rows. It takes the smaller side of the first own split for
the positive rows, which is wrong for most of them, and trains on these the trees whose
splits it knows. Splits that were chosen for the true labels do the rest.

In both a split of the other side parts rows in halves, as far as the feature party knows.

Where splits are hidden the half has words instead, shares of which bins each split sends left. The
attacks then take these words for the tables themselves: of each node the candidate whose table is
most like them (``Splits.read``). Were a half anything but uniform words, that would find splits.
Beside it stand splits that were drawn by dice, for which no job is needed (``View.by_dice``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.columns.binning import Binner
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.params import TrainingParams
from securexgb.boost.tree import HiddenTree, Tree
from securexgb.mpc.shared import SharedBits

Reals = NDArray[np.float64]
Numbers = NDArray[np.int64]
_AGREES = 0.1
"""Labels that disagree with fewer splits than that are found: wrong ones disagree with a third."""
_LEAST_GAIN = 1e-6
"""What a split must gain, see docs/training.md."""


@dataclass(frozen=True, eq=False)
class Splits:
    """What the feature party takes for a tree's splits, arrays (inner nodes,), in heap order.

    ``features`` and ``bins`` say nothing where ``is_own`` is False.
    """

    is_own: NDArray[np.bool_]
    features: Numbers
    bins: Numbers

    @staticmethod
    def of(tree: Tree, columns: slice, cuts: int) -> Splits:
        """Of a half; ``columns``: the own ones among those of both parties."""
        if isinstance(tree, HiddenTree):
            return Splits.read(SharedBits(tree.tables[columns], tree.nodes), cuts)
        return Splits(tree.owners == 1, tree.features.astype(np.int64), tree.bins.astype(np.int64))

    @staticmethod
    def read(tables: SharedBits, cuts: int) -> Splits:
        """The candidates whose tables are most like these, (columns, bins, nodes)."""
        left = tables.flags()[:, :cuts].astype(np.int64)
        # Ones up to the cut speak for it, zeros there against it; behind it the other way round.
        speaks = np.cumsum(2 * left - 1, axis=1).reshape(-1, tables.count)
        features, bins = np.divmod(speaks.argmax(axis=0), cuts)
        return Splits(np.ones(tables.count, np.bool_), features, bins)

    @staticmethod
    def by_dice(nodes: int, columns: int, cuts: int, rng: np.random.Generator) -> Splits:
        """Splits that no job has told."""
        features, bins = rng.integers(columns, size=nodes), rng.integers(cuts, size=nodes)
        return Splits(np.ones(nodes, np.bool_), features, bins)


@dataclass(frozen=True, eq=False)
class KnownTree:
    """A tree as the feature party knows it.

    ``reach``: of each own node with a cut, how far each row reaches it, (own nodes, rows);
    ``chosen``: its candidate's number; ``leaves``: likewise of all leaves, (leaves, rows).
    """

    reach: Reals
    chosen: Numbers
    leaves: Reals


@dataclass(frozen=True, eq=False)
class View:
    """What the feature party holds. ``below``: whether a row is left of a candidate, (rows, c)."""

    below: Reals
    trees: tuple[KnownTree, ...]
    params: TrainingParams

    @staticmethod
    def of(columns: Reals, half: ModelHalf) -> View:
        cuts, own = half.params.max_bin - 1, slice(half.layout.label_columns, None)
        return View._of(columns, half.params, [Splits.of(tree, own, cuts) for tree in half.trees])

    @staticmethod
    def by_dice(columns: Reals, params: TrainingParams, rng: np.random.Generator) -> View:
        """What it would hold if its splits were drawn."""
        nodes, cuts = (1 << params.max_depth) - 1, params.max_bin - 1
        trees = range(params.n_estimators)
        drawn = [Splits.by_dice(nodes, columns.shape[1], cuts, rng) for _ in trees]
        return View._of(columns, params, drawn)

    @staticmethod
    def _of(columns: Reals, params: TrainingParams, trees: list[Splits]) -> View:
        bins = Binner.fit(columns, params.max_bin).transform(columns).astype(np.int64)
        cuts = np.arange(params.max_bin - 1)
        below = [bins[:, column, None] <= cuts for column in range(bins.shape[1])]
        known = tuple(_known(splits, bins, cuts.size) for splits in trees)
        return View(np.concatenate(below, axis=1).astype(np.float64), known, params)


def _known(splits: Splits, bins: Numbers, cuts: int) -> KnownTree:
    nodes, rows = splits.is_own.size, bins.shape[0]
    reach = np.ones((2 * nodes + 1, rows))
    for node in range(nodes):
        goes_left = np.full(rows, 0.5)
        if splits.is_own[node]:
            goes_left = (bins[:, splits.features[node]] <= splits.bins[node]).astype(np.float64)
        reach[2 * node + 1] = reach[node] * goes_left
        reach[2 * node + 2] = reach[node] * (1.0 - goes_left)
    own = np.flatnonzero(splits.is_own & (splits.bins < cuts))
    chosen = splits.features[own] * cuts + splits.bins[own]
    return KnownTree(reach[own], chosen, reach[nodes:])


def _margin(share: float, rows: int) -> float:
    """The base margin of such a share of positives, none of the two classes being empty."""
    share = min(max(share, 0.5 / rows), 1 - 0.5 / rows)
    return float(np.log(share / (1 - share)))


def _moved(tree: KnownTree, gradient: Reals, hessian: Reals, params: TrainingParams) -> Reals:
    """What a tree adds to each row's margin."""
    weights = (tree.leaves @ gradient) / (tree.leaves @ hessian + params.reg_lambda)
    moved: Reals = -params.learning_rate * (weights @ tree.leaves)
    return moved


def scores_without_labels(view: View, start: int = 0) -> Reals:
    """A score for each row: the known trees, trained on the first own split's smaller side.

    ``start``: the tree from which on that is looked for.
    """
    tree = next(tree for tree in view.trees[start:] if tree.chosen.size)
    guess = view.below[:, tree.chosen[0]]
    guess = guess if guess.mean() < 0.5 else 1.0 - guess
    margins = np.full(guess.size, _margin(float(guess.mean()), guess.size))
    for tree in view.trees:
        p = 1 / (1 + np.exp(-margins))
        margins = margins + _moved(tree, p - guess, p * (1 - p), view.params)
    return margins


def disagreement(view: View, labels: Reals, most: float = np.inf) -> float:
    """How far a training on these labels is from choosing the known splits.

    Of each own split: the part of the best candidate's D^2 / (H_L' H_R') that it lacks, 0 to 1.
    Where the sum is above ``most`` it is left at that.
    """
    params, lam = view.params, view.params.reg_lambda
    least = 2 * (params.min_child_weight + lam) ** 3 * _LEAST_GAIN
    margins = np.full(labels.size, _margin(float(labels.mean()), labels.size))
    total = 0.0
    for tree in view.trees:
        p = 1 / (1 + np.exp(-margins))
        gradient, hessian = p - labels, p * (1 - p)
        count = tree.chosen.size
        if count:
            weighted = np.concatenate([tree.reach * gradient, tree.reach * hessian])
            sums, whole = weighted @ view.below, weighted.sum(axis=1)[:, None]
            g, h = whole[:count], whole[count:]
            left, right = sums[count:], h - sums[count:]
            d = sums[:count] * (h + 2 * lam) - g * (left + lam)
            is_valid = np.minimum(left, right) >= params.min_child_weight
            squared = np.where(is_valid & (d * d > least), d * d, 0.0)
            score = squared / np.maximum((left + lam) * (right + lam), 1e-9)
            best = score.max(axis=1)
            mine = score[np.arange(count), tree.chosen]
            total += float((1 - mine[best > 0] / best[best > 0]).sum())
            if total > most:
                return total
        margins = margins + _moved(tree, gradient, hessian, params)
    return total


def rebuilt_labels(view: View, sweeps: int, tries: int, seed: int) -> Reals:
    """The labels that agree best with the known splits: of several annealings the best one.

    Labels and their opposites give the same splits. Which of the two it is, the share of positives
    says, or one label that is known.
    """
    rng = np.random.default_rng(seed)
    splits = sum(tree.chosen.size for tree in view.trees)
    best = _annealed(view, sweeps, rng)
    for _ in range(tries - 1):
        if best[0] < _AGREES * splits:
            break
        best = min(best, _annealed(view, sweeps, rng), key=lambda found: found[0])
    return best[1]


def _annealed(view: View, sweeps: int, rng: np.random.Generator) -> tuple[float, Reals]:
    """Flip one label or two; keep what agrees better, and at first much of what does not."""
    rows, hot, cold = view.below.shape[0], 0.5, 0.01
    labels = (rng.random(rows) < 0.5).astype(np.float64)
    now = disagreement(view, labels)
    best = now, labels.copy()
    for step in range(sweeps * rows):
        heat = hot * (cold / hot) ** (step / (sweeps * rows))
        flipped = np.unique(rng.integers(rows, size=1 + int(rng.random() < 0.4)))
        labels[flipped] = 1 - labels[flipped]
        most = now - heat * np.log(rng.random())
        new = disagreement(view, labels, most)
        if new > most:
            labels[flipped] = 1 - labels[flipped]
            continue
        now = new
        if now < best[0]:
            best = now, labels.copy()
    return best


def first_component(columns: Reals) -> Reals:
    """What most of the columns have in common: their first principal component."""
    centred = (columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-9)
    found: Reals = centred @ np.linalg.svd(centred.T @ centred)[0][:, 0]
    return found


def owners_read(half: ModelHalf) -> Numbers:
    """Who owns each split, as far as this party can say."""
    found = []
    for tree in half.trees:
        if isinstance(tree, HiddenTree):
            tables = SharedBits(tree.tables, tree.nodes)
            features = Splits.read(tables, half.params.max_bin - 1).features
            found.append((features >= half.layout.label_columns).astype(np.int64))
        else:
            found.append(tree.owners.astype(np.int64))
    return np.concatenate(found)
