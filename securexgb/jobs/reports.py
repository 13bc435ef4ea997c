"""Putting a side's report together from its run, and writing it: JSON, CSV, and a page.

The page takes matplotlib and jinja2, the extra ``report``; everything else is written without.
"""

from __future__ import annotations

import platform
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from securexgb import __version__
from securexgb.boost.ensemble import History, ModelHalf
from securexgb.boost.importance import importance_of, importances
from securexgb.boost.metrics.schedule import evaluated_round, evaluations
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, SecureXGBError
from securexgb.federation.session import Federation
from securexgb.jobs.data.files import load_rows
from securexgb.jobs.data.tables import is_file
from securexgb.jobs.ledgers import books_of
from securexgb.jobs.prediction import Reals, read_ids, read_scores
from securexgb.jobs.rows import Rows
from securexgb.jobs.runs import FinishedRun, RunDirectory, RunRecord, timestamp
from securexgb.jobs.table import Table
from securexgb.model.files import save_half
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.report.metrics import (
    binary_metrics,
    class_metrics,
    regression_metrics,
    stability,
)
from securexgb.report.record import (
    BinaryMetrics,
    ClassMetrics,
    Costs,
    RegressionMetrics,
    RunReport,
    ScoredRows,
    Stability,
    report_json,
)
from securexgb.report.tables import tables
from securexgb.report.text import bits_line, bits_warnings, classes_sentence
from securexgb.storage.records import read_record
from securexgb.storage.whole import make_directory

_PREDICTED = "predicted.json"
"""Beside a run's model: which rows were predicted, and where the scores are; the newest last."""
TRAINING = "training rows"
_PAGE, _TABLES = "report.html", "report"
NO_PAGE = "for report.html: pip install 'securexgb[report]', then securexgb report"
FORMAT = 1
"""Of predicted.json."""
_CUT_OFF = (
    "the last session was cut off: the ledger counts what it may have opened at its worst case"
)
_EXPORTED = (
    "the whole model was exported: bits about labels are those of the training, without what the "
    "export has told"
)
_OF_HIDDEN = {
    "none": ("gain", "total_gain"),
    "gain": ("gain", "total_gain"),
    "cover": ("cover", "total_cover"),
    "weight": ("number", "weight"),
}
"""What a simulation's importance of hidden splits is of, and xgboost's word."""
PACKAGES = ("numpy", "grpcio", "cryptography", "protobuf", "pydantic", "pyarrow")


@dataclass(frozen=True)
class Quality:
    """What may be said of the predictions that a side has; ``remarks``: of those that it lacks."""

    scored: Sequence[ScoredRows] = ()
    stability: Sequence[Stability] = ()
    remarks: Sequence[str] = ()

    @staticmethod
    def of(
        scores: Mapping[str, tuple[Rows | None, Reals]],
        params: TrainingParams,
        remarks: Sequence[str] = (),
    ) -> Quality:
        """By the rows' name: the rows where they are known, and their scores, the oldest first.

        Stability is that of all others against the first, and against the second.
        """
        # Of one score a row: several have no order.
        named = [(name, found) for name, (_, found) in scores.items() if found.ndim == 1]
        return Quality(
            [
                ScoredRows(name, len(found), metrics_of(rows, found, params) if rows else None)
                for name, (rows, found) in scores.items()
            ],
            [stability(old, new) for first in (0, 1) for old in named[first : first + 1]
             for new in named[first + 1 :]],
            remarks,
        )  # fmt: skip


@dataclass(frozen=True)
class _Predicted:
    """Rows that were predicted, and where their scores are."""

    data: Path
    predictions: Path


@dataclass(frozen=True)
class _Predictions:
    """What predicted.json holds, the newest last."""

    predicted: list[_Predicted]


_FILE = TypeAdapter(_Predictions)


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


def peak_rss_mb() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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
        peak_rss_mb=peak_rss_mb(),
    )


