"""A run's ledger.json: what all sessions of a run have revealed.

A run has several sessions: its training, each resumption of it, each evaluation and each
prediction. What one of them revealed stays revealed, so rows are only ever added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import NonNegativeInt, TypeAdapter

from securexgb.attestation.verdict import Verdict
from securexgb.jobs.runs import LedgerRows, RunDirectory
from securexgb.mpc.party import Party
from securexgb.offline.dealt import DealtSource
from securexgb.storage.records import read_record

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


_FILE = TypeAdapter(_Kept)


def add_ledgers(*ledgers: Sequence[Mapping[str, Any]]) -> LedgerRows:
    """One row for each (reveal, to), with the sum of its values; in the order of a ledger."""
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for row in (row for ledger in ledgers for row in ledger):
        key = (row["reveal"], row["to"])
        values = row["values"] + (sums[key]["values"] if key in sums else 0)
        sums[key] = {**row, "values": values}
    return [sums[key] for key in sorted(sums)]


def revealed_in(run: RunDirectory) -> LedgerRows:
    """The rows that a run has kept so far; DataError where its file is damaged."""
    path = run.path / NAME
    if not path.exists():
        return []
    return add_ledgers([asdict(row) for row in read_record(path, _FILE, FORMAT).revealed])


class RunLedger:
    """A run's ledger during a session: what was kept before it, and what it reveals."""

    def __init__(self, run: RunDirectory, party: Party) -> None:
        self._run = run
        self._party = party
        self._before = revealed_in(run)

    def rows(self) -> LedgerRows:
        """All sessions' rows, this one's included."""
        return add_ledgers(self._before, self._party.ledger.rows())

    def write(self) -> None:
        """Keep them, with what is known of this session's dealer."""
        verdict = verdict_of(self._party)
        dealer = None if verdict is None else verdict.to_dict()
        kept = {"format": FORMAT, "dealer": dealer, "revealed": self.rows()}
        self._run.write_json(NAME, kept)


@contextmanager
def recorded(run: RunDirectory, party: Party) -> Iterator[RunLedger]:
    """The run's ledger for one session; written at its end, after an error too."""
    ledger = RunLedger(run, party)
    try:
        yield ledger
    finally:
        ledger.write()


def verdict_of(party: Party) -> Verdict | None:
    """The verdict on this run's dealer; None where there is no dealer."""
    source = party.source
    return source.verdict if isinstance(source, DealtSource) else None
