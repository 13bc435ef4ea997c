"""A run's ledger.json: what all sessions of a run have revealed.

A run has several sessions: its training, each resumption of it, each evaluation and each
prediction. What one of them revealed stays revealed, so rows are only ever added.

    revealed   all of it, the step in work at its worst case
    in_work    the part of it that is this worst case; empty where no step is in work
    aligned    the alignments that the run stands on: what they have shown is in ``revealed``, too

A step (a tree with its metrics, the rows of a prediction) is written down before its first opening,
so a process that dies in its midst, by whatever signal, leaves a ledger that says enough. Each
session begins by comparing both sides' books: where one side has finished the step that the other
was killed in, its true count goes into both; where both were cut off in it, its worst case stays.
So both ledgers are equal again, and neither ever says less than what was opened. Alignments were
made before the run, maybe for others, too: each side keeps its own, once for all sessions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import NonNegativeInt, TypeAdapter

from securexgb.attestation.verdict import Verdict
from securexgb.errors import MalformedFrame
from securexgb.jobs.runs import LedgerRows, RunDirectory
from securexgb.jobs.table import Table
from securexgb.mpc.party import ROLES, Party
from securexgb.mpc.reveals import Reveal
from securexgb.offline.dealt import DealtSource
from securexgb.report.record import AlignedSet
from securexgb.storage.records import read_record
from securexgb.storage.whole import damaged, strict_json

NAME = "ledger.json"
FORMAT = 1


@dataclass(frozen=True)
class _Row:
    """What was revealed, and how many values of it."""

    reveal: str
    meaning: str
    to: str
    values: NonNegativeInt


@dataclass(frozen=True)
class _Kept:
    """What the file holds."""

    revealed: list[_Row]
    in_work: list[_Row]
    aligned: list[AlignedSet] = field(default_factory=list)


_FILE = TypeAdapter(_Kept)
_MOST_BYTES, _MOST_VALUES = 1 << 16, 1 << 62
_AUDIENCES = ("both", *ROLES)


def add_ledgers(*ledgers: Sequence[Mapping[str, Any]]) -> LedgerRows:
    """One row for each (reveal, to), with the sum of its values; in the order of a ledger."""
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for row in (row for ledger in ledgers for row in ledger):
        key = (row["reveal"], row["to"])
        values = row["values"] + (sums[key]["values"] if key in sums else 0)
        sums[key] = {**row, "values": values}
    return [sums[key] for key in sorted(sums)]


@dataclass(frozen=True)
class Books:
    """One side's ledger: what sessions have ``revealed``, with the worst case of what is
    ``in_work``; and the alignments that the run stands on."""

    revealed: LedgerRows
    in_work: LedgerRows
    aligned: tuple[AlignedSet, ...] = ()

    @property
    def everything(self) -> LedgerRows:
        """With what the alignments have shown."""
        return add_ledgers(self.revealed, *map(shown_by, self.aligned))

    def settled(self) -> LedgerRows:
        """Without what is in work."""
        return _without(self.revealed, self.in_work)

    def to_bytes(self) -> bytes:
        return json.dumps([_short(self.revealed), _short(self.in_work)]).encode()

    @staticmethod
    def from_bytes(content: bytes) -> Books:
        """What the other side says; MalformedFrame where that is no ledger."""
        try:
            if len(content) > _MOST_BYTES:
                raise ValueError
            revealed, in_work = strict_json(content)
            return Books(_long(revealed), _long(in_work))
        except (ValueError, KeyError, TypeError):
            raise MalformedFrame("the other side's ledger is malformed") from None


def books_of(run: RunDirectory) -> Books:
    """What a run has kept so far; DataError where its file is damaged."""
    path = run.path / NAME
    if not path.exists():
        return Books([], [])
    kept = read_record(path, _FILE, FORMAT)
    try:
        aligned = tuple(kept.aligned)
        before = add_ledgers(*map(shown_by, aligned))
        revealed = _without(_known(kept.revealed), before)
        if any(row["values"] < 0 for row in revealed):
            raise ValueError
        return Books(revealed, _known(kept.in_work), aligned)
    except (ValueError, KeyError):
        raise damaged(NAME) from None


def agreed(mine: Books, theirs: Books) -> LedgerRows:
    """What both sides hold for revealed, the same at both.

    A side that is ahead has finished the step that the other is in, and knows it to the value.
    """
    here, there = mine.settled(), theirs.settled()
    if here != there and _covers(here, there):
        return mine.revealed
    if here != there and _covers(there, here):
        return theirs.revealed
    pairs = [*mine.revealed, *theirs.revealed]
    most: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(pairs, key=lambda row: row["values"]):
        most[row["reveal"], row["to"]] = row
    return [most[key] for key in sorted(most)]


class RunLedger:
    """A run's ledger during a session: what was kept before it, and what it reveals."""

    def __init__(self, run: RunDirectory, party: Party) -> None:
        """Compares the books with the other side's; a round of one message."""
        self._run = run
        self._party = party
        mine = books_of(run)
        with party.step("ledger"):
            theirs = Books.from_bytes(party.exchange_bytes(mine.to_bytes()))
        self._before, self._aligned = agreed(mine, theirs), mine.aligned
        party.ledger.keeper = self.write

    def stands_on(self, sets: Sequence[Table]) -> None:
        """What this session works on: where these rows were aligned, the ledger says so, once."""
        found = (rows.aligned for rows in sets)
        new = [one for one in found if one is not None and one not in self._aligned]
        self._aligned += tuple(dict.fromkeys(new))

    def rows(self) -> LedgerRows:
        """All sessions' rows, this one's included."""
        ledger = self._party.ledger
        before = map(shown_by, self._aligned)
        return add_ledgers(*before, self._before, ledger.settled_rows(), ledger.rows_in_work())

    def write(self) -> None:
        """Keep them, with what is known of this session's dealer."""
        verdict = verdict_of(self._party)
        dealer = None if verdict is None else verdict.to_dict()
        in_work = self._party.ledger.rows_in_work()
        kept = {"format": FORMAT, "dealer": dealer, "revealed": self.rows(), "in_work": in_work}
        kept["aligned"] = [asdict(one) for one in self._aligned]
        self._run.write_json(NAME, kept)


