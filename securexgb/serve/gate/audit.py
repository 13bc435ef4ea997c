"""The audit: an entry a batch, each bound to all before it, never changed and never removed.

    link  = SHA-256(link of the entry before, every column of this one after its length)
    seal  = HMAC-SHA-256(secret of this side, link)
    mark  = HMAC-SHA-256(name of the batch, model and keys), cut to 16 bytes

A key stands in an entry as an HMAC under the same secret, which is derived from this side's private
key: the file alone names nobody. Whoever changes, removes or adds an entry has to make all later
links anew, and cannot make their seals. What the file cannot show is that its end was cut
together with the counters, or that an old copy was put in its place: a head that was noted earlier
shows it, and so do the other side's totals.

``mark`` is the same at both sides, because both know a batch's name and keys, and nobody else does:
the digest of a day's marks is equal exactly where both have noted the same batches.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

from securexgb.errors import DataError, SecureXGBError, UsageError
from securexgb.serve.gate.database import database_errors, read_database
from securexgb.serve.parts import Asked
from securexgb.storage.whole import damaged

DIGEST_BYTES, LINK_BYTES, SECRET_BYTES = 16, 32, 8
_ALL = (
    "SELECT number, time, day, model, callers, reasons, keys, outcomes, mark, secret, link, seal "
    "FROM entries ORDER BY number"
)
_ADD = (
    "INSERT INTO entries (number, time, day, model, callers, reasons, keys, outcomes, mark, "
    "secret, link, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_FIRST = bytes(LINK_BYTES)
Head = tuple[int, bytes]
"""The last entry's number and link."""
ADMITTED, UNKNOWN = 0, 255
"""Outcomes of a row; all others are budgets that refused."""


class AuditSecret:
    """Names keys and seals entries; derived from a lasting secret of this side, never shown."""

    def __init__(self, lasting: bytes) -> None:
        self._keys = hmac.digest(lasting, b"securexgb audit keys", "sha256")
        self._seals = hmac.digest(lasting, b"securexgb audit seals", "sha256")
        self.name = hmac.digest(lasting, b"securexgb audit name", "sha256")[:SECRET_BYTES]
        """Says which secret it is: a side that renews its key has another."""

    def __repr__(self) -> str:
        return "AuditSecret()"

    def key(self, key: str) -> bytes:
        """What stands for a key."""
        return hmac.digest(self._keys, key.encode(), "sha256")[:DIGEST_BYTES]

    def seal(self, link: bytes) -> bytes:
        return hmac.digest(self._seals, link, "sha256")


@dataclass(frozen=True, repr=False)
class Batch:
    """What an entry says of a batch: when, what was asked, what came of each row."""

    time: str
    day: int
    asked: Asked
    digests: Sequence[bytes]
    outcomes: bytes

    def columns(self, secret: AuditSecret) -> tuple[Any, ...]:
        """As they stand in ``entries``, from ``time`` to ``secret``."""
        asked = self.asked
        passed = [
            key
            for key, outcome in zip(asked.keys, self.outcomes, strict=True)
            if outcome == ADMITTED or asked.callers is None
        ]
        return (
            self.time,
            self.day,
            asked.model,
            _runs(asked.callers or ()),
            int(asked.reasons),
            b"".join(self.digests),
            self.outcomes,
            _mark(asked, passed) if passed else b"",
            secret.name,
        )


@lru_cache
def _runs(callers: tuple[str, ...]) -> str:
    """Whose rows they are, those of one caller together."""
    return json.dumps([[name, len(list(rows))] for name, rows in groupby(callers)])


def _mark(asked: Asked, passed: Sequence[str]) -> bytes:
    """Of the rows that went from one side to the other: the label party sends what it admits, and
    the feature party notes what came."""
    if not asked.batch:
        return b""
    said = _framed((asked.model, int(asked.reasons), *passed))
    return hmac.digest(asked.batch, said, "sha256")[:DIGEST_BYTES]


def head_of(connection: sqlite3.Connection) -> Head:
    """The last entry within the caller's transaction."""
    last = connection.execute("SELECT number, link FROM entries ORDER BY number DESC LIMIT 1")
    number, link = last.fetchone() or (0, _FIRST)
    return int(number), link


def add_entry(
    connection: sqlite3.Connection, before: Head, batch: Batch, secret: AuditSecret
) -> Head:
    """Add one behind ``before`` within the caller's transaction; the new head."""
    columns = batch.columns(secret)
    link = _link(before[1], columns)
    connection.execute(_ADD, (before[0] + 1, *columns, link, secret.seal(link)))
    return before[0] + 1, link


def _framed(values: Sequence[Any]) -> bytes:
    """Every value after its kind and length; TypeError for a value of no kind that is written."""
    parts = list[bytes]()
    for value in values:
        if isinstance(value, str):
            kind, content = b"s", value.encode()
        elif isinstance(value, bytes):
            kind, content = b"b", value
        elif isinstance(value, int):
            kind, content = b"i", b"%d" % value
        else:
            raise TypeError("a value that no entry has")
        parts += kind, len(content).to_bytes(8, "big"), content
    return b"".join(parts)


def _link(before: bytes, columns: Sequence[Any]) -> bytes:
    return hashlib.sha256(b"securexgb audit 1" + before + _framed(columns)).digest()


