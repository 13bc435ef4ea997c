"""What ``check`` finds at one side stops the other side's at once, by its kind alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
