"""The best split of a node: order, ties, limits. Whole trees are in test_grower."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from securexgb.boost.histogram import Histogram
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits import split
from securexgb.boost.splits.leaves import LevelSums, node_values
from securexgb.boost.splits.owned import draw_dummies, shown_tags
from securexgb.boost.splits.split import Candidates, best_splits
from securexgb.boost.splits.weights import soft_threshold
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from tests.boost.case import told
from tests.mpc.kit import Integers, Pair, on_both, public, shared
from tests.mpc.strategies import integers, quick

UNIT = 1 << 12


def layout_of(columns: tuple[int, int] = (1, 1), rows: int = 100, **params: Any) -> Layout:
    return Layout.of(TrainingParams(**params), rows, columns, False)


def test_candidates_come_in_xgboosts_order() -> None:
    layout = layout_of(max_bin=3)
    found = Candidates.of(layout, np.array([0, 1]))
    one_column = [(0, False), (1, False), (2, False), (1, True), (0, True)]
    assert list(zip(found.cut, found.missing_left, strict=True)) == one_column * 2
    np.testing.assert_array_equal(found.column, np.repeat([0, 1], 5))
    np.testing.assert_array_equal(found.owner, np.repeat([0, 1], 5))


def test_without_missing_values_there_is_one_direction() -> None:
    layout = layout_of(max_bin=4, missing_values="refused")
    found = Candidates.of(layout, np.array([1]))
    np.testing.assert_array_equal(found.cut, [0, 1, 2])
    assert not found.missing_left.any()
    np.testing.assert_array_equal(found.owner, [1, 1, 1])


@pytest.mark.parametrize("missing", ["allowed", "refused"])
def test_an_index_is_unique_at_its_owner_and_decodes(missing: str) -> None:
    layout = layout_of((3, 4), max_bin=5, missing_values=missing)
    used = np.array([0, 2, 3, 6])
    found = Candidates.of(layout, used)
    for rank in (0, 1):
        own = found.owner == rank
        cuts = found.decode(found.index[own], rank)
        np.testing.assert_array_equal(cuts.columns + 3 * rank, used[found.column[own]])
        np.testing.assert_array_equal(cuts.cuts, found.cut[own])
        np.testing.assert_array_equal(cuts.missing_left, found.missing_left[own])
        np.testing.assert_array_equal(cuts.one_hot, found.one_hot[own])
        own = found.index[found.owner == rank]
        assert np.unique(own).size == own.size


@quick
@given(integers(-(1 << 30), 1 << 30), st.sampled_from([0, 1, 77, 1 << 20, 1 << 30]))
def test_soft_threshold(x: Integers, alpha: int) -> None:
    result = on_both(soft_threshold, shared(x), public(alpha))
    np.testing.assert_array_equal(result, np.sign(x) * np.maximum(np.abs(x) - alpha, 0))


def best(gradient: Any, hessian: Any, **params: Any) -> dict[str, Integers]:
    """Outcome for sums by bin (nodes, 2 columns, bins): column 0 is the label party's."""
    bins = np.shape(gradient)[-1] - 1
    params = {"max_bin": bins, "reg_lambda": 0.0, "gradient_bits": 12, **params}
    layout = layout_of(**params)
    numbers = layout.numbers(TrainingParams(**params))
    assert numbers.gradient_bits == 12
    candidates = Candidates.of(layout, np.arange(2))

    def program(party: Party, g: Shared, h: Shared) -> tuple[Any, ...]:
        nodes, private = g.shape[0], party.private.derive("dummies")
        dummies = draw_dummies(party, candidates, nodes, private).of(slice(nodes))
        found = best_splits(party, Histogram(g, h), candidates, numbers, dummies)
        verdicts = node_values(party, [LevelSums.of(Histogram(g, h), found.left)], numbers, 1.0)
        of_nodes = (verdicts.stops, verdicts.gain, verdicts.own, verdicts.left, verdicts.right)
        return (shown_tags(candidates, found), *of_nodes)

    sums: list[Pair] = [
        shared(np.rint(np.asarray(values) * UNIT).astype(np.int64).cumsum(axis=2), seed)
        for seed, values in enumerate((gradient, hessian))
    ]
    names = ("tags", "stops", "gain", "weight", "left", "right")
    found = dict(zip(names, on_both(program, *sums), strict=True))
    for name in names[3:]:  # a leaf's value at rate 1 is -w, with one fraction bit more
        found[name] = -found[name] // 2
    found["owner"], found["index"] = told(found.pop("tags"))
    cuts = candidates.decode(found["index"], 0)
    return found | {"column": cuts.columns, "cut": cuts.cuts, "missing_left": cuts.missing_left}


def test_weights_of_the_node_and_its_children() -> None:
    found = best([[[3, 0, -1, 0], [1, 0, 1, 0]]], [[[1, 0, 1, 0], [1, 0, 1, 0]]])
    assert (found["owner"], found["cut"], found["stops"]) == (0, 0, 0)
    half = 2.0**-19
    assert abs(found["weight"][0] * half - 1.0) <= half
    assert abs(found["left"][0] * half - 3.0) <= 2 * half
    assert abs(found["right"][0] * half + 1.0) <= half


