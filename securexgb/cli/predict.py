"""``securexgb predict``: scores of rows of which each side holds its own columns."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from securexgb.cli.membership import federation_of
from securexgb.cli.options import ConfigOption, JobOption, SetOption, WaitOption
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.cluster.data import load_table
from securexgb.cluster.scores import like_model, predict_by_shards
from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.data.files import needed_file
from securexgb.jobs.ledgers import recorded
from securexgb.jobs.prediction import Predictor, Reals, check_place, write_predictions
from securexgb.jobs.reports import (
    follow_ledger,
    keep_prediction,
    metrics_of,
    report_sentence,
    rows_to_score,
)
from securexgb.jobs.resuming.common_model import common_model, own_models
from securexgb.jobs.rows import Rows
from securexgb.jobs.runs import FinishedRun
from securexgb.jobs.table import Table
from securexgb.mpc.party import Party
from securexgb.report.text import ledger_table
from securexgb.storage.whole import make_directory

RunOption = Annotated[
    Path | None, typer.Option("--run", help="The run with the model; default: the newest of both.")
]


def predict(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    setting: SetOption = None,
    data: Annotated[
        Path | None, typer.Option(help="Rows to predict; default: predict_data of the settings.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="CSV to write; default: predictions.csv in the run.")
    ] = None,
    run: RunOption = None,
    wait: WaitOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Predict together with the other side; whoever the terms name gets the scores."""
    federation = federation_of(config, job, setting, wait=wait)
    terms, path = federation.terms, _path(federation, data)
    models = own_models(federation, run)
    if output is not None:
        make_directory(output.absolute().parent)
    note(f"job {federation.digest}, waiting for {federation.peer_name}")
    with federation.session("predict") as party:
        finished = common_model(party, federation, models)
        target = output or finished.run.path / "predictions.csv"
        with finished.run.ending_logged("predict"), recorded(finished.run, party) as kept:
            rows = _read(federation, finished, path)
            check_place(federation, target, rows)
            kept.stands_on([rows])
            scores = _scores(federation, party, finished, rows)
            ledger = party.ledger.rows()
    finished.run.log("predicted", rows=rows.count, to=terms.predictions_to)
    facts: dict[str, Any] = {
        "rows": rows.count,
        "predictions_to": terms.predictions_to,
        "predictions": None,
        "metrics": None,
        "ledger": ledger,
    }
    if scores is None:
        follow_ledger(federation, finished)
        text = f"{rows.count:,} rows predicted for {federation.peer_name}"
        result(facts, f"{text}\n\n{ledger_table(ledger)}", form)
        return
    write_predictions(target, rows.ids, scores, finished.record.classes)
    facts["predictions"] = str(target)
    keep_prediction(finished.run, path, target)
    text = f"{rows.count:,} predictions are in {target}"
    metrics = metrics_of(rows, scores, terms.training)
    follow_ledger(federation, finished)
    if metrics is not None:
        facts["metrics"] = asdict(metrics)
        text += f"; {report_sentence(finished.run)}"
    result(facts, f"{text}\n\n{ledger_table(ledger)}", form)


def _path(federation: Federation, data: Path | None) -> Path:
    """Of the rows to predict."""
    side = federation.config.name
    if federation.terms.shards and data is not None:
        raise UsageError(
            f"{side}: shards read their rows by party.toml of their own: set predict_data there "
            "and here, and leave out --data"
        )
    return needed_file(data or federation.config.predict_data, "predict_data", side)


def _scores(
    federation: Federation, party: Party, finished: FinishedRun, rows: Table
) -> Reals | None:
    if not isinstance(rows, Rows):
        return predict_by_shards(federation, party, finished, rows)
    return Predictor(party, finished.half, federation.terms.request, federation).score(rows)


def _read(federation: Federation, finished: FinishedRun, path: Path) -> Table:
    """Where rows are in shards, without holding them."""
    if not federation.terms.shards:
        return rows_to_score(federation, finished, path, "predict")
    like = like_model(finished)
    return load_table(federation, path, data_set="predict", like=like, is_label_optional=True)
