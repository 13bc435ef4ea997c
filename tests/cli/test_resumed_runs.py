"""``train --resume`` where the sides' runs do not match: nothing is thrown away.

Both commands run here, over a link in memory.
"""

import json
import shutil
from itertools import count
from pathlib import Path

import pytest

from securexgb.cli.evaluate import evaluate
from securexgb.cli.predict import predict
from securexgb.cli.progress import TrainingProgress
from securexgb.cli.sessions import Sessions
from securexgb.cli.train import train
from securexgb.errors import DataError, PeerGone, TermsDiffer
from securexgb.model.files import load_half
from tests.processes.companies import SIDES, Companies, edit_cell

TREES = 4


class Crash(Exception):
    """Stands for what ends a training midway."""


@pytest.fixture
def companies(tmp_path):
    return Companies(tmp_path, {"n_estimators": TREES, "splits": "owner"}, rows=40)


@pytest.fixture
def both(both):
    """In the clear, for speed: what is tested here are files. Each time with other randomness."""
    seeds = count()

    def run(*given, **options):
        return both(*given, backend="plaintext", seed=next(seeds), **options)

    return run


@pytest.fixture
def broken(both, companies, monkeypatch):
    """Start a new run at both sides, and end it before tree number ``trees`` is kept."""

    def run(trees):
        def crash(_progress, number, _text=""):
            if number == trees + 1:
                raise Crash

        with monkeypatch.context() as patched:
            patched.setattr(TrainingProgress, "tree_done", crash)
            with pytest.raises(Crash):
                both(companies, train)
        return {name: newest(companies, name) for name in SIDES}

    return run


def newest(companies: Companies, name: str) -> Path:
    return max((companies.root / name / "run").iterdir())


def content(*folders: Path) -> dict[Path, bytes]:
    """What a run must keep: all but the lists of what was done and revealed, which grow."""
    return {
        path: path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("log.jsonl", "ledger.json")
    }


def halves(companies: Companies, runs: dict[str, Path]) -> None:
    """Both runs are finished, with halves of one model."""
    found = [load_half(runs[name] / "model" / f"{role}.npz") for name, role in SIDES.items()]
    assert found[0].model_id == found[1].model_id
    assert [len(half.trees) for half in found] == [TREES, TREES]


def test_a_removed_file_is_an_error_at_both_that_names_both(both, companies, broken):
    runs = broken(2)
    state = runs["bureau"] / "checkpoint" / "state.json"
    kept = state.read_bytes()
    state.unlink()
    before = content(*runs.values())
    for error in both(companies, train, fails=True, resume=True).values():
        assert isinstance(error, DataError)
        assert f"bank (label party) has {runs['bank'].name} with 2 trees" in str(error)
        assert f"bureau (feature party) has {runs['bureau'].name} with 2 trees, no" in str(error)
    assert content(*runs.values()) == before
    state.write_bytes(kept)
    both(companies, train, resume=True)
    halves(companies, runs)


def test_a_run_of_which_one_side_is_gone_is_an_error_at_both(both, companies, broken):
    runs = broken(2)
    shutil.rmtree(runs["bureau"])
    for error in both(companies, train, fails=True, resume=True).values():
        assert "bureau (feature party) has no run of this job" in str(error)
    for error in both(companies, train, fails=True, run=runs["bank"]).values():
        assert isinstance(error, DataError)


def test_a_death_between_agreement_and_the_first_file_hides_nothing(both, companies, broken):
    runs = broken(2)
    both_new = broken(0)
    shutil.rmtree(both_new["bureau"] / "checkpoint")
    both(companies, train, resume=True)
    halves(companies, runs)
    assert not (both_new["bank"] / "model").exists()


def test_a_clock_that_was_a_day_ahead_changes_nothing(both, companies, broken):
    older, newer = broken(1), broken(2)
    ahead = older["bureau"].with_name(f"99991231T235959Z-{older['bureau'].name.split('-')[1]}")
    older["bureau"].rename(ahead)
    before = content(older["bank"], ahead)
    both(companies, train, resume=True)
    halves(companies, newer)
    assert content(older["bank"], ahead) == before


def test_a_finished_run_serves_the_other_side_and_stays_as_it_is(both, companies):
    both(companies, train)
    runs = {name: newest(companies, name) for name in SIDES}
    shutil.rmtree(runs["bureau"] / "model")
    before = content(runs["bank"])
    both(companies, train, resume=True)
    halves(companies, runs)
    assert content(runs["bank"]) == before
    last_tree = runs["bureau"] / "checkpoint" / f"tree-{TREES - 1}.npz"
    last_tree.unlink()
    shutil.rmtree(runs["bureau"] / "model")
    for error in both(companies, train, fails=True, resume=True).values():
        assert f"{runs['bank'].name} with {TREES} trees, finished" in str(error)
        assert f"{runs['bureau'].name} with {TREES - 1} trees" in str(error)
    assert content(runs["bank"]) == before


