"""``securexgb predict``: scores of rows of which each side holds its own columns."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from securexgb.boost.predict import predict as run_prediction
from securexgb.cli.finished import FinishedRun, finished_run
from securexgb.cli.options import ConfigOption, JobOption
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.cli.reports import Quality, write_report
from securexgb.cli.sides import OwnRows, load_rows, needed_file, same_rows
from securexgb.federation import Federation
from securexgb.report.metrics import (
    BinaryMetrics,
    RegressionMetrics,
    binary_metrics,
    regression_metrics,
)

Reals = NDArray[np.float64]
RunOption = Annotated[
    Path | None, typer.Option("--run", help="The run with the model; default: the newest.")
]


def predict(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
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
    federation = Federation.from_file(config, job, {"predict_data": data and data.absolute()})
    side, terms = federation.config.name, federation.terms
    path = needed_file(federation.config.predict_data, "predict_data", side)
    finished = finished_run(federation, run)
    note(f"job {federation.digest}, waiting for {federation.peer_name}")
    with federation.session("predict") as party:
        rows = load_rows(
            federation,
            path,
            columns=finished.half.columns,
            classes=finished.classes,
            label_optional=True,
        )
        same_rows(party, federation, rows, "rows to predict")
        scores = run_prediction(
            party,
            finished.half,
            rows.data.features,
            terms.predictions_to,
            terms.prediction_decimals,
        )
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
        result(facts, f"{rows.data.rows:,} rows predicted for {federation.peer_name}", form)
        return
    target = output or finished.run.path / "predictions.csv"
    _write(target, rows, scores, finished)
    facts["predictions"] = str(target)
    metrics = _metrics(rows, scores, terms.training.objective)
    text = f"{rows.data.rows:,} predictions are in {target}"
    if metrics is not None:
        facts["metrics"] = metrics.as_dict()
        report_facts = finished.facts | {"ledger": [*finished.facts["ledger"], *ledger]}
        quality = Quality(metrics, path.name)
        write_report(federation, finished.run, finished.half, report_facts, quality)
        text += f"; the report with their quality is {finished.run.path / 'report.html'}"
    result(facts, text, form)


def _write(target: Path, rows: OwnRows, scores: Reals, finished: FinishedRun) -> None:
    """One line a row: id (or row number), and the probability or the value."""
    classes = finished.classes
    name = "prediction" if classes is None else f"probability of {classes[1]}"
    with target.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["row" if rows.ids is None else "id", name])
        keys = rows.ids or range(1, scores.size + 1)
        for key, score in zip(keys, scores, strict=True):
            writer.writerow([key, repr(float(score))])


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
