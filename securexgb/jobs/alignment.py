"""Both sides hold the same rows in the same order: compared before a job, or it is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from securexgb.align.ids import check_same_rows
from securexgb.errors import DataError, MalformedFrame, UsageError
from securexgb.jobs.rows import Rows
from securexgb.jobs.table import NamedTables
from securexgb.mpc.party import Party
from securexgb.terms.job import JobTerms

_COUNT_BYTES = 4
_NOT_ALIGNED = "0" * 64
Named = Sequence[tuple[str, Rows]]
"""Data sets and their names, in order."""


def same_names(party: Party, sets: NamedTables) -> None:
    """Both sides name the same evaluation sets in the same order, or UsageError at both."""
    mine = ", ".join(name for name, _ in sets)
    theirs = party.exchange_bytes(mine.encode()).decode(errors="replace")
    if theirs != mine:
        raise UsageError(
            f"{party.role} party: the evaluation sets are named {mine or 'nothing'!r} here and "
            f"{theirs[:200] or 'nothing'!r} at the other side: name eval_data alike in party.toml"
        )


def same_rows(party: Party, sets: NamedTables, terms: JobTerms) -> None:
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
            with party.step(name), _about(name):
                check_same_rows(party, rows.ids, rows.count, column)


@contextmanager
def _about(name: str) -> Iterator[None]:
    """What is refused within the block says of which set."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{name}: {error}") from None


def _same_alignments(party: Party, sets: NamedTables) -> None:
    """One message each way: by set, the digest of the common keys in their order, or zeros."""
    orders = [rows.aligned.order_sha256 if rows.aligned else _NOT_ALIGNED for _, rows in sets]
    mine = "".join(orders).encode()
    theirs = party.exchange_bytes(mine)
    if len(theirs) != len(mine):
        raise MalformedFrame("the other side's message about its alignments has a wrong length")
    size = len(_NOT_ALIGNED)
    for number, ((name, rows), order) in enumerate(zip(sets, orders, strict=True)):
        of_set = theirs[number * size : (number + 1) * size]
        if of_set == order.encode():
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
