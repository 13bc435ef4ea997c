"""Categories: from what a table says to the numbers that a training works on, and back.

A category's number is its position in the list of names that its column's owner makes of the
training rows. The list stays with the owner, in its half of the model, and whatever is read for
that model later is numbered by it: -1 is what the list does not have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.columns.binning import MOST_CATEGORIES, categories_in

Reals = NDArray[np.float64]
Names = tuple[str, ...]
UNKNOWN = -1.0


def text_of(value: Any) -> str:
    """A category's name: whole numbers without a decimal point."""
    is_whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
    return str(int(value)) if is_whole else str(value)


def names_in(values: Iterable[Any]) -> Names:
    """The names of all categories of a column, numbers by size, else by alphabet; None is none."""
    found = {value for value in values if value is not None}
    is_numeric = all(isinstance(value, (int, float)) for value in found)
    ordered = sorted(found) if is_numeric else sorted(found, key=text_of)
    return tuple(dict.fromkeys(text_of(value) for value in ordered))


def numbered(values: Sequence[Any], names: Names) -> Reals:
    """The numbers of a column's categories (n,): NaN for None and NaN, ``UNKNOWN`` for other
    names."""
    numbers: dict[Any, float] = {name: float(number) for number, name in enumerate(names)}
    found = [
        np.nan if v is None or v != v else numbers.get(text_of(v), UNKNOWN)  # noqa: PLR0124
        for v in values
    ]
    return np.array(found, np.float64)


def are_numbers(names: Names) -> bool:
    """Whether all categories are called by numbers."""
    try:
        return bool(names) and all(math.isfinite(float(name)) for name in names)
    except ValueError:
        return False


def names_of_numbers(numbers: Reals) -> Names:
    """Names for a column (n,) that holds numbers already: these. At most MOST_CATEGORIES + 1, so
    that more are seen to be too many."""
    count = min(categories_in(numbers), MOST_CATEGORIES + 1)
    return tuple(str(number) for number in range(count))
