"""Budgets: what a key, a caller, a day and a model may still cost, counted before it is scored.

One transaction a batch: it reads the counters, decides row by row in the order asked, writes the
counters and the audit's entry, and is on disk when ``admit`` returns. A process that is killed in
the midst has counted a batch wholly or not at all, and answers nothing that it has not counted.
What each batch asks for, the newest day, the last entry and all counters but those of keys, is kept
in memory as long as no other process has written to the file, which SQLite says (data_version).
The bound of each budget is the stricter of the terms' and of this side's own.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.serve.gate.audit import (
    ADMITTED,
    UNKNOWN,
    AuditSecret,
    Batch,
    Head,
    add_entry,
    head_of,
)
from securexgb.serve.gate.database import LogKeeper, database_errors, open_database
from securexgb.serve.parts import Asked
from securexgb.terms.serving import Budgets, ServeTerms

SECRET_BYTES = 32
_WORDS = {
    "rows_in_all": "{:,} rows of one model",
    "rows_a_day": "{:,} rows a day",
    "keys_a_day": "{:,} different keys a day",
    "rows_a_key_a_day": "{:,} rows of one key a day",
    "rows_a_caller_a_day": "{:,} rows of one caller a day",
}
"""Every budget, in the order in which they are asked; a row's outcome in the audit is the place of
the one that refused it, from 1."""
_PUT = (
    "INSERT INTO counts (day, kind, name, rows) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (day, kind, name) DO UPDATE SET rows = excluded.rows"
)
_USED = "SELECT name, rows FROM counts WHERE day = ? AND kind = ? AND name IN (?)"
_MOST_NAMES = 900
"""In one question to SQLite."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Counter = tuple[int, str, bytes]
"""Day (0 of what is for ever), kind, name."""


@dataclass(frozen=True)
class Limits:
    """The bounds that hold, and where each stands: by budget, rows or keys and a file's name."""

    bounds: Mapping[str, tuple[int, str]]
    side: str

    @staticmethod
    def of(terms: ServeTerms, own: Budgets, side: str) -> Limits:
        """The stricter of both; where they are equal the terms'."""
        found = {}
        for name in _WORDS:
            stated = [
                (bound, file)
                for table, file in ((terms, "job.toml"), (own, "party.toml"))
                if (bound := getattr(table, name, None)) is not None
            ]
            if stated:
                found[name] = min(stated, key=lambda one: one[0])
        return Limits(found, side)

    def sentence(self, outcome: int) -> str:
        """Why a row is refused."""
        name = tuple(_WORDS)[outcome - 1]
        bound, file = self.bounds[name]
        until = "" if name == "rows_in_all" else " until midnight UTC"
        return (
            f"{self.side} scores at most {_WORDS[name].format(bound)} ({name} in [serve] of "
            f"{file}), and they are used up{until}"
        )


@dataclass
class _Kept:
    """What the file holds as of ``version``: the newest day, the last entry, and counters; ``used``
    has all that were asked for but those of keys."""

    version: int
    newest: int | None
    head: Head
    used: dict[_Counter, int] = field(default_factory=dict)


@dataclass
class _Day:
    """The counters of one batch: as they are, and which of them change."""

    day: int
    model: bytes
    used: dict[_Counter, int]
    changed: dict[_Counter, int] = field(default_factory=dict)

    def outcome(self, limits: Limits, key: bytes, caller: bytes) -> int:
        """Count a row, or say which budget has nothing left for it."""
        of_key, used = (self.day, "key", key), self.used
        counters = [
            ("rows_in_all", (0, "model", self.model)),
            ("rows_a_day", (self.day, "day", b"")),
            ("rows_a_key_a_day", of_key),
        ]
        if not used.get(of_key):
            counters.insert(2, ("keys_a_day", (self.day, "keys", b"")))
        if caller:
            counters.append(("rows_a_caller_a_day", (self.day, "caller", caller)))
        for name, counter in counters:
            bound = limits.bounds.get(name)
            if bound is not None and used.get(counter, 0) >= bound[0]:
                return tuple(_WORDS).index(name) + 1
        for _, counter in counters:
            self.changed[counter] = used[counter] = used.get(counter, 0) + 1
        return ADMITTED


