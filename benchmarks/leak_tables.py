"""What leaks.py found, as the tables of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lines import Line, Results, grouped, table

Lines = Sequence[Line]
SHAPE = ("data", "rows", "columns", "trees, depth", "setting")


def leaks(results: Results) -> str:
    """A sentence and a table for each attack that was run."""
    by = grouped(results["leaks"], "attack")
    parts = [
        f"{sentence}\n\n{draw(by[(attack,)])}"
        for attack, (sentence, draw) in TABLES.items()
        if (attack,) in by
    ]
    return "\n".join(parts)


def _shape(line: Line) -> list[object]:
    shape = [line["data"], line["rows"], line["columns"], f"{line['trees']}, {line['depth']}"]
    return [*shape, line["setting"]]


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _labels(lines: Lines) -> str:
    found = [
        [*_shape(line), *(_share(line[name]) for name in ("value", "least", "base"))]
        for line in lines
    ]
    return table([*SHAPE, "labels right", "in the worst job", "without splits"], found)


def _scores(lines: Lines) -> str:
    found = [
        [
            *_shape(line),
            *(f"{line[name]:.3f}" for name in ("value", "base", "joint")),
            f"{line['in_unsplit_nodes']} of {line['opened']}",
        ]
        for line in lines
    ]
    head = ["AUC without a label", "first split alone", "joint model", "in unsplit nodes"]
    return table([*SHAPE, *head], found)


def _positives(lines: Lines) -> str:
    found = [[*_shape(line)[:4], line["value"], line["truth"]] for line in lines]
    return table([*SHAPE[:4], "rows of the rarer class, by `error`", "in truth"], found)


def _evaluation(lines: Lines) -> str:
    found = [
        [
            *_shape(line),
            _share(line["value"]),
            f"{line['all_right']} of {line['sets']}",
            line["label_vectors_that_fit"],
            _share(line["base"]),
        ]
        for line in lines
    ]
    head = ["labels right", "sets all right", "label vectors that fit", "without the metric"]
    return table([*SHAPE, *head], found)


def _dummies(lines: Lines) -> str:
    found = [
        [*_shape(line), line["dummies"], _share(line["value"]), line["false_alarms"]]
        for line in lines
    ]
    return table([*SHAPE, "dummies", "recognised", "false alarms"], found)


def _columns(lines: Lines) -> str:
    found = [
        [
            line["data"],
            line["decimals"],
            *(f"{line[name]:.3f}" for name in ("from_score_alone", "value", "base")),
            _share(line["rows_alone"]),
        ]
        for line in lines
    ]
    head = ["AUC, no row known", "AUC, 200 rows known", "the same without scores"]
    return table(["data", "decimals", *head, "rows alone in own path and score"], found)


TABLES: dict[str, tuple[str, Callable[[Lines], str]]] = {
    "labels": (
        "Labels that are coin tosses, rebuilt by the feature party from its own splits (all labels "
        "up to one flip):",
        _labels,
    ),
    "scores": (
        "Scores that the feature party makes without a label, by training the trees on the first "
        "own split's smaller side; and opened splits in nodes that the model does not split:",
        _scores,
    ),
    "positives": ("The number of positive rows, from `error` after the first tree:", _positives),
    "evaluation": (
        "Labels of an evaluation set, from one logloss and the predictions of its rows:",
        _evaluation,
    ),
    "dummies": (
        "Dummies of the feature party that the label party recognises, because their owner is "
        "another one in another run:",
        _dummies,
    ),
    "columns": (
        "A column of the feature party (credit: PAY_0 >= 2), from the scores of the training rows "
        "by their decimals:",
        _columns,
    ),
}
