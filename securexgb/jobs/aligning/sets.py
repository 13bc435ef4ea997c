"""The files that can be aligned, by the names of their sets, and the keys in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from securexgb.align.row_keys import KeyColumn, Keys, make_keys
from securexgb.errors import DataError, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.aligning.kept import file_sha256
from securexgb.jobs.aligning.session import Source, align_terms
from securexgb.jobs.data.files import needed_file
from securexgb.jobs.data.ids import id_texts
from securexgb.jobs.data.tables import CsvWays, read_table


@dataclass(frozen=True)
class DataSet:
    """A set's name, as both sides call it, and this side's file."""

    name: str
    path: Path


def data_set(federation: Federation, kind: str, name: str | None) -> DataSet:
    """The set that was asked for: "train", "predict", or "eval" and which; UsageError."""
    config = federation.config
    if name is not None and kind != "eval":
        raise UsageError(f"--set {kind} takes no name, and {name!r} is given")
    if kind == "train":
        return DataSet("train", needed_file(config.train_data, "train_data", config.name))
    if kind == "predict":
        return DataSet("predict", needed_file(config.predict_data, "predict_data", config.name))
    if kind != "eval":
        raise UsageError(f"--set says {kind!r}: train, eval NAME, or predict")
    named = ", ".join(config.eval_data) or "none"
    if name is None and len(config.eval_data) != 1:
        raise UsageError(f"{config.name}: --set eval NAME says which; eval_data has: {named}")
    chosen = name if name is not None else next(iter(config.eval_data))
    if chosen not in config.eval_data:
        raise UsageError(f"{config.name}: eval_data has no set {chosen!r}; it has: {named}")
    path = needed_file(config.eval_data[chosen], f"eval_data.{chosen}", config.name)
    return DataSet(f"eval.{chosen}", path)


def read_source(federation: Federation, chosen: DataSet) -> Source:
    """A file's keys; DataError where they are not what an alignment needs.

    The file is hashed before and after it is read: what is kept is true of these bytes.
    """
    before = file_sha256(chosen.path)
    side, names = federation.config.name, federation.key_columns
    ways = CsvWays(names, missing=federation.config.missing_texts)
    keys = table_keys(federation, read_table(chosen.path, side, ways), f"{chosen.path}")
    if file_sha256(chosen.path) != before:
        raise DataError(f"{side}: {chosen.path} changed while it was read: start again")
    return Source(chosen.name, keys, str(chosen.path), before)


def table_keys(federation: Federation, table: Any, where: str) -> Keys:
    """The keys of a table by the terms; ``where`` names it, for errors."""
    terms, side = align_terms(federation), federation.config.name
    columns = []
    for agreed, own in zip(terms.keys, federation.key_columns, strict=True):
        if own not in table.column_names:
            raise DataError(
                f"{side}: {where} has no column {own!r}, by which the terms align rows; where it "
                "has another name, say so in key_columns of party.toml"
            )
        steps, column = terms.steps(agreed), table[own]
        days = "iso_date" in steps
        texts = id_texts(column, f"{side}: key column {own!r}", may_be_days=days)
        columns.append(KeyColumn(own, texts, steps, pa.types.is_integer(column.type)))
    return make_keys(columns, side, terms.duplicates)
