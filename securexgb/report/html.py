"""The report of one side's run as one self-contained HTML page: no scripts, no external files.

It prints the fields of a ``RunReport`` and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from securexgb.report.figures import Points, bar_chart, line_chart
from securexgb.report.metrics import EMPTY_SHARE
from securexgb.report.record import BinaryMetrics, RegressionMetrics, RunReport
from securexgb.report.text import figure

ASSURANCE = {
    "none": "none: the dealer's honesty is a matter of contract, not of evidence",
    "dev": "dev: a rehearsal with a key or a root of somebody's own; it proves nothing about a "
    "machine",
    "hardware": "hardware: the maker of the processor vouches for the program",
}
NO_DEALER = "there is no dealer"


def render_html(report: RunReport) -> str:
    """The report as one HTML page."""
    warnings = [*report.warnings, *(leak["warning"] for leak in report.leaks if leak["warning"])]
    leaks = "".join(f"<p>{escape(leak['sentence'])}</p>" for leak in report.leaks)
    missing = [(name, f"{rate:.1%}") for name, rate in report.missing_rates.items()]
    sections = [
        _header(report),
        *(f'<p class="warning">{escape(text)}</p>' for text in warnings),
        _metrics(report),
        _learning_curve(report.learning_curve),
        _section("Importance of columns", _importance(report)),
        _section("Missing values of this side's features", _table(("column", "missing"), missing)),
        _section("What was revealed, and to whom", _ledger(report.ledger) + leaks),
        _section("The dealer", _dealer(report.dealer)),
        _section(
            "Costs of the protocols at this side",
            _table(("cost", "value"), _numbers(asdict(report.costs))),
        ),
        _section("Terms of the job", _table(("term", "value"), _flat(report.terms))),
        _section("Versions", _table(("package", "version"), list(report.versions.items()))),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(report.title)}</title><style>{STYLE}</style></head><body>"
        f"{''.join(sections)}</body></html>\n"
    )


STYLE = (
    "body{font-family:sans-serif;color:#222;max-width:900px;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;margin:.6em 0}td,th{border-bottom:1px solid #ccc;"
    "padding:.25em .8em;text-align:left;font-variant-numeric:tabular-nums}"
    "h1{font-size:1.4em}h2{font-size:1.1em;margin-top:1.8em}"
    ".warning{background:#fff3d6;border-left:4px solid #c2571a;padding:.5em 1em}"
)


def _header(report: RunReport) -> str:
    dealer = report.dealer
    facts = [
        ("side", f"{report.side} ({report.role} party)"),
        ("job", f"{report.job}, digest {report.digest}"),
        ("written", report.created),
        *([("labels", report.positive)] if report.positive else []),
        ("numbers", report.numbers),
        ("offline source", report.offline_source),
        ("dealer's assurance", ASSURANCE[dealer["assurance"]] if dealer else NO_DEALER),
    ]
    return f"<h1>{escape(report.title)}</h1>{_table(('', ''), facts)}"


def _dealer(verdict: Mapping[str, Any] | None) -> str:
    """Everything that the verdict says, and what nobody has checked."""
    if verdict is None:
        return ""
    lists = ("advisories", "checked", "not_checked")
    rows = [(name.replace("_", " "), value) for name, value in verdict.items()
            if name not in lists and value]  # fmt: skip
    rows += [(name.replace("_", " "), line) for name in lists for line in verdict[name]]
    return _table(("of the dealer", "this side's verdict"), rows)


def _metrics(report: RunReport) -> str:
    metrics = report.metrics
    if metrics is None:
        return ""
    heading = f"Quality on {report.metrics_of}" if report.metrics_of else "Quality"
    if isinstance(metrics, RegressionMetrics):
        return _section(heading, _table(("metric", "value"), _numbers(asdict(metrics))))
    # What is a list has a section of its own.
    facts = {name: v for name, v in asdict(metrics).items() if not isinstance(v, list)}
    moved = ""
    if report.stability_index is not None:
        facts["stability_index"] = report.stability_index
        moved = (
            f"<p>The stability index compares bands of the earlier scores; a band with less than "
            f"{EMPTY_SHARE:.2%} of the rows counts as if it held that share.</p>"
        )
    roc = {"ROC": metrics.roc}
    observed = {"observed": [(entry.predicted, entry.observed) for entry in metrics.calibration]}
    counts = [(band.band, band.rows, f"{band.positives:,.1f}") for band in metrics.lift]
    rates = [
        (f"{band.lowest_score:.4g}", f"{band.rate:.2%}", f"{band.lift:.2f}", f"{band.captured:.1%}")
        for band in metrics.lift
    ]
    lift = [(*count, *rate) for count, rate in zip(counts, rates, strict=True)]
    lift_names = ("band", "rows", "positives", "lowest score", "rate", "lift", "captured")
    points = [
        (entry.rows, figure(entry.predicted), figure(entry.observed))
        for entry in metrics.calibration
    ]
    return (
        _section(heading, _table(("metric", "value"), _numbers(facts)) + moved)
        + _section("Both classes by score", _classes(metrics))
        + _section("ROC", _unit_chart(roc, "false-positive rate", "true-positive rate"))
        + _section("Lift, bands of equal size by falling score", _table(lift_names, lift))
        + _section(
            "Calibration",
            _unit_chart(observed, "predicted probability", "observed rate")
            + "<p>Points far from the dashed line matter as far as rows are behind them.</p>"
            + _table(("rows", "mean predicted", "observed rate"), points),
        )
    )


def _classes(metrics: BinaryMetrics) -> str:
    """The KS curve, and how the scores of both classes lie."""
    curve, bins = metrics.cumulated, metrics.distribution
    if not curve:
        return ""
    negatives = metrics.rows - metrics.positives
    shares = {
        "positive": [(entry.score, entry.positives) for entry in curve],
        "negative": [(entry.score, entry.negatives) for entry in curve],
    }
    scores = {
        "positive": [((b.low + b.high) / 2, b.positives / metrics.positives) for b in bins],
        "negative": [((b.low + b.high) / 2, b.negatives / negatives) for b in bins],
    }
    ks = (
        ""
        if metrics.ks is None or metrics.ks_score is None
        else (
            "<p>Share of each class's rows with at least a score. The greatest distance of the two "
            f"lines is KS, {figure(metrics.ks)}, at the score {figure(metrics.ks_score)}.</p>"
        )
    )
    return (
        line_chart(shares, x_label="score", y_label="share of the class at or above it")
        + ks
        + line_chart(scores, x_label="score", y_label="share of the class in a step of the score")
        + "<p>How the scores of each class are distributed, in 20 equal steps: the less the two "
        "overlap, the better the score tells them apart.</p>"
    )


def _unit_chart(lines: Mapping[str, Points], x_label: str, y_label: str) -> str:
    return line_chart(lines, x_label=x_label, y_label=y_label, is_unit_square=True)


def _learning_curve(curve: Mapping[str, Sequence[float]]) -> str:
    lines = {
        name: [(float(tree), value) for tree, value in enumerate(values, start=1)]
        for name, values in curve.items()
    }
    return _section("Learning curve", line_chart(lines, x_label="trees", y_label="metric"))


def _importance(report: RunReport) -> str:
    says = f"<p>{escape(report.importance_is)}</p>" if report.importance_is else ""
    return says + bar_chart(report.importance)


def _ledger(ledger: Sequence[Mapping[str, str | int]]) -> str:
    if not ledger:
        return "<p>Nothing was opened.</p>"
    rows = [(row["meaning"], row["to"], row["values"]) for row in ledger]
    return _table(("what", "to", "values"), rows)


def _section(heading: str, content: str) -> str:
    return f"<h2>{escape(heading)}</h2>{content}" if content else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return ""
    top = "".join(f"<th>{escape(name)}</th>" for name in head) if any(head) else ""
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table>{f'<tr>{top}</tr>' if top else ''}{body}</table>"


def _numbers(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _number(value)) for name, value in facts.items()]


def _number(value: Any) -> str:
    if value is None:
        return "not defined"
    if isinstance(value, float):
        return figure(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _flat(terms: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in terms.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", str(value)))
    return rows