def test_the_first_of_equal_columns_wins() -> None:
    column = [3.0, 0, -1, 0]
    found = best([[column, column]], [[[1, 0, 1, 0]] * 2])
    assert found["owner"] == 0


def test_an_empty_bin_is_no_cut_of_its_own() -> None:
    """Bins 0 and 2 have rows: cuts 0 and 1 part the same; the first wins."""
    found = best([[[0, 0, 0, 0], [3, 0, -1, 0]]], [[[2, 0, 0, 0], [1, 0, 1, 0]]])
    assert (found["owner"], found["cut"], found["missing_left"]) == (1, 0, False)


def test_missing_values_go_where_they_earn_more() -> None:
    hessian = [[[1, 0, 1, 1], [3, 0, 0, 0]]]
    right = best([[[3, 0, -1, -1], [1, 0, 0, 0]]], hessian)
    left = best([[[3, 0, -1, 3], [5, 0, 0, 0]]], hessian)
    assert (right["cut"], right["missing_left"]) == (0, False)
    # Descending, the empty bin 1 repeats its neighbour: the first cut that parts is 1.
    assert (left["cut"], left["missing_left"]) == (1, True)


def test_present_from_missing() -> None:
    found = best([[[1, 1, 1, -3], [0, 0, 0, 0]]], [[[1, 1, 1, 1], [4, 0, 0, 0]]])
    assert (found["owner"], found["cut"], found["missing_left"]) == (0, 2, False)


@pytest.mark.parametrize(("least", "stops"), [(1.0, 0), (1.0 + 2.0**-12, 1)])
def test_min_child_weight_is_reached_by_equality(least: float, stops: int) -> None:
    sums = [[[3.0, 0, -1, 0], [2, 0, 0, 0]]], [[[1.0, 0, 3, 0], [4, 0, 0, 0]]]
    assert best(*sums, min_child_weight=least)["stops"] == stops


@pytest.mark.parametrize(("gamma", "stops"), [(15.999, 0), (16.0, 0), (16.001, 1), (1e9, 1)])
def test_gamma_is_reached_by_equality(gamma: float, stops: int) -> None:
    """Gain 8 + 8 - 0 exactly."""
    sums = [[[4.0, 0, -4, 0], [0, 0, 0, 0]]], [[[2.0, 0, 2, 0], [4, 0, 0, 0]]]
    assert best(*sums, gamma=gamma)["stops"] == stops


def test_no_gain_no_split() -> None:
    found = best([[[1.0, 0, 1, 0], [2, 0, 0, 0]]], [[[1.0, 0, 1, 0], [2, 0, 0, 0]]])
    assert found["stops"] == 1


@pytest.mark.parametrize("least", [1e9, 30.0])
def test_where_no_child_may_be_so_light_nothing_splits(least: float) -> None:
    sums = [[[4.0, 0, -4, 0], [0, 0, 0, 0]]], [[[2.0, 0, 2, 0], [4, 0, 0, 0]]]
    found = best(*sums, min_child_weight=least)
    assert found["stops"] == 1
    assert found["weight"] == 0  # as a root lighter than min_child_weight in xgboost


def drawn_sums(nodes: int) -> tuple[Any, Any]:
    """By bin (nodes, 2, 4); both columns add up to the same."""
    draw = np.random.default_rng(0)
    gradient = np.round(draw.uniform(-3, 3, (nodes, 2, 4)), 2)
    hessian = np.round(draw.uniform(0.5, 2, (nodes, 2, 4)), 2)
    for sums in (gradient, hessian):
        sums[:, 1, 0] += sums[:, 0].sum(axis=1) - sums[:, 1].sum(axis=1)
    hessian[:, 1, 0] = np.maximum(hessian[:, 1, 0], 0)
    hessian[:, 0, 0] += hessian[:, 1].sum(axis=1) - hessian[:, 0].sum(axis=1)
    return gradient, hessian


def test_nodes_do_not_mix() -> None:
    """Three nodes at once have the outcomes of each alone."""
    gradient, hessian = drawn_sums(3)
    together = best(gradient, hessian, min_child_weight=0.0)
    for node in range(3):
        alone = best(gradient[node : node + 1], hessian[node : node + 1], min_child_weight=0.0)
        for name in ("owner", "index", "stops", "weight", "left", "right"):
            assert together[name][node] == alone[name][0], (node, name)


@pytest.mark.parametrize("most", [1, 20])
def test_nodes_that_go_through_block_after_block_have_the_same_splits(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    gradient, hessian = drawn_sums(70)
    whole = best(gradient, hessian)
    monkeypatch.setattr(split, "MOST_CANDIDATES", most)
    blocks = best(gradient, hessian)
    assert whole.keys() == blocks.keys()
    for name, values in whole.items():
        np.testing.assert_array_equal(blocks[name], values)
