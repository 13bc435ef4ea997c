"""A side's data out of core: what a head knows of all rows, and what a worker reads of its own.

Both read Parquet, a part at a time. A head holds one column at most, and keeps one number a row
where it has labels; a worker holds its own range of rows. Both say of a file what the reader in
memory says of it, and find the same classes, categories and cuts, to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from securexgb.boost.columns.binning import Columns
from securexgb.boost.objective.start import check_base_margin
from securexgb.boost.scales import Outcomes
from securexgb.cluster.parts import shard_rows
from securexgb.federation.session import Federation
from securexgb.jobs.aligning.kept import Aligned, find
from securexgb.jobs.data.arrow import row_numbers
from securexgb.jobs.data.digests import Places, digest_of_columns, digest_of_set
from securexgb.jobs.data.files import (
    ColumnRoles,
    SideColumns,
    SideTable,
    check_agreed_columns,
    load_rows,
    load_sets,
    needed_file,
    roles_of,
    rows_of,
)
from securexgb.jobs.data.parquet import ParquetFile
from securexgb.jobs.rows import Rows
from securexgb.jobs.table import NamedTables, Reals, Table
from securexgb.report.record import AlignedSet


class FileTable:
    """All rows of a file as a head knows them, see ``jobs.table.Table``.

    What is asked of columns is asked of one after another, each read for it. Labels, weights and
    base margins are kept; ids are read when they are asked for, and not kept.
    """

    def __init__(
        self, file: ParquetFile, roles: ColumnRoles, side: str, aligned: Aligned | None = None
    ) -> None:
        """Errors as ``jobs.data.files.read_side``."""
        common = None if aligned is None else aligned.rows
        self._file, self._common = file, common
        self._columns = found = SideColumns.of(SideTable(file, file.path, side, common), roles)
        about = found.about()
        count = file.num_rows if common is None else common.size
        self._beside = Rows(
            values=np.empty((count, 0)),
            column_names=(),
            labels=about.labels,
            weights=about.weights,
            classes=about.classes,
            base_margin=about.base_margin,
        )
        self._empty = Rows.none_of(found.names, None, found.categories)
        self.count = count
        self.column_names, self.categories = found.names, found.categories
        self.labels, self.weights = about.labels, about.weights
        self.base_margin, self.classes = about.base_margin, about.classes
        self.aligned: AlignedSet | None = None if aligned is None else aligned.record.shown

    @property
    def categorical(self) -> tuple[int, ...]:
        return self._empty.categorical

    @property
    def outcomes(self) -> Outcomes | None:
        return self._beside.outcomes

    @property
    def class_shares(self) -> tuple[float, ...] | None:
        return self._beside.class_shares

    @property
    def ids(self) -> tuple[str, ...] | None:
        return self._columns.ids()

    @property
    def names_sha256(self) -> str:
        return self._empty.names_sha256

    @cached_property
    def missing_rates(self) -> dict[str, float]:
        return {name: rate for one in self._each() for name, rate in one.missing_rates.items()}

    @cached_property
    def columns_without_cut(self) -> list[str]:
        return [name for one in self._each() for name in one.columns_without_cut]

    @cached_property
    def numbering_columns(self) -> list[str]:
        return [name for one in self._each() for name in one.numbering_columns]

    def check_values(self, side: str, limit: int | None, *, may_be_missing: bool) -> None:
        for one in self._each():
            one.check_values(side, limit, may_be_missing=may_be_missing)

    def cuts(self, max_bin: int) -> Columns:
        found = [one.cuts(max_bin) for one in self._each()]
        return np.concatenate(found) if found else np.empty((0, max_bin))

    def fingerprint(self) -> str:
        return self._fingerprint

    def fingerprint_of_set(self) -> str:
        return self._fingerprint_of_set

    @cached_property
    def _fingerprint(self) -> str:
        of_rows = (self.labels, self.weights, self.base_margin)
        columns = (one.values[:, 0] for one in self._each())
        beside = (part for part in of_rows if part is not None)
        return digest_of_columns(self, chain(columns, beside))

    @cached_property
    def _fingerprint_of_set(self) -> str:
        return digest_of_set(self, self._blocks())

    def _each(self) -> Iterator[Rows]:
        """All columns, one after another."""
        for name in self.column_names:
            of = {name: self.categories[name]} if name in self.categories else {}
            yield Rows(self._columns.values(name)[:, None], (name,), categories=of)

    def _blocks(self) -> Iterator[tuple[Places, Reals]]:
        """All rows that count, in the file's order: their places in the common order, their
        values."""
        places = None
        if self._common is not None:
            places = np.full(self._file.num_rows, -1)
            places[self._common] = np.arange(self._common.size)
        for rows, table in self._file.blocks(self.column_names):
            held = np.arange(rows.start, rows.stop)
            if places is not None:
                held = held[places[rows] >= 0]
                table = table.take(row_numbers(held - rows.start))
            part = SideTable(table, self._file.path, self._columns.table.side, held=held)
            columns = replace(self._columns, table=part)
            values = [columns.values(name) for name in self.column_names]
            of_block = np.column_stack(values) if values else np.empty((held.size, 0))
            yield (rows if places is None else places[held]), of_block


def load_table(
    federation: Federation,
    path: Path,
    *,
    data_set: str | None = None,
    like: Table | None = None,
    is_label_optional: bool = False,
) -> FileTable:
    """A Parquet file of this side as its head knows it; see ``jobs.data.files.load_rows``.

    ``like``: a table whose columns, classes and categories it has, as an evaluation set has those
    of the training data.
    """
    config = federation.config
    roles = _roles(federation, like, is_label_optional=is_label_optional)
    aligned = find(federation, path, data_set)
    table = FileTable(ParquetFile(path, config.name), roles, config.name, aligned)
    named = f"{config.name}: rows of {path.name}"
    terms = federation.terms.training
    check_base_margin(config.rank, terms, table.base_margin, table.count, named)
    if like is None:
        check_agreed_columns(federation, table)
    return table


def load_set_tables(federation: Federation, like: Table) -> list[tuple[str, FileTable]]:
    """The evaluation sets that the settings name; see ``jobs.data.files.load_sets``."""
    sets = federation.config.eval_data.items()
    return [
        (name, load_table(federation, path, data_set=f"eval.{name}", like=like))
        for name, path in sets
    ]


def load_tables(federation: Federation) -> tuple[FileTable, list[tuple[str, FileTable]]]:
    """This side's training data and its evaluation sets."""
    config = federation.config
    path = needed_file(config.train_data, "train_data", config.name)
    rows = load_table(federation, path, data_set="train")
    return rows, load_set_tables(federation, rows)


