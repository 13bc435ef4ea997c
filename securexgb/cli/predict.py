"""``securexgb predict``: scores of rows of which each side holds its own columns."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from securexgb.boost.predict import predict as run_prediction
from securexgb.cli.finished import FinishedRun, finished_run
from securexgb.cli.ledgers import ledger_table, recorded
from securexgb.cli.options import ConfigOption, JobOption, SetOption, federation_of
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.cli.predictions import Reals, read_scores, write_predictions
from securexgb.cli.reports import Quality, write_report
from securexgb.cli.sides import OwnRows, load_rows, needed_file, same_rows
from securexgb.errors import DataError
from securexgb.federation.session import Federation
from securexgb.report.metrics import binary_metrics, regression_metrics, stability_index
from securexgb.report.record import BinaryMetrics, RegressionMetrics
from securexgb.storage.whole import make_directory, read_whole, unpack_json

PREDICTED = "predicted.json"
"""Beside a run's model: which rows were predicted, and where the scores are."""
RunOption = Annotated[
    Path | None, typer.Option("--run", help="The run with the model; default: the newest.")
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
    form: FormatOption = Format.text,
) -> None:
    """Predict together with the other side; whoever the terms name gets the scores."""
    federation = federation_of(config, job, setting)
    side, terms = federation.config.name, federation.terms
    path = needed_file(data or federation.config.predict_data, "predict_data", side)
    finished = finished_run(federation, run)
    if output is not None:
        make_directory(output.absolute().parent)  # before anything is opened that it must hold
    note(f"job {federation.digest}, waiting for {federation.peer_name}")
    with federation.session("predict") as party, recorded(finished.run, party):
        rows = load_rows(
            federation,
            path,
            columns=finished.half.columns,
            classes=finished.classes,
            label_optional=True,
        )
        same_rows(party, federation, rows, "rows to predict")
        scores = run_prediction(party, finished.half, rows.data.features, terms.request)
        ledger = party.ledger.rows()
    finished.run.log("predicted", rows=rows.data.rows, to=terms.predictions_to)
    facts: dict[str, Any] = {
        "rows": rows.data.rows,
        "predictions_to": terms.predictions_to,
        "predictions": None,
        "metrics": None,
        "ledger": ledger,
    }
    if scores is None:
        text = f"{rows.data.rows:,} rows predicted for {federation.peer_name}"
        result(facts, f"{text}\n\n{ledger_table(ledger)}", form)
        return
    target = output or finished.run.path / "predictions.csv"
    write_predictions(target, rows.ids, scores, finished.classes)
    facts["predictions"] = str(target)
    kept = {"data": str(path), "predictions": str(target.absolute())}
    finished.run.write_json(PREDICTED, kept)
    text = f"{rows.data.rows:,} predictions are in {target}"
    metrics = _metrics(rows, scores, terms.training.objective)
    if metrics is not None:
        facts["metrics"] = asdict(metrics)
        written = Quality(metrics, path.name)
        write_report(federation, finished.run, finished.half, finished.facts, written)
        text += f"; the report with their quality is {finished.run.path / 'report.html'}"
    result(facts, f"{text}\n\n{ledger_table(ledger)}", form)


def quality_of(
    federation: Federation, finished: FinishedRun, baseline: Path | None = None
) -> Quality:
    """The quality of the newest predictions of a run, read again from the files.

    ``baseline``: earlier predictions, to say how far the scores have moved since.
    """
    kept_path = finished.run.path / PREDICTED
    if not kept_path.exists():
        return Quality()
    kept = unpack_json(read_whole(kept_path), PREDICTED)
    path, half = Path(kept["data"]), finished.half
    rows = load_rows(
        federation, path, columns=half.columns, classes=finished.classes, label_optional=True
    )
    side = federation.config.name
    scores = read_scores(Path(kept["predictions"]), side)
    index = None if baseline is None else stability_index(read_scores(baseline, side), scores)
    if scores.size != rows.data.rows:
        raise DataError(
            f"{side}: {path} has {rows.data.rows} rows and the predictions "
            f"have {scores.size}: predict again"
        )
    metrics = _metrics(rows, scores, half.params.objective)
    return Quality(metrics, path.name, index)


def _metrics(
    rows: OwnRows, scores: Reals, objective: str
) -> BinaryMetrics | RegressionMetrics | None:
    """How good the scores are, where this side holds labels of the same rows."""
    labels = rows.data.labels
    if labels is None:
        return None
    if objective == "binary:logistic":
        return binary_metrics(labels, scores)
    return regression_metrics(labels, scores)
