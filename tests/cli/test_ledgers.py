"""A run's ledger adds up over its sessions; both commands run here, over a link in memory."""

import json
from contextlib import contextmanager

import pytest

from securexgb.cli.evaluate import evaluate
from securexgb.cli.ledgers import add_ledgers, revealed_in
from securexgb.cli.output import Format
from securexgb.cli.predict import predict
from securexgb.cli.progress import TrainingProgress
from securexgb.cli.runs import RunDirectory
from securexgb.cli.train import train
from securexgb.errors import DataError
from securexgb.federation import Federation
from securexgb.testing.harness import insecure_parties, run_both
from tests.processes.companies import SIDES, Companies

TREES = 4


class Crash(Exception):
    """Stands for what ends a training midway."""


@pytest.fixture
def both(monkeypatch):
    """Run a command at both sides of ``companies``."""

    def run(companies, command, **options):
        parties = insecure_parties(seed=5)

        @contextmanager
        def session(federation, _purpose):
            yield parties[federation.config.rank]

        monkeypatch.setattr(Federation, "session", session)

        def side(_party, name):
            folder = companies.root / name
            files = {"config": folder / "party.toml", "job": folder / "job.toml"}
            command(**files, **options)

        run_both(side, parties, list(SIDES))

    return run


@pytest.fixture
def companies(tmp_path):
    def make(name):
        made = Companies(tmp_path / name, {"n_estimators": TREES, "eval_metric": ["logloss"]})
        for side in SIDES:
            with (made.root / side / "party.toml").open("a") as settings:
                settings.write('eval_data = { valid = "test.csv" }\n')
        return made

    return make


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

    broken, unbroken = companies("broken"), companies("unbroken")
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
    made = companies("loans")
    both(made, train)
    trained = {name: counts(made, name) for name in SIDES}
    capsys.readouterr()
    both(made, evaluate)
    assert capsys.readouterr().out.count("value of an evaluation metric") == len(SIDES)
    for times in (1, 2):
        both(made, predict)
        assert capsys.readouterr().out.count("predictions, rounded") == len(SIDES)
        for name in SIDES:
            now, metric = counts(made, name), ("METRIC", "both")
            assert now.pop(("PREDICTION", "label")) == 60 * times
            assert now.pop(metric) == trained[name][metric] + 1
            assert all(now[key] == trained[name][key] for key in now)
    report = json.loads((made.run_directory("bank") / "report.json").read_text())
    assert {row["reveal"]: row["values"] for row in report["ledger"]}["PREDICTION"] == 120
    both(made, predict, form=Format.json)
    assert '"ledger": [{"reveal": "PREDICTION"' in capsys.readouterr().out


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
    assert revealed_in(run) == []
    (tmp_path / "ledger.json").write_text('{"revealed": [{}]}')
    with pytest.raises(DataError, match="damaged"):
        revealed_in(run)
