"""Categorical columns as notebooks have them: a table's categories, or ``feature_types``.

Where ``enable_categorical`` is set, a column of a pandas, polars or pyarrow table whose type is
categorical gets numbers in place of its categories, in the order of the type; and columns that
``feature_types`` calls "c" hold such numbers already, as with xgboost. A later table's categories
are numbered as those of the training were, by their names; so are plain numbers where categories
are called by numbers, and elsewhere these are the categories' numbers, as xgboost takes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
from numpy.typing import NDArray

from securexgb.errors import DataError, UsageError
from securexgb.jobs.data.categories import Names, are_numbers, names_of_numbers, numbered, text_of

Reals = NDArray[np.float64]
KINDS = ("c", "q", "float", "int", "i")
"""What xgboost calls columns; all but the first are numbers."""


def with_numbers(X: Any, known: Mapping[str, Names] | None) -> tuple[Any, dict[str, Names]]:
    """The table with numbers in place of categories, and the names of these by column.

    ``known``: those of the training, by which a later table is numbered; None: this is it. What is
    no table comes back as it is.
    """
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        return X, {}
    found: dict[str, Names] = {}
    columns = []
    for name in frame.columns:
        column, is_text = frame[name], not frame[name].dtype.is_numeric()
        is_named = known is not None and (is_text or are_numbers(known.get(str(name), ())))
        if known is None and column.dtype in (nw.Categorical, nw.Enum):
            found[str(name)] = _listed(str(name), column)
        elif known is not None and str(name) in known and is_named:
            found[str(name)] = known[str(name)]
        else:
            continue
        absent = column.is_null().to_numpy()
        values = [None if no else value for no, value in zip(absent, column.to_list(), strict=True)]
        numbers = numbered(values, found[str(name)])
        columns.append(nw.new_series(name, numbers, nw.Float64, backend=frame.implementation))
    return (frame.with_columns(*columns).to_native() if columns else X), found


def _listed(name: str, column: Any) -> Names:
    names = tuple(text_of(value) for value in column.cat.get_categories().to_list())
    if len(set(names)) < len(names):
        raise DataError(f"X: two categories of column {name!r} are written alike: rename one")
    return names


def named_categories(
    kinds: Sequence[str] | None, columns: Sequence[str], values: Reals, found: Mapping[str, Names]
) -> dict[str, Names]:
    """The names of all categories by column, in a training: of the table, and of those columns that
    ``kinds``, xgboost's feature_types, call categorical. ``values``: (n, f)."""
    if kinds is None:
        return dict(found)
    is_list = not isinstance(kinds, str)
    if not is_list or len(kinds) != len(columns) or any(kind not in KINDS for kind in kinds):
        raise UsageError(
            f"feature_types must say of each of the {len(columns)} columns one of "
            f"{', '.join(KINDS)}; it is {kinds!r}"
        )
    marked = {
        name: names_of_numbers(values[:, number])
        for number, (name, kind) in enumerate(zip(columns, kinds, strict=True))
        if kind == "c"
    }
    return marked | dict(found)
