"""Which predictions a report speaks of, in which order, and what it compares."""

from pathlib import Path

import numpy as np
import pytest

from securexgb.boost.params import TrainingParams
from securexgb.jobs.reports import Quality, _in_order, _Predicted, keep_prediction
from securexgb.jobs.rows import Rows
from securexgb.jobs.runs import RunDirectory
from securexgb.storage.whole import read_whole, unpack_json
from tests.readers import files as readers


def predicted(run):
    return unpack_json(read_whole(run.path / "predicted.json"), "predicted.json")["predicted"]


def test_a_run_remembers_all_predictions_and_forgets_those_that_were_replaced(tmp_path):
    run = RunDirectory(tmp_path)
    for data, scores in (("test", "a"), ("train", "b"), ("may", "a")):
        keep_prediction(run, tmp_path / f"{data}.csv", tmp_path / f"{scores}.csv")
    kept = [(Path(one["data"]).stem, Path(one["predictions"]).stem) for one in predicted(run)]
    assert kept == [("train", "b"), ("may", "a")]


@pytest.mark.parametrize("name", ["other.csv", "9" * 400, "."])
@pytest.mark.parametrize("place", ["rows.csv", "scores.csv"])
def test_what_is_no_file_is_gone(tmp_path, place, name):
    """Names that no file can have, too: the list may be damaged."""
    content, read = readers.predicted(tmp_path)
    assert not read(content).remarks
    (remark,) = read(content.replace(place.encode(), name.encode())).remarks
    assert "is gone, so nothing is said of" in remark


def test_the_training_rows_come_first_and_names_differ(tmp_path):
    places = [
        (name, f"{number}.csv") for number, name in enumerate(("x/a.csv", "t.csv", "y/a.csv"))
    ]
    entries = [_Predicted(tmp_path / data, tmp_path / scores) for data, scores in places]
    found = _in_order(entries, tmp_path / "t.csv")
    assert [name for name, _, _ in found] == ["training rows", "a.csv", "a.csv (2)"]
    assert [path.name for _, _, path in found] == ["1.csv", "0.csv", "2.csv"]
    assert [name for name, _, _ in _in_order(entries[:2], None)] == ["a.csv", "t.csv"]


def test_all_later_scores_are_compared_with_the_first_and_the_second():
    draws = np.random.default_rng(4)
    values = np.zeros((50, 0))
    rows = Rows(values, (), labels=(draws.random(50) < 0.5).astype(float))
    scores = {
        "training rows": (rows, draws.random(50)),
        "test": (rows, draws.random(50)),
        "march": (None, draws.random(50)),
        "april": (Rows(values, ()), draws.random(50)),
    }
    found = Quality.of(scores, TrainingParams())
    assert [(one.name, one.metrics is not None) for one in found.scored] == [
        ("training rows", True), ("test", True), ("march", False), ("april", False),
    ]  # fmt: skip
    assert [(one.expected, one.actual) for one in found.stability] == [
        ("training rows", "test"), ("training rows", "march"), ("training rows", "april"),
        ("test", "march"), ("test", "april"),
    ]  # fmt: skip
