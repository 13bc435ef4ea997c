"""One side's rows from its table: which column is what, checked column by column.

Each side reads its own file only. What is wrong is said with the side, the file and the column,
never with a value of the data: the message may end up in a log. The text of a field is a note of
the error (``add_note``), for people, and kept by no log. A null and NaN are "missing".

Of a file that was aligned with the other side's only the rows are taken that both have, in the
order that both have agreed on; rows in messages have their numbers in the file all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from securexgb.boost.objective.start import check_base_margin
from securexgb.errors import DataError, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.aligning.kept import find
from securexgb.jobs.data.arrow import reals, row_numbers
from securexgb.jobs.data.categories import Names, names_in, numbered
from securexgb.jobs.data.ids import Numbered, different_ids, id_texts, in_file, joined_ids
from securexgb.jobs.data.labels import LabelKinds, class_labels, numeric_labels
from securexgb.jobs.data.tables import DECIMAL_COMMA, CsvWays, is_file, read_table
from securexgb.jobs.rows import Rows
from securexgb.jobs.table import Table
from securexgb.terms.party import MISSING, PartyConfig

Reals = NDArray[np.float64]

_NUMERIC = (
    pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal,
)  # fmt: skip


@dataclass(frozen=True)
class ColumnRoles:
    """Which column of a file is what; ``features`` None means every other column.

    ``id``: whose texts are the rows' ids; ``keys``: by which rows are aligned, and that are the
    ids where there is no ``id``. Neither is a feature. ``is_label_optional``: the file may come
    without the label column, as rows to predict do.
    ``labels``: which classes labels are, if any. ``missing``: what a CSV field says for "no value".
    ``categorical``: features that hold categories, as text or numbers; ``finds_categories``: so do
    dictionaries of a Parquet file; ``categories``: the names of all categories by column, where a
    model has been trained on them: then these columns alone.
    """

    features: tuple[str, ...] | None = None
    label: str | None = None
    weight: str | None = None
    base_margin: str | None = None
    id: str | None = None
    keys: tuple[str, ...] = ()
    is_label_optional: bool = False
    labels: LabelKinds = field(default_factory=LabelKinds)
    missing: Sequence[str] = MISSING
    categorical: tuple[str, ...] = ()
    finds_categories: bool = False
    categories: Mapping[str, Names] | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The columns that ids are made of."""
        return self.keys if self.id is None else (self.id,)

    @property
    def as_text(self) -> tuple[str, ...]:
        """The columns whose fields stay as they are."""
        return tuple(dict.fromkeys((*self.ids, *self.keys)))

    def ways(self, leave_out: Sequence[str] = ()) -> CsvWays:
        """How a CSV file of these columns is read."""
        texts = tuple(name for name in (self.label, *leave_out) if name is not None)
        categorical = self.categorical if self.categories is None else tuple(self.categories)
        return CsvWays(self.as_text, texts, categorical, self.missing)

    def categories_in(self, table: SideTable, names: Sequence[str]) -> dict[str, Names]:
        """The names of all categories of the categorical columns among these."""
        if self.categories is not None:
            return {name: self.categories[name] for name in names if name in self.categories}
        chosen = [
            name
            for name in names
            if name in self.categorical
            or (self.finds_categories and pa.types.is_dictionary(table.kind(name)))
        ]
        strange = set(self.categorical) - set(names)
        if strange:
            raise UsageError(
                f"{table.side}: column {sorted(strange)[0]!r} is named as categorical, and is no "
                "feature column"
            )
        return {name: names_in(table[name].unique().to_pylist()) for name in chosen}


def read_side(
    path: Path,
    roles: ColumnRoles,
    side: str,
    leave_out: Sequence[str] = (),
    common: NDArray[np.int64] | None = None,
) -> Rows:
    """Read and check one side's file; ``leave_out`` names columns that are nobody's.

    ``common``: the rows that both sides have, from 0, in the common order; None: all rows.
    """
    table = read_table(path, side, roles.ways(leave_out))
    return rows_of(SideTable(table, path, side, common), roles, leave_out)


