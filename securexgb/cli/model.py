"""``securexgb model``: what this side's half of a model says, and the whole of it by both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.importance import importance_of
from securexgb.boost.leak import of_splits
from securexgb.cli.membership import federation_of
from securexgb.cli.options import ConfigOption, JobOption, SetOption, WaitOption
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.cli.predict import RunOption
from securexgb.errors import UsageError
from securexgb.jobs.export import EXPORTED, joint_export
from securexgb.jobs.ledgers import recorded
from securexgb.jobs.reports import follow_ledger
from securexgb.jobs.resuming.common_model import common_model, own_models
from securexgb.jobs.runs import RECORD, RunDirectory, RunRecord
from securexgb.model.export import hidden_half, own_splits, split_table
from securexgb.model.files import load_half
from securexgb.mpc.party import ROLES
from securexgb.mpc.reveals import Reveal
from securexgb.report.aligned import table
from securexgb.report.text import MOST_NAMED, ledger_table
from securexgb.storage.sealed import VARIABLE, find_key
from securexgb.storage.whole import check_room, make_directory, write_whole

app = typer.Typer(help="This side's half of a model, or all of it.", no_args_is_help=True)


@app.callback()
def _commands() -> None:
    """This side's half of a model, or all of it."""


PathArgument = Annotated[
    Path, typer.Argument(help="A run, or a half: label.npz or feature.npz.", metavar="RUN")
]
KeyOption = Annotated[
    Path | None, typer.Option(help=f"The file of its key, if encrypted; or {VARIABLE}.")
]


@app.command()
def inspect(path: PathArgument, key: KeyOption = None, form: FormatOption = Format.text) -> None:
    """Show a half: to which job it belongs, its parameters, the splits of its own columns, or
    what there is where splits are hidden."""
    own = _half_at(path)
    half = load_half(own, find_key(key))
    classes = _classes(own.parent.parent)
    hidden, importance = half.params.is_hidden, importance_of(half)
    facts = {
        **(hidden_half(half) if hidden else own_splits(half)),
        "params": half.params.to_mapping(),
        "layout": half.layout.to_mapping(),
        "history": half.history,
        "splits_per_column": None if hidden else importance.values,
        "importance": importance.values if half.importance else None,
        "importance_is": importance.sentence,
        "classes": classes,
    }
    shape = half.layout
    ranked = sorted(importance.values.items(), key=lambda item: item[1], reverse=True)
    text = "\n\n".join(
        [
            f"{half.role} party's half of model {half.model_id}, job {half.job_digest or '-'}: "
            f"{len(half.trees)} trees of depth {half.params.max_depth}, trained on "
            f"{shape.rows:,} rows of {shape.label_columns} + {shape.feature_columns} columns"
            f"{_classes_text(half, classes)}",
            _splits_text(half),
            f"importance: {importance.sentence}",
            *([table(ranked, ("column", "per cents" if hidden else "splits"))] if ranked else []),
        ]
    )
    result(facts, text, form)


