"""Interaction constraints: what terms may say, what a job makes of it. Trees are in test_grower."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.groups import Groups
from securexgb.boost.splits.interactions import by_place, groups_of, in_all
from securexgb.errors import MalformedFrame, UsageError
from securexgb.estimator import SecureXGBClassifier
from securexgb.jobs.data.columns import AgreedColumns, ColumnFacts
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import split_columns, train_alone
from securexgb.testing.harness import Backend
from tests.boost.data import hidden_tables, same_model, sides, table, train_both

PARAMS = TrainingParams(n_estimators=2, max_depth=3, max_bin=8, splits="hidden")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, ()),
        ((), ()),
        ("", ()),
        ([[0, 1], [2]], ((0, 1), (2,))),
        ("[[0, 1], [2, 0]]", ((0, 1), (2, 0))),
        ([["a", "b", "a"]], (("a", "b"),)),
        ('[["a", "b"]]', (("a", "b"),)),
        ([{3}, np.array([1, 2])], ((3,), (1, 2))),
    ],
)
def test_groups_as_xgboost_takes_them(given: Any, read: Any) -> None:
    params = TrainingParams(interaction_constraints=given)
    assert params.interaction_constraints == read
    plain = json.loads(json.dumps(params.to_mapping()))
    assert TrainingParams.from_mapping(plain) == params


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("[]", "no column goes with another"),
        ([[]], "without columns"),
        ([[0, "a"]], "names and numbers"),
        ([[0], ["a"]], "names and numbers"),
        ([0, 1], "lists of columns"),
        (7, "lists of columns"),
        ("[[0, x]]", "a text like"),
        ([[0.5]], "a name, or a number"),
        ([[-1]], "a name, or a number"),
        ([[True]], "a name, or a number"),
        ([[number] for number in range(9)], "9 groups: at most 8"),
    ],
)
def test_other_groups_are_refused_in_words(given: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        TrainingParams(interaction_constraints=given)


def test_a_column_in_no_group_is_one_of_its_own() -> None:
    groups = Groups.of(in_all(((0, 1), (1, 3)), 5))
    member = [[1, 1, 0, 0, 0], [0, 1, 0, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]]
    np.testing.assert_array_equal(groups.member, member)
    of_columns = [set(groups.groups[kind]) - {-1} for kind in groups.kind]
    assert of_columns == [{0}, {0, 1}, {2}, {1}, {3}]


def test_places_of_a_table() -> None:
    names = ("a", "b", "c")
    assert by_place((("c", "a"),), names, (2, 0, 1)) == ((0, 1),)
    assert by_place(((0, 1),), names, (2, 0, 1)) == ((1, 2),)
    assert groups_of((("a",), ("c", "a")), names) == (3, 0, 2)
    with pytest.raises(UsageError, match="'z', which is no column"):
        by_place((("z",),), names, (0, 1, 2))
    with pytest.raises(UsageError, match="has column 3, but there are 3"):
        by_place(((3,),), names, (0, 1, 2))


def used_together(halves: Any) -> set[frozenset[int]]:
    """Columns of the nodes above and at each node of the last level that splits on any."""
    found = set()
    for tables in hidden_tables(halves):
        splits = [frozenset(np.flatnonzero(tables[:, :, n].any(axis=1))) for n in range(7)]
        found |= {splits[node] | splits[(node - 1) // 2] | splits[0] for node in range(3, 7)}
    return found


def test_names_of_either_side_are_found_by_it(backend: Backend) -> None:
    """The same model by names and by numbers, on both backends; paths stay within groups."""
    data = sides(*table(200, missing=0.1), 2)
    by_name = replace(PARAMS, interaction_constraints=[["x0", "x4"], ["x1", "x2", "x3"]])
    in_order = replace(PARAMS, interaction_constraints=[[0, 4], [1, 2, 3]])
    halves = train_both(by_name, data, backend)
    assert same_model(halves, train_both(in_order, data))
    assert all(path <= {0, 4} or path <= {1, 2, 3} for path in used_together(halves))
    free = train_both(PARAMS, data)
    assert not all(path <= {0, 4} or path <= {1, 2, 3} for path in used_together(free))


def test_with_owned_splits_groups_have_columns_of_both_sides() -> None:
    data = sides(*table(150), 2)
    owner = replace(PARAMS, splits="owner")
    halves = train_both(replace(owner, interaction_constraints=[[0, 2], [1, 3, 4]]), data)
    assert same_model(
        halves,
        train_both(replace(owner, interaction_constraints=[[0, 2], [1, 3, 4]]), data, "shared"),
    )
    for groups in ([[0, 1], [2, 3, 4]], [[0, 2, 3, 4]], [[0, 1, 2], [1], [3, 4, 0]]):
        with pytest.raises(UsageError, match="columns of both sides in each group"):
            train_both(replace(owner, interaction_constraints=groups), data)
    with pytest.raises(UsageError, match="sample of columns"):
        replace(owner, interaction_constraints=[[0, 1, 2, 3, 4]], colsample_bynode=0.5)


def test_a_name_or_a_number_that_no_column_has_is_refused_at_both() -> None:
    data = sides(*table(40), 2)
    for groups, words in (
        ([["x0", "nobody's"]], '"nobody\'s", which is no column'),
        ([[0, 5]], "has column 5, but there are 5"),
    ):
        with pytest.raises(UsageError, match=words):
            train_both(replace(PARAMS, interaction_constraints=groups), data)


def test_a_side_that_says_too_few_groups_is_refused() -> None:
    params = replace(PARAMS, interaction_constraints=[["x0", "x1"]])
    with pytest.raises(MalformedFrame, match="groups"):
        AgreedColumns.of(params, (ColumnFacts(2, groups=(1, 1)), ColumnFacts(2)))


def test_alone_groups_are_in_the_order_of_the_table() -> None:
    """Whatever side has a column; and by the estimator, with names of a frame or numbers."""
    features, labels = table(200, seed=4)
    names = tuple(f"x{number}" for number in range(5))
    whole, parts = Rows(features, names, labels), split_columns(5, [0, 3])
    params = replace(PARAMS, interaction_constraints=[[0, 1], [2, 3, 4]])
    halves = train_alone(params, whole, parts, 1).results
    order = [column for side in parts for column in side]
    groups = halves[0].params.interaction_constraints
    assert [{order[place] for place in group} for group in groups] == [{0, 1}, {2, 3, 4}]
    settings: dict[str, Any] = {"n_estimators": 2, "max_depth": 2, "max_bin": 8}
    model = SecureXGBClassifier(interaction_constraints="[[0, 1], [2, 3, 4]]", **settings)
    assert model.fit(features, labels).get_xgb_params()["interaction_constraints"] == (
        "[[0, 1], [2, 3, 4]]"
    )
    again = SecureXGBClassifier(interaction_constraints=[[4, 2, 3], [1, 0]], **settings)
    np.testing.assert_array_equal(
        model.decision_function(features), again.fit(features, labels).decision_function(features)
    )
