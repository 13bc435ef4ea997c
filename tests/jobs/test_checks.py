"""What ``check`` finds at one side stops the other side's at once, by its kind alone."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from securexgb.errors import DataError, StoppedByPeer, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.checks import Checks
from tests.processes.companies import SIDES, Companies, edit_cell


def checked(root: Path) -> dict[str, Checks]:
    """Both sides' checks, as ``check`` runs them."""

    def side(name: str) -> Checks:
        folder = root / name
        checks = Checks(Federation.from_file(folder / "party.toml", folder / "job.toml"))
        checks.run_alone()
        checks.run_together()
        return checks

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(SIDES, pool.map(side, SIDES), strict=True))


def test_the_other_side_is_told_the_kind_of_what_failed_here(tmp_path: Path) -> None:
    companies = Companies(tmp_path, method={})
    edit_cell(tmp_path / "bank" / "train.csv", 3, "income", "secret")
    found = checked(tmp_path)
    assert isinstance(found["bank"].first, DataError)
    assert found["bank"].lines[-1][:2] == ("link", "ok")
    assert "was told that this side stopped with DataError" in found["bank"].lines[-1][2]
    assert isinstance(found["bureau"].first, StoppedByPeer)
    assert found["bureau"].lines[-1][1:] == ("FAILED", "bank (label party) stopped with DataError")
    edit_cell(tmp_path / "bureau" / "train.csv", 3, "cards", "secret")
    found = checked(tmp_path)
    for name in SIDES:
        assert isinstance(found[name].first, DataError)
        assert found[name].lines[-1][:2] == ("link", "ok")
        assert "secret" not in str(found[name].lines)
    assert companies.processes == []


@pytest.mark.parametrize(
    ("training", "at", "words"),
    [
        (
            {"monotone_constraints": {"income": 1, "wages": 1}},
            "both",
            "'wages', which is no column",
        ),
        ({"monotone_constraints": (1, 0)}, "both", "2 numbers for 5 columns"),
        ({"interaction_constraints": [["age", "loans"]]}, "both", "'loans', which is no column"),
        ({"interaction_constraints": [[0, 9]]}, "both", "has column 9, but there are 5"),
        (
            {"interaction_constraints": [["age"]], "splits": "owner"},
            "both",
            "columns of both sides",
        ),
        ({"early_stopping_rounds": 3}, "each", "needs an evaluation set"),
        ({"enable_categorical": True, "max_bin": 3}, "bureau", "'cards'.* fewer than 3"),
        ({"enable_categorical": True, "monotone_constraints": {"cards": 1}}, "both", "no order"),
        ({}, "bureau", "enable_categorical = true"),
    ],
)
def test_what_a_training_would_refuse_is_refused_before(
    tmp_path: Path, training: dict[str, Any], at: str, words: str
) -> None:
    """At the side that has it; of terms that do not fit the columns of both, at both."""
    companies = Companies(tmp_path, training, method={})
    if at == "bureau" or "enable_categorical" in training:
        for row in range(1, 61):
            edit_cell(tmp_path / "bureau" / "train.csv", row, "cards", f"kind {row % 4}")
        companies.settings("bureau", categorical_columns=["cards"])
    found = checked(tmp_path)
    for name, checks in found.items():
        if at in ("both", "each", name):
            assert isinstance(checks.first, (UsageError, DataError))
            assert re.search(words, str(checks.first))
            (line,) = [line for line in checks.lines if line[1] == "FAILED"][:1]
            assert line[0] == ("link, dealer, rows" if at == "both" else "training")
        else:
            assert isinstance(checks.first, StoppedByPeer)


def test_categorical_columns_are_counted_at_their_own_side(tmp_path: Path) -> None:
    companies = Companies(tmp_path, {"enable_categorical": True}, method={})
    for row in range(1, 61):
        edit_cell(tmp_path / "bureau" / "train.csv", row, "cards", f"kind {row % 4}")
    companies.settings("bureau", categorical_columns=["cards"])
    found = checked(tmp_path)
    assert [checks.first for checks in found.values()] == [None, None]
    said = {name: dict(line[::2] for line in checks.lines) for name, checks in found.items()}
    assert said["bureau"]["training"].endswith("categorical columns (fewer than 8 each): 'cards' 4")
    assert "cards" not in str(found["bank"].lines)


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0o600, "cannot read model.key"),
        ("0f" * 31, 0o600, "64 hex digits"),
        ("0f" * 32, 0o640, "other users"),
        ("0f" * 32, 0o600, ""),
    ],
)
def test_the_model_key_is_read(tmp_path: Path, content: str | None, mode: int, words: str) -> None:
    companies = Companies(tmp_path, method={})
    companies.settings("bank", model_key="model.key")
    if content is not None:
        (tmp_path / "bank" / "model.key").write_text(content)
        (tmp_path / "bank" / "model.key").chmod(mode)
    checks = Checks(Federation.from_file(tmp_path / "bank/party.toml", tmp_path / "bank/job.toml"))
    checks.run_alone()
    (line,) = [line for line in checks.lines if line[0] == "model key"]
    assert (line[1] == "ok") == (not words)
    assert words in line[2]
    assert isinstance(checks.first, UsageError) == bool(words)
