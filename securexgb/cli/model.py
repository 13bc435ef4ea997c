"""``securexgb model``: what this side's half of a model says, and what it does not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from securexgb.boost.importance import importance
from securexgb.cli.output import Format, FormatOption, result
from securexgb.model.export import own_splits
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
    """Show a half: to which job it belongs, its parameters, the splits of its own columns."""
    half = load_half(path, find_key(key))
    counts = {name: int(count) for name, count in zip(half.columns, importance(half), strict=True)}
    facts = {
        **own_splits(half),
        "params": half.params.to_mapping(),
        "layout": half.layout.to_mapping(),
        "history": half.history,
        "splits_per_column": counts,
    }
    shape = half.layout
    ranked = sorted(counts.items(), key=lambda item: item[1], reverse=True)
    text = "\n\n".join(
        [
            f"{half.role} party's half of model {half.model_id}, job {half.job_digest or '-'}: "
            f"{len(half.trees)} trees of depth {half.params.max_depth}, trained on "
            f"{shape.rows:,} rows of {shape.label_columns} + {shape.feature_columns} columns",
            table(ranked, ("own column", "splits")),
            "Leaf values are shares and the other side's splits are not known here.",
        ]
    )
    result(facts, text, form)