def rows_of(table: SideTable, roles: ColumnRoles, leave_out: Sequence[str] = ()) -> Rows:
    """Rows of a table that was read before; as ``read_side``."""
    found = SideColumns.of(table, roles, leave_out)
    columns = [found.values(name) for name in found.names]
    about = found.about()
    return Rows(
        values=np.column_stack(columns) if columns else np.empty((table.count, 0)),
        column_names=found.names,
        labels=about.labels,
        weights=about.weights,
        ids=found.ids(),
        classes=about.classes,
        base_margin=about.base_margin,
        categories=found.categories,
    )


class Held(Protocol):
    """A table by columns: one of Arrow, or a file that is read column by column."""

    @property
    def column_names(self) -> list[str]: ...

    @property
    def schema(self) -> pa.Schema: ...

    @property
    def num_rows(self) -> int: ...

    def __getitem__(self, name: str) -> pa.ChunkedArray: ...


@dataclass(frozen=True, repr=False)
class SideTable:
    """A side's file, of which ``common`` are the rows that count; None: all.

    ``held``: which of the file's rows, from 0, ``whole`` has been read with; None: all.
    """

    whole: Held
    path: Path
    side: str
    common: NDArray[np.int64] | None = None
    held: NDArray[np.int64] | None = None

    @property
    def count(self) -> int:
        return int(self.whole.num_rows if self.common is None else self.common.size)

    @property
    def numbered(self) -> Numbered:
        """Numbers of the rows that count, in the file."""
        return in_file(self.common if self.held is None else self.held)

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        column = self.whole[name]
        return column if self.common is None else column.take(row_numbers(self.common))

    def kind(self, name: str) -> pa.DataType:
        """A column's type."""
        return self.whole.schema.field(name).type

    def numbers(self, name: str) -> Reals:
        return _numbers(self[name], name, self.side, self.numbered)

    def where(self, kind: str, *names: str) -> str:
        return f"{self.side}: {kind} column {', '.join(map(repr, names))}"


@dataclass(frozen=True, eq=False, repr=False)
class AboutRows:
    """What there may be of rows beside their columns; as in ``Rows``."""

    labels: Reals | None
    classes: tuple[Any, ...] | None
    weights: Reals | None
    base_margin: Reals | None


@dataclass(frozen=True, eq=False, repr=False)
class SideColumns:
    """Which columns of a table are what, and what each of them says.

    ``names``: of the features, in order; ``label``: None where there is none; ``categories``: the
    names of all categories of the categorical features.
    """

    table: SideTable
    roles: ColumnRoles
    names: tuple[str, ...]
    label: str | None
    categories: dict[str, Names]

    @staticmethod
    def of(table: SideTable, roles: ColumnRoles, leave_out: Sequence[str] = ()) -> SideColumns:
        """DataError for columns that are not there or are no numbers, UsageError for roles that do
        not go together."""
        label, side, held = roles.label, table.side, table.whole.column_names
        if roles.is_label_optional and label not in held:
            label = None
        numbers = (roles.weight, roles.base_margin)
        taken = [name for name in (label, *numbers, *roles.as_text) if name is not None]
        twice = next((name for name in taken if taken.count(name) > 1), None)
        if twice is not None:
            raise UsageError(
                f"{side}: column {twice!r} is named for two of label, weight, base margin and id: "
                "each is a column of its own"
            )
        names = roles.features
        if names is None:
            names = tuple(name for name in held if name not in (*taken, *leave_out))
        for name in (*names, *taken, *leave_out):
            if name not in held:
                raise DataError(f"{side}: {table.path} has no column {name!r}")
            if name in names and name in taken:
                raise UsageError(
                    f"{side}: column {name!r} is named both as a feature and as label, weight, "
                    "base margin or id"
                )
        categories = roles.categories_in(table, names)
        _refuse_texts(table, [name for name in names if name not in categories])
        return SideColumns(table, roles, tuple(names), label, categories)

    def values(self, name: str) -> Reals:
        """One feature, (n,)."""
        if name in self.categories:
            parts, known = self.table[name].chunks, self.categories[name]
            return np.concatenate([np.empty(0), *(numbered(p.to_pylist(), known) for p in parts)])
        return self.table.numbers(name)

    def about(self) -> AboutRows:
        """Labels, weights and base margins; DataError where they cannot be."""
        table, roles = self.table, self.roles
        labels = classes = weights = base_margin = None
        if self.label is not None:
            found = _labels(table, self.label)
            where = table.where("label", self.label)
            if roles.labels.count is None:
                labels = numeric_labels(found, where)
            else:
                labels, classes = class_labels(found, where, roles.labels)
        if roles.weight is not None:
            weights = table.numbers(roles.weight)
            if not (weights >= 0).all():
                where = table.where("weight", roles.weight)
                raise DataError(f"{where} has a missing or a negative value")
        if roles.base_margin is not None:
            base_margin = table.numbers(roles.base_margin)
            if np.isnan(base_margin).any():
                where = table.where("base margin", roles.base_margin)
                raise DataError(f"{where} has a missing value, and every row begins with one")
        return AboutRows(labels, classes, weights, base_margin)

    def ids(self) -> tuple[str, ...] | None:
        """Every row's id; None where nobody compares them. DataError where two are the same."""
        table, names = self.table, self.roles.ids
        if not names:
            return None
        where, may_be = table.where("id", *names), self.roles.id is None
        texts = joined_ids([id_texts(table[name], where, may_be_days=may_be) for name in names])
        return different_ids(texts, where, table.numbered)


