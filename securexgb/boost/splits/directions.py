"""Columns in which a model must not fall, or not rise: how terms name them, and which they are.

As xgboost takes them: one number a column, 1 where predictions must not fall as the column grows,
-1 where they must not rise, 0 where they may do either; or the columns' names with these numbers.
Directions are public terms, of the columns of both sides. They are a promise about the model, which
both sides sign; they follow from what columns mean and not from the rows. Each side finds its own
columns by their names and tells the other one numbers alone (``jobs.agreement``): neither needs
the other's names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from securexgb.errors import UsageError

Directions: TypeAlias = tuple[int, ...] | tuple[tuple[str, int], ...]
"""By column, the label party's first; or by name, sorted, without zeros. (): none."""
_NAME = "monotone_constraints"


def read_directions(value: Any) -> Directions:
    """Directions of numbers by column, their text "(1,0,-1)", or a table by names; UsageError."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = _of_text(value)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (tuple, list)) and value and all(_is_pair(one) for one in value):
        value = dict(value)
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise UsageError(f"{_NAME} has columns by number: of a job, name them, or list all")
        named = sorted((name, _direction(sign)) for name, sign in value.items())
        return tuple((name, sign) for name, sign in named if sign)
    if not isinstance(value, (tuple, list)):
        raise UsageError(f'{_NAME} must be like (1, 0, -1) or {{"name": 1}}, it is {value!r}')
    signs = tuple(_direction(sign) for sign in value)
    return signs if any(signs) else ()


def by_number(value: Any, columns: int) -> Any:
    """``value``, with a table by columns' numbers, from 0, as one number for each column."""
    if not isinstance(value, Mapping) or any(isinstance(name, str) for name in value):
        return value
    signs = [0] * columns
    for number, sign in value.items():
        if not isinstance(number, (int, np.integer)) or not 0 <= number < columns:
            raise UsageError(f"{_NAME} has {number!r}, but there are {columns} columns, from 0")
        signs[int(number)] = sign
    return tuple(signs)


def plain_directions(directions: Directions) -> list[int] | dict[str, int]:
    """The same for TOML and JSON: a list, or a table by names."""
    named = _named(directions)
    return dict(named) if named else [sign for sign in directions if isinstance(sign, int)]


def of_columns(directions: Directions, names: Sequence[str]) -> tuple[int, ...]:
    """One number for each of these columns, by their names; all 0 where none is named."""
    signs = dict(_named(directions))
    return tuple(signs.get(name, 0) for name in names)


def strangers(directions: Directions, names: Sequence[str]) -> tuple[str, ...]:
    """What the directions name and these columns lack."""
    return tuple(name for name, _ in _named(directions) if name not in names)


def of_table(directions: Directions, names: Sequence[str]) -> tuple[int, ...]:
    """One number for each column of a whole table; UsageError for columns that it lacks."""
    if unknown := strangers(directions, names):
        raise UsageError(no_column(_NAME, unknown))
    if _named(directions) or not directions:
        return of_columns(directions, names)
    return in_order(directions, len(names))


def in_order(directions: Directions, columns: int) -> tuple[int, ...]:
    """Directions that are given by column; UsageError unless it is so many."""
    if len(directions) != columns:
        raise UsageError(
            f"{_NAME} has {len(directions)} numbers for {columns} columns: give one for each, or "
            "name those that count"
        )
    return tuple(sign for sign in directions if isinstance(sign, int))


def no_column(parameter: str, unknown: Sequence[str]) -> str:
    """What to say of names in a parameter's value that no column has."""
    named = ", ".join(map(repr, unknown))
    return f"{parameter} names {named}, which is no column: correct the name"


def is_by_name(directions: Directions) -> bool:
    """Whether columns are named, rather than listed one after the other."""
    return bool(_named(directions))


def _named(directions: Directions) -> tuple[tuple[str, int], ...]:
    return tuple(one for one in directions if isinstance(one, tuple))


def _is_pair(one: object) -> bool:
    return isinstance(one, (tuple, list)) and len(one) == 2 and isinstance(one[0], str)


def _direction(sign: Any) -> int:
    if isinstance(sign, bool) or sign not in (-1, 0, 1):
        raise UsageError(f"{_NAME}: a direction is 1, 0 or -1, not {sign!r}")
    return int(sign)


def _of_text(text: str) -> list[int]:
    inner = re.fullmatch(r"\s*\(([-+\d\s,]*)\)\s*", text)
    numbers = [part.strip() for part in inner[1].split(",")] if inner else ["?"]
    if numbers[-1] == "":
        del numbers[-1]
    if any(re.fullmatch(r"[-+]?\d+", number) is None for number in numbers):
        raise UsageError(f'{_NAME} must be a text like "(1,0,-1)", it is {text!r}')
    return [int(number) for number in numbers]
