"""The tables of a report: what its page shows and its CSV files hold, each once.

A cell is a number, a text or None (a value that does not exist); the page rounds numbers, a CSV
file has all their digits. A table without rows is left out by both.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from securexgb.report.record import BinaryMetrics, ClassMetrics, Compared, Ratio, RunReport

Row = Sequence[Any]
_DIGITS = 16
"""Of a digest that people compare."""


@dataclass(frozen=True)
class Table:
    """``name``: of its file; ``shares``: columns whose numbers are shown in per cent."""

    name: str
    head: Sequence[str]
    rows: Sequence[Row] = field(repr=False)
    shares: frozenset[str] = frozenset()

    def to_csv(self) -> str:
        """As a CSV file, with its head."""
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows([self.head, *self.rows])
        return stream.getvalue()


def tables(report: RunReport) -> dict[str, Table]:
    """All tables that have rows, by name."""
    every = [
        _metrics(report),
        *_of_classes(report),
        *_of_several_classes(report),
        _stability(report),
        _bands(report),
        Table("learning_curve", ("rows and metric", "tree", "value"), [
            (name, tree, value)
            for name, values in report.learning_curve.items()
            for tree, value in zip(
                report.evaluated_after or range(1, len(values) + 1), values, strict=True
            )
        ]),
        Table("whole_auc", ("rows", "auc of all"), list(report.whole_auc.items())),
        Table("importance", ("column", "importance"), _sorted(report.importance)),
        Table("missing", ("column", "missing"), _sorted(report.missing_rates),
              frozenset({"missing"})),
        _alignments(report),
        Table("ledger", ("what", "to", "values"), [
            (row["meaning"], row["to"], row["values"]) for row in report.ledger
        ]),
        Table("leaks", ("about", "labels", "values opened", "outcomes of each", "bits at most"), [
            (leak["about"], leak["labels"], leak["openings"], leak["outcomes"], leak["bits"])
            for leak in report.leaks
        ]),
        Table("costs", ("cost", "value"), _facts(asdict(report.costs))),
        Table("estimate", ("figure", "actual", "estimated", "actual / estimated"), [
            (name, one.actual, one.estimated, one.ratio)
            for name, one in _compared(report.estimate)
        ]),
        Table("terms", ("term", "value"), list(_flat(report.terms))),
        Table("versions", ("package", "version"), list(report.versions.items())),
    ]  # fmt: skip
    return {table.name: table for table in every if table.rows}


def _compared(found: Compared | None) -> list[tuple[str, Ratio]]:
    """By figure."""
    if found is None:
        return []
    return [("rounds", found.rounds), ("bytes", found.bytes), ("seconds", found.seconds)]


def _alignments(report: RunReport) -> Table:
    """A fact a line, a column for each set."""
    sets = report.alignments
    rows = [
        ("when", *(one.time for one in sets)),
        ("with", *(one.peer for one in sets)),
        ("file", *(one.file for one in sets)),
        ("rows of the file", *(one.rows for one in sets)),
        ("keys at this side", *(one.keys for one in sets)),
        ("keys at the other side", *(one.peer_keys for one in sets)),
        ("in common: shown to both, and taken", *(one.common for one in sets)),
        ("dry runs before: each showed how many", *(one.dry_runs for one in sets)),
        ("alignments begun, this one included", *(one.attempts for one in sets)),
        ("digest of keys, normalise, duplicates", *(one.align_sha256[:_DIGITS] for one in sets)),
        ("digest of the rows in their order", *(one.order_sha256[:_DIGITS] for one in sets)),
    ]
    named = (one.data_set for one in sets)
    return Table("alignments", ("alignment of", *named), rows if sets else ())


def _metrics(report: RunReport) -> Table:
    """A metric a line, a column for each set of rows that has labels; lists are other tables."""
    judged = [one for one in report.scored if one.metrics is not None]
    facts = [
        {name: value for name, value in vars(one.metrics).items() if not isinstance(value, list)}
        for one in judged
    ]
    names = facts[0] if facts else ()
    rows = [(name.replace("_", " "), *(of.get(name) for of in facts)) for name in names]
    return Table("metrics", ("metric", *(one.name for one in judged)), rows)


def _of_classes(report: RunReport) -> Iterator[Table]:
    """What a classification's lists hold, one table each, with the name of the rows in front."""
    judged = [(s.name, s.metrics) for s in report.scored if isinstance(s.metrics, BinaryMetrics)]
    yield Table(
        "bands",
        ("of", "band", "rows", "positives", "lowest score", "rate", "lift",
         "positives so far", "negatives so far", "difference"),
        [
            (name, band.band, band.rows, band.positives, band.lowest_score, band.rate, band.lift,
             band.captured, band.negatives_captured, band.captured - band.negatives_captured)
            for name, metrics in judged for band in metrics.lift
        ],
        frozenset({"rate", "positives so far", "negatives so far", "difference"}),
    )  # fmt: skip
    yield Table("cumulated", ("of", "score", "positives", "negatives"), [
        (name, point.score, point.positives, point.negatives)
        for name, metrics in judged for point in metrics.cumulated
    ])  # fmt: skip
    yield Table("distribution", ("of", "from", "below", "positives", "negatives"), [
        (name, step.low, step.high, step.positives, step.negatives)
        for name, metrics in judged for step in metrics.distribution
    ])  # fmt: skip
    yield Table("roc", ("of", "false-positive rate", "true-positive rate"), [
        (name, *point) for name, metrics in judged for point in metrics.roc
    ])  # fmt: skip
    yield Table("calibration", ("of", "rows", "mean predicted", "observed rate"), [
        (name, entry.rows, entry.predicted, entry.observed)
        for name, metrics in judged for entry in metrics.calibration
    ], frozenset({"mean predicted", "observed rate"}))  # fmt: skip


