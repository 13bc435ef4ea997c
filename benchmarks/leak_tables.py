"""What leaks.py found, as the tables of docs/benchmarks.md, and in short in the threat model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean

from lines import Line, Results, grouped, table

Lines = Sequence[Line]
SHAPE = ("splits", "data", "rows", "columns", "trees, depth", "setting")
_APART = {"splits", "date", "processor"}
"""What lines that say the same may differ in."""


def leaks(results: Results) -> str:
    """A sentence and a table for each attack that was run."""
    by = grouped(results["leaks"], "attack")
    parts = [
        f"{sentence}\n\n{draw(_folded(by[(attack,)]))}"
        for attack, (sentence, draw) in TABLES.items()
        if (attack,) in by
    ]
    return "\n".join(parts)


def _folded(lines: Lines) -> Lines:
    """Lines that are the same for owned and for hidden splits become one."""
    found: dict[str, Line] = {}
    for line in lines:
        rest = {name: value for name, value in line.items() if name not in _APART}
        before = found.get(str(rest))
        splits = line["splits"] if before is None else f"{before['splits']}, {line['splits']}"
        found[str(rest)] = {**line, "splits": splits}
    return list(found.values())


def _shape(line: Line) -> list[object]:
    shape = [line["splits"], line["data"], line["rows"], line["columns"]]
    return [*shape, f"{line['trees']}, {line['depth']}", line["setting"]]


def _share(value: float) -> str:
    return f"{100 * value:.0f} %"


def _labels(lines: Lines) -> str:
    found = [
        [*_shape(line), *(_share(line[name]) for name in ("value", "least", "base"))]
        for line in lines
    ]
    return table([*SHAPE, "labels right", "in the worst job", "without the job"], found)


def _scores(lines: Lines) -> str:
    found = [
        [
            *_shape(line),
            *(f"{line[name]:.3f}" for name in ("value", "base", "own_columns", "joint")),
            f"{line['in_unsplit_nodes']} of {line['opened']}" if line["opened"] else "none",
        ]
        for line in lines
    ]
    head = [
        "AUC without a label",
        "first split alone, or by dice",
        "own columns alone",
        "joint model",
        "opened in unsplit nodes",
    ]
    return table([*SHAPE, *head], found)


def _positives(lines: Lines) -> str:
    found = [[*_shape(line)[:5], line["value"], line["truth"]] for line in lines]
    return table([*SHAPE[:5], "rows of the rarer class, by `error`", "in truth"], found)


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
        [*_shape(line), line["dummies"], _share(line["value"]), _share(line["others"])]
        for line in lines
    ]
    return table([*SHAPE, "dummies", "taken for one", "of the others taken for one"], found)


def _columns(lines: Lines) -> str:
    found = [
        [
            line["splits"],
            line["data"],
            line["decimals"],
            *(f"{line[name]:.3f}" for name in ("from_score_alone", "value", "base")),
            _share(line["rows_alone"]),
        ]
        for line in lines
    ]
    head = ["AUC, no row known", "AUC, 200 rows known", "the same without scores"]
    return table(["splits", "data", "decimals", *head, "rows alone in own path and score"], found)


def short(results: Results) -> str:
    """The attacks in both modes, a row each: of credit rows, but for labels by coin tosses."""
    by = grouped(results["leaks"], "attack", "splits")
    rows = []
    for sentence, attack, told, base in _SHORT:
        both = [by.get((attack, splits), []) for splits in ("owner", "hidden")]
        if all(both):
            rows.append([sentence, *map(told, both), base(both[0])])
    return table(["attack", "owned splits", "hidden splits", "without the job"], rows)


def _small(lines: Lines) -> Lines:
    """The jobs in which the feature party has all columns, and no term is there to help labels."""
    shape = {"columns": "0 + 5", "trees": 20, "setting": ""}
    return [line for line in lines if shape.items() <= line.items()] or lines


def _right(lines: Lines) -> str:
    return _share(mean(line["value"] for line in _small(lines)))


def _credit(lines: Lines, setting: str = "") -> Line:
    known = [line for line in lines if line["data"] == "credit"] or lines
    return next((line for line in known if line["setting"].startswith(setting)), known[-1])


def _told_positives(lines: Lines) -> str:
    known = [line for line in lines if line["data"] == "credit"] or lines
    return f"exact in {sum(line['value'] == line['truth'] for line in known)} of {len(known)} sets"


def _told_dummies(lines: Lines) -> str:
    told = [line for line in lines if line["data"] == "credit"] or lines
    many = [line for line in told if line["setting"].startswith("6 runs")]
    return "; ".join(
        f"{line['setting'].split(', ')[1]}: {_share(line['value'])}, "
        f"of the others {_share(line['others'])}"
        for line in many
    )


_Told = Callable[[Lines], str]
_SHORT: tuple[tuple[str, str, _Told, _Told], ...] = (
    (
        "all labels of a job of 40 to 100 rows, labels right",
        "labels",
        _right,
        lambda lines: _share(mean(line["base"] for line in _small(lines))),
    ),
    (
        "a scoring model without a label, credit, 10,000 rows, AUC",
        "scores",
        lambda lines: f"{_credit(lines)['value']:.2f}",
        lambda lines: f"{_credit(lines)['own_columns']:.2f}",
    ),
    (
        "dummies of the other side from 6 runs of a job, taken for one",
        "dummies",
        _told_dummies,
        lambda _: "",
    ),
    ("number of positives, from one `error`", "positives", _told_positives, lambda _: ""),
    (
        "labels of 8 evaluation rows, from one logloss and predictions, labels right",
        "evaluation",
        lambda lines: _share(_credit(lines)["value"]),
        lambda lines: _share(_credit(lines)["base"]),
    ),
    (
        "a column of the other side, from scores of 4 decimals, AUC",
        "columns",
        lambda lines: f"{_credit(lines, '4 decimals')['from_score_alone']:.2f}",
        lambda lines: f"{_credit(lines, '4 decimals')['base']:.2f} (200 rows known)",
    ),
)

TABLES: dict[str, tuple[str, Callable[[Lines], str]]] = {
    "labels": (
        "Labels that are coin tosses, rebuilt by the feature party from its own splits, or from "
        "what its half of a hidden model looks like (all labels up to one flip):",
        _labels,
    ),
    "scores": (
        "Scores that the feature party makes without a label, by training the trees on the first "
        "own split's smaller side; and opened splits in nodes that the model does not split. Of "
        "hidden splits those that its half looks like, the mean over all trees to start from, and "
        "the same with splits drawn by dice. Own columns alone: their first principal component:",
        _scores,
    ),
    "positives": ("The number of positive rows, from `error` after the first tree:", _positives),
    "evaluation": (
        "Labels of an evaluation set, from one logloss and the predictions of its rows:",
        _evaluation,
    ),
    "dummies": (
        "Dummies of the feature party that the label party recognises, because their owner is "
        "another one in another run; with hidden splits the owner that its half looks like:",
        _dummies,
    ),
    "columns": (
        "A column of the feature party (credit: PAY_0 >= 2), from the scores of the training rows "
        "by their decimals:",
        _columns,
    ),
}
