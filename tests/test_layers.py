"""Layers point downward: import-linter checks the contracts of pyproject.toml."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import securexgb

pytest.importorskip("importlinter", reason="import-linter is among the dev tools")
ROOT = Path(securexgb.__file__).parent.parent


def test_the_contracts_hold(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("lint-imports")
    config = ROOT / "pyproject.toml"
    run = subprocess.run(
        [command, "--config", config, "--cache-dir", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_algorithm_reads_without_networks() -> None:
    """Who knows XGBoost and nothing of networks must be able to read boost/splits/split.py."""
    text = (ROOT / "securexgb" / "boost" / "splits" / "split.py").read_text()
    for word in ("channel", "socket", "message", "grpc", "exchange"):
        assert word not in text


def test_the_algorithm_reads_no_share_and_no_source() -> None:
    """boost/ works on shares by their verbs, and never asks where randomness comes from."""
    share, source = re.compile(r"\.words\b(?!\()"), re.compile(r"\.(source|dealt)\b")
    for file in sorted((ROOT / "securexgb" / "boost").rglob("*.py")):
        text = file.read_text()
        if file.name != "executor.py":
            assert not share.search(text), f"{file.name} reads the words of a share"
        assert not source.search(text), f"{file.name} depends on the source of correlations"
