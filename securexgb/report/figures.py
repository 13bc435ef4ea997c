"""Figures of a report by matplotlib, as SVG that stands inside a page.

Every function makes a ``Figure`` of its own, without pyplot; the texts of a figure stay texts, so
that they can be searched and are drawn in the page's font. The same report gives the same bytes.
Classes and sets of rows differ by the kind of line or by brightness too, not by colour alone, so
that they can be told apart on paper.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from securexgb.boost.leak import MUCH_BITS_A_LABEL
from securexgb.report.aligned import figure
from securexgb.report.record import BinaryMetrics, ClassMetrics, Stability

Shown = TypeVar("Shown")
Judged = Sequence[tuple[str, BinaryMetrics]]
"""The name of some rows, and how well they were scored."""
JudgedClasses = Sequence[tuple[str, ClassMetrics]]
"""Likewise of several classes."""
Classes = tuple[str, str]
"""What the negative and the positive class are called."""

WIDTH = 9.6
MOST_PANELS, MOST_BARS, MOST_WRITTEN, LONG_NAME, SHORT_NAME = 3, 20, 10, 28, 18
NEGATIVE, POSITIVE, DARK, GRID = "#1f5fa8", "#c2571a", "#222222", "#d9d9d9"
SETS = ("#1f5fa8", "#e59a5f", "#9a9a9a", "#5d3a75", "#3b7d3b")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (7, 2, 1, 2)), (0, (3, 1)))
NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": DARK,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.constrained_layout.use": True,
    "font.family": ["sans-serif"],
    "font.size": 10,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.fontsize": 9.5,
    "legend.framealpha": 0.9,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "securexgb",
    "text.parse_math": False,
}


def to_svg(draw: Callable[[], Figure], name: str) -> str:
    """One figure for a page; its ids begin with ``name``, so that no two figures share one."""
    stream = io.StringIO()
    with mpl.rc_context(STYLE):
        draw().savefig(stream, format="svg", metadata=NO_METADATA, transparent=True)
    drawn = stream.getvalue()
    svg = re.sub(r"<[^>]*>", lambda tag: _own_ids(tag[0], name), drawn[drawn.index("<svg") :])
    return re.sub(r'^<svg [^>]*?(viewBox="[^"]*")[^>]*>',
                  rf'<svg \1 role="img" aria-label="{escape(name)}">', svg)  # fmt: skip


def _own_ids(tag: str, name: str) -> str:
    return re.sub(r'( id="|href="#|url\(#)', rf"\1{name}-", tag)


def classes_curve(judged: Judged, classes: Classes) -> Figure:
    """Of each class the share with at least a score, one panel a set; KS where it is greatest."""

    def draw(axes: Axes, metrics: BinaryMetrics) -> None:
        scores = [point.score for point in metrics.cumulated]
        at = [scores[0], *scores]  # above the highest score there is no row
        axes.plot(at, [0.0, *(p.positives for p in metrics.cumulated)], color=POSITIVE,
                  label=_named(classes[1]))  # fmt: skip
        axes.plot(at, [0.0, *(p.negatives for p in metrics.cumulated)], color=NEGATIVE,
                  linestyle=DASHES[1], label=_named(classes[0]))  # fmt: skip
        if metrics.ks is not None and metrics.ks_score is not None:
            place = int(np.argmin(np.abs(np.array(scores) - metrics.ks_score)))
            ends = metrics.cumulated[place]
            axes.vlines(metrics.ks_score, ends.negatives, ends.positives, color=DARK, linewidth=1.4)
            said = f"{axes.get_title()}\nKS {figure(metrics.ks)} at {figure(metrics.ks_score)}"
            axes.set_title(said)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_ylim(0, 1.02)

    return _panels(judged, draw, ("score", "share of the class at or above"))


def distributions(judged: Judged, classes: Classes) -> Figure:
    """How the scores of both classes lie, one panel a set."""

    def draw(axes: Axes, metrics: BinaryMetrics) -> None:
        steps = metrics.distribution
        edges = [step.low for step in steps] + [steps[-1].high]
        counts = np.array([(step.negatives, step.positives) for step in steps], np.float64)
        shares = counts / np.maximum(counts.sum(axis=0), 1.0)
        axes.stairs(shares[:, 0], edges, color=NEGATIVE, linestyle=DASHES[1], linewidth=1.8,
                    label=_named(classes[0]))  # fmt: skip
        axes.stairs(shares[:, 1], edges, color=POSITIVE, fill=True, alpha=0.35)
        axes.stairs(shares[:, 1], edges, color=POSITIVE, linewidth=1.8, label=_named(classes[1]))
        axes.yaxis.set_major_formatter(PercentFormatter(1))

    return _panels(judged, draw, ("score", "share of the class in a step"))


def bands(judged: Judged) -> Figure:
    """The rate of positives by band for all sets, and what bands have captured of each class."""
    made = Figure(figsize=(WIDTH, 4.0))
    rates, captured = made.subplots(1, 2)
    width = 0.8 / len(judged)
    for number, (name, metrics) in enumerate(judged):
        at = np.array([band.band for band in metrics.lift], np.float64)
        colour, dashes = SETS[number % len(SETS)], DASHES[number % len(DASHES)]
        at += (number - (len(judged) - 1) / 2) * width
        rates.bar(at, [band.rate for band in metrics.lift], width, color=colour, edgecolor=DARK,
                  linewidth=0.5, label=_named(name))  # fmt: skip
        rates.axhline(metrics.positives / max(metrics.rows, 1), color=DARK, linewidth=1,
                      linestyle=dashes)  # fmt: skip
    for kind, colour in (("positives", POSITIVE), ("negatives", NEGATIVE)):
        for number, (name, metrics) in enumerate(judged):
            share = np.cumsum([band.rows for band in metrics.lift]) / metrics.rows
            so_far = [
                band.captured if kind == "positives" else band.negatives_captured
                for band in metrics.lift
            ]
            captured.plot([0.0, *share], [0.0, *so_far], color=colour,
                          linestyle=DASHES[number % len(DASHES)],
                          label=f"{kind}, {_named(name, SHORT_NAME)}")  # fmt: skip
    rates.set(xlabel="band, the highest scores first", ylabel="rate of positives")
    rates.set_xticks([band.band for band in judged[0][1].lift])
    captured.set(xlabel="share of the rows, from the highest score down",
                 ylabel="share of the class so far", xlim=(0, 1), ylim=(0, 1.02))  # fmt: skip
    captured.xaxis.set_major_formatter(PercentFormatter(1))
    for axes in (rates, captured):
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    rates.legend(loc="upper right")
    captured.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return made


def roc(judged: Judged) -> Figure:
    """The ROC of all sets."""
    made = Figure(figsize=(WIDTH, 4.2))
    axes = made.subplots()
    for number, (name, metrics) in enumerate(judged):
        area = "not defined" if metrics.auc is None else figure(metrics.auc)
        axes.plot(*zip(*metrics.roc, strict=True), color=SETS[number % len(SETS)],
                  linestyle=DASHES[number % len(DASHES)],
                  label=f"{_named(name)}: AUC {area}")  # fmt: skip
    _diagonal(axes)
    axes.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="lower right")
    return made


def calibration(judged: Judged) -> Figure:
    """Observed rates against probabilities, and below them the rows behind each point."""
    shown = _shown(judged)
    made = Figure(figsize=(WIDTH, 4.6))
    grid = made.subplots(2, len(shown), squeeze=False, sharex=True,
                         height_ratios=(3, 1.3))  # fmt: skip
    for (above, below), (name, metrics) in zip(grid.T, shown, strict=True):
        points = metrics.calibration
        predicted = [entry.predicted for entry in points]
        above.plot(predicted, [entry.observed for entry in points], color=NEGATIVE, marker="o")
        _diagonal(above)
        above.set(title=_named(name), xlim=(0, 1), ylim=(0, 1.02))
        counts = [entry.rows for entry in points]
        below.bar(predicted, counts, 0.04, color=NEGATIVE)
        for at, count in zip(predicted, counts, strict=True):
            below.annotate(f"{count:,}", (at, count), (0, 2), textcoords="offset points",
                           ha="center", fontsize=8.5 - 0.5 * len(shown))  # fmt: skip
        below.set(xlabel="predicted probability", ylim=(0, 1.3 * max(counts)))
        below.yaxis.set_major_formatter(_whole())
        below.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    grid[0, 0].set_ylabel("observed rate")
    grid[1, 0].set_ylabel("rows")
    return made


def stability(compared: Sequence[Stability]) -> Figure:
    """Shares of the rows by band of the first comparison's expected scores."""
    first = compared[0].expected
    chosen = [one for one in compared if one.expected == first][: len(SETS) - 1]
    made = Figure(figsize=(WIDTH, 3.2))
    axes = made.subplots()
    lines = [(first, [band.expected for band in chosen[0].bands])]
    lines += [
        (f"{_named(one.actual)}, index {figure(one.index)}", [band.actual for band in one.bands])
        for one in chosen
    ]
    width = 0.8 / len(lines)
    for number, (name, shares) in enumerate(lines):
        at = np.arange(len(shares)) + (number - (len(lines) - 1) / 2) * width
        axes.bar(at, shares, width, color=SETS[number % len(SETS)], edgecolor=DARK, linewidth=0.5,
                 label=name)  # fmt: skip
    ends = [band.below for band in chosen[0].bands]
    axes.set_xticks(range(len(ends)), ["above" if e is None else f"< {figure(e)}" for e in ends])
    axes.set(
        xlabel=f"band of the score, between the deciles of {_named(first)}",
        ylabel="share of the rows",
    )
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylim(0, 1.25 * max(max(shares) for _, shares in lines))
    axes.legend(ncols=min(len(lines), 3), loc="upper center")
    return made