def write_report(
    federation: Federation,
    run: RunDirectory,
    half: ModelHalf,
    record: RunRecord,
    quality: Quality,
    remarks: Sequence[str] = (),
) -> RunReport:
    """Write the report of a run: report.json, the tables as CSV, and report.html where it can be.

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
    record = replace(record, ledger=books.everything)
    if books.in_work:
        remarks = [*remarks, _CUT_OFF]
    if any(row["reveal"] == Reveal.MODEL.name for row in record.ledger):
        remarks = [*remarks, _EXPORTED]
    found = importance_of(half)
    importance = (found.values, found.sentence)
    report = _report(heading, half, importance, record, quality, remarks)
    return _write(run, replace(report, alignments=books.aligned))


def write_simulation(
    run: RunDirectory,
    halves: Sequence[ModelHalf],
    sides: Sequence[Rows],
    terms: Mapping[str, Any],
    record: RunRecord,
    quality: Quality,
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
    what, theirs = _OF_HIDDEN[params.importance]
    sentence = (
        f"share of the {what} of all splits (xgboost's {theirs}), of both parties' columns; "
        "between two companies nobody knows it until the terms open it"
        if params.is_hidden
        else "share of the number of splits, both parties' columns; each side counts its own"
    )
    make_directory(run.model)
    for half in halves:
        save_half(half, run.model / f"{half.role}.npz")
    record.write(run)
    remarks = ["a simulation protects nothing: both sides share one process here"]
    return _write(run, _report(heading, halves[0], (shares, sentence), record, quality, remarks))


def _report(
    heading: Heading,
    half: ModelHalf,
    importance: tuple[Mapping[str, float], str],
    record: RunRecord,
    quality: Quality,
    remarks: Sequence[str],
) -> RunReport:
    is_multi = half.params.traits.is_multi
    return RunReport(
        **vars(heading),
        created=timestamp(),
        ledger=record.ledger,
        leaks=[leak.to_mapping() for leak in record.leaks],
        costs=record.costs,
        estimate=record.estimate,
        slowest_shards=record.slowest_shards,
        numbers=bits_line(half.numbers),
        offline_source=record.offline_source,
        dealer_evidence=record.dealer_evidence,
        dealer=None if record.dealer is None else record.dealer.to_dict(),
        versions=versions(),
        warnings=(*remarks, *quality.remarks, *bits_warnings(half.numbers)),
        scored=quality.scored,
        stability=quality.stability,
        learning_curve=curves(half.history),
        whole_auc=half.whole_auc,
        evaluated_after=[
            evaluated_round(half.params, place) + 1
            for place in range(evaluations(half.params, len(half.rounds)))
        ],
        importance=importance[0],
        importance_is=importance[1],
        missing_rates=record.missing_rates,
        labels=classes_sentence(record.classes, record.class_shares, is_multi=is_multi),
        classes=[str(name) for name in record.classes or ()],
    )


def _write(run: RunDirectory, report: RunReport) -> RunReport:
    run.write_json("report.json", report_json(report))
    make_directory(run.path / _TABLES)
    for name, table in tables(report).items():
        run.write(f"{_TABLES}/{name}.csv", table.to_csv())
    if has_page():
        from securexgb.report.page import render_page  # noqa: PLC0415  (slow, and of an extra)

        run.write(_PAGE, render_page(report))
    else:
        (run.path / _PAGE).unlink(missing_ok=True)  # an older one would say something else
    return report


def has_page() -> bool:
    """Whether the extra ``report`` is installed."""
    return all(find_spec(name) is not None for name in ("matplotlib", "jinja2"))


def report_path(run: RunDirectory) -> Path:
    """What of a written report is for people: the page, or the JSON where there is none."""
    return run.path / (_PAGE if has_page() else "report.json")


def report_sentence(run: RunDirectory) -> str:
    """Where a written report is, and how to get its page where there is none."""
    more = "" if has_page() else f" ({NO_PAGE})"
    return f"the report is {report_path(run)}, its tables are in {run.path / _TABLES}{more}"


def curves(history: History) -> dict[str, list[float]]:
    """Metric values of each evaluation, by "set metric"."""
    return {
        f"{data} {metric}": values
        for data, metrics in history.items()
        for metric, values in metrics.items()
    }


def keep_prediction(run: RunDirectory, data: Path, predictions: Path) -> None:
    """Say in a run which rows were predicted, and where the scores are, which replace older ones
    in the same file."""
    path, kept = run.path / _PREDICTED, _Predicted(data.absolute(), predictions.absolute())
    is_kept = path.exists() and not path.is_symlink()
    older = read_record(path, _FILE, FORMAT).predicted if is_kept else []
    entries = [*(one for one in older if one.predictions != kept.predictions), kept]
    listed = [{"data": str(one.data), "predictions": str(one.predictions)} for one in entries]
    run.write_json(_PREDICTED, {"format": FORMAT, "predicted": listed})


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


def rows_to_score(
    federation: Federation, finished: FinishedRun, data: Path, data_set: str | None = None
) -> Rows:
    """The rows of a file as this side's half takes them; labels may be missing.

    ``data_set``: whose alignment must fit the file, where there is one; see ``aligning.kept``.
    """
    return load_rows(
        federation,
        data,
        data_set=data_set,
        columns=finished.half.columns,
        categories=finished.half.categories,
        classes=finished.record.classes,
        is_label_optional=True,
    )


def quality_of(
    federation: Federation, finished: FinishedRun, baseline: Path | None = None
) -> Quality:
    """The quality of all predictions of a run that are still there, read again from the files.

    Those of the training rows come first, the others by age. ``baseline``: predictions of another
    run, before all of these, to say how far the scores have moved since.
    """
    kept_path, side = finished.run.path / _PREDICTED, federation.config.name
    scores: dict[str, tuple[Rows | None, Reals]] = {}
    if baseline is not None:
        scores[f"baseline {baseline.name}"] = None, read_scores(baseline, side)
    if not kept_path.exists():
        return Quality()
    entries = read_record(kept_path, _FILE, FORMAT).predicted
    remarks = []
    for name, data, predictions in _in_order(entries, federation.config.train_data):
        gone = next((path for path in (data, predictions) if not is_file(path)), None)
        if gone is not None:
            remarks.append(f"{side}: {gone} is gone, so nothing is said of {name}")
            continue
        found = read_scores(predictions, side)
        rows = rows_to_score(federation, finished, data)
        if len(found) != rows.count:
            raise DataError(
                f"{side}: {data} has {rows.count} rows and the predictions in {predictions} "
                f"have {len(found)}: predict again"
            )
        if rows.aligned is not None and read_ids(predictions, side) != rows.ids:
            raise DataError(
                f"{side}: {data} was aligned again since {predictions} was written: predict again"
            )
        scores[name] = rows, found
    return Quality.of(scores, finished.half.params, remarks)


def _in_order(
    entries: Sequence[_Predicted], train_data: Path | None
) -> list[tuple[str, Path, Path]]:
    """Name, data and predictions; the training rows first. Two of one name get their number."""
    training = None if train_data is None else train_data.absolute()
    found: list[tuple[str, Path, Path]] = []
    names: set[str] = set()
    for entry in sorted(entries, key=lambda one: one.data != training):
        data = entry.data
        first = name = TRAINING if data == training else data.name
        number = 1
        while name in names:
            number += 1
            name = f"{first} ({number})"
        names.add(name)
        found.append((name, data, entry.predictions))
    return found


def metrics_of(
    rows: Table, scores: Reals, params: TrainingParams
) -> BinaryMetrics | ClassMetrics | RegressionMetrics | None:
    """How good the scores are, where this side holds labels of the same rows."""
    if rows.labels is None:
        return None
    if params.traits.is_multi:
        return class_metrics(rows.labels, scores)
    measure = binary_metrics if params.traits.is_binary else regression_metrics
    return measure(rows.labels, scores)