def needed_file(path: Path | None, key: str, side: str) -> Path:
    """A file that the settings must name and that must be there."""
    if path is None:
        raise UsageError(f"{side}: name {key} in party.toml")
    if not is_file(path):
        raise UsageError(f"{side}: {key} names {path}, and there is no such file")
    return path


def needed_sets(config: PartyConfig) -> None:
    """The evaluation files that the settings name must be there."""
    for name, path in config.eval_data.items():
        needed_file(path, f"eval_data.{name}", config.name)


def roles_of(
    federation: Federation,
    *,
    columns: Sequence[str] | None = None,
    classes: Sequence[Any] | None = None,
    categories: Mapping[str, Names] | None = None,
    is_label_optional: bool = False,
) -> ColumnRoles:
    """Which column of this side's files is what, by the settings and the terms; see
    ``load_rows``."""
    config, terms = federation.config, federation.terms
    if config.role == "label" and config.label_column is None:
        raise UsageError(f"{config.name}: name label_column in party.toml")
    return ColumnRoles(
        features=tuple(columns) if columns is not None else config.feature_columns,
        label=config.label_column,
        weight=None if is_label_optional else config.weight_column,
        base_margin=config.base_margin_column,
        id=federation.id_column,
        keys=federation.key_columns,
        is_label_optional=is_label_optional,
        labels=LabelKinds.of(terms.training, terms.positive_label, classes),
        missing=config.missing_texts,
        categorical=config.categorical_columns,
        finds_categories=terms.training.enable_categorical,
        categories=categories,
    )


def load_rows(
    federation: Federation,
    path: Path,
    *,
    data_set: str | None = None,
    columns: Sequence[str] | None = None,
    classes: Sequence[Any] | None = None,
    categories: Mapping[str, Names] | None = None,
    is_label_optional: bool = False,
) -> Rows:
    """Read and check a file of this side: all its rows, or those that both sides have, in the
    common order, where it was aligned.

    ``data_set``: as what it is used; an alignment of that set must fit the file, or DataError.
    ``columns``: those that a model was trained on, instead of the settings'. ``classes``,
    ``categories``: likewise. ``is_label_optional``: rows to predict may come without labels and
    weights.
    """
    config, terms = federation.config, federation.terms
    roles = roles_of(
        federation,
        columns=columns,
        classes=classes,
        categories=categories,
        is_label_optional=is_label_optional,
    )
    found = find(federation, path, data_set)
    common = None if found is None else found.rows
    rows = read_side(path, roles, config.name, common=common)
    if found is not None:
        rows = replace(rows, aligned=found.record.shown)
    margins, named = rows.base_margin, f"{config.name}: rows of {path.name}"
    check_base_margin(config.rank, terms.training, margins, rows.count, named)
    if columns is None:
        check_agreed_columns(federation, rows)
    return rows


def check_agreed_columns(federation: Federation, rows: Table) -> None:
    """Refuse training columns that are not those that the terms fix (``DataError``)."""
    config, fixed = federation.config, federation.terms.columns_sha256
    agreed = fixed.label if config.role == "label" else fixed.feature
    if agreed is not None and rows.names_sha256 != agreed:
        raise DataError(
            f"{config.name}: the {len(rows.column_names)} columns to learn from have the digest "
            f"{rows.names_sha256}, and columns_sha256 of the terms says {agreed}: one is missing, "
            "has another name, or is one too many; name feature_columns in party.toml"
        )