@dataclass(frozen=True)
class Verified:
    """An audit in which every entry is as it was written. ``head``: to be noted; see
    ``verify_audit``. ``earlier_secrets``: entries of this side's former private keys, of which
    the links are checked and the seals are not."""

    entries: int
    rows: int
    first: str | None
    last: str | None
    head: str
    earlier_secrets: int


def verify_audit(path: Path, secret: AuditSecret, noted: str | None = None) -> Verified:
    """Read everything; DataError that names the first entry that is not as it was written.

    ``noted``: a head that was shown earlier: the audit must still have that entry.
    """
    with _reading(path) as connection:
        return _verified(connection, path, secret, _noted(noted))


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as it is now; DataError where its columns hold what nobody wrote: to SQLite any
    value may be of any type."""
    connection = read_database(path)
    try:
        with database_errors("read", path):
            connection.execute("BEGIN")
            yield connection
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, SecureXGBError):
            raise
        raise damaged(path.name) from error
    finally:
        connection.close()


def _noted(head: str | None) -> tuple[int, str] | None:
    if head is None:
        return None
    number, _, link = head.partition(":")
    if not (number.isdecimal() and link):
        raise UsageError(f"{head!r} is no head: `audit show` prints it as NUMBER:LETTERS")
    return int(number), link


def _verified(
    connection: sqlite3.Connection, path: Path, secret: AuditSecret, noted: tuple[int, str] | None
) -> Verified:
    where, before, expected = path.name, _FIRST, 0
    first, last, rows, earlier = None, None, 0, 0
    admitted: Counter[str] = Counter()
    for number, *columns, link, seal in connection.execute(_ALL):
        expected += 1
        if number != expected:
            raise DataError(f"{where}: entry {expected} is missing")
        try:
            is_good = link == _link(before, columns)
        except TypeError:  # an entry is named where it can be
            is_good = False
        time, _, model, _, _, keys, outcomes, _, name = columns
        is_good = is_good and len(keys) == DIGEST_BYTES * len(outcomes)
        if is_good and name == secret.name:
            is_good = hmac.compare_digest(secret.seal(link), seal)
        elif is_good:
            earlier += 1
        if not is_good or (noted is not None and noted[0] == number and letters(link) != noted[1]):
            raise DataError(f"{where}: entry {number} is not as it was written")
        rows, first, last, before = rows + len(outcomes), first or time, time, link
        admitted[model] += outcomes.count(ADMITTED)
    if noted is not None and noted[0] > expected:
        raise DataError(f"{where}: entry {expected + 1} and those after it are missing")
    _check_counters(connection, where, expected, admitted)
    return Verified(expected, rows, first, last, f"{expected}:{letters(before)}", earlier)


def _check_counters(
    connection: sqlite3.Connection, where: str, entries: int, admitted: Counter[str]
) -> None:
    """The counters that are never pruned say the same as the entries."""
    kept = dict(connection.execute("SELECT kind, rows FROM counts WHERE day = 0 AND name = x''"))
    if kept.get("entries", 0) != entries:
        raise DataError(
            f"{where}: entry {entries + 1} is missing: {kept.get('entries', 0):,} were written, "
            f"and {entries:,} are there"
        )
    totals = connection.execute("SELECT name, rows FROM counts WHERE day = 0 AND kind = 'model'")
    found = {bytes(name).decode(errors="replace"): rows for name, rows in totals}
    if found != {model: rows for model, rows in admitted.items() if rows}:
        raise DataError(f"{where}: rows in all of a model are not those of its entries")


def letters(digest: bytes) -> str:
    """128 bits of a digest, to be read and compared."""
    return base64.b32encode(digest[:16]).decode().rstrip("=")


@dataclass(frozen=True)
class Total:
    """Of a day, or of an hour of one. ``batches``, ``rows`` and ``digest`` are of what went between
    the two sides, and equal at both; ``refused`` counts rows that this side's budgets refused,
    ``unknown`` those whose key it does not have."""

    when: str
    batches: int
    rows: int
    digest: str
    refused: int
    unknown: int


def totals(path: Path, day: str | None = None) -> list[Total]:
    """By day, or by hour of one day, the oldest first."""
    with _reading(path) as connection:
        return list(_totals(connection, 13 if day else 10, day or ""))


def _totals(connection: sqlite3.Connection, size: int, day: str) -> Iterator[Total]:
    spans = connection.execute(
        "SELECT DISTINCT substr(time, 1, ?) FROM entries WHERE substr(time, 1, ?) = ? ORDER BY 1",
        (size, len(day), day),
    ).fetchall()
    for (span,) in spans:
        batches = rows = refused = unknown = 0
        digest = hashlib.sha256(b"securexgb audit day 1")
        for mark, outcomes, callers in connection.execute(
            "SELECT mark, outcomes, callers FROM entries WHERE time BETWEEN ? AND ? ORDER BY mark",
            (span, f"{span}~"),
        ):
            admitted, missing = outcomes.count(ADMITTED), outcomes.count(UNKNOWN)
            refused, unknown = refused + len(outcomes) - admitted - missing, unknown + missing
            passed = admitted if json.loads(callers) else len(outcomes)
            if passed:
                batches, rows = batches + 1, rows + passed
                digest.update(mark)
        yield Total(span, batches, rows, letters(digest.digest()), refused, unknown)
