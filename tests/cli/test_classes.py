"""Several classes with names, from the label party's file to its predictions, report and model."""

from __future__ import annotations

import csv
import json

import pytest

from securexgb.cli.evaluate import evaluate
from securexgb.cli.predict import predict
from securexgb.cli.progress import TrainingProgress
from securexgb.cli.train import train
from securexgb.errors import DataError, StoppedByPeer
from tests.cli.test_continue import going_on
from tests.cli.test_resumed_runs import Crash
from tests.processes.companies import SIDES, write_table

TERMS = {
    "objective": "multi:softprob",
    "num_class": 3,
    "max_depth": 2,
    "n_estimators": 2,
    "max_bin": 4,
    "eval_metric": ["merror", "mlogloss"],
}
KINDS = ("kind-a", "kind-b, or later", "kind-c")


def relabel(companies, kinds, parts=("train", "test")):
    """These labels in turn, in the bank's files."""
    for part in parts:
        path = companies.root / "bank" / f"{part}.csv"
        head, *rows = csv.reader(path.read_text().splitlines())
        for number, row in enumerate(rows):
            row[head.index("default")] = kinds[number % len(kinds)]
        write_table(path, [head, *rows])


def labels_of(companies, part):
    head, *rows = csv.reader((companies.root / "bank" / f"{part}.csv").read_text().splitlines())
    return [row[head.index("default")] for row in rows]


@pytest.fixture
def made(companies):
    found = companies("loans", **TERMS)
    found.terms(*SIDES, predictions_to="both")
    relabel(found, KINDS)
    return found


def refused(errors, why):
    """The label party's own words, of which the other side hears the kind alone."""
    assert why in str(errors["bank"])
    assert isinstance(errors["bank"], DataError)
    assert isinstance(errors["bureau"], StoppedByPeer)
    for name in KINDS:
        assert name not in str(errors["bureau"])


def test_names_are_the_label_partys_from_its_file_to_its_report(both, made, securexgb, capsys):
    relabel(made, KINDS[:2], ["test"])  # an evaluation set may lack a class
    both(made, train, backend="plaintext")
    said = capsys.readouterr().err
    assert (
        "3 classes in this order, of the training rows: 'kind-a' 33.3 %, 'kind-b, or later' 33"
        in said
    )
    both(made, predict, backend="plaintext")
    runs = {name: made.run_directory(name) for name in SIDES}
    heads, scores = {}, {}
    for name, run in runs.items():
        heads[name], *rows = csv.reader((run / "predictions.csv").read_text().splitlines())
        scores[name] = [[float(value) for value in row[1:]] for row in rows]
    assert heads["bank"] == ["id", *(f"probability of {kind}" for kind in KINDS)]
    assert heads["bureau"] == ["id", *(f"probability of {number}" for number in range(3))]
    assert scores["bank"] == scores["bureau"]
    report = json.loads((runs["bank"] / "report.json").read_text())
    (scored,) = report["scored"]
    assert report["classes"] == list(KINDS)
    chosen = [KINDS[row.index(max(row))] for row in scores["bank"]]
    actual = labels_of(made, "test")
    wrong = sum(own != other for own, other in zip(chosen, actual, strict=True)) / 60
    assert scored["metrics"]["merror"] == pytest.approx(wrong)
    assert [one["rows"] for one in scored["metrics"]["each"]] == [30, 30, 0]
    assert scored["metrics"]["auc"] is None  # of a class without rows there is none
    capsys.readouterr()
    shown = securexgb("model", "inspect", runs["bank"], "--format", "json").json
    assert shown["classes"] == list(KINDS)
    assert "3 classes, a tree of each a round: 'kind-a', 'kind-b" in (
        securexgb("model", "inspect", runs["bank"]).stdout
    )
    assert securexgb("model", "inspect", runs["bureau"], "--format", "json").json["classes"] == []
    for path in (made.root / "bureau").rglob("*"):
        if path.is_file() and path.suffix != ".npz":
            assert not any(kind.encode() in path.read_bytes() for kind in KINDS), path


def test_a_class_that_training_did_not_have_is_refused(both, made):
    both(made, train, backend="plaintext")
    relabel(made, [*KINDS, "unknown"], ["test"])
    for command in (predict, evaluate):
        refused(both(made, command, fails=True), "a class that training did not have")
    relabel(made, KINDS, ["test"])
    # A training that goes on needs the same classes; as many others are others.
    old = {name: made.run_directory(name) for name in SIDES}
    going_on(both, made, old)
    relabel(made, ["early", *KINDS[1:]])
    refused(going_on(both, made, old, fails=True), "a model goes on with the same classes")


def test_a_resumed_training_has_one_line_of_metrics_a_round(both, made, monkeypatch):
    """As many as trees of each class: of lines of what was cut off none is left."""
    with monkeypatch.context() as patched:

        def crash(_progress, number, _text=""):
            if number == 2:
                raise Crash

        patched.setattr(TrainingProgress, "tree_done", crash)
        with pytest.raises(Crash):
            both(made, train, backend="plaintext")
    both(made, train, backend="plaintext", resume=True, seed=9)
    for name in SIDES:
        lines = (made.run_directory(name) / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["tree"] for line in lines] == [0, 1]


@pytest.mark.parametrize(
    ("kinds", "why"),
    [
        (["paid", "late"], "has 2 different values, and num_class of the terms is 3"),
        (["1", "2", "3", "4"], "num_class = 4"),
        (["paid"], "has one class only"),
        (["0"], "has one class only"),
        (["0", "1", "3"], None),
        (["2", "0"], None),
    ],
)
def test_what_the_training_file_may_hold(both, companies, kinds, why):
    made = companies("loans", **TERMS)
    relabel(made, kinds)
    if why is None:
        both(made, train, backend="plaintext")
        record = json.loads((made.run_directory("bank") / "run.json").read_text())
        assert record["classes"] == ([0, 1, 3] if "3" in kinds else [0, 1, 2])
    else:
        refused(both(made, train, fails=True, backend="plaintext"), why)
