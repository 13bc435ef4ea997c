"""Both sides hold the same rows in the same order: compared before a job, or it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np

from securexgb.align.ids import check_same_rows
from securexgb.errors import DataError, MalformedFrame, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.data.ids import different_ids
from securexgb.jobs.rows import Rows
from securexgb.mpc.party import Party
from securexgb.terms.job import JobTerms

_COUNT_BYTES = 4
_NOT_ALIGNED = "0" * 64
Named = Sequence[tuple[str, Rows]]
"""Data sets and their names, in order."""


def same_names(party: Party, sets: Named) -> None:
    """Both sides name the same evaluation sets in the same order, or UsageError at both."""
    mine = ", ".join(name for name, _ in sets)
    theirs = party.exchange_bytes(mine.encode()).decode(errors="replace")
    if theirs != mine:
        raise UsageError(
            f"{party.role} party: the evaluation sets are named {mine or 'nothing'!r} here and "
            f"{theirs[:200] or 'nothing'!r} at the other side: name eval_data alike in party.toml"
        )


def same_rows(party: Party, sets: Named, terms: JobTerms) -> None:
    """Both sides hold the same rows in the same order, or DataError at both.

    Where both have aligned a set it is the same alignment; where neither has, the ids that the
    terms name are compared, and without any the row counts alone.
    """
    if terms.align is not None:
        with party.step("alignments"):
            _same_alignments(party, sets)
    column = ", ".join(terms.id_columns) or None
    for name, rows in sets:
        if rows.aligned is None:
            with party.step(name):
                check_same_rows(party, rows.ids, rows.count, column)


def _same_alignments(party: Party, sets: Named) -> None:
    """One message each way: by set, the digest of the common keys in their order, or zeros."""
    mine = "".join(rows.aligned or _NOT_ALIGNED for _, rows in sets).encode()
    theirs = party.exchange_bytes(mine)
    if len(theirs) != len(mine):
        raise MalformedFrame("the other side's message about its alignments has a wrong length")
    size = len(_NOT_ALIGNED)
    for number, (name, rows) in enumerate(sets):
        of_set = theirs[number * size : (number + 1) * size]
        if of_set == (rows.aligned or _NOT_ALIGNED).encode():
            continue
        where = f"{party.role} party: {name}"
        if rows.aligned is None:
            said = "the other side's file is aligned, and this side's is not"
        elif of_set == _NOT_ALIGNED.encode():
            said = "this side's file is aligned, and the other side's is not"
        else:
            said = "the two sides use two different alignments"
        raise DataError(f"{where}: {said}: run `securexgb align` for this set at both sides")


def column_counts(party: Party, mine: int) -> tuple[int, int]:
    """How many columns each side holds, by rank: a public fact, as in a training."""
    received = party.exchange_bytes(mine.to_bytes(_COUNT_BYTES, "little"))
    if len(received) != _COUNT_BYTES:
        raise MalformedFrame("the other side's number of columns is malformed")
    theirs = int.from_bytes(received, "little")
    return (mine, theirs) if party.rank == 0 else (theirs, mine)


def own_ids(federation: Federation | None, X: Any, ids: Any) -> tuple[Any, tuple[str, ...] | None]:
    """A caller's table without its id column, and the ids as text: given apart or in the table.

    None where the terms ask for none. UsageError where they ask for ids and none are here, or
    ids are given that nobody would compare; DataError where these are not one id a row.
    """
    name = None if federation is None else federation.id_column
    if federation is None or name is None:
        if ids is not None:
            raise UsageError(
                "ids are for a federation whose terms name an id_column: nobody would compare these"
            )
        return X, None
    side = federation.config.name
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame) and name in frame.columns:
        if ids is not None:
            raise UsageError(f"{side}: ids are given, and X has a column {name!r}: give one")
        ids, X = frame[name].to_list(), frame.drop(name).to_native()
    if ids is None:
        raise UsageError(
            f"{side}: the terms name the id column {federation.terms.id_column!r}, by which both "
            "sides compare their rows: pass ids= (eval_set_ids=), one a row, or tables with a "
            f"column {name!r}"
        )
    values = list(ids)
    if not all(isinstance(value, (str, int, np.integer)) for value in values):
        raise DataError(
            f"{side}: the ids {name!r} must be texts or whole numbers; a number with a point is "
            "another text at the other side, so read the column as text"
        )
    return X, different_ids([str(value) for value in values], f"{side}: id column {name!r}")
