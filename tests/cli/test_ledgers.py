"""A run's ledger adds up over its sessions; both commands run here, over a link in memory."""

import json
import re

import pytest

from securexgb.cli.evaluate import evaluate
from securexgb.cli.output import Format
from securexgb.cli.predict import predict
from securexgb.cli.progress import TrainingProgress
from securexgb.cli.train import train
from securexgb.errors import DataError, UsageError
from securexgb.jobs.ledgers import add_ledgers, books_of
from securexgb.jobs.runs import RunDirectory
from tests.cli.conftest import TREES
from tests.processes.companies import SIDES


class Crash(Exception):
    """Stands for what ends a training midway."""


def counts(companies, name):
    rows = json.loads((companies.run_directory(name) / "ledger.json").read_text())["revealed"]
    return {(row["reveal"], row["to"]): row["values"] for row in rows}


@pytest.mark.parametrize("victim", [0, 1])
def test_a_resumed_training_forgets_nothing_and_has_one_line_a_tree(
    both, companies, monkeypatch, victim
):
    def crash(progress, trees, _text=""):
        if trees == TREES - 1 and progress._party.rank == victim:
            raise Crash

    broken, unbroken = (companies(name, splits="owner") for name in ("broken", "unbroken"))
    both(unbroken, train)
    with monkeypatch.context() as patched:
        patched.setattr(TrainingProgress, "tree_done", crash)
        with pytest.raises(Crash):
            both(broken, train)
    before = {name: counts(broken, name) for name in SIDES}
    for name in SIDES:
        with (broken.run_directory(name) / "metrics.jsonl").open("a") as stream:
            stream.write('{"tree": 3, "sec')
    both(broken, train, resume=True)
    for name in SIDES:
        run, after = broken.run_directory(name), counts(broken, name)
        whole = counts(unbroken, name)
        assert after.keys() == whole.keys()
        assert all(after[key] >= whole[key] for key in whole)
        # What the cut tree had revealed is counted beside the tree in its place.
        assert after["SPLIT_OWNER", "both"] == whole["SPLIT_OWNER", "both"] // TREES * (TREES + 1)
        assert before[name]["SPLIT_OWNER", "both"] < after["SPLIT_OWNER", "both"]
        lines = (run / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["tree"] for line in lines] == list(range(TREES))
        kept = json.loads((run / "ledger.json").read_text())["revealed"]
        facts = json.loads((run / "run.json").read_text())
        assert facts["ledger"] == kept
        assert facts["costs_of"] == "the last session"
        assert json.loads((run / "report.json").read_text())["ledger"] == kept


def test_evaluations_and_predictions_are_printed_and_added(both, companies, capsys):
    made = companies("loans", splits="owner")
    both(made, train)
    trained = {name: counts(made, name) for name in SIDES}
    capsys.readouterr()
    both(made, evaluate)
    said = capsys.readouterr().out
    assert said.count("value of an evaluation metric") == len(SIDES)
    leak = "evaluation set 'valid': up to 14 bits about 60 labels are opened to the feature party"
    assert said.count(leak) == len(SIDES)
    for times in (1, 2):
        both(made, predict)
        assert capsys.readouterr().out.count("predictions, rounded") == len(SIDES)
        for name in SIDES:
            now, metric = counts(made, name), ("METRIC", "both")
            assert now.pop(("PREDICTION", "label")) == 60 * times
            assert now.pop(metric) == trained[name][metric] + 1
            assert all(now[key] == trained[name][key] for key in now)
    report = json.loads((made.run_directory("bank") / "report.json").read_text())
    training, valid = report["leaks"]
    assert (training["labels"], valid["labels"]) == (60, 60)
    assert training["openings"] == trained["bank"]["SPLIT_INDEX", "feature"]
    assert valid["openings"] == trained["bank"]["METRIC", "both"] == TREES
    assert {row["reveal"]: row["values"] for row in report["ledger"]}["PREDICTION"] == 120
    both(made, predict, form=Format.json)
    assert '"ledger": [{"reveal": "PREDICTION"' in capsys.readouterr().out


def test_an_evaluation_of_too_few_rows_is_refused_before_it_opens_anything(both, companies):
    """The second of two sets is too small, and nothing of the first one is opened."""
    made = companies("loans", splits="owner")
    made.terms(*SIDES, min_evaluation_rows=10)
    both(made, train)
    for side in SIDES:
        folder = made.root / side
        lines = (folder / "test.csv").read_text().splitlines()
        (folder / "small.csv").write_text("\n".join(lines[:10]) + "\n")
        sets = 'eval_data = { valid = "test.csv", small = "small.csv" }'
        text = re.sub("eval_data.*", sets, (folder / "party.toml").read_text())
        (folder / "party.toml").write_text(text)
    before = {name: counts(made, name) for name in SIDES}
    with pytest.raises(UsageError, match="'small' has 9 rows, fewer than min_evaluation_rows = 10"):
        both(made, evaluate)
    assert {name: counts(made, name) for name in SIDES} == before


def test_rows_add_up_by_what_and_to_whom(tmp_path):
    first = [
        {"reveal": "B", "meaning": "b", "to": "label", "values": 3},
        {"reveal": "A", "meaning": "a", "to": "both", "values": 1},
    ]
    more = [{"reveal": "B", "meaning": "b", "to": to, "values": 2} for to in ("label", "feature")]
    added = add_ledgers(first, more)
    assert [(row["reveal"], row["to"], row["values"]) for row in added] == [
        ("A", "both", 1), ("B", "feature", 2), ("B", "label", 5),
    ]  # fmt: skip
    run = RunDirectory(tmp_path)
    assert books_of(run).revealed == []
    for text, words in (('{"revealed": []}', "format None"), ('{"format": 1}', "damaged")):
        (tmp_path / "ledger.json").write_text(text)
        with pytest.raises(DataError, match=words):
            books_of(run)
