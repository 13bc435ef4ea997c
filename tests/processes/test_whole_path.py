"""From terms to report with three processes; the model is the one of a simulation."""

import csv
import json

import numpy as np
import pytest

from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request
from securexgb.jobs.data.files import ColumnRoles, read_side
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import predict_alone, train_alone
from tests.processes.companies import SIDES, edit_cell, finish

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def ended(with_dealer):
    """The results of the command at both sides, both of which must end well."""

    def run(*arguments):
        done = with_dealer.both(*arguments)
        assert [process.code for process in done.values()] == [0, 0], done
        return {name: process.json for name, process in done.items()}

    return run


def test_text_labels_evaluation_early_stopping_and_both_get_predictions(with_dealer, ended):
    companies = with_dealer
    for part in ("train", "test"):
        path = companies.root / "bank" / f"{part}.csv"
        for row in range(1, 61):
            value = [line.split(",")[-1] for line in path.read_text().splitlines()][row]
            edit_cell(path, row, "default", "bad" if value == "1" else "good")
    edit_cell(companies.root / "bureau" / "train.csv", 4, "cards", "")
    for name in SIDES:
        for row, odd in enumerate(("007", "7", "NA"), start=1):
            edit_cell(companies.root / name / "test.csv", row, "customer", odd)
        with (companies.root / name / "party.toml").open("a") as settings:
            settings.write('eval_data = { valid = "test.csv" }\n')
    training = {
        "n_estimators": 30, "learning_rate": 1.0, "eval_metric": ["logloss", "auc"],
        "early_stopping_rounds": 2,
    }  # fmt: skip
    companies.terms(*SIDES, training=training, predictions_to="both", prediction_decimals=6)

    checked = ended("check")
    assert all(row["status"] == "ok" for row in checked["bank"]["checks"])
    trained = ended("train")
    history = trained["bank"]["metrics"]["valid"]
    assert trained["bureau"]["metrics"] == {"valid": history}
    assert len(history["auc"]) == trained["bank"]["trees"] < 30
    evaluated = ended("evaluate")
    best = trained["bank"]["best_iteration"]
    assert evaluated["bank"]["metrics"]["valid"]["auc"] == pytest.approx(history["auc"][best])
    predicted = ended("predict")
    scores = {name: read_scores(companies, name) for name in SIDES}
    np.testing.assert_array_equal(scores["bank"], scores["bureau"])
    assert predicted["bureau"]["metrics"] is None
    assert predicted["bank"]["metrics"]["auc"] == pytest.approx(history["auc"][best], abs=1e-3)
    np.testing.assert_array_equal(scores["bank"], simulated(companies, training, best))

    for name in SIDES:
        baseline = companies.root / name / "earlier.csv"
        lines = (companies.run_directory(name) / "predictions.csv").read_text().splitlines()
        baseline.write_text("\n".join(lines[:31]) + "\n")
    ended("predict", "--data", "train.csv", "--output", "seen.csv")
    companies.pages = True
    ended("report", "--remark", "second look", "--baseline", "earlier.csv")
    pages = {name: companies.run_directory(name) / "report.html" for name in SIDES}
    assert "Calibration" in pages["bank"].read_text()
    assert "Calibration" not in pages["bureau"].read_text()
    for page in pages.values():
        assert "second look" in page.read_text()
    for name in SIDES:
        assert_private(companies.run_directory(name), role=SIDES[name])
    facts = json.loads((companies.run_directory("bank") / "report.json").read_text())
    revealed = {row["reveal"] for row in facts["ledger"]}
    assert revealed == {"METRIC", "PREDICTION"}
    assert facts["dealer_evidence"] == "none"
    scored = {one["name"]: one["metrics"] for one in facts["scored"]}
    earlier, seen, test = scored
    assert (earlier, seen, test) == ("baseline earlier.csv", "training rows", "test.csv")
    assert scored[earlier] is None
    assert scored[seen]["auc"] > scored[test]["auc"] == predicted["bank"]["metrics"]["auc"]
    moved = [(one["expected"], one["actual"]) for one in facts["stability"]]
    assert moved == [(earlier, seen), (earlier, test), (seen, test)]


