"""Ids and keys: texts exactly as the file has them, one a row.

They are character for character what the file has, and nothing is guessed: 007 and 7 are two ids,
so are NA and nan, blanks count, and digits have no limit. Two sides agree on a row only where these
texts are equal, and predictions carry the same text back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, time
from typing import Any

import pyarrow as pa
from numpy.typing import NDArray

from securexgb.errors import DataError

_IDENTIFYING = (
    pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_integer,
    pa.types.is_null, pa.types.is_binary, pa.types.is_large_binary,
)  # fmt: skip
"""Binary is Parquet text without the mark that says so."""
_DAYS = (pa.types.is_date32, pa.types.is_date64)
BETWEEN = "; "
"""What parts the fields of an id that several columns make."""
Numbered = Callable[[int], int]
"""A row's number in its file, from 1, by its place here, from 0."""


def in_file(rows: NDArray[Any] | None) -> Numbered:
    """Numbers of rows that were taken out of a file, by these positions from 0; None: all."""
    return lambda row: int(row if rows is None else rows[row]) + 1


def id_texts(column: pa.ChunkedArray, where: str, *, may_be_days: bool = False) -> list[str]:
    """Text as it is, whole numbers of Parquet in decimal digits; empty for a null.

    ``where``: "bank: id column 'pid'", for errors. ``may_be_days``: a Parquet date is YYYY-MM-DD,
    and so is a midnight without a time zone, which other programs make of a date.
    Anything else has more than one text (1, 1.0, 1e0), of which the other side might have another.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if may_be_days and pa.types.is_timestamp(column.type) and column.type.tz is None:
        times = column.cast(pa.timestamp("us"), safe=False).to_pylist()
        return ["" if value is None else _day_text(value) for value in times]
    kinds = (*_IDENTIFYING, *_DAYS) if may_be_days else _IDENTIFYING
    if not any(is_kind(column.type) for is_kind in kinds):
        raise DataError(
            f"{where} holds {column.type} values, and ids are text or whole numbers: write the "
            "column as text, in the same spelling at both sides"
        )
    texts = list[str]()
    try:
        for value in column.to_pylist():
            is_bytes = isinstance(value, bytes)
            texts.append(value.decode() if is_bytes else "" if value is None else str(value))
    except UnicodeDecodeError:
        raise DataError(
            f"{where} is not UTF-8 text, first in data row {len(texts) + 1}: write it as UTF-8"
        ) from None
    return texts


def _day_text(value: datetime) -> str:
    return str(value if value.time() != time() else value.date())


def joined_ids(columns: Sequence[Sequence[str]]) -> list[str]:
    """One text a row of the texts of one column or of several."""
    return list(columns[0]) if len(columns) == 1 else list(map(BETWEEN.join, zip(*columns)))  # noqa: B905


def different_ids(
    ids: Sequence[str], where: str, numbered: Numbered = lambda row: row + 1
) -> tuple[str, ...]:
    """Every row's identifier, all present and all different, or DataError."""
    empty = [row for row, value in enumerate(ids) if not value]
    if empty:
        raise DataError(
            f"{where} has {len(empty)} empty fields, first in data row {numbered(empty[0])}: give "
            "every row an id"
        )
    seen: dict[str, int] = {}
    for row, value in enumerate(ids):
        if seen.setdefault(value, row) != row:
            raise DataError(
                f"{where} repeats itself: data rows {numbered(seen[value])} and {numbered(row)} "
                "hold the same id"
            )
    strange = [row for row, value in enumerate(ids) if not _is_text(value)]
    if strange:
        raise DataError(
            f"{where} holds half a character in data row {numbered(strange[0])}: ids are text that "
            "can be written as UTF-8"
        )
    return tuple(ids)


def _is_text(value: str) -> bool:
    """Whether it can be written, which no file's text needs to be asked."""
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False
