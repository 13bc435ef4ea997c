"""``securexgb simulate --shards``: the digest of its trees is that without shards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from securexgb.cli.app import typer_app
from securexgb.errors import UsageError
from securexgb.jobs import reports

SMALL = ["simulate", "--trees", "1", "--depth", "2", "--bins", "8", "--format", "json"]


def simulated(folder: Path, *flags: str) -> dict[str, Any]:
    said = [*SMALL, "--run-directory", str(folder), *flags]
    found = CliRunner().invoke(typer_app(["simulate"]), said, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    facts: dict[str, Any] = json.loads(found.stdout)
    return facts


def test_the_digest_is_the_same_for_any_number_of_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "has_page", lambda: False)  # drawing takes longer than training
    whole, parts = simulated(tmp_path / "1"), simulated(tmp_path / "2", "--shards", "3")
    assert parts["trees_sha256"] == whole["trees_sha256"]
    assert parts["auc"] == whole["auc"]
    (slowest,) = parts["slowest_shards"]
    assert slowest["tree"] == 0
    assert slowest["shard"] in range(3)
    assert 0 < slowest["seconds"] <= slowest["steps"]
    (run,) = (tmp_path / "2").iterdir()
    assert json.loads((run / "report.json").read_text())["slowest_shards"] == [slowest]
    assert whole["slowest_shards"] == []
    assert len(whole["trees_sha256"]) == 64
    # Bytes between the heads and between shards are counted, keys of each pair among them.
    assert parts["megabytes"]["offline"] > whole["megabytes"]["offline"]
    dealt = "--offline", "dealt", "--algorithm", "ss"
    other = simulated(tmp_path / "3", *dealt, "--param", "reg_lambda=9")
    assert other["trees_sha256"] != whole["trees_sha256"]


def test_more_shards_than_the_rows_allow_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose 7 shards at most"):
        simulated(tmp_path, "--shards", "8")
    assert not list(tmp_path.iterdir())