def load_sets(
    federation: Federation,
    columns: Sequence[str],
    classes: Sequence[Any] | None,
    categories: Mapping[str, Names],
) -> list[tuple[str, Rows]]:
    """The evaluation sets that the settings name, with the columns, classes and categories of a
    model."""
    read = partial(load_rows, federation, columns=columns, classes=classes, categories=categories)
    named = federation.config.eval_data.items()
    return [(name, read(path, data_set=f"eval.{name}")) for name, path in named]


def _refuse_texts(table: SideTable, names: Sequence[str]) -> None:
    """One DataError for all columns that are no numbers."""
    kinds = (*_NUMERIC, pa.types.is_null)
    texts = [name for name in names if not any(is_kind(table.kind(name)) for is_kind in kinds)]
    if texts:
        shown = {name: table.whole[name].to_pylist() for name in texts[:_SHOWN]}
        told = {name: (str(table.kind(name)), shown.get(name, ())) for name in texts}
        raise not_numeric(f"{table.side}: ", told)


_SHOWN = 20
"""Columns that a message names."""
_AS_CATEGORIES = (
    "enable_categorical of the terms and categorical_columns of party.toml; simulate --categorical"
)


def not_numeric(
    where: str, columns: Mapping[str, tuple[str, Sequence[Any]]], how: str = _AS_CATEGORIES
) -> DataError:
    """The error for columns (type, values) that are no numbers: the row of the first value that is
    none is in the message, its text in a note. ``how``: they are taken as categories."""
    found = {
        name: (kind, *_first_text(values))
        for name, (kind, values) in list(columns.items())[:_SHOWN]
    }
    listed = ", ".join(
        f"{name!r} (read as {kind}, first in data row {row})"
        for name, (kind, row, _) in found.items()
    )
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    is_one = len(columns) == 1
    has_commas = any(DECIMAL_COMMA.fullmatch(text) for _, _, text in found.values())
    error = DataError(
        f"{where}column{'' if is_one else 's'} {listed}{more} "
        f"{'is' if is_one else 'are'} not numeric; encode {'it' if is_one else 'them'} as numbers, "
        f"take {'it' if is_one else 'them'} as categories ({how}), or leave out of the features"
        + (
            "; these may be decimal commas: write points, or part the columns by semicolons"
            if has_commas
            else ""
        )
    )
    for name, (_, row, text) in found.items():
        error.add_note(f"column {name!r}, data row {row}: {text[:60]!r}")
    return error


def _first_text(values: Sequence[Any]) -> tuple[int, str]:
    """Row from 1 and text of the first value that is no number, in either spelling where there is
    one; the first one where all are."""
    known = [(row, value) for row, value in enumerate(values, start=1) if value is not None]
    first, with_comma = (known[0][0], str(known[0][1])) if known else (1, ""), None
    for row, value in known:
        try:
            float(value)
        except (TypeError, ValueError):
            if DECIMAL_COMMA.fullmatch(str(value)) is None:
                return row, str(value)
            with_comma = with_comma or (row, str(value))
    return with_comma or first


def _numbers(column: pa.ChunkedArray, name: str, side: str, numbered: Numbered) -> Reals:
    """One column as float64, NaN for missing."""
    kind = column.type
    if not (pa.types.is_null(kind) or any(is_kind(kind) for is_kind in _NUMERIC)):
        raise not_numeric(f"{side}: ", {name: (str(kind), column.to_pylist())})
    values = reals(column)
    infinite = np.flatnonzero(np.isinf(values))
    if infinite.size:
        raise DataError(
            f"{side}: column {name!r} holds infinity, first in data row {numbered(infinite[0])}; "
            "replace it or mark it as missing"
        )
    return values


def _labels(table: SideTable, name: str) -> NDArray[Any]:
    """Labels as they are: numbers or text; none may be missing."""
    column, where = table[name], table.where("label", name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count:
        raise DataError(f"{where} has {column.null_count} empty fields")
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.asarray(column.to_pylist(), dtype=np.str_)
    values = _numbers(column, name, table.side, in_file(table.common))
    if np.isnan(values).any():
        raise DataError(f"{where} has {np.isnan(values).sum()} empty fields")
    return values