@contextmanager
def recorded(run: RunDirectory, party: Party) -> Iterator[RunLedger]:
    """The run's ledger for one session: each step is written down before it opens anything.

    A session that fails has nothing to add: its books say already what it may have opened.
    """
    ledger = RunLedger(run, party)
    yield ledger
    ledger.write()


def verdict_of(party: Party) -> Verdict | None:
    """The verdict on this run's dealer; None where there is no dealer."""
    source = party.source
    return source.verdict if isinstance(source, DealtSource) else None


def shown_by(aligned: AlignedSet) -> LedgerRows:
    """What an alignment, and the dry runs before it, have shown to both."""
    counts = {Reveal.COMMON_MEMBERS: aligned.common, Reveal.COMMON_SIZE: aligned.dry_runs}
    return [
        {"reveal": one.name, "meaning": one.value, "to": "both", "values": count}
        for one, count in counts.items()
        if count
    ]


def _without(rows: LedgerRows, others: LedgerRows) -> LedgerRows:
    minus = [{**row, "values": -row["values"]} for row in others]
    return [row for row in add_ledgers(rows, minus) if row["values"]]


def _covers(more: LedgerRows, less: LedgerRows) -> bool:
    """Whether the first says at least as much of everything."""
    values = {(row["reveal"], row["to"]): row["values"] for row in more}
    return all(values.get((row["reveal"], row["to"]), 0) >= row["values"] for row in less)


def _short(rows: LedgerRows) -> list[list[Any]]:
    return [[row["reveal"], row["to"], row["values"]] for row in rows]


def _long(rows: list[list[Any]]) -> LedgerRows:
    """ValueError or TypeError where the rows are none."""
    found = []
    for name, to, values in rows:
        if to not in _AUDIENCES or type(values) is not int or not 0 <= values <= _MOST_VALUES:
            raise ValueError
        reveal = Reveal[name]
        row = {"reveal": reveal.name, "meaning": reveal.value, "to": to, "values": values}
        found.append(row)
    return add_ledgers(found)


def _known(rows: list[_Row]) -> LedgerRows:
    return _long([[row.reveal, row.to, row.values] for row in rows])