@app.command()
def export(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    setting: SetOption = None,
    run: RunOption = None,
    output: Annotated[
        Path | None, typer.Option(help=f"File to write; default: {EXPORTED} in the run.")
    ] = None,
    wait: WaitOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Give the whole model to the side that the terms name (export_to), as JSON that xgboost reads;
    both sides run it."""
    federation = federation_of(config, job, setting, wait=wait)
    terms, recipient = federation.terms, federation.terms.model_recipient
    models = own_models(federation, run)
    note(f"job {federation.digest}, waiting for {federation.peer_name}")
    with federation.session("export") as party:
        finished = common_model(party, federation, models)
        target = output or finished.run.path / EXPORTED
        with finished.run.ending_logged("export"), recorded(finished.run, party):
            if recipient in (federation.role, "both"):
                make_directory(target.absolute().parent)
                check_room(target, 1)
            content = joint_export(
                party, finished.half, recipient, (terms.label_party, terms.feature_party)
            )
            if content is not None:
                write_whole(target, content)
            ledger = party.ledger.rows()
    finished.run.log("exported", to=recipient)
    follow_ledger(federation, finished)
    place = None if content is None else str(target)
    said = (
        f"the model was given to {federation.peer_name}"
        if place is None
        else f"the whole model is in {place}: xgboost reads it, and whoever has it needs no other"
    )
    told = sum(row["values"] for row in ledger if _is_of_feature(row))
    if told:
        said += f"\n{of_splits(finished.half.params, finished.half.layout, told).sentence}"
    facts = {"export_to": recipient, "model": place, "ledger": ledger}
    result(facts, f"{said}\n\n{ledger_table(ledger)}", form)


def _is_of_feature(row: Mapping[str, Any]) -> bool:
    return (row["reveal"], row["to"]) == (Reveal.SPLIT_INDEX.name, "feature")


@app.command()
def splits(path: PathArgument, key: KeyOption = None, form: FormatOption = Format.text) -> None:
    """Show the splits of this side's own columns, where the terms let each side know its own."""
    half = load_half(_half_at(path), find_key(key))
    rows = split_table(half)
    way = {True: "left", False: "right"}
    shown = [
        (row["tree"], row["node"], row["column"], _rule(row), way[row["missing_left"]])
        for row in rows
    ]
    nodes = len(half.trees) * ((1 << half.params.max_depth) - 1)
    text = (
        f"{len(rows):,} of {nodes:,} nodes are split by a column of the {half.role} party. Node 0 "
        "is the root, node i has the children 2 i + 1 (left) and 2 i + 2. Splits below a node that "
        "was not worth splitting are among them and change nothing: nobody can tell them."
    )
    if shown:
        text += "\n\n" + table(shown, ("tree", "node", "column", "left where", "missing goes"))
    result({"role": half.role, "model_id": half.model_id, "splits": rows}, text, form)


def _rule(row: Mapping[str, Any]) -> str:
    """When a present value goes left."""
    if "category" in row:
        return "always" if row["category"] is None else f"not {row['category']!r}"
    return "always" if row["threshold"] is None else f"< {row['threshold']:.6g}"


def _half_at(path: Path) -> Path:
    """The file of a half: itself, or the one in a run's directory, or in its model/."""
    if not path.is_dir():
        return path
    names = [f"{folder}{role}.npz" for folder in ("", "model/") for role in ROLES]
    found = [path / name for name in names if (path / name).is_file()]
    if not found:
        raise UsageError(f"{path} holds no model: name a finished run, or a half in its model/")
    if len(found) > 1:
        listed = " or ".join(str(half) for half in found)
        raise UsageError(f"{path} holds two halves, as a simulation does: name {listed}")
    return found[0]


def _classes(run: Path) -> list[str]:
    """Names of the classes, where the half lies in a run of the label party's."""
    is_run = (run / RECORD).is_file()
    found = RunRecord.read(RunDirectory(run)).classes if is_run else None
    return [str(name) for name in found or ()]


def _classes_text(half: ModelHalf, classes: Sequence[str]) -> str:
    if not half.params.traits.classifies:
        return ""
    if half.params.traits.is_multi:
        listed = ", ".join(map(repr, classes[:MOST_NAMED])) or "their names are the label party's"
        more = f" and {len(classes) - MOST_NAMED} more" if len(classes) > MOST_NAMED else ""
        return f"; {half.outputs} classes, a tree of each a round: {listed}{more}"
    return f"; the class that counts as 1: {classes[1]!r}" if classes else ""


def _splits_text(half: ModelHalf) -> str:
    """What is here of the splits, and what is not."""
    if not half.params.is_hidden:
        return (
            "splits: own ones are here (`securexgb model splits` shows them), of the other side's "
            "the owner alone; leaf values are shares"
        )
    shape, depth = half.layout, half.params.max_depth
    return (
        "splits: hidden: not available, neither this side's own ones nor how many there are; "
        f"a tree here is this side's shares of tables, {shape.total_columns} columns x "
        f"{shape.all_bins} bins x {(1 << depth) - 1} nodes, and of {1 << depth} leaf values"
    )