def assert_private(run, role):
    """Nobody but the user reads what ``train``, ``evaluate``, ``predict`` and ``report`` left."""
    left = {path.relative_to(run).as_posix(): path for path in run.rglob("*")}
    assert left.keys() >= {
        "job.toml", "run.json", "log.jsonl", "metrics.jsonl", "ledger.json", "predicted.json",
        "predictions.csv", "report.html", "report.json", "report/costs.csv", f"model/{role}.npz",
        "checkpoint/state.json",
    }  # fmt: skip
    for path in (run.parent, run, *left.values()):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_side_without_columns_and_weighted_rows(with_dealer, ended):
    companies = with_dealer
    for part in ("train", "test"):
        path = companies.root / "bank" / f"{part}.csv"
        lines = path.read_text().splitlines()
        weights = ["weight", *(str(1 + row % 3) for row in range(60))]
        path.write_text("\n".join(f"{a},{b}" for a, b in zip(lines, weights, strict=True)) + "\n")
    companies.settings("bank", weight_column="weight", feature_columns=[])
    training = {"weight_exponent": 1, "weight_bound": 3.0, "splits": "owner"}
    companies.terms(*SIDES, training=training)
    trained = ended("train")
    owners = {(row["reveal"], row["to"]) for row in trained["bank"]["ledger"]}
    assert ("SPLIT_INDEX", "label") not in owners
    assert ended("predict")["bank"]["metrics"]["auc"] > 0.5


def test_different_purposes_and_evaluation_names_are_refused(with_dealer):
    companies = with_dealer
    sides = [companies.start("bank", "train"), companies.start("bureau", "check")]
    ended = [finish(process) for process in sides]
    assert [process.code for process in ended] == [5, 5]
    with (companies.root / "bank" / "party.toml").open("a") as settings:
        settings.write('eval_data = { valid = "test.csv" }\n')
    done = companies.both("train")
    assert [process.code for process in done.values()] == [2, 2]
    assert "'valid'" in done["bureau"].error


def test_halves_of_two_trainings_do_not_predict_together(with_dealer, ended):
    ended("train")
    first = with_dealer.run_directory("bank")
    first.rename(first.with_name("19990101T000000Z-kept"))
    ended("train", "--set", "run_directory=again")
    done = {
        "bank": with_dealer.start("bank", "predict", "--run", "run/19990101T000000Z-kept"),
        "bureau": with_dealer.start("bureau", "predict", "--set", "run_directory=again"),
    }
    codes = [finish(process).code for process in done.values()]
    assert codes == [5, 5]


def read_scores(companies, name):
    with (companies.run_directory(name) / "predictions.csv").open(newline="") as stream:
        lines = list(csv.reader(stream))
    assert lines[0] == ["id", "probability of good" if name == "bank" else "prediction"]
    assert [line[0] for line in lines[1:5]] == ["007", "7", "NA", "c0063"]
    return np.array([float(line[1]) for line in lines[1:]])


def simulated(companies, training, best):
    """The same training and prediction in this process."""
    parts = {}
    for part in ("train", "test"):
        tables = [
            read_side(
                companies.root / name / f"{part}.csv",
                ColumnRoles(label="default" if name == "bank" else None, id="customer"),
                name,
            )
            for name in SIDES
        ]
        parts[part] = Rows(
            np.column_stack([table.values for table in tables]),
            tuple(name for table in tables for name in table.column_names),
            tables[0].labels,
        )
    settings = companies.training | training
    settings |= {"n_estimators": best + 1, "early_stopping_rounds": None}
    sides = (np.arange(3), np.arange(3, 5))
    run = train_alone(TrainingParams.from_mapping(settings), parts["train"], sides, seed=9)
    margins = predict_alone(run.results, parts["test"], sides, Request(), seed=2).results[0]
    return 1.0 / (1.0 + np.exp(-margins))
