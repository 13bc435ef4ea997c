"""The report of one side's run as one self-contained HTML page: no scripts, nothing loaded.

It shows the fields of a ``RunReport`` and nothing else. What comes from data or from the other side
(names of columns, files, classes) is a text for jinja2, which escapes it, or one in a figure, which
matplotlib escapes. This module needs the extra ``report``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from securexgb.report import figures
from securexgb.report.aligned import figure
from securexgb.report.metrics import EMPTY_SHARE
from securexgb.report.record import BinaryMetrics, ClassMetrics, RunReport
from securexgb.report.tables import Table, class_names, tables

ASSURANCE = {
    "none": "none: the dealer's honesty is a matter of contract, not of evidence",
    "dev": "dev: a rehearsal with a key or a root of somebody's own; it proves nothing about a "
    "machine",
    "hardware": "hardware: the maker of the processor vouches for the program",
}
NO_DEALER = "there is no dealer"


@dataclass(frozen=True)
class Cell:
    """One cell of a table as it is shown."""

    text: str
    is_number: bool


@dataclass(frozen=True)
class Shown:
    """A table as it is shown."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Picture:
    """A figure, and the sentence under it."""

    svg: Markup
    sentence: str


@dataclass(frozen=True)
class Section:
    """A heading and what is under it: tables, pictures, sentences."""

    heading: str
    parts: Sequence[Shown | Picture | str]


def render_page(report: RunReport) -> str:
    """The report as one HTML page."""
    environment = Environment(
        autoescape=True,
        keep_trailing_newline=True,
        loader=PackageLoader("securexgb.report"),
        undefined=StrictUndefined,
    )
    found = {name: _shown(table) for name, table in tables(report).items()}
    sections = [
        *_quality(report, found),
        _learning(report, found),
        _importance(report),
        Section("Missing values of this side's features", _missing(report)),
        _alignments(found),
        Section("What was revealed, and to whom", _revealed(report, found)),
        Section("The dealer", _dealer(report.dealer)),
        Section("Costs of the protocols at this side", _some(found, "costs")),
        Section("The training beside its estimate", _some(found, "estimate")),
        Section("Terms of the job", _some(found, "terms")),
        Section("Versions", _some(found, "versions")),
    ]
    return environment.get_template("report.html").render(
        title=report.title,
        facts=_facts(report),
        warnings=[*report.warnings, *(x["warning"] for x in report.leaks if x["warning"])],
        sections=[section for section in sections if section.parts],
    )


def _facts(report: RunReport) -> Shown:
    dealer = report.dealer
    facts = [
        ("side", f"{report.side} ({report.role} party)"),
        ("job", f"{report.job}, digest {report.digest}"),
        ("written", report.created),
        *([("labels", report.labels)] if report.labels else []),
        ("numbers", report.numbers),
        ("offline source", report.offline_source),
        ("dealer's assurance", ASSURANCE[dealer["assurance"]] if dealer else NO_DEALER),
    ]
    return _shown(Table("", ("", ""), facts))


def _quality(report: RunReport, found: Mapping[str, Shown]) -> list[Section]:
    """How good predictions are, and how their scores have moved."""
    judged = [(s.name, s.metrics) for s in report.scored if isinstance(s.metrics, BinaryMetrics)]
    both = [(name, metrics) for name, metrics in judged if metrics.roc]
    sections = [Section("Quality", _some(found, "metrics"))]
    if both:
        sections += _of_classes(both, _class_names(report), found)
    several = [(s.name, s.metrics) for s in report.scored if isinstance(s.metrics, ClassMetrics)]
    if several:
        sections.append(_several_classes(report, several, found))
    if judged:
        sections.append(_calibration(judged, found))
    if report.stability:
        sections.append(_stability(report, found))
    return sections


def _class_names(report: RunReport) -> figures.Classes:
    if len(report.classes) == 2:
        return f"{report.classes[0]} (negative)", f"{report.classes[1]} (positive)"
    return "negative", "positive"


def _of_classes(
    judged: figures.Judged, classes: figures.Classes, found: Mapping[str, Shown]
) -> list[Section]:
    """Both classes by score, by band and by threshold."""
    said = "; ".join(
        f"{figure(m.ks)} at the score {figure(m.ks_score)} for {name}"
        for name, m in judged
        if m.ks is not None and m.ks_score is not None
    )
    return [
        Section("Both classes by score", [
            _picture("classes", lambda: figures.classes_curve(judged, classes),
                "Share of each class's rows that score at least so much. The greatest distance of "
                f"the two lines is KS: {said}."),
            _picture("distributions", lambda: figures.distributions(judged, classes),
                "How the scores of each class are distributed, in 20 equal steps from the least to "
                "the greatest score: the less the two overlap, the better the score tells them "
                "apart."),
        ]),
        Section("Bands of equal size by falling score", [
            _picture("bands", lambda: figures.bands(judged),
                "Left: the rate of positives in each band; the horizontal lines are the rates of "
                "all rows. Right: the cumulative rates of both classes, from the highest score "
                "down. A model that learnt its rows by heart has training bars far above the "
                "others in the first bands."),
            *_some(found, "bands"),
            "Rows of one score share the positives among them, wherever a band ends. Lift is the "
            "band's rate over the rate of all rows; the difference of the two cumulative shares "
            "is KS at the band's end.",
        ]),
        Section("ROC", [
            _picture("roc", lambda: figures.roc(judged),
                "Which share of the positives is found where so large a share of the negatives is "
                "taken along; the dashed line is a score that says nothing."),
        ]),
    ]  # fmt: skip