def load_data(
    federation: Federation, categories: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[Table, NamedTables]:
    """This side's training data and its evaluation sets: where rows are in shards without holding
    them, else in memory, with the ``categories`` of an earlier model, if any."""
    if federation.terms.shards:
        return load_tables(federation)
    config = federation.config
    path = needed_file(config.train_data, "train_data", config.name)
    rows = load_rows(federation, path, data_set="train", categories=categories)
    return rows, load_sets(federation, rows.column_names, rows.classes, rows.categories)


def _roles(
    federation: Federation, like: Table | None, *, is_label_optional: bool = False
) -> ColumnRoles:
    return roles_of(
        federation,
        columns=None if like is None else like.column_names,
        classes=None if like is None else like.classes,
        categories=None if like is None else like.categories,
        is_label_optional=is_label_optional,
    )


@dataclass(frozen=True, eq=False, repr=False)
class FileShard:
    """What a worker reads of the files of this side's settings; see ``parts.ShardData``.

    ``like``: what the head knows of the training data: columns, classes and categories. ``number``
    of ``shards``: which ranges of rows.
    """

    federation: Federation
    like: Table
    number: int
    shards: int

    def training(self) -> Rows:
        config = self.federation.config
        return self.read(needed_file(config.train_data, "train_data", config.name), "train")

    def evaluation(self) -> tuple[tuple[str, Rows], ...]:
        sets = self.federation.config.eval_data.items()
        return tuple((name, self.read(path, f"eval.{name}")) for name, path in sets)

    def read(self, path: Path, data_set: str, *, is_label_optional: bool = False) -> Rows:
        """The range of a file's rows; without ids, which the head has compared."""
        side = self.federation.config.name
        roles = _roles(self.federation, self.like, is_label_optional=is_label_optional)
        aligned = find(self.federation, path, data_set)
        file = ParquetFile(path, side)
        count = file.num_rows if aligned is None else int(aligned.rows.size)
        part = shard_rows(count, self.shards)[self.number]
        numbers = np.arange(part.start, part.stop) if aligned is None else aligned.rows[part]
        beside = (roles.label, roles.weight, roles.base_margin)
        names = [*self.like.column_names, *(name for name in beside if name in file.column_names)]
        if not names:
            return Rows(np.empty((numbers.size, 0)), ())
        table = SideTable(file.rows(numbers, names), path, side, held=numbers)
        return rows_of(table, replace(roles, id=None, keys=()))
