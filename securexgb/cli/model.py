"""``securexgb model``: what this side's half of a model says, and what it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.importance import importance_of
from securexgb.cli.output import Format, FormatOption, result
from securexgb.model.export import hidden_half, own_splits
from securexgb.model.files import load_half
from securexgb.report.text import table
from securexgb.storage.sealed import VARIABLE, find_key

app = typer.Typer(help="This side's half of a model.", no_args_is_help=True)


@app.callback()
def _commands() -> None:
    """This side's half of a model."""


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="A half: label.npz or feature.npz.")],
    key: Annotated[
        Path | None, typer.Option(help=f"The file of its key, if encrypted; or {VARIABLE}.")
    ] = None,
    form: FormatOption = Format.text,
) -> None:
    """Show a half: to which job it belongs, its parameters, the splits of its own columns, or
    what there is where splits are hidden."""
    half = load_half(path, find_key(key))
    hidden, importance = half.params.is_hidden, importance_of(half)
    facts = {
        **(hidden_half(half) if hidden else own_splits(half)),
        "params": half.params.to_mapping(),
        "layout": half.layout.to_mapping(),
        "history": half.history,
        "splits_per_column": None if hidden else importance.values,
        "importance": importance.values if half.importance else None,
        "importance_is": importance.sentence,
    }
    shape = half.layout
    ranked = sorted(importance.values.items(), key=lambda item: item[1], reverse=True)
    text = "\n\n".join(
        [
            f"{half.role} party's half of model {half.model_id}, job {half.job_digest or '-'}: "
            f"{len(half.trees)} trees of depth {half.params.max_depth}, trained on "
            f"{shape.rows:,} rows of {shape.label_columns} + {shape.feature_columns} columns",
            _splits_text(half),
            f"importance: {importance.sentence}",
            *([table(ranked, ("column", "per cents" if hidden else "splits"))] if ranked else []),
        ]
    )
    result(facts, text, form)


def _splits_text(half: ModelHalf) -> str:
    """What is here of the splits, and what is not."""
    if not half.params.is_hidden:
        return (
            "splits: own ones are here (--format json shows them), of the other side's the owner "
            "alone; leaf values are shares"
        )
    shape, depth = half.layout, half.params.max_depth
    return (
        "splits: hidden: not available, neither this side's own ones nor how many there are; "
        f"a tree here is this side's shares of tables, {shape.total_columns} columns x "
        f"{shape.all_bins} bins x {(1 << depth) - 1} nodes, and of {1 << depth} leaf values"
    )
