"""Labels and weights that the terms do not fit: 4 at the label party, and the line to add."""

import csv

import pytest

from tests.cli.conftest import securexgb
from tests.processes.companies import SIDES, write_table

__all__ = ["securexgb"]

pytestmark = pytest.mark.timeout(180)
REGRESSION = {"objective": "reg:squarederror"}


def add_column(companies, name, value):
    path = companies.root / "bank" / "train.csv"
    with path.open(newline="") as stream:
        head, *rows = csv.reader(stream)
    write_table(path, [[*head, name], *([*row, value(i)] for i, row in enumerate(rows))])


@pytest.fixture
def checked_alone(securexgb, monkeypatch):
    """What `check --local` ends with at each side: it calls nobody, so it runs here."""

    def check(companies):
        done = {}
        for name in SIDES:
            monkeypatch.chdir(companies.root / name)
            done[name] = securexgb("check", "--local", "--format", "json")
        return done

    return check


def refused(companies, line):
    """The label party's sentence, which has this line; the other side was stopped by it."""
    ended = companies.both("train")
    assert {name: process.code for name, process in ended.items()} == {"bank": 4, "bureau": 7}
    assert f"`{line}`" in ended["bank"].error
    assert "exponent" not in ended["bureau"].stderr
    return ended["bank"].error


def test_a_regression_without_a_target_exponent(without_dealer, checked_alone):
    companies = without_dealer
    companies.settings("bank", label_column="income")
    companies.terms(*SIDES, training=REGRESSION)
    assert "needs target_exponent" in refused(companies, "target_exponent = 1")
    # The lines that check proposes are enough.
    checked = checked_alone(companies)
    assert (checked["bank"].code, checked["bureau"].code) == (4, 2)
    proposed = checked["bank"].json["proposed"]
    assert proposed == {"target_exponent": 1, "metric_exponent": -3}
    companies.terms(*SIDES, training=REGRESSION | proposed)
    checked = checked_alone(companies)
    assert (checked["bank"].code, checked["bureau"].code) == (0, 0)
    assert checked["bank"].json["proposed"] == {}
    assert checked["bank"].json["gradient_bits"] == checked["bureau"].json["gradient_bits"]
    trained = companies.both("train")
    assert [process.code for process in trained.values()] == [0, 0]


def test_targets_of_another_scale(without_dealer):
    companies = without_dealer
    companies.settings("bank", label_column="income")
    companies.terms(*SIDES, training=REGRESSION | {"target_exponent": -3})
    assert "above 2^-3" in refused(companies, "target_exponent = 1")
    companies.terms(*SIDES, training=REGRESSION | {"target_exponent": 20})
    assert "far below 2^20" in refused(companies, "target_exponent = 1")


@pytest.mark.parametrize(("weight", "exponent"), [(5.0, 3), (1e-7, -23)])
def test_weights_of_another_scale(without_dealer, weight, exponent):
    companies = without_dealer
    add_column(companies, "weight", lambda _: weight)
    companies.settings("bank", weight_column="weight")
    assert "weight_exponent is not set" in refused(companies, f"weight_exponent = {exponent}")


def test_a_base_score_that_no_target_can_have(without_dealer):
    companies = without_dealer
    companies.settings("bank", label_column="income")
    lines = ['objective = "reg:squarederror"', "target_bound = 10.0", "base_score = 1000.0"]
    for name in SIDES:
        text = (companies.root / name / "job.toml").read_text().splitlines()
        kept = [line for line in text if line.split(" = ")[0] not in ("objective", "base_score")]
        (companies.root / name / "job.toml").write_text("\n".join([*kept, *lines, ""]))
    ended = companies.both("train")
    assert [process.code for process in ended.values()] == [2, 2]
    assert "base_score 1000 is beyond target_bound 10" in ended["bureau"].error


def test_few_bits_are_a_warning_of_check(without_dealer, checked_alone):
    companies = without_dealer
    companies.terms(*SIDES, training={"gradient_bits": 8})
    for process in checked_alone(companies).values():
        assert process.code == 0
        (row,) = [row for row in process.json["checks"] if row["check"] == "numbers"]
        assert row["status"] == "warning"
        assert row["detail"].startswith("gradients: 8 + 8 bits a row, 8 a sum; gradients have 8")