def test_what_is_finished_at_both_is_told_again(both, companies, capsys):
    both(companies, train)
    before = content(*(newest(companies, name) for name in SIDES))
    capsys.readouterr()
    both(companies, train, resume=True)
    assert capsys.readouterr().out.count(f"{TREES} trees; this side's half is in") == len(SIDES)
    assert content(*(newest(companies, name) for name in SIDES)) == before


@pytest.mark.parametrize("tree", [0, TREES - 1])
def test_a_damaged_checkpoint_of_a_finished_run_is_no_loss(both, companies, tree):
    """What is finished is not grown again: nothing changes, and what the half is good for is said.

    The half is as good as before: both sides predict with theirs.
    """
    both(companies, train)
    runs = {name: newest(companies, name) for name in SIDES}
    damaged = runs["bureau"] / "checkpoint" / f"tree-{tree}.npz"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    before = content(*runs.values())
    for name, error in both(companies, train, fails=True, resume=True).items():
        assert isinstance(error, DataError)
        assert f"{runs[name]}: this side's half of the model is there" in error.__notes__[-1]
    assert content(*runs.values()) == before
    both(companies, predict)
    assert (runs["bank"] / "predictions.csv").exists()


def test_anew_is_explicit_and_gets_a_directory_of_its_own(both, companies, broken):
    runs = broken(1)
    before = content(*runs.values())

    def mixed(**files):
        train(**files, resume=files["config"].parent.name == "bank")

    for error in both(companies, mixed, fails=True).values():
        assert isinstance(error, TermsDiffer)
        assert f"bank (label party) goes on with --resume and has {runs['bank'].name}" in str(error)
    both(companies, train)
    assert content(*runs.values()) == before
    again = {name: newest(companies, name) for name in SIDES}
    assert all(again[name] != runs[name] for name in SIDES)
    halves(companies, again)


def test_with_nothing_at_either_side_a_run_begins(both, companies):
    both(companies, train, resume=True)
    runs = {name: newest(companies, name) for name in SIDES}
    halves(companies, runs)
    log = (runs["bank"] / "log.jsonl").read_text().splitlines()
    events = [json.loads(line)["event"] for line in log]
    assert events == ["started", "agreed", "training", "finished"]


def test_the_newest_of_both_is_measured_and_predicts(both, companies, capsys):
    """Whatever one side's clock said, and whatever else is there at one side alone."""
    for name in SIDES:
        with (companies.root / name / "party.toml").open("a") as settings:
            settings.write('eval_data = "test.csv"\n')
    both(companies, train)
    older = {name: newest(companies, name) for name in SIDES}
    both(companies, train)
    newer = {name: newest(companies, name) for name in SIDES}
    ahead = older["bureau"].with_name(f"9{newer['bureau'].name}")
    older["bureau"].rename(ahead)
    for command in (evaluate, predict):
        both(companies, command)
    assert (newer["bank"] / "predictions.csv").exists()
    shutil.rmtree(newer["bank"])
    both(companies, predict)
    assert (older["bank"] / "predictions.csv").exists()
    shutil.rmtree(ahead)
    for error in both(companies, predict, fails=True).values():
        assert isinstance(error, TermsDiffer)
        assert "no finished model in common" in str(error)


def test_a_link_that_breaks_when_the_half_is_kept_loses_nothing(
    both, companies, monkeypatch, capsys
):
    keep = Sessions._keep

    def breaks(sessions, *given):
        keep(sessions, *given)
        raise PeerGone("the connection broke")

    with monkeypatch.context() as patched:
        patched.setattr(Sessions, "_keep", breaks)
        both(companies, train)
    assert "this side's half is kept" in capsys.readouterr().err
    halves(companies, {name: newest(companies, name) for name in SIDES})


def test_other_data_are_an_error_at_both_and_explained_at_their_side(both, companies, broken):
    runs = broken(2)
    edit_cell(companies.root / "bureau" / "train.csv", 3, "cards", 0.5)
    errors = both(companies, train, fails=True, resume=True)
    for error in errors.values():
        assert isinstance(error, DataError)
        assert f"{runs['bureau'].name} with 2 trees, made with other data" in str(error)
    assert not hasattr(errors["bank"], "__notes__")
    (note,) = errors["bureau"].__notes__
    assert str(runs["bureau"]) in note
