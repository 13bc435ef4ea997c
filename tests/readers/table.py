"""Every place where the program makes something of bytes that others may have written.

A row has good bytes and a reader, which gives an object or raises one of our errors, and nothing
else, whatever bytes it gets. ``tests/security/test_readers.py`` reads from the source where bytes
become objects, and looks which of these places the rows reach: a new one without a row fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from securexgb.errors import SecureXGBError

Read = Callable[[bytes], object]
Prepared = tuple[bytes, Read]


class GoesOn(SecureXGBError):
    """The message was taken; what follows it is no part of its reader."""


@dataclass(frozen=True)
class Row:
    """``prepare``: from an empty folder to good bytes and their reader."""

    name: str
    prepare: Callable[[Path], Prepared]


def at(path: Path, content: bytes, read: Callable[[], object]) -> Prepared:
    """A file that is written, then read."""

    def reader(given: bytes) -> object:
        path.write_bytes(given)
        return read()

    return content, reader


def rows() -> dict[str, Row]:
    """All of them by name."""
    from tests.readers import cluster, evidence, files, messages, serving, settings

    parts = files, settings, messages, evidence, serving, cluster
    found = [row for part in parts for row in part.ROWS]
    return {row.name: row for row in found}
