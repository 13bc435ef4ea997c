"""A Parquet file read in part: one column of all rows, or some rows of some columns.

Nothing is read but the row groups that hold the rows asked for, and within them a batch at a time,
so that memory is that of what is kept and of one batch. Which rows a group holds is read off the
file's last bytes. Rows may be asked for in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from securexgb.errors import DataError, UsageError
from securexgb.jobs.data.arrow import row_numbers
from securexgb.jobs.data.tables import check_has_rows, check_names, is_parquet, reading

BATCH_ROWS = 1 << 16
"""Rows read at once; and of a row group where we write one."""
RowNumbers = NDArray[np.int64]


class ParquetFile:
    """A side's file, whose columns are read when they are asked for."""

    def __init__(self, path: Path, side: str) -> None:
        """UsageError where it is no Parquet file by its name, DataError where it is none inside."""
        if not is_parquet(path):
            raise UsageError(
                f"{side}: {path} is no Parquet file, and shards read their rows of no other: write "
                "it once as Parquet with `securexgb convert`"
            )
        self.path, self._side = path, side
        with reading(path, side):
            with pa.parquet.ParquetFile(path) as file:
                self.schema: pa.Schema = file.schema_arrow
                groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
                self._edges = np.cumsum([0, *(group.num_rows for group in groups)])
            self.column_names: list[str] = self.schema.names  # decoded here
        check_names(self.column_names, path, side)
        check_has_rows(self.num_rows, path, side)

    @property
    def num_rows(self) -> int:
        return int(self._edges[-1])

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        """One column of all rows."""
        with reading(self.path, self._side):
            column = pa.parquet.read_table(self.path, columns=[name])[name]
            column.validate(full=True)
        self._check(len(column), self.num_rows)
        return column

    def rows(self, numbers: RowNumbers, names: Sequence[str]) -> pa.Table:
        """These rows of the file, from 0, in this order, and these columns, one at least."""
        order = np.argsort(numbers, kind="stable")
        ordered, parts = numbers[order], list[pa.Table]()
        for start, batch in self._batches(names, self._groups_of(ordered)):
            first, stop = np.searchsorted(ordered, (start, start + batch.num_rows))
            if first < stop:
                # A copy, so that the batch's memory is given back.
                parts.append(batch.take(row_numbers(ordered[first:stop] - start)))
        chosen = pa.schema([self.schema.field(name) for name in names])
        table = pa.concat_tables(parts) if parts else chosen.empty_table()
        if np.all(order == np.arange(order.size)):
            return table
        places = np.empty(order.size, np.int64)
        places[order] = np.arange(order.size)
        return table.take(row_numbers(places))

    def blocks(self, names: Sequence[str]) -> Iterator[tuple[slice, pa.Table]]:
        """All rows in the file's order, some at a time: which of the file's, from 0, and a table.

        Of no columns the tables are empty.
        """
        if names:
            batches = self._batches(names, range(self._edges.size - 1))
            return ((slice(start, start + some.num_rows), some) for start, some in batches)
        starts = range(0, self.num_rows, BATCH_ROWS)
        edges = (slice(start, min(start + BATCH_ROWS, self.num_rows)) for start in starts)
        return ((block, pa.table({})) for block in edges)

    def _groups_of(self, ordered: RowNumbers) -> list[int]:
        """Numbers of the row groups that hold some of these rows."""
        counts = np.diff(np.searchsorted(ordered, self._edges))
        found: list[int] = np.flatnonzero(counts).tolist()
        return found

    def _batches(
        self, names: Sequence[str], groups: Sequence[int]
    ) -> Iterator[tuple[int, pa.Table]]:
        with reading(self.path, self._side), pa.parquet.ParquetFile(self.path) as file:
            for group in groups:
                start = int(self._edges[group])
                for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=list(names)):
                    table = pa.Table.from_batches([batch]).select(list(names))
                    table.validate(full=True)
                    yield start, table
                    start += table.num_rows
                self._check(start, int(self._edges[group + 1]))

    def _check(self, found: int, said: int) -> None:
        """DataError where the file's last bytes say another number of rows than its pages hold."""
        if found != said:
            raise DataError(
                f"{self._side}: {self.path} is damaged: rows up to {said} are announced, and its "
                f"pages end with row {found}: write it again"
            )
