"""``simulate --continue``: a simulation that goes on from another one, and xgboost beside it."""

import json
import sys
from pathlib import Path

import pytest

from tests.cli.test_simulate import write_table

TERMS = ("--algorithm", "ss", "--depth", 2, "--bins", 8, "--format", "json")


@pytest.fixture
def simulated(securexgb, tmp_path, monkeypatch):
    """A simulation with the file's columns, one of them categories."""
    monkeypatch.chdir(tmp_path)
    path = write_table(tmp_path / "loans.csv")
    lines = path.read_text().splitlines()
    homes = ["home", *(("own", "rent", "loft")[n % 3] for n in range(len(lines) - 1))]
    path.write_text("\n".join(f"{a},{b}" for a, b in zip(homes, lines, strict=True)))

    def run(*flags, code=0):
        done = securexgb(
            "simulate", path, *TERMS, "--label", "default", "--ignore", "id", *flags
        )  # fmt: skip
        assert done.code == code
        return done.json if code == 0 else done.stderr

    return run


def kept_trees(facts, name):
    """The trees of a model that a run keeps as xgboost has it."""
    text = (Path(facts["run"]) / f"{name}.json").read_text()
    return json.loads(text)["learner"]["gradient_booster"]["model"]["trees"]


def test_all_three_models_go_on(simulated, tmp_path):
    first = simulated("--trees", 2, "--categorical", "home")
    assert (first["trees"], first["earlier_trees"]) == (2, 0)
    table = tmp_path / "loans.csv"
    table.write_text(table.read_text().replace("loft,", "rent,"))  # the list stays the old one
    more = ("--trees", 3, "--learning-rate", 0.7, "--param", "reg_lambda=3")
    second = simulated(*more, "--continue", first["run"])
    assert (second["trees"], second["earlier_trees"]) == (5, 2)
    assert second["auc"] == pytest.approx(second["xgboost_auc"], abs=1e-9)
    for name in ("xgboost/same_bins", "xgboost/own_bins", "xgboost"):
        old, new = kept_trees(first, name), kept_trees(second, name)
        assert (len(old), len(new)) == (2, 5)
        for before, after in zip(old, new[:2], strict=True):
            assert before["split_conditions"] == after["split_conditions"]
    columns = [
        [sorted(tree["split_indices"]) for tree in kept_trees(second, name)]
        for name in ("xgboost/same_bins", "xgboost")
    ]
    assert columns[0] == columns[1]
    warnings = json.loads((tmp_path / second["report"]).with_name("report.json").read_text())
    assert any("goes on from the 2 rounds of model" in one for one in warnings["warnings"])
    assert any("was trained on other rows than these" in one for one in warnings["warnings"])
    third = simulated("--trees", 1, "--learning-rate", 0.7, "--continue", second["run"])
    assert (third["trees"], len(kept_trees(third, "xgboost/same_bins"))) == (6, 6)
    assert third["auc"] == pytest.approx(third["xgboost_auc"], abs=1e-9)


def test_what_cannot_be_gone_on_with_is_refused(simulated, tmp_path):
    numbers = ("--trees", 1, "--ignore", "id,home")
    run = simulated(*numbers, "--splits", "owner")["run"]
    before = {path.name for path in (tmp_path / "run").iterdir()}
    for flags, code, says in (
        (("--depth", 3), 2, "max_depth is 3, and 2 in the model to go on from"),
        (("--bins", 4), 2, "max_bin is 4, and 8 in the model to go on from"),
        (("--splits", "hidden"), 2, "splits is 'hidden', and 'owner' in the model"),
        (("--feature-party-columns", "age"), 4, "has other columns at the label party"),
        (("--categorical", "age"), 4, "the categories at the label party are others"),
        (("--positive-label", "no"), 4, "or another class counts as 1 (--positive-label)"),
        (("--param", 'monotone_constraints="(1,0,0)"'), 2, "monotone_constraints are others"),
    ):
        assert says in simulated(*numbers, *flags, "--continue", run, code=code)
    assert "no finished simulation" in simulated("--continue", tmp_path, code=2)
    assert {path.name for path in (tmp_path / "run").iterdir()} == before


def test_without_xgboost_in_the_earlier_run_there_is_nothing_to_compare(simulated, monkeypatch):
    with monkeypatch.context() as absent:
        absent.setitem(sys.modules, "xgboost", None)
        run = simulated("--trees", 1, "--ignore", "id,home")["run"]
    facts = simulated("--trees", 1, "--ignore", "id,home", "--continue", run)
    assert facts["auc"] is not None
    assert facts["xgboost_auc"] is None
