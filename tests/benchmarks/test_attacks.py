"""Attacks see splits where there are any to see, and nothing in a half of shares."""

from functools import cache

import numpy as np

from securexgb.boost.columns.binning import Binner
from securexgb.boost.ensemble import owned
from securexgb.boost.tree import HiddenTree
from securexgb.mpc.shared import SharedBits

CUTS = 15


@cache
def job(splits, seed=0):
    """200 rows, 2 + 3 columns, 3 trees of depth 3: the table, the terms, both halves."""
    import leaks

    sizes = leaks.Sizes(None, None, None, None, 1, 1, None, ("hidden",))
    rng = np.random.default_rng(5)
    values = rng.normal(size=(200, 5))
    labels = (values[:, 0] + values[:, 3] * values[:, 4] > rng.normal(size=200)).astype(np.float64)
    table = leaks.Table("test", values[:, :2].copy(), values[:, 2:].copy(), labels)
    params = sizes.params(3, 3, max_bin=CUTS + 1, splits=splits)
    halves = leaks.trained(table, params, seed=seed, backend=leaks.real(params))
    return table, params, halves


def tables(halves):
    """Of each hidden tree the feature party's columns: both shares together, and its own one."""
    for first, second in zip(*(half.trees for half in halves), strict=True):
        both = first.tables ^ second.tables
        yield SharedBits(both[2:], first.nodes), SharedBits(second.tables[2:], first.nodes)


def test_the_reading_of_a_half_would_find_every_split_that_it_had():
    from attacks import Splits

    truths = owned(job("owner")[2][1].trees)
    nodes = 0
    for (both, _), truth in zip(tables(job("hidden")[2]), truths, strict=True):
        read, is_split = Splits.read(both, CUTS), both.flags().any(axis=(0, 1))
        # A node with a dummy, and one of the other side, has an empty table.
        assert not is_split[truth.owners == 0].any()
        np.testing.assert_array_equal(read.features[is_split], truth.features[is_split])
        np.testing.assert_array_equal(read.bins[is_split], truth.bins[is_split])
        nodes += int(is_split.sum())
    assert nodes > 5


def test_a_half_looks_like_nothing():
    from attacks import Splits

    right = nodes = 0
    for seed in range(3):
        for both, half in tables(job("hidden", seed)[2]):
            is_split = both.flags().any(axis=(0, 1))
            truth, read = Splits.read(both, CUTS), Splits.read(half, CUTS)
            same = (truth.features == read.features) & (truth.bins == read.bins)
            right, nodes = right + int(same[is_split].sum()), nodes + int(is_split.sum())
    # One of 45 candidates is right by chance now and then.
    assert nodes > 15
    assert right < nodes / 4


def test_a_view_of_a_hidden_model_has_a_candidate_for_each_node():
    from attacks import View, disagreement, owners_read, scores_without_labels

    table, params, halves = job("hidden")
    assert all(isinstance(tree, HiddenTree) for tree in halves[1].trees)
    dice = View.by_dice(table.feature, params, np.random.default_rng(0))
    for view in (View.of(table.feature, halves[1]), dice):
        assert [tree.chosen.size for tree in view.trees] == [7] * 3
        assert disagreement(view, table.labels) > 0
        assert scores_without_labels(view, 2).shape == (200,)
    assert owners_read(halves[0]).shape == (21,)


def test_a_view_of_owned_splits_is_what_their_owner_has():
    from attacks import View

    table, params, halves = job("owner")
    view = View.of(table.feature, halves[1])
    bins = Binner.fit(table.feature, params.max_bin).transform(table.feature)
    for known, tree in zip(view.trees, owned(halves[1].trees), strict=True):
        own = np.flatnonzero((tree.owners == 1) & (tree.bins < CUTS))
        assert known.chosen.size == own.size
        for number, node in zip(known.chosen, own, strict=True):
            left = bins[:, tree.features[node]] <= tree.bins[node]
            np.testing.assert_array_equal(view.below[:, number], left)
