"""Interaction constraints: which columns the splits of one path may use together, as terms say it.

As xgboost takes them: groups of columns, by their names, or by number. A node may use the columns
of all groups that hold every column on its path (xgboost 3.2: ``FeatureInteractionConstraintHost``,
which adds the path's own columns: they are in each such group). A column in no group is a group of
its own, and at the root all columns are open. Groups are public terms over the columns of both
sides. Of columns that are named each side finds its own, and tells the other one, number by number,
in which groups they are (``jobs.agreement``): neither needs the other's names.

No group at all is no constraint. xgboost 3.2 takes the text "[]" for groups, of which there are
none, so that each column goes with itself alone; such a text is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from securexgb.boost.splits.directions import no_column
from securexgb.errors import UsageError

Interactions: TypeAlias = tuple[tuple[int, ...], ...] | tuple[tuple[str, ...], ...]
"""Groups, of columns by number, the label party's first, or by name. (): no constraint."""
MOST_GROUPS = 8
_NAME = "interaction_constraints"


def read_interactions(value: Any) -> Interactions:
    """Groups of lists of names or of numbers, or their text "[[0, 1], [2, 3]]"; UsageError."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return ()
    if isinstance(value, str):
        value = _of_text(value)
    if not isinstance(value, (list, tuple)) or not all(_is_list(group) for group in value):
        raise UsageError(
            f'{_NAME} must be lists of columns, like [[0, 1], [2, 3]] or [["age", "income"]], '
            f"it is {value!r}"
        )
    groups = [tuple(dict.fromkeys(_column(column) for column in group)) for group in value]
    if any(not group for group in groups):
        raise UsageError(f"{_NAME} has a group without columns: leave it out")
    if len({type(column) for group in groups for column in group}) > 1:
        raise UsageError(f"{_NAME} has names and numbers: give all columns by one of them")
    if len(groups) > MOST_GROUPS:
        raise UsageError(
            f"{_NAME} has {len(groups)} groups: at most {MOST_GROUPS} are supported; a column in "
            "no group is one of its own, and needs no list"
        )
    return tuple(groups)  # type: ignore[return-value]


def plain_interactions(groups: Interactions) -> list[list[int] | list[str]]:
    """The same for TOML and JSON."""
    return [list(group) for group in groups]  # type: ignore[misc]


def is_of_names(groups: Interactions) -> bool:
    """Whether columns are named."""
    return any(isinstance(column, str) for column in _columns(groups))


def groups_of(groups: Interactions, columns: Iterable[int | str]) -> tuple[int, ...]:
    """In which groups each of these columns is, by name or number: bit g of group g."""
    return tuple(
        sum(1 << number for number, group in enumerate(groups) if column in group)
        for column in columns
    )


def in_all(groups: Interactions, columns: int) -> tuple[int, ...]:
    """The same of so many columns, which groups have by number; UsageError for others."""
    beyond = [
        column for column in _columns(groups) if isinstance(column, int) and column >= columns
    ]
    if beyond:
        raise UsageError(f"{_NAME} has column {beyond[0]}, but there are {columns}, from 0")
    return groups_of(groups, range(columns))


def unknown_columns(groups: Interactions, names: Sequence[str]) -> tuple[str, ...]:
    """What groups name and these columns lack."""
    named = dict.fromkeys(column for column in _columns(groups) if isinstance(column, str))
    return tuple(name for name in named if name not in names)


def by_place(groups: Interactions, names: Sequence[str], places: Sequence[int]) -> Interactions:
    """Groups of the columns of a whole table, by numbers in another order; UsageError.

    ``places``: which of the table's columns comes first, which second, and so on.
    """
    if unknown := unknown_columns(groups, names):
        raise UsageError(no_column(_NAME, unknown))
    in_all(groups, len(names))
    keys = names if is_of_names(groups) else range(len(names))
    ordered = [keys[place] for place in places]
    return tuple(
        tuple(number for number, column in enumerate(ordered) if column in group)
        for group in groups
    )


def like_terms(groups: Interactions, columns: int) -> tuple[int, ...]:
    """What ``in_all`` may be like, of so many columns, before it is known who is named what."""
    if not is_of_names(groups):
        return groups_of(groups, range(columns))
    named = list(dict.fromkeys(_columns(groups)))[:columns]
    return groups_of(groups, [*named, *range(columns - len(named))])


def check_owned(memberships: Sequence[int], label_columns: int) -> None:
    """Refuse groups that would show a dummy split to a side (UsageError); see ``splits.groups``."""
    sides = memberships[:label_columns], memberships[label_columns:]
    of_sides = [int(np.bitwise_or.reduce(side)) if side else 0 for side in sides]
    if not all(memberships) or of_sides[0] != of_sides[1]:
        raise UsageError(
            f'{_NAME} with splits = "owner" needs each column in a group, and columns of both '
            "sides in each group, or dummy splits would show themselves: put them so, or choose "
            'splits = "hidden"'
        )


def _columns(groups: Interactions) -> Iterable[int | str]:
    return (column for group in groups for column in group)


def _is_list(group: object) -> bool:
    return isinstance(group, (list, tuple, set, frozenset, np.ndarray))


def _column(column: Any) -> int | str:
    if isinstance(column, str):
        return column
    if isinstance(column, bool) or not isinstance(column, (int, np.integer)) or column < 0:
        raise UsageError(f"{_NAME} has {column!r}: a column is a name, or a number from 0")
    return int(column)


def _of_text(text: str) -> Any:
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise UsageError(
            f'{_NAME} must be a text like "[[0, 1], [2, 3]]", it is {text!r}'
        ) from None
    if not value:
        raise UsageError(
            f"{_NAME} {text!r} means to xgboost that no column goes with another; here it would "
            "mean no constraint: leave it out, or name the groups"
        )
    return value