def _of_several_classes(report: RunReport) -> Iterator[Table]:
    """One line a class, and one for each two of which rows were taken for each other."""
    judged = [(s.name, s.metrics) for s in report.scored if isinstance(s.metrics, ClassMetrics)]
    yield Table(
        "classes",
        ("of", "class", "rows", "predicted", "mean predicted", "recall", "precision",
         "auc against all others"),
        [
            (name, class_, one.rows, one.predicted, one.mean, one.recall, one.precision, one.auc)
            for name, metrics in judged
            for class_, one in zip(class_names(report, metrics), metrics.each, strict=True)
        ],
        frozenset({"mean predicted", "recall", "precision"}),
    )  # fmt: skip
    yield Table("taken_for", ("of", "class", "taken for", "rows"), [
        (name, class_, other, rows)
        for name, metrics in judged
        for class_, one in zip(class_names(report, metrics), metrics.each, strict=True)
        for other, rows in zip(class_names(report, metrics), one.taken_for, strict=True)
    ])  # fmt: skip


def class_names(report: RunReport, metrics: ClassMetrics) -> Sequence[str]:
    """The classes' names at the label party, or their numbers."""
    count = metrics.classes
    return report.classes if len(report.classes) == count else [str(n) for n in range(count)]


def _stability(report: RunReport) -> Table:
    rows = [(one.actual, one.expected, one.index) for one in report.stability]
    return Table("stability", ("scores of", "against those of", "stability index"), rows)


def _bands(report: RunReport) -> Table:
    return Table("stability_bands",
        ("scores of", "against those of", "below", "share now", "share then"), [
        (one.actual, one.expected, band.below, band.actual, band.expected)
        for one in report.stability for band in one.bands
    ], frozenset({"share now", "share then"}))  # fmt: skip


def _sorted(values: Mapping[str, float]) -> list[Row]:
    return sorted(values.items(), key=lambda entry: -entry[1])


def _facts(values: Mapping[str, Any]) -> list[Row]:
    return [(name.replace("_", " "), value) for name, value in values.items()]


def _flat(terms: Mapping[str, Any], prefix: str = "") -> Iterator[Row]:
    for name, value in terms.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
