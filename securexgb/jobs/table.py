"""What a training asks of one side's whole table, wherever its rows lie.

``jobs.rows.Rows`` has it in memory. A head of shards has it without holding the rows: what is here
is public, of the size of the columns, or one number a row at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.columns.binning import Columns
from securexgb.boost.scales import Outcomes
from securexgb.report.record import AlignedSet

Reals: TypeAlias = NDArray[np.float64]


class Table(Protocol):
    """All rows of one data set at one side, see ``jobs.rows.Rows`` for each member."""

    @property
    def count(self) -> int: ...
    @property
    def column_names(self) -> tuple[str, ...]: ...
    @property
    def categories(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def categorical(self) -> tuple[int, ...]: ...
    @property
    def labels(self) -> Reals | None: ...
    @property
    def weights(self) -> Reals | None: ...
    @property
    def base_margin(self) -> Reals | None: ...
    @property
    def outcomes(self) -> Outcomes | None: ...
    @property
    def ids(self) -> tuple[str, ...] | None: ...
    @property
    def classes(self) -> tuple[Any, ...] | None: ...
    @property
    def aligned(self) -> AlignedSet | None: ...
    @property
    def missing_rates(self) -> dict[str, float]: ...
    @property
    def columns_without_cut(self) -> list[str]: ...
    @property
    def numbering_columns(self) -> list[str]: ...
    @property
    def names_sha256(self) -> str: ...
    @property
    def class_shares(self) -> tuple[float, ...] | None: ...

    def check_values(self, side: str, limit: int | None, *, may_be_missing: bool) -> None:
        """Refuse, as DataError, values that cannot be binned.

        ``side``: "label" or "feature". ``limit``: of the categories of a column, on training rows.
        """

    def cuts(self, max_bin: int) -> Columns:
        """Of own columns, (f, max_bin), as ``Binner.fit`` finds them in all rows."""

    def fingerprint(self) -> str: ...
    def fingerprint_of_set(self) -> str: ...


NamedTables = Sequence[tuple[str, Table]]
"""Data sets and their names, in order."""