def taken_for(judged: JudgedClasses, classes: Sequence[str]) -> Figure:
    """Of each class's rows the share that is taken for each class, one panel a set."""
    shown = _shown(judged)
    count, at = len(classes), range(len(classes))
    made = Figure(figsize=(WIDTH, min(5.2, 1.6 + 0.75 * WIDTH / len(shown))))
    row = made.subplots(1, len(shown), squeeze=False, sharey=True)[0]
    for axes, (name, metrics) in zip(row, shown, strict=True):
        rows = np.array([one.taken_for for one in metrics.each], np.float64)
        shares = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1.0)
        edges = np.arange(count + 1) - 0.5
        axes.pcolormesh(edges, edges, shares, cmap="Blues", vmin=0.0, vmax=1.0, edgecolors=GRID)
        if count <= MOST_WRITTEN:
            for own, other in np.argwhere(rows > 0):
                axes.annotate(f"{shares[own, other]:.0%}", (other, own), ha="center", va="center",
                              color="white" if shares[own, other] > 0.5 else DARK)  # fmt: skip
        axes.set(title=_named(name), xlabel="most probable class")
        axes.set_xticks(at, [_named(one, SHORT_NAME) for one in classes], rotation=90)
        axes.set_yticks(at, [_named(one, SHORT_NAME) for one in classes])
        axes.set_aspect("equal")
        axes.grid(visible=False)
    row[0].set_ylabel("class of the rows")
    row[0].invert_yaxis()  # of all panels, which share it
    return made


