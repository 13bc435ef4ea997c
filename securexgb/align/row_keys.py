"""One key a row: what two companies know the same person by, read from one side's own columns.

A key is the UTF-8 text of one column, or of several, each behind its length, so that no two rows of
fields read alike ("ab", "c" and "a", "bc" are two keys). An empty field is refused: all who lack a
number would be the same person. A key that comes twice is refused, or its first row is taken, as
the terms say. Row numbers are those of the file, from 1; a key itself is only in a note of an
error, which people at this side are shown and no log keeps.

Rows that both sides have are put into the order of SHA-256(order coin || key): pseudorandom, so it
says nothing of the order of either file, and the same at both sides and in every run with one coin.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from securexgb.align.normalise import Step, is_day, normalised, patterns
from securexgb.errors import DataError

Duplicates = Literal["refuse", "first"]
RowNumbers = NDArray[np.int64]

_LENGTH_BYTES = 4
_SHOWN = 5
"""Rows that a message names."""
_STRANGE = (
    (
        re.compile(r"\A\d+(\.\d+)?[Ee]\+?\d+\Z|\A\d+\.0\Z"),
        "look like numbers that a spreadsheet or a program has rewritten (1.5E+9, 7.0): these are "
        "other keys, and two may have become one",
    ),
    (
        re.compile(r"\A\s|\s\Z|[\x00-\x1f\x7f\u00ad\u200b-\u200f\u2060\ufeff]"),
        "begin or end with white space, or hold a character that is not seen",
    ),
)
"""What is taken to the letter, and is seldom meant."""


@dataclass(frozen=True, repr=False)
class KeyColumn:
    """One column that keys are made of: its name at this side, a text a row, the terms' steps.

    ``is_number``: the file has whole numbers there, of which ``texts`` are the digits.
    """

    name: str
    texts: Sequence[str]
    steps: Sequence[Step] = ()
    is_number: bool = False


@dataclass(frozen=True, repr=False)
class Keys:
    """One side's keys, all different, and the row of each, from 0.

    ``count``: of all rows. ``remarks``: what the keys look like, for this side's operator.
    """

    values: list[bytes]
    rows: RowNumbers
    count: int
    remarks: tuple[str, ...]

    @cached_property
    def sha256(self) -> str:
        """Digest of all keys in the order of the rows, to know a table again."""
        digest = hashlib.sha256(self.count.to_bytes(8, "little"))
        for value in self.values:
            digest.update(len(value).to_bytes(_LENGTH_BYTES, "little") + value)
        return digest.hexdigest()


def make_keys(columns: Sequence[KeyColumn], side: str, duplicates: Duplicates) -> Keys:
    """The keys of a table; DataError for empty fields, and for a key that comes twice where the
    terms refuse it."""
    fields = [_fields(column, side) for column in columns]
    encoded = [_encoded(column, own, side) for column, own in zip(columns, fields, strict=True)]
    values = encoded[0] if len(encoded) == 1 else list(map(_joined, *encoded))
    remarks = [
        line for column, own in zip(columns, fields, strict=True) for line in _remarks(column, own)
    ]
    first: dict[bytes, int] = {}
    again = [row for row, value in enumerate(values) if first.setdefault(value, row) != row]
    if again:
        names = ", ".join(repr(column.name) for column in columns)
        if duplicates == "refuse":
            raise _repeated(f"{side}: key {names}", values, first, again)
        remarks.append(
            f"{len(again):,} rows have a key that an earlier row has, and are left out: data rows "
            f"{_listed(again)}"
        )
    rows = np.fromiter(first.values(), np.int64, len(first))
    return Keys(list(first), rows, len(values), tuple(remarks))


def order_marks(coin: bytes, keys: Sequence[bytes]) -> NDArray[np.uint64]:
    """Eight bytes of each key's SHA-256 under the order coin, (n,): this side knows a key again by
    them, without keeping keys."""
    found = b"".join(hashlib.sha256(coin + key).digest()[:8] for key in keys)
    return np.frombuffer(found, ">u8").astype(np.uint64)


def order_check(coin: bytes, keys: Sequence[bytes]) -> str:
    """Digest of keys in an order, 64 hex digits: equal where both sides have the same ones."""
    digest = hashlib.sha256(b"securexgb aligned rows" + coin)
    for key in keys:
        digest.update(hashlib.sha256(key).digest())
    return digest.hexdigest()


def _fields(column: KeyColumn, side: str) -> list[str]:
    texts = normalised(column.texts, column.steps)
    if "" not in texts:
        return texts
    empty = [row for row, text in enumerate(texts) if not text]
    made = [row for row in empty if column.texts[row]]
    after = f" after {', '.join(column.steps)}" if made else ""
    error = DataError(
        f"{side}: key column {column.name!r} has {len(empty):,} empty fields{after}: data rows "
        f"{_listed(empty)}; give every row a key, or leave these rows out of the file"
    )
    for row in made[:_SHOWN]:
        error.add_note(f"data row {row + 1}: {column.texts[row][:60]!r}")
    raise error


def _repeated(
    where: str, values: Sequence[bytes], first: dict[bytes, int], again: Sequence[int]
) -> DataError:
    row = again[0]
    error = DataError(
        f"{where} repeats itself in {len(again):,} rows: data row {row + 1} has the key of data "
        f"row {first[values[row]] + 1}; all that repeat an earlier row: {_listed(again)}. Leave "
        'one row a key, or agree on duplicates = "first" in the terms'
    )
    for row in again[:_SHOWN]:
        text = values[row].decode(errors="replace").replace("\0", "")
        error.add_note(f"data row {row + 1}: {text[:60]!r}, as data row {first[values[row]] + 1}")
    return error


def _remarks(column: KeyColumn, texts: Sequence[str]) -> list[str]:
    shares = ", ".join(f"{name} ({100 * share:.3g} %)" for name, share in patterns(texts))
    found = [f"{column.name} looks like {shares}"]
    if column.is_number:
        found.append(
            f"{column.name} is a column of whole numbers, so no key of it begins with a zero: "
            "where the other side's do, nothing matches; write the column as text"
        )
    for pattern, said in _STRANGE:
        rows = [row for row, text in enumerate(texts) if pattern.search(text)]
        if rows:
            found.append(f"{column.name}: {len(rows):,} fields {said}: data rows {_listed(rows)}")
    if "iso_date" in column.steps:
        other = [row for row, text in enumerate(texts) if not is_day(text)]
        if 0 < len(other) < len(texts):
            found.append(
                f"{column.name}: {len(other):,} fields are no day that iso_date knows, and stay as "
                f"they are: data rows {_listed(other)}"
            )
    return found


def _encoded(column: KeyColumn, texts: Sequence[str], side: str) -> list[bytes]:
    values = list[bytes]()
    try:
        values.extend(text.encode() for text in texts)
    except UnicodeEncodeError:
        raise DataError(
            f"{side}: key column {column.name!r} holds half a character in data row "
            f"{len(values) + 1}: keys are text that can be written as UTF-8"
        ) from None
    return values


def _joined(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(_LENGTH_BYTES, "little") + part for part in parts)


def _listed(rows: Sequence[int]) -> str:
    more = ", …" if len(rows) > _SHOWN else ""
    return ", ".join(f"{row + 1}" for row in rows[:_SHOWN]) + more
