"""Putting a side's report together from its run, and writing it as HTML and JSON."""

from __future__ import annotations

import platform
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from securexgb import __version__
from securexgb.boost.ensemble import History, ModelHalf
from securexgb.boost.importance import importance_of, importances
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, SecureXGBError
from securexgb.federation.session import Federation
from securexgb.jobs.data.files import load_rows
from securexgb.jobs.ledgers import books_of
from securexgb.jobs.prediction import Reals, read_scores
from securexgb.jobs.rows import Rows
from securexgb.jobs.runs import FinishedRun, RunDirectory, RunRecord, timestamp
from securexgb.model.files import save_half
from securexgb.mpc.party import Party
from securexgb.report.html import render_html
from securexgb.report.metrics import binary_metrics, regression_metrics, stability_index
from securexgb.report.record import BinaryMetrics, Costs, RegressionMetrics, RunReport, report_json
from securexgb.report.text import bits_line, bits_warnings, positive_sentence
from securexgb.storage.whole import make_directory, read_own, unpack_json

_PREDICTED = "predicted.json"
"""Beside a run's model: which rows were predicted, and where the scores are."""
_CUT_OFF = (
    "the last session was cut off: the ledger counts what it may have opened at its worst case"
)
PACKAGES = ("numpy", "grpcio", "cryptography", "protobuf", "pydantic", "pyarrow")


@dataclass(frozen=True)
class Quality:
    """What may be said of the predictions, at a side that has both them and the labels."""

    metrics: BinaryMetrics | RegressionMetrics | None = None
    rows_from: str = ""
    stability_index: float | None = None


@dataclass(frozen=True)
class Heading:
    """Whose report it is, of which job; see ``RunReport``."""

    title: str
    side: str
    role: str
    job: str
    digest: str
    terms: Mapping[str, Any]


