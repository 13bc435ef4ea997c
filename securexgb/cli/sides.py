"""What train, evaluate and predict have in common: this side's rows, checked with the other's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from securexgb.align.ids import check_same_rows
from securexgb.boost.booster import SideData
from securexgb.data import ColumnRoles, SideTable, binary_labels, numeric_labels, read_side
from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.mpc.party import Party

__all__ = ["OwnRows", "column_counts", "load_rows", "needed_file", "same_names", "same_rows"]


@dataclass(frozen=True)
class OwnRows:
    """This side's rows. ``classes``: the two labels as they are in the file, if it has any."""

    data: SideData
    ids: tuple[str, ...] | None
    classes: tuple[Any, Any] | None
    missing_rates: dict[str, float]


def needed_file(path: Path | None, key: str, side: str) -> Path:
    """A file that the settings must name and that must be there."""
    if path is None:
        raise UsageError(f"{side}: name {key} in party.toml")
    if not path.is_file():
        raise UsageError(f"{side}: {key} names {path}, and there is no such file")
    return path


def load_rows(
    federation: Federation,
    path: Path,
    *,
    columns: Sequence[str] | None = None,
    classes: Sequence[Any] | None = None,
    label_optional: bool = False,
) -> OwnRows:
    """Read and check a file of this side.

    ``columns``: those that a model was trained on, instead of the settings'. ``classes``:
    likewise. ``label_optional``: rows to predict may come without labels and weights.
    """
    config, terms = federation.config, federation.terms
    if config.role == "label" and config.label_column is None:
        raise UsageError(f"{config.name}: name label_column in party.toml")
    features = tuple(columns) if columns is not None else config.feature_columns
    roles = ColumnRoles(
        features=features,
        label=config.label_column,
        weight=None if label_optional else config.weight_column,
        id=None if terms.id_column is None else config.id_column or terms.id_column,
        label_optional=label_optional,
    )
    table = read_side(path, roles, config.name)
    labels, found = None, None
    if table.labels is not None:
        labels, found = _coded(federation, table, classes)
    data = SideData(table.features, table.names, labels, table.weights)
    return OwnRows(data, table.ids, found, table.missing_rates)


def same_names(party: Party, names: Sequence[str]) -> None:
    """Both sides name the same files in the same order, or UsageError at both."""
    mine = ", ".join(names)
    theirs = party.exchange_bytes(mine.encode()).decode(errors="replace")
    if theirs != mine:
        raise UsageError(
            f"{party.role} party: the evaluation sets are named {mine or 'nothing'!r} here and "
            f"{theirs[:200] or 'nothing'!r} at the other side: name eval_data alike in party.toml"
        )


def column_counts(party: Party, mine: int) -> tuple[int, int]:
    """How many columns each side holds, by rank: a public fact, as in a training."""
    theirs = int.from_bytes(party.exchange_bytes(mine.to_bytes(8, "little"))[:8], "little")
    return (mine, theirs) if party.rank == 0 else (theirs, mine)


def same_rows(party: Party, federation: Federation, rows: OwnRows, name: str) -> None:
    """Both sides hold the same rows in the same order, or DataError at both."""
    with party.step(name):
        check_same_rows(party, rows.ids, rows.data.rows, federation.terms.id_column)


def _coded(
    federation: Federation, table: SideTable, classes: Sequence[Any] | None
) -> tuple[Any, tuple[Any, Any] | None]:
    column, side = federation.config.label_column or "", federation.config.name
    if federation.terms.training.objective == "binary:logistic":
        return binary_labels(table.labels, column, side, classes)  # type: ignore[arg-type]
    return numeric_labels(table.labels, column, side), None  # type: ignore[arg-type]
