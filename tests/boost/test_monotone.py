"""Monotone columns: no move breaks an order, and directions are taken as xgboost takes them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request
from securexgb.boost.splits.bounds import bounded
from securexgb.boost.splits.directions import by_number, of_table, read_directions
from securexgb.errors import UsageError
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import predict_alone, split_columns, train_alone
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.testing.harness import Backend
from tests.boost.case import Case, Integers, Tree, grow
from tests.boost.cases import random_case
from tests.boost.data import same_model, sides, table, train_both
from tests.mpc.kit import on_both, shared, shared_bits

WAYS = (-1, 0, 1, 0, 1)
PARAMS = TrainingParams(n_estimators=3, max_depth=3, max_bin=8)


def broken(case: Case, tree: Tree, ways: tuple[int, ...]) -> int:
    """How many moves of one row by one bin, in a column with a direction, break the order."""
    wrong, bins, rows = 0, case.params.max_bin, np.arange(len(case.bins))
    for column, way in enumerate(ways):
        moved = np.repeat(case.bins[None], bins, axis=0)
        moved[:, :, column] = np.arange(bins)[:, None]
        values = np.array([_values(tree, one, rows, bins) for one in moved])
        wrong += int((way * np.diff(values, axis=0) < 0).sum())
    return wrong


def _values(tree: Tree, rows: Integers, places: Integers, bins: int) -> Integers:
    node = np.zeros(len(rows), np.int64)
    while node[0] < len(tree.columns):
        own = rows[places, tree.columns[node]]
        left = np.where(own < bins, own <= tree.cuts[node], tree.missing_left[node])
        node = 2 * node + np.where(left, 1, 2)
    return tree.leaves[node - len(tree.columns)]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"holes": 0.2},
        {"reg_alpha": 1.0, "max_depth": 3},
        {"max_delta_step": 0.3, "holes": 0.1},
        {"reg_lambda": 0.0, "min_child_weight": 0.0, "fine": True},
        {"max_depth": 6, "min_child_weight": 0.0},
    ],
)
def test_no_move_breaks_an_order(settings: dict[str, Any]) -> None:
    free = random_case(3, rows=300, **({"max_depth": 4} | settings))
    case = replace(free, params=replace(free.params, monotone_constraints=WAYS))
    assert broken(case, grow(case), WAYS) == 0
    assert broken(free, grow(free), WAYS) > 100


def test_on_shares_bit_for_bit() -> None:
    for alpha in (0.0, 1.0):
        case = random_case(1, rows=90, holes=0.1, monotone_constraints=WAYS, reg_alpha=alpha)
        assert grow(case, "shared").same_as(grow(case))


def test_a_split_in_the_wrong_order_is_none() -> None:
    """Of a column that outcomes follow its own direction changes nothing, the other leaves none."""
    free = random_case(5, rows=200, columns=(1, 1), max_depth=1)
    free.bins[:, 1] = 0
    unit = 1 << free.numbers.row_gradient_bits
    free = replace(free, gradient=(free.bins[:, 0] - 3) * (unit >> 3))
    falls, rises = (
        replace(free, params=replace(free.params, monotone_constraints=(way, 0))) for way in (-1, 1)
    )
    assert grow(falls).same_as(grow(free))
    assert np.unique(grow(free).leaves).size == 2
    assert np.unique(grow(rises).leaves).size == 1


def test_bounds_of_a_chain_of_splits() -> None:
    """Two levels: the root rises, its left child falls, its right one may go either way."""
    unit, own = 1 << 19, np.array([0, 1, 7])
    below = np.array([[1, 9, -5], [5, 8, 20]])  # of the root: 1 and 5, so the middle is 3
    turns = [np.array([[True], [False]]), np.array([[False, False], [True, False]])]

    def program(party: Party, w: Shared, c: Shared, *ways: SharedBits) -> tuple[Shared, Shared]:
        return bounded(party, w, c, ways)

    nodes, leaves = on_both(
        program, shared(own * unit, 1), shared(below * unit, 2), *map(shared_bits, turns)
    )
    np.testing.assert_array_equal(nodes / (4 * unit), [0, 1, 7])
    # 9 and 8 end at 3, where their middle is; -5 and 20 are right of 3 and may be on either side.
    np.testing.assert_array_equal(leaves / (4 * unit), [3, 3, 3, 20])


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, ()),
        ((), ()),
        ("()", ()),
        ((0, 0), ()),
        ((1, 0, -1), (1, 0, -1)),
        ([1, 0], (1, 0)),
        ("(1,0, -1)", (1, 0, -1)),
        ("(1,)", (1,)),
        (np.array([0, -1]), (0, -1)),
        ({}, ()),
        ({"b": -1, "a": 1, "c": 0}, (("a", 1), ("b", -1))),
    ],
)
def test_directions_as_xgboost_takes_them(given: Any, read: Any) -> None:
    params = TrainingParams(monotone_constraints=given)
    assert params.monotone_constraints == read
    assert params.is_monotone == bool(read)
    plain = json.loads(json.dumps(params.to_mapping()))
    assert TrainingParams.from_mapping(plain) == params


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((2,), "1, 0 or -1"),
        ((True,), "1, 0 or -1"),
        ("1,0", "a text like"),
        ("(1,x)", "a text like"),
        (7, "must be like"),
        ({0: 1}, "by number"),
        ({"a": 0.5}, "1, 0 or -1"),
    ],
)
def test_other_directions_are_refused_in_words(given: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        TrainingParams(monotone_constraints=given)


def test_tables_by_number_and_by_name() -> None:
    assert by_number({0: 1, np.int64(2): -1}, 3) == (1, 0, -1)
    assert by_number({"a": 1}, 3) == {"a": 1}
    with pytest.raises(UsageError, match="3 columns"):
        by_number({3: 1}, 3)
    assert of_table(read_directions({"b": -1}), ("a", "b")) == (0, -1)
    with pytest.raises(UsageError, match="'c', which is no column"):
        of_table(read_directions({"c": 1}), ("a", "b"))
    with pytest.raises(UsageError, match="3 numbers for 2 columns"):
        of_table((1, 0, 1), ("a", "b"))


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_names_of_either_side_are_found_by_it(splits: str, backend: Backend) -> None:
    """The same model by names and by numbers, on both backends."""
    features, labels = table(150, missing=0.1)
    data, params = sides(features, labels, 2), replace(PARAMS, splits=splits)
    by_name = replace(params, monotone_constraints={"x0": 1, "x4": -1})
    in_order = replace(params, monotone_constraints=(1, 0, 0, 0, -1))
    assert same_model(train_both(by_name, data, backend), train_both(in_order, data))


def test_a_name_that_neither_side_has_is_refused_at_both() -> None:
    features, labels = table(40)
    params = replace(PARAMS, monotone_constraints={"x0": 1, "nobody's": 1})
    with pytest.raises(UsageError, match='"nobody\'s", which is no column'):
        train_both(params, sides(features, labels, 2))
    few = replace(PARAMS, monotone_constraints=(1, 0))
    with pytest.raises(UsageError, match="2 numbers for 5 columns"):
        train_both(few, sides(features, labels, 2))


@pytest.mark.parametrize(
    "settings",
    [{}, {"colsample_bylevel": 0.7, "colsample_bynode": 0.7, "subsample": 0.8, "max_depth": 4}],
    ids=["all columns", "of nodes"],
)
def test_alone_directions_are_in_the_order_of_the_table(settings: dict[str, Any]) -> None:
    """Whatever side has a column; and opened margins are in order, too."""
    features, labels = table(200, seed=4)
    names = tuple(f"x{number}" for number in range(5))
    whole, parts = Rows(features, names, labels), split_columns(5, [0, 3])
    ways = (1, 0, 0, 0, -1)
    params = replace(PARAMS, monotone_constraints=ways, **settings)
    halves = train_alone(params, whole, parts, 1).results
    assert halves[0].params.monotone_constraints == (0, 0, -1, 1, 0)
    for column, way in ((0, 1), (4, -1)):
        moved = np.repeat(features[:20], 9, axis=0)
        moved[:, column] = np.tile(np.linspace(-2, 2, 9), 20)
        asked = Request("label", 6)
        margins = predict_alone(halves, Rows(moved, names), parts, asked, 1).results[0]
        assert margins is not None
        assert (way * np.diff(margins.reshape(20, 9), axis=1) >= 0).all()
