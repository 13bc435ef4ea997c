"""``securexgb model export`` at both sides, over a link in memory; where the terms forbid it."""

import json

import pytest

from securexgb.cli.model import export
from securexgb.cli.train import train
from securexgb.errors import SecureXGBError, StoppedByPeer, UsageError
from securexgb.federation.session import Federation
from securexgb.mpc import open as openings
from tests.processes.companies import SIDES

SMALL = {"n_estimators": 2, "max_depth": 2, "max_bin": 4}


def revealed(companies, name):
    rows = json.loads((companies.run_directory(name) / "ledger.json").read_text())["revealed"]
    return {(row["reveal"], row["to"]): row["values"] for row in rows}


def test_an_export_is_written_in_the_run_and_counted_there(both, companies, capsys):
    made = companies("loans", **SMALL)
    made.terms(*SIDES, export_to="label", training={**SMALL, "splits": "hidden"})
    both(made, train)
    trained = revealed(made, "bank")
    capsys.readouterr()
    for times in (1, 2):
        both(made, export)
        said = capsys.readouterr().out
        assert "the whole model is in" in said
        assert "the model was given to bank" in said
        now = revealed(made, "bank")
        assert now == revealed(made, "bureau")
        assert now.pop(("MODEL", "feature")) == times * 2 * 3
        splits = now.pop(("SPLIT_OWNER", "both")) // times
        assert now.pop(("MODEL", "label")) == times * (2 * 4 + 2 + 2 * splits)
        shown = [now.pop(("SPLIT_INDEX", role), 0) for role in ("label", "feature")]
        assert sum(shown) == times * splits
        assert now == trained
    path = made.run_directory("bank") / "xgboost.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["learner"]["objective"]["name"] == "binary:logistic"
    assert not (made.run_directory("bureau") / "xgboost.json").exists()
    report = json.loads((made.run_directory("bureau") / "report.json").read_text())
    assert "MODEL" in {row["reveal"] for row in report["ledger"]}
    assert any("the whole model was exported" in warning for warning in report["warnings"])


def test_a_side_that_stops_ends_both_and_the_worst_case_is_kept(both, companies, monkeypatch):
    made = companies("loans", **SMALL)
    made.terms(*SIDES, export_to="feature", training={**SMALL, "splits": "hidden"})
    both(made, train)
    opened = openings.open_by_owner

    def stopped(party, *rest):
        if party.rank == 1:
            raise UsageError("the bureau has stopped")
        return opened(party, *rest)

    monkeypatch.setattr("securexgb.boost.splits.opened.open_by_owner", stopped)
    with pytest.raises((UsageError, StoppedByPeer)):
        both(made, export)
    for name in SIDES:
        kept = revealed(made, name)
        assert kept["MODEL", "feature"] == 2 * 4 + 2 + 2 * 2 * 3
        assert kept["SPLIT_INDEX", "label"] == kept["SPLIT_OWNER", "both"] == 2 * 3
        assert not (made.run_directory(name) / "xgboost.json").exists()


def test_terms_without_an_export_refuse_it_before_a_link_is_opened(companies):
    made = companies("loans", **SMALL)
    for name in SIDES:
        folder = made.root / name
        federation = Federation.from_file(folder / "party.toml", folder / "job.toml")
        with (
            pytest.raises(SecureXGBError, match='export_to = "none"'),
            federation.session("export"),
        ):
            pass