class AuditedGate:
    """``Gate`` on a SQLite file. ``now``: the clock, in UTC."""

    def __init__(
        self,
        path: Path,
        limits: Limits,
        secret: AuditSecret,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Open the file, or make it; FileError, DataError."""
        self._path, self._limits, self._secret, self._now = path, limits, secret, now
        self._lock = threading.Lock()
        self._connection = open_database(path)
        self._keeper = LogKeeper(path)
        self._kept: _Kept | None = None

    def __repr__(self) -> str:
        return "AuditedGate()"

    def admit(self, asked: Asked) -> tuple[str | None, ...]:
        """For each row None, or why it is refused; FileError where nothing can be counted, and
        then nothing must be scored."""
        now = self._now()
        digests = [self._secret.key(key) for key in asked.keys]
        with self._lock, database_errors("write", self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                outcomes = self._count(asked, digests, now)
                self._connection.execute("COMMIT")
            except BaseException:
                self._kept = None
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        passed = (ADMITTED, UNKNOWN)
        return tuple(None if one in passed else self._limits.sentence(one) for one in outcomes)

    def close(self) -> None:
        self._keeper.close()
        with self._lock:
            self._connection.close()

    def _count(self, asked: Asked, digests: Sequence[bytes], now: datetime) -> bytes:
        kept = self._read()
        day = self._begin_day(kept, (now - _EPOCH).days)
        callers = [name.encode() for name in asked.callers or ("",) * len(asked.keys)]
        known = asked.known or (True,) * len(asked.keys)
        model = asked.model.encode()
        counted = _Day(day, model, self._used(kept.used, day, model, digests, callers))
        outcomes = bytes(
            counted.outcome(self._limits, key, caller) if is_known else UNKNOWN
            for key, caller, is_known in zip(digests, callers, known, strict=True)
        )
        time = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        batch = Batch(time, day, asked, digests, outcomes)
        kept.head = add_entry(self._connection, kept.head, batch, self._secret)
        counted.changed[0, "entries", b""] = kept.head[0]
        self._connection.executemany(
            _PUT, [(*place, rows) for place, rows in counted.changed.items()]
        )
        kept.used |= {place: n for place, n in counted.changed.items() if place[1] != "key"}
        return outcomes

    def _read(self) -> _Kept:
        """What is kept of the file, read anew where another connection has written to it."""
        ask = self._connection.execute
        (version,) = ask("PRAGMA data_version").fetchone()
        if self._kept is None or self._kept.version != version:
            (newest,) = ask("SELECT max(day) FROM counts").fetchone()
            self._kept = _Kept(version, newest, head_of(self._connection))
        return self._kept

    def _begin_day(self, kept: _Kept, today: int) -> int:
        """The day to count for; counters of days before are removed. A clock that goes back does
        not bring a day's budgets back."""
        day = max(today, kept.newest or 0)
        if day != kept.newest:
            self._connection.execute("DELETE FROM counts WHERE day BETWEEN 1 AND ?", (day - 1,))
            kept.newest, kept.used = day, {}
        return day

    def _used(
        self,
        kept: dict[_Counter, int],
        day: int,
        model: bytes,
        digests: Sequence[bytes],
        callers: Sequence[bytes],
    ) -> dict[_Counter, int]:
        """The counters that the rows may move; ``kept`` learns those that it lacks."""
        own = [(0, "model", model), (day, "day", b""), (day, "keys", b"")]
        own += [(day, "caller", caller) for caller in {*callers}]
        for of, kind, name in own:
            if (of, kind, name) not in kept:
                rows = dict(self._rows(of, kind, (name,)))
                kept[of, kind, name] = rows.get(name, 0)
        keys = tuple({*digests})
        parts = [keys[at : at + _MOST_NAMES] for at in range(0, len(keys), _MOST_NAMES)]
        found = {place: kept[place] for place in own}
        for part in parts:
            found |= {(day, "key", name): rows for name, rows in self._rows(day, "key", part)}
        return found

    def _rows(self, day: int, kind: str, names: Sequence[bytes]) -> sqlite3.Cursor:
        return self._connection.execute(_question(len(names)), (day, kind, *names))


@cache
def _question(names: int) -> str:
    """The question for the counters of so many names."""
    return _USED.replace("(?)", f"({', '.join('?' * names)})")


def open_gate(federation: Federation) -> AuditedGate:
    """The gate of this side's replica, by terms and settings."""
    terms, settings = federation.terms.serve, federation.config.serve
    if terms is None or settings is None:
        raise UsageError(
            "nothing is served: it takes a table [serve] in job.toml, at both sides, and one in "
            "this side's party.toml"
        )
    limits = Limits.of(terms, settings.budgets, federation.config.name)
    lasting = federation.endpoint().credentials.lasting_secret(SECRET_BYTES)
    return AuditedGate(settings.audit, limits, AuditSecret(lasting))
