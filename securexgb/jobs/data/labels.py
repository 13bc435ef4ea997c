"""Labels: from what a side's table says to class numbers, and the names that people call them by.

Of two classes one counts as 1; of several each has its place in their order, by size or by
alphabet. The names stay at the label party: beside its run, in its predictions and reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError
from securexgb.jobs.data.categories import text_of

Reals = NDArray[np.float64]
Classes = tuple[Any, ...]


@dataclass(frozen=True)
class LabelKinds:
    """What labels are: classes, ``count`` of them, or numbers, None. ``is_multi``: of an objective
    of several classes, of which there may be two. ``positive``: which of two counts as 1, None for
    the greater. ``known``: those that a model was trained on."""

    count: int | None = 2
    is_multi: bool = False
    positive: str | float | None = None
    known: Sequence[Any] | None = None

    @staticmethod
    def of(
        params: TrainingParams,
        positive: str | float | None = None,
        known: Sequence[Any] | None = None,
    ) -> LabelKinds:
        """What the terms ask for."""
        is_multi = params.traits.is_multi
        count = params.num_class if is_multi else 2 if params.traits.classifies else None
        return LabelKinds(count, is_multi, positive, known)


def class_labels(values: NDArray[Any], where: str, kinds: LabelKinds) -> tuple[Reals, Classes]:
    """Numbers of the labels' classes (n,), and these classes in the order of their numbers.

    Of two classes 1 is ``positive``, or the greater. Several are as many as the terms say; where
    labels are class numbers already, 0 to count - 1, a training may lack some of them.
    """
    found = np.unique(values)
    if kinds.known is not None:
        known = np.asarray(kinds.known)
        if known.dtype.kind == "U" and found.dtype.kind != "U":
            # Texts, of which a file has only those that look like numbers.
            values = np.array([text_of(_named(value)) for value in values], dtype=np.str_)
            found = np.unique(values)
        if not np.isin(found, known).all():
            raise DataError(f"{where} has a class that training did not have")
    else:
        known = _all_classes(found, where, kinds)
        if kinds.positive is not None:
            at = position_of(kinds.positive, known, where)
            known = known[[1 - at, at]]
    order = np.argsort(known)
    codes = order[np.searchsorted(known[order], values)].astype(np.float64)
    return codes, tuple(_named(value) for value in known)


def _all_classes(found: NDArray[Any], where: str, kinds: LabelKinds) -> NDArray[Any]:
    """The classes of a training, in order; DataError where they are not those of the terms."""
    count = kinds.count
    if not kinds.is_multi:
        if found.size != 2:
            raise DataError(
                f"{where} has {found.size} different values, and binary:logistic needs exactly "
                "two classes" + _several(found)
            )
        return found
    assert count is not None
    if found.size < 2:
        raise DataError(f"{where} has one class only: there is nothing to learn")
    if found.dtype.kind in "fiub" and np.isin(found, np.arange(count)).all():
        return np.arange(float(count))
    if found.size != count:
        raise DataError(
            f"{where} has {found.size:,} different values, and num_class of the terms is {count}: "
            "they must be as many, or numbers from 0 to "
            f"{count - 1}{_several(found)}"
        )
    return found


def _several(found: NDArray[Any]) -> str:
    """What else may be meant, where labels look like classes."""
    is_number = found.dtype.kind == "f" and not bool(np.equal(np.mod(found, 1), 0).all())
    if is_number or not 2 < found.size <= 64:
        return ""
    return (
        f'; of so many classes the terms say objective = "multi:softprob", num_class = {found.size}'
    )


def position_of(positive: Any, classes: NDArray[Any], where: str) -> int:
    """Which of two classes is ``positive``, 0 or 1; numbers are equal as numbers, and the words
    true and false are 1 and 0. DataError, which names no class of the data, where it is neither."""
    for position, known in enumerate(classes.tolist()):
        if known == positive or str(_named(known)) == str(positive):
            return position
        if not isinstance(known, str):
            words = {"true": 1.0, "false": 0.0}
            with suppress(ValueError):
                if float(words.get(str(positive).lower(), positive)) == known:
                    return position
    raise DataError(
        f"{where}: no label is {positive!r}, which positive_label names: write the class as the "
        "data have it"
    )


def _named(label: Any) -> Any:
    """A class for people and files: whole numbers without a decimal point."""
    value = label.item() if isinstance(label, np.generic) else label
    return int(value) if isinstance(value, float) and value.is_integer() else value


def numeric_labels(values: NDArray[Any], where: str) -> Reals:
    """Labels of a regression: not text."""
    if values.dtype.kind not in "fiub":
        raise DataError(f"{where} holds text; a regression needs numbers")
    return values.astype(np.float64)
