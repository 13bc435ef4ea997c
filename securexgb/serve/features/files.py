"""Own columns by key from a Parquet or CSV file: loaded once, and again when it changes.

The file is read as `train` and `predict` read theirs: the same columns, categories and refusals. A
thread looks once a second whether it is another one; the new one is read beside the old one and
takes its place in one step, for all columns at once. Where it cannot be used a line in the log says
why, and the old one answers on. Write a new file under another name and rename it: one that grows
while it is read is left alone until it has stayed the same for a second.

Which columns a model has is known when it is loaded, so columns are made numbers when they are
first asked for; a replica asks for those of its models before it is ready.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from securexgb.errors import DataError, FeaturesUnavailable, SecureXGBError, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.data.categories import Names
from securexgb.jobs.data.files import ColumnRoles, SideTable, rows_of
from securexgb.jobs.data.ids import different_ids, id_texts, joined_ids
from securexgb.jobs.data.tables import CsvWays, read_table
from securexgb.jobs.rows import Rows
from securexgb.serve.parts import NO_CATEGORIES, Found
from securexgb.serve.spelling import Spelling

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_MOST_TABLES = 8
"""So many models' columns are kept as numbers."""
Mark = tuple[int, int, int]
"""Which file it is, and as of when: inode, time, size."""
Wanted = tuple[tuple[str, ...], tuple[tuple[str, Names], ...]]
"""Columns of a model, and the names of their categories."""


@dataclass(eq=False, repr=False)
class _Loaded:
    """One state of the file: its table, where each key's row is, and columns as numbers."""

    mark: Mark
    table: SideTable
    places: dict[str, int]
    rows: dict[Wanted, Rows] = field(default_factory=dict)


class FileFeatures:
    """The columns of a file, by key."""

    def __init__(self, federation: Federation, path: Path) -> None:
        """Read the file; DataError where keys come twice or are missing, UsageError where there is
        no such file."""
        self._federation, self._path = federation, path
        self._spelling = Spelling.of(federation)
        if not self._spelling.columns:
            raise UsageError(
                f"{federation.config.name}: the terms name no ids and no keys: say in [serve] of "
                "party.toml which column has them (key_column)"
            )
        self._making = threading.Lock()
        self._closed = threading.Event()
        self._seen: Mark | None = None
        self._told = ""
        self._now = self._load(self._mark())
        self._watcher = threading.Thread(target=self._watch, name="features", daemon=True)
        self._watcher.start()

    def look_up(
        self,
        keys: Sequence[str],
        columns: Sequence[str],
        categories: Mapping[str, Names] = NO_CATEGORIES,
    ) -> Found:
        """As ``Features.look_up``."""
        now = self._now
        try:
            rows = self._rows(now, _wanted(columns, categories))
        except DataError as error:
            raise FeaturesUnavailable(str(error)) from error
        places = np.array([now.places.get(key, -1) for key in self._spelling(keys)], np.intp)
        known = places >= 0
        values = np.full((len(keys), len(columns)), np.nan)
        values[known] = rows.values[places[known]]
        margins = None
        if rows.base_margin is not None:
            margins = np.full(len(keys), np.nan)
            margins[known] = rows.base_margin[places[known]]
        return Found(values, known, margins)

    @property
    def count(self) -> int:
        """How many keys there are."""
        return len(self._now.places)

    def refresh(self) -> None:
        """Take a changed file, once it has been the same for two calls; an error leaves the old
        one."""
        try:
            mark = self._mark()
            is_still = mark == self._seen
            self._seen = mark
            if mark == self._now.mark or not is_still:
                return
            now = self._load(mark)
            if self._mark() != mark:
                return
            for wanted in list(self._now.rows):
                self._rows(now, wanted)
        except SecureXGBError as error:
            if not self._is_told(error):
                _LOG.error("the features stay as they were: %s", error)
            return
        self._now, self._told = now, ""
        _LOG.info("the features were read anew: %d keys", len(now.places))

    def _is_told(self, error: SecureXGBError) -> bool:
        """Whether the log has the same sentence already; from now on it has."""
        before, self._told = self._told, str(error)
        return before == self._told

    def close(self) -> None:
        """Stop looking for changes."""
        self._closed.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._closed.wait(_LOOK_SECONDS):
            self.refresh()

    def _mark(self) -> Mark:
        try:
            about = self._path.stat()
        except OSError as error:
            side = self._federation.config.name
            raise UsageError(f"{side}: there is no file {self._path}: {error.strerror}") from None
        return about.st_ino, about.st_mtime_ns, about.st_size

    def _load(self, mark: Mark) -> _Loaded:
        config, spelling = self._federation.config, self._spelling
        labels = () if config.label_column is None else (config.label_column,)
        ways = CsvWays(spelling.columns, labels, config.categorical_columns, config.missing_texts)
        whole = read_table(self._path, config.name, ways)
        where = f"{config.name}: id column {', '.join(map(repr, spelling.columns))}"
        for name in spelling.columns:
            if name not in whole.column_names:
                raise UsageError(f"{config.name}: {self._path} has no column {name!r} of keys")
        may_be = self._federation.terms.align is not None
        texts = [id_texts(whole[name], where, may_be_days=may_be) for name in spelling.columns]
        keys = different_ids(spelling(joined_ids(texts)), where)
        places = {key: place for place, key in enumerate(keys)}
        return _Loaded(mark, SideTable(whole, self._path, config.name), places)

    def _rows(self, now: _Loaded, wanted: Wanted) -> Rows:
        """These columns as numbers, made once."""
        found = now.rows.get(wanted)
        if found is not None:
            return found
        columns, categories = wanted
        roles = ColumnRoles(
            features=columns,
            base_margin=margin_column(self._federation, now.table.whole.column_names),
            categories=dict(categories),
        )
        with self._making:
            made = now.rows.get(wanted)
            if made is None:
                made = rows_of(now.table, roles)
                kept = list(now.rows.items())[1 - _MOST_TABLES :]
                now.rows = dict([*kept, (wanted, made)])
        return made


def _wanted(columns: Sequence[str], categories: Mapping[str, Names]) -> Wanted:
    own = tuple((name, tuple(categories[name])) for name in columns if name in categories)
    return tuple(columns), own


def margin_column(federation: Federation, held: Sequence[str]) -> str | None:
    """The column of base margins, where the model asks for them and ``held`` has it."""
    named = federation.config.base_margin_column
    return named if federation.terms.training.has_base_margin and named in held else None
