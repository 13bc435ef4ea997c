"""Columns of which no split can make use, named for the side that has them."""

from __future__ import annotations

from collections.abc import Sequence

from securexgb.boost.binning import without_cut
from securexgb.jobs.rows import Rows

__all__ = ["columns_without_cut", "uncut_sentence"]

MOST_NAMED = 10


def columns_without_cut(data: Rows) -> list[str]:
    """Names of the columns with one value at most."""
    return [data.column_names[column] for column in without_cut(data.values)]


def uncut_sentence(names: Sequence[str]) -> str:
    """What to know of these columns; some names stand for many."""
    if not names:
        return "every column has values to cut between"
    listed = ", ".join(repr(name) for name in names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    if more > 0:
        listed += f" and {more:,} more"
    return (
        f"no cut in {listed}: one value or none in all rows, so they cost time and can at most "
        "part rows that have it from rows where it is missing; leave them out"
    )