def versions() -> dict[str, str]:
    """Version of securexgb, of Python and of the libraries that matter."""
    found = {"securexgb": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def costs_of(party: Party, total_seconds: float) -> Costs:
    """What this side's protocols have cost so far."""
    traffic, account = party.channel.traffic, party.source.account
    return Costs(
        rounds=party.rounds,
        bytes_sent=traffic.bytes_sent,
        bytes_received=traffic.bytes_received,
        offline_bytes=account.dealer_bytes + account.channel_bytes,
        offline_seconds=account.seconds,
        waited_seconds=account.waited_seconds,
        online_seconds=max(total_seconds - account.waited_seconds, 0.0),
        total_seconds=total_seconds,
        peak_rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def write_report(
    federation: Federation,
    run: RunDirectory,
    half: ModelHalf,
    record: RunRecord,
    quality: Quality,
    remarks: Sequence[str] = (),
) -> RunReport:
    """Write report.html and report.json of a run.

    The ledger is the run's, of all its sessions.
    """
    heading = Heading(
        title=f"{federation.terms.name}: report of {federation.config.name}",
        side=federation.config.name,
        role=federation.role,
        job=federation.terms.name,
        digest=federation.digest,
        terms=federation.terms.model_dump(mode="json"),
    )
    books = books_of(run)
    record = replace(record, ledger=books.revealed)
    if books.in_work:
        remarks = [*remarks, _CUT_OFF]
    found = importance_of(half)
    importance = (found.values, found.sentence)
    return _write(run, heading, half, importance, record, quality, remarks)


def write_simulation(
    run: RunDirectory,
    halves: Sequence[ModelHalf],
    sides: Sequence[Rows],
    terms: Mapping[str, Any],
    record: RunRecord,
    metrics: BinaryMetrics | RegressionMetrics | None,
) -> RunReport:
    """Write the report of a training that one process did alone, with the importance of both
    sides' columns; both halves, and its record, lie beside it."""
    heading = Heading("simulation: report of both parties", "both parties", "simulated",
                      "simulation", "none", terms)  # fmt: skip
    found = importances(halves, None)
    shares = {
        name: float(share)
        for rows, of_side in zip(sides, found, strict=True)
        for name, share in zip(rows.column_names, of_side, strict=True)
    }
    params = halves[0].params
    what = "cover" if params.importance == "cover" else "gain"
    sentence = (
        f"share of the {what} of all splits (xgboost's total_{what}), of both parties' columns; "
        "between two companies nobody knows it until the terms open it"
        if params.is_hidden
        else "share of the number of splits, both parties' columns; each side counts its own"
    )
    make_directory(run.model)
    for half in halves:
        save_half(half, run.model / f"{half.role}.npz")
    record.write(run)
    quality = Quality(metrics, "the test rows")
    remarks = ["a simulation protects nothing: both sides share one process here"]
    return _write(run, heading, halves[0], (shares, sentence), record, quality, remarks)


def _write(
    run: RunDirectory,
    heading: Heading,
    half: ModelHalf,
    importance: tuple[Mapping[str, float], str],
    record: RunRecord,
    quality: Quality,
    remarks: Sequence[str],
) -> RunReport:
    report = RunReport(
        **vars(heading),
        created=timestamp(),
        ledger=record.ledger,
        leaks=[leak.to_mapping() for leak in record.leaks],
        costs=record.costs,
        numbers=bits_line(half.numbers),
        offline_source=record.offline_source,
        dealer_evidence=record.dealer_evidence,
        dealer=None if record.dealer is None else record.dealer.to_dict(),
        versions=versions(),
        warnings=(*remarks, *bits_warnings(half.numbers)),
        metrics=quality.metrics,
        metrics_of=quality.rows_from,
        stability_index=quality.stability_index,
        learning_curve=curves(half.history),
        importance=importance[0],
        importance_is=importance[1],
        missing_rates=record.missing_rates,
        positive=positive_sentence(record.classes, record.positive_share),
    )
    run.write("report.html", render_html(report))
    run.write_json("report.json", report_json(report))
    return report


def curves(history: History) -> dict[str, list[float]]:
    """Metric values after each tree, by "set metric"."""
    return {
        f"{data} {metric}": values
        for data, metrics in history.items()
        for metric, values in metrics.items()
    }


def keep_prediction(run: RunDirectory, data: Path, predictions: Path) -> None:
    """Say in a run which rows were predicted, and where the scores are."""
    kept = {"data": str(data), "predictions": str(predictions.absolute())}
    run.write_json(_PREDICTED, kept)


def follow_ledger(federation: Federation, finished: FinishedRun) -> None:
    """Write a run's report again, after a session that has revealed more.

    Where the rows of the newest predictions cannot be read any more, it says so.
    """
    quality, remarks = Quality(), list[str]()
    try:
        quality = quality_of(federation, finished)
    except SecureXGBError as error:
        remarks.append(f"without the quality of the newest predictions: {error}")
    write_report(federation, finished.run, finished.half, finished.record, quality, remarks)


def quality_of(
    federation: Federation, finished: FinishedRun, baseline: Path | None = None
) -> Quality:
    """The quality of the newest predictions of a run, read again from the files.

    ``baseline``: earlier predictions, to say how far the scores have moved since.
    """
    kept_path = finished.run.path / _PREDICTED
    if not kept_path.exists():
        return Quality()
    kept = unpack_json(read_own(kept_path), _PREDICTED)
    path, half = Path(kept["data"]), finished.half
    rows = load_rows(
        federation,
        path,
        columns=half.columns,
        classes=finished.record.classes,
        is_label_optional=True,
    )
    side = federation.config.name
    scores = read_scores(Path(kept["predictions"]), side)
    index = None if baseline is None else stability_index(read_scores(baseline, side), scores)
    if scores.size != rows.count:
        raise DataError(
            f"{side}: {path} has {rows.count} rows and the predictions "
            f"have {scores.size}: predict again"
        )
    metrics = metrics_of(rows, scores, half.params)
    return Quality(metrics, path.name, index)


def metrics_of(
    rows: Rows, scores: Reals, params: TrainingParams
) -> BinaryMetrics | RegressionMetrics | None:
    """How good the scores are, where this side holds labels of the same rows."""
    if rows.labels is None:
        return None
    measure = binary_metrics if params.traits.classifies else regression_metrics
    return measure(rows.labels, scores)