def learning_curve(
    curve: Mapping[str, Sequence[float]], evaluated_after: Sequence[int] = ()
) -> Figure:
    """A panel for each metric, since their units differ; a line for each set. See ``RunReport``."""
    metrics = list(dict.fromkeys(name.rsplit(" ", 1)[-1] for name in curve))
    made = Figure(figsize=(WIDTH, 3.2))
    for axes, metric in zip(made.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        named = [(n, v) for n, v in curve.items() if n.rsplit(" ", 1)[-1] == metric]
        for number, (name, values) in enumerate(named):
            trees = evaluated_after or range(1, len(values) + 1)
            axes.plot(trees, values, color=SETS[number % len(SETS)],
                      linestyle=DASHES[number % len(DASHES)], marker="o", markersize=3,
                      label=_named(name))  # fmt: skip
        axes.set(xlabel="trees", ylabel=metric)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
    return made


def importance(values: Mapping[str, float]) -> Figure:
    """Horizontal bars, the longest first, at most 20 of them."""
    chosen = sorted(values.items(), key=lambda bar: -bar[1])[:MOST_BARS]
    made = Figure(figsize=(WIDTH, 0.8 + 0.26 * len(chosen)))
    axes = made.subplots()
    at = range(len(chosen))  # two names may be shown alike
    drawn = axes.barh(at, [value for _, value in chosen], color=NEGATIVE)
    axes.set_yticks(at, [_named(name) for name, _ in chosen])
    axes.bar_label(drawn, [figure(value) for _, value in chosen], padding=3)
    axes.set(xlabel="importance", xlim=(0, 1.12 * max(chosen[0][1], 1e-9)))
    axes.margins(y=0.02)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    return made


def leaks(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Bits opened beside the labels that they are about, and the quarter that is much of them."""
    made = Figure(figsize=(WIDTH, 0.9 + 0.62 * len(rows)))
    axes = made.subplots()
    at = np.arange(len(rows))
    labels = [leak["labels"] for leak in rows]
    bits = [leak["bits"] for leak in rows]
    for offset, values, colour, name in (
        (-0.19, labels, "#c8c8c8", "labels"), (0.19, bits, POSITIVE, "bits opened, at most"),
    ):  # fmt: skip
        drawn = axes.barh(at + offset, values, 0.36, color=colour, edgecolor=DARK, linewidth=0.5,
                          label=name)  # fmt: skip
        axes.bar_label(drawn, [f"{np.ceil(value):,.0f}" for value in values], padding=3)
    quarters = [MUCH_BITS_A_LABEL * count for count in labels]
    axes.vlines(quarters, at - 0.4, at + 0.4, color=DARK, linestyle=DASHES[1], linewidth=1.2,
                label="a quarter of the labels")  # fmt: skip
    axes.set_yticks(at, [_named(leak["about"]) for leak in rows])
    axes.set(xlim=(0, 1.15 * max(*labels, *bits, 1)))
    axes.xaxis.set_major_formatter(_whole())
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    made.legend(loc="outside lower center", ncols=3)
    return made


def _panels(
    judged: Judged, draw: Callable[[Axes, BinaryMetrics], None], labels: tuple[str, str]
) -> Figure:
    """One panel a set beside each other, on the same axes."""
    shown = _shown(judged)
    made = Figure(figsize=(WIDTH, 3.6))
    row = made.subplots(1, len(shown), squeeze=False, sharex=True, sharey=True)[0]
    for axes, (name, metrics) in zip(row, shown, strict=True):
        axes.set(title=_named(name), xlabel=labels[0])
        draw(axes, metrics)
    row[0].set_ylabel(labels[1])
    made.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return made


def _shown(judged: Sequence[Shown]) -> Sequence[Shown]:
    """At most three: the first, and the newest ones."""
    return judged if len(judged) <= MOST_PANELS else [judged[0], *judged[1 - MOST_PANELS :]]


def _diagonal(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color="#888888", linewidth=1, linestyle=DASHES[1], zorder=1)


def _whole() -> FuncFormatter:
    return FuncFormatter(lambda value, _: f"{value:,.0f}")


def _named(name: str, most: int = LONG_NAME) -> str:
    """The name; of a long one begin and end, where such names differ."""
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-most // 2 :]}"
