"""``train --continue``: a new run whose model begins with an earlier one's trees."""

import json
from dataclasses import replace

import numpy as np
import pytest

from securexgb.cli.app import main
from securexgb.cli.membership import federation_of
from securexgb.cli.predict import predict
from securexgb.cli.progress import TrainingProgress
from securexgb.cli.train import train
from securexgb.errors import DataError, TermsDiffer, UsageError
from securexgb.jobs.prediction import read_scores
from securexgb.jobs.resuming.earlier import EarlierRun
from securexgb.jobs.rows import Rows
from securexgb.model.files import load_half
from tests.cli.test_resumed_runs import Crash, newest
from tests.processes.companies import SIDES, Companies


@pytest.fixture
def made(tmp_path):
    return Companies(tmp_path, {"n_estimators": 2, "max_depth": 2, "splits": "hidden"}, rows=40)


def halves(runs):
    return [load_half(runs[name] / "model" / f"{role}.npz") for name, role in SIDES.items()]


def going_on(both, made, old, **more):
    """The command at both sides, each with its own old run."""

    def command(config, job, **options):
        train(config=config, job=job, earlier=old[config.parent.name], **options)

    return both(made, command, backend="plaintext", **more)


def test_the_new_run_has_both_models_trees(both, made, monkeypatch):
    both(made, train, backend="plaintext")
    old = {name: newest(made, name) for name in SIDES}
    before = {path: path.read_bytes() for path in old["bank"].rglob("*") if path.is_file()}
    with monkeypatch.context() as patched:

        def crash(_progress, number, _text=""):
            if number == 2:
                raise Crash

        patched.setattr(TrainingProgress, "tree_done", crash)
        with pytest.raises(Crash):
            going_on(both, made, old)
    going_on(both, made, old, resume=True, seed=9)
    new = {name: newest(made, name) for name in SIDES}
    assert new["bank"] != old["bank"]
    first, second = halves(old), halves(new)
    assert [len(half.trees) for half in (*first, *second)] == [2, 2, 4, 4]
    assert second[0].model_id == second[1].model_id != first[0].model_id
    assert second[0].params.past.model_id == first[0].model_id
    assert {path: path.read_bytes() for path in before} == before
    events = [json.loads(line) for line in (new["bank"] / "log.jsonl").read_text().splitlines()]
    assert next(event for event in events if event["event"] == "goes on from")["model_id"]
    lines = (new["bank"] / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["tree"] for line in lines] == [2, 3]
    both(made, predict, backend="plaintext", seed=11)
    assert read_scores(new["bank"] / "predictions.csv", "bank").size > 0


def test_sides_that_go_on_from_other_models_are_refused(both, made):
    both(made, train, backend="plaintext", seed=1)
    old = {name: newest(made, name) for name in SIDES}
    both(made, train, backend="plaintext", seed=2)
    others = {"bank": old["bank"], "bureau": newest(made, "bureau")}
    for error in going_on(both, made, others, fails=True).values():
        assert isinstance(error, TermsDiffer)
        assert "do not go on from the same model" in str(error)
    swapped = {"bank": old["bank"], "bureau": made.root}
    errors = going_on(both, made, swapped, fails=True)
    assert isinstance(errors["bureau"], UsageError)


def test_other_classes_than_those_of_the_old_run_are_refused(both, made):
    both(made, train, backend="plaintext")
    path = next((made.root / "bank" / "run").iterdir())
    job, settings = (made.root / "bank" / name for name in ("job.toml", "party.toml"))
    federation = federation_of(settings, job, None)
    earlier = EarlierRun.read(federation, path)
    names = earlier.half.columns
    rows = Rows(np.zeros((2, len(names))), names, np.array([0.0, 1.0]), classes=("bad", "good"))
    with pytest.raises(DataError, match="bank: the labels are other ones than those of"):
        earlier.check(federation, rows)
    earlier.check(federation, replace(rows, classes=earlier.classes))


def test_check_says_whether_a_training_can_go_on_from_a_run(both, tmp_path, capsys, monkeypatch):
    made = Companies(tmp_path, {"n_estimators": 2, "max_depth": 2}, rows=40, method={})
    both(made, train, backend="plaintext")
    folder = made.root / "bank"
    monkeypatch.chdir(folder)  # as a company would
    (run,) = (folder / "run").iterdir()

    def checked(code=0, check="earlier model"):
        capsys.readouterr()
        assert main(["check", "--local", "--continue", str(run), "--format", "json"]) == code
        facts = json.loads(capsys.readouterr().out)
        (line,) = [one for one in facts["checks"] if one["check"] == check]
        return line["status"], line["detail"], facts

    status, detail, facts = checked()
    half = load_half(run / "model" / "label.npz")
    assert (status, detail.startswith(f"2 rounds of model {half.model_id[:8]}")) == ("ok", True)
    capsys.readouterr()
    assert main(["check", "--local", "--format", "json"]) == 0
    without = json.loads(capsys.readouterr().out)
    rounds = [one["estimate"]["setup"]["rounds"] for one in (facts, without)]
    assert rounds[0] > rounds[1]
    made.terms("bank", training={"max_depth": 3})
    status, detail, _ = checked(2)
    assert status == "FAILED"
    assert "max_depth is 3, and 2 in the model to go on from" in detail
    made.terms("bank")
    made.settings("bank", feature_columns=["age", "loan"])
    assert checked(4, "data")[1].endswith("it needs income, age, loan, in this order")


def test_rows_in_which_a_category_does_not_occur_go_on(both, made):
    path = made.root / "bureau" / "train.csv"
    head, *lines = path.read_text().splitlines()
    assert head == "customer,arrears,cards"
    kinds = ["none", "one", "many"]

    def write(kinds):
        rows = [f"{line.rpartition(',')[0]},{kinds[n % 3]}" for n, line in enumerate(lines)]
        path.write_text("\n".join([head, *rows]))

    write(kinds)
    made.settings("bureau", categorical_columns=["cards"])
    made.terms(*SIDES, training={"enable_categorical": True, "n_estimators": 1})
    both(made, train, backend="plaintext")
    old = {name: newest(made, name) for name in SIDES}
    write(["none", "one", "one"])
    going_on(both, made, old)
    half = load_half(newest(made, "bureau") / "model" / "feature.npz")
    assert (half.categories, len(half.trees)) == ({"cards": ("many", "none", "one")}, 2)
    write(["none", "one", "two"])
    errors = going_on(both, made, old, fails=True)
    assert "has categories that are not known" in str(errors["bureau"])