def _several_classes(
    report: RunReport, judged: figures.JudgedClasses, found: Mapping[str, Shown]
) -> Section:
    """Which class is taken for which."""
    names = class_names(report, judged[0][1])
    sentence = (
        "Of each class's rows, the share whose most probable class is each one: on the diagonal "
        "those that are right. The auc below is of a class's probability, its rows against all "
        "others; above it is the mean of these by the classes' rows."
    )
    if len(names) > figures.MOST_BARS:
        return Section("Classes", [sentence, *_some(found, "classes")])
    picture = _picture("taken_for", lambda: figures.taken_for(judged, names), sentence)
    return Section("Classes", [picture, *_some(found, "classes")])


def _calibration(judged: figures.Judged, found: Mapping[str, Shown]) -> Section:
    sentence = (
        "Observed rates against predicted probabilities in ten equal steps, and below them the "
        "rows behind each point: points far from the dashed line matter as far as rows are behind "
        "them."
    )
    picture = _picture("calibration", lambda: figures.calibration(judged), sentence)
    return Section("Calibration", [picture, *_some(found, "calibration")])


def _stability(report: RunReport, found: Mapping[str, Shown]) -> Section:
    sentence = (
        f"Shares of the rows in bands between the deciles of {report.stability[0].expected}, and "
        "beside each name its stability index: below 0.1 is usually called stable, above 0.25 "
        "shifted."
    )
    picture = _picture("stability", lambda: figures.stability(report.stability), sentence)
    floor = (
        f"A band with less than {EMPTY_SHARE:.2%} of the rows counts as if it held that share: one "
        "that was emptied raises the index, but not infinitely."
    )
    return Section("Stability of the scores", [picture, *_some(found, "stability"), floor])


def _learning(report: RunReport, found: Mapping[str, Shown]) -> Section:
    parts: list[Picture] = []
    if any(report.learning_curve.values()):
        sentence = (
            "The metrics of the terms by number of trees, of several classes by that of each, as "
            "they were opened to both sides."
        )
        draw = lambda: figures.learning_curve(report.learning_curve, report.evaluated_after)  # noqa: E731
        parts.append(_picture("learning", draw, sentence))
    return Section("Learning curve", [*parts, *_some(found, "whole_auc")])


def _importance(report: RunReport) -> Section:
    if not report.importance:
        return Section("Importance of columns", [report.importance_is] * bool(report.importance_is))
    said = report.importance_is or "the importance of this side's columns"
    sentence = f"{said[0].upper()}{said[1:]}."
    if len(report.importance) > figures.MOST_BARS:
        sentence += f" The first {figures.MOST_BARS} of {len(report.importance)} columns."
    draw = lambda: figures.importance(report.importance)  # noqa: E731
    return Section("Importance of columns", [_picture("importance", draw, sentence)])


def _missing(report: RunReport) -> list[Shown | str]:
    """Columns that lack values; how many lack none."""
    table = tables(report).get("missing")
    if table is None:
        return []
    lacking = [row for row in table.rows if row[1]]
    whole = len(table.rows) - len(lacking)
    shown = [_shown(replace(table, rows=lacking))] if lacking else []
    return [*shown, *([f"No value is missing in {whole:,} columns."] if whole else [])]


def _alignments(found: Mapping[str, Shown]) -> Section:
    sentence = (
        "These rows were found before by private set intersection. Each side learnt then which of "
        "its own rows the other has, too; that is counted below with what the run itself has "
        "opened. Both digests are equal in the other side's report."
    )
    parts: list[Shown | Picture | str] = list(_some(found, "alignments"))
    return Section("The rows that both sides have", [*parts, sentence] if parts else [])


def _revealed(report: RunReport, found: Mapping[str, Shown]) -> list[Shown | Picture | str]:
    parts: list[Shown | Picture | str] = list(_some(found, "ledger"))
    if not parts:
        parts.append("Nothing was opened.")
    if report.leaks:
        sentence = (
            "Bits that are opened to the feature party at most, beside the labels that they are "
            "about, one bit each (of several classes more). Beyond the dashed line, a quarter of "
            "the labels, many of them can be rebuilt."
        )
        parts.append(_picture("leaks", lambda: figures.leaks(report.leaks), sentence))
    return [*parts, *(leak["sentence"] for leak in report.leaks)]


def _dealer(verdict: Mapping[str, Any] | None) -> list[Shown]:
    """Everything that the verdict says, and what nobody has checked."""
    if verdict is None:
        return []
    lists = ("advisories", "checked", "not_checked")
    rows = [(name.replace("_", " "), value) for name, value in verdict.items()
            if name not in lists and value]  # fmt: skip
    rows += [(name.replace("_", " "), line) for name in lists for line in verdict[name]]
    return [_shown(Table("dealer", ("of the dealer", "this side's verdict"), rows))]


def _picture(name: str, draw: Callable[[], Figure], sentence: str) -> Picture:
    # The only markup that is not jinja2's: matplotlib has escaped the texts in it.
    return Picture(Markup(figures.to_svg(draw, name)), sentence)  # noqa: S704


def _some(found: Mapping[str, Shown], name: str) -> list[Shown]:
    return [found[name]] if name in found else []


def _shown(table: Table) -> Shown:
    return Shown(
        table.head,
        [
            [
                _cell(value, name in table.shares)
                for name, value in zip(table.head, row, strict=True)
            ]
            for row in table.rows
        ],
    )


def _cell(value: Any, is_share: bool) -> Cell:
    if value is None:
        return Cell("not defined", False)
    if isinstance(value, float):
        return Cell(f"{round(value, 3) + 0.0:.1%}" if is_share else figure(value), True)
    if isinstance(value, int) and not isinstance(value, bool):
        return Cell(f"{value:,}", True)
    return Cell(str(value), False)
