"""Whatever the commands leave is the user's alone, and nothing is written through a link.

Both sides run here, over a link in memory.
"""

from __future__ import annotations

import copy
import os
import shutil
from pathlib import Path

import pytest

from securexgb.cli.evaluate import evaluate
from securexgb.cli.predict import predict
from securexgb.cli.report import report
from securexgb.cli.train import train
from securexgb.errors import SecureXGBError
from securexgb.report import page

SMALL = {"n_estimators": 2, "max_depth": 1, "max_bin": 2}


@pytest.fixture
def written(pages, monkeypatch):
    """Pages are written as always, with nothing on them: drawing takes longest of all."""
    pages()
    monkeypatch.setattr(page, "render_page", lambda report: report.title)


@pytest.fixture
def takes_nothing_away():
    """A umask under which files are as open as they were asked for."""
    before = os.umask(0o000)
    yield
    os.umask(before)


def test_all_files_have_0600_and_all_folders_0700(
    takes_nothing_away, both, companies, securexgb, tmp_path, monkeypatch, written
):
    made = companies("loans", **SMALL)
    own = set(made.root.rglob("*"))
    for command in (train, evaluate, predict, report):
        both(made, command)
    both(made, predict, output=made.root / "deep" / "down" / "scores.csv")
    both(made, train, resume=True)
    home = tmp_path / "home"
    home.mkdir(0o755)
    monkeypatch.chdir(home)
    names = ["--label-party", "bank", "--feature-party", "bureau"]
    theirs = str(made.root / "bureau" / "keys" / "own.pem")
    for arguments in (
        ("init", "--role", "label", "--name", "bank", "--output", "a/b/party.toml"),
        ("init", "--role", "dealer", "--output", "dealer.toml"),
        ("keys", "create", "--config", "a/b/party.toml"),
        ("keys", "trust", theirs, "--config", "a/b/party.toml"),
        ("keys", "trust", "a/b/keys/own.pem", "--config", "dealer.toml", "--whose", "label"),
        ("job", "new", "--name", "n", *names, "--output", "terms/job.toml"),
    ):
        assert securexgb(*arguments).code == 0
    left = {*made.root.rglob("*"), *home.rglob("*")} - own
    assert {path.name for path in left} >= {
        "job.toml", "run.json", "log.jsonl", "metrics.jsonl", "ledger.json", "predictions.csv",
        "report.html", "report.json", "label.npz", "feature.npz", "state.json", "tree-0.npz",
        "scores.csv", "party.toml", "own.key", "own.pem", "peer.pem", "label.pem", "margins-2.npz",
        "predicted.json", "checkpoint", "model", "run", "keys", "terms", "down",
    }  # fmt: skip
    for path in left:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


@pytest.fixture
def finished(both, companies, written):
    """A run of two trees at both sides, and what lies outside it."""
    made = companies("loans", **SMALL)
    for command in (train, predict):
        both(made, command)
    return made, made.root / "outside"


def plant(path: Path, outside: Path) -> None:
    """Move what is at ``path`` outside, and lead to it from its place."""
    shutil.move(path, outside)
    path.symlink_to(outside)


def content(path: Path) -> dict[str, bytes]:
    found = [path, *path.rglob("*")]
    return {str(one): one.read_bytes() for one in found if one.is_file()}


def test_links_in_the_place_of_files_are_replaced(both, finished):
    made, outside = finished
    run = made.run_directory("bank")
    planted = ["report.html", "report.json", "predicted.json", "predictions.csv"]
    outside.mkdir()
    for name in planted:
        plant(run / name, outside / Path(name).name)
    before = content(outside)
    for command, options in ((train, {"resume": True}), (predict, {}), (report, {})):
        both(made, command, **options)
    assert content(outside) == before
    assert not [name for name in planted if (run / name).is_symlink()]


LEAD_AWAY = (
    "", "log.jsonl", "ledger.json", "metrics.jsonl", "checkpoint", "checkpoint/state.json",
    "checkpoint/tree-1.npz", "model", "..",
)  # fmt: skip


def test_links_that_would_be_followed_are_refused(both, finished, tmp_path):
    """Or they lead to what a finished run is not asked for: nothing is written there."""
    made, _ = finished
    refused = {}
    for number, name in enumerate(LEAD_AWAY):
        one = copy.copy(made)
        one.root = shutil.copytree(made.root, tmp_path / str(number))
        outside, path = one.root / "outside", one.run_directory("bank") / name
        plant(path.parent.parent if name == ".." else path, outside)
        before = content(outside)
        try:
            both(one, train, resume=True)
        except SecureXGBError as error:
            refused[name] = str(error)
        assert content(outside) == before, name
    assert refused.keys() >= {"", "..", "log.jsonl"}
    assert all("is a symbolic link" in refused[name] for name in ("", "..", "log.jsonl"))
