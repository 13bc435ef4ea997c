"""Checkpoints: a resumed training ends with the same model, whatever the crash left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.objective.registry import OBJECTIVES
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, SecureXGBError, TermsDiffer, UsageError
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.resuming.checkpoint import (
    CheckpointStore,
    Ending,
    SavedRound,
    TrainingState,
    common_rounds,
)
from securexgb.jobs.training import train
from securexgb.mpc.reveals import Reveal
from securexgb.storage.sealed import ModelKey
from securexgb.testing import run_parties
from tests.boost.data import jobs, same_model, sides, table
from tests.boost.outputs import TwoOutputs

PARAMS = TrainingParams(n_estimators=6, max_depth=1, max_bin=8, subsample=0.7, colsample_bytree=0.7)
DATA = sides(*table(60, missing=0.1), 2)
TEST = sides(*table(30, missing=0.1, seed=5), 2)


class CrashError(Exception):
    """Stands for a killed process."""


class Crash(TrainingCallback):
    """Fails after tree ``number`` was grown, before it is saved at this side."""

    def __init__(self, number: int) -> None:
        self.number = number

    def after_iteration(self, model, epoch, evals_log):
        if epoch == self.number:
            raise CrashError
        return False


def run(
    directory: Path,
    seed: int,
    resume: bool = False,
    crash=(None, None),
    params=PARAMS,
    key=None,
    tell=print,
):
    given = []
    for rank, job in enumerate(jobs(params, DATA, {"test": TEST})):
        callbacks = () if crash[rank] is None else (Crash(crash[rank]),)
        store = CheckpointStore(directory / str(rank), key, tell)
        given.append(replace(job, store=store, resume=resume, callbacks=callbacks))
    halves = run_parties(train, given, seed=seed, backend="shared", lasting=0)
    return halves[0], halves[1]


def broken(directory: Path, seed: int, crash, resume: bool = False, key=None) -> None:
    with pytest.raises(CrashError):
        run(directory, seed, resume, crash, key=key)


def trees(directory: Path, rank: int) -> int:
    return len(list((directory / str(rank)).glob("tree-*.npz")))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory):
    """Of the first run's seed: its coins go on in the resumed one, and so do the dummies."""
    return run(tmp_path_factory.mktemp("unbroken"), seed=1)


def test_a_resumed_training_ends_with_the_same_model(tmp_path: Path, unbroken) -> None:
    broken(tmp_path, 1, (3, None))
    assert trees(tmp_path, 0) == 3
    resumed = run(tmp_path, seed=2, resume=True)
    assert same_model(resumed, unbroken)
    assert resumed[0].history == unbroken[0].history
    assert resumed[0].model_id == resumed[1].model_id == unbroken[0].model_id


def test_a_round_of_several_trees_is_kept_whole(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(OBJECTIVES, PARAMS.objective, TwoOutputs)
    whole = run(tmp_path / "whole", seed=1)
    assert [len(half.rounds) for half in whole] == [6, 6]
    assert len(whole[0].trees) == 12
    broken(tmp_path, 1, (3, None))
    assert trees(tmp_path, 0) == 3
    resumed = run(tmp_path, seed=2, resume=True)
    assert same_model(resumed, whole)
    assert resumed[0].history == whole[0].history
    for path in (tmp_path / "1").glob("margins-*.npz"):
        path.unlink()
    assert same_model(run(tmp_path, seed=3, resume=True), whole)


def test_one_side_may_be_a_tree_ahead_twice(tmp_path: Path, unbroken) -> None:
    broken(tmp_path, 1, (2, None))
    broken(tmp_path, 2, (None, 4), resume=True)
    assert same_model(run(tmp_path, seed=3, resume=True), unbroken)


def test_trees_of_different_sessions_are_not_mixed(tmp_path: Path, unbroken) -> None:
    """One side has tree 2 of the first session, the other of the second: it is grown anew."""
    broken(tmp_path, 1, (3, None))
    kept = (tmp_path / "0" / "tree-2.npz").read_bytes()
    (tmp_path / "1" / "tree-2.npz").unlink()
    (tmp_path / "1" / "tree-3.npz").unlink(missing_ok=True)
    broken(tmp_path, 2, (4, None), resume=True)
    (tmp_path / "0" / "tree-2.npz").write_bytes(kept)
    assert same_model(run(tmp_path, seed=3, resume=True), unbroken)


def test_margins_are_found_again_where_one_side_lost_them(tmp_path: Path, unbroken) -> None:
    broken(tmp_path, 1, (3, None))
    for path in (tmp_path / "1").glob("margins-*.npz"):
        path.unlink()
    assert same_model(run(tmp_path, seed=2, resume=True), unbroken)


def test_trees_of_one_side_alone_are_not_thrown_away(tmp_path: Path) -> None:
    broken(tmp_path, 1, (3, None))
    for path in (tmp_path / "1").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="label party has 3 trees, that of the feature party 0"):
        run(tmp_path, seed=2, resume=True)
    assert trees(tmp_path, 0) == 3


def test_a_side_that_was_killed_before_its_first_tree_goes_on(tmp_path: Path, unbroken) -> None:
    """The other side may have kept that tree already; the model and its coins stay the same."""
    broken(tmp_path, 1, (1, None))
    (tmp_path / "1" / "tree-0.npz").unlink()
    resumed = run(tmp_path, seed=2, resume=True)
    assert same_model(resumed, unbroken)
    assert resumed[0].model_id == unbroken[0].model_id


def test_a_finished_training_resumes_to_itself(tmp_path: Path) -> None:
    first = run(tmp_path, seed=1)
    assert same_model(run(tmp_path, seed=2, resume=True), first)


def test_a_new_training_takes_no_directory_with_trees(tmp_path: Path) -> None:
    run(tmp_path, seed=1)
    with pytest.raises(UsageError, match="has trees: start anew in another directory"):
        run(tmp_path, seed=2)
    assert trees(tmp_path, 0) == 6


def test_what_is_finished_stays_as_it_is(tmp_path: Path) -> None:
    """It may be read, so that the other side can finish what it lacks."""
    first = run(tmp_path, seed=1)
    given = [
        replace(job, store=CheckpointStore(tmp_path / str(rank), is_finished=True), resume=True)
        for rank, job in enumerate(jobs(PARAMS, DATA, {"test": TEST}))
    ]
    whole = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert same_model(tuple(run_parties(train, given, seed=2, lasting=0)), first)
    for change in (lambda store: store.cut(5), lambda store: store.save_ending(Ending())):
        with pytest.raises(UsageError, match="finished run"):
            change(given[0].store)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == whole


@pytest.mark.parametrize("lost", [(), (1,)])
def test_the_auc_of_all_rows_is_opened_again_only_where_a_side_lacks_it(
    tmp_path: Path, lost: tuple[int, ...]
) -> None:
    params = replace(PARAMS, n_estimators=2, eval_metric=("auc",), auc_rows=20)

    def ended(resume: bool):
        given = [
            replace(job, store=CheckpointStore(tmp_path / str(rank)), resume=resume)
            for rank, job in enumerate(jobs(params, DATA, {"test": TEST}))
        ]
        program = lambda party, job: (train(party, job).whole_auc, party.ledger.entries)  # noqa: E731
        return run_parties(program, given, seed=2 if resume else 1, backend="shared", lasting=0)

    (first, opened), _ = ended(resume=False)
    assert opened[Reveal.METRIC, "both"] == 3
    for rank in lost:
        (tmp_path / str(rank) / "ending.npz").unlink()
    for again, ledger in ended(resume=True):
        assert again == first
        assert ledger.get((Reveal.METRIC, "both"), 0) == len(lost)


def test_early_stopping_goes_on_where_it_was(tmp_path: Path) -> None:
    params = replace(PARAMS, early_stopping_rounds=2, learning_rate=1.0, n_estimators=12)
    whole = run(tmp_path / "a", 1, params=params)
    for rank in (0, 1):
        for path in (tmp_path / "a" / str(rank)).glob("tree-*.npz"):
            if int(path.stem.split("-")[1]) >= 2:
                path.unlink()
    resumed = run(tmp_path / "a", 2, resume=True, params=params)
    assert same_model(resumed, whole)
    assert resumed[0].best_iteration == whole[0].best_iteration
    again = run(tmp_path / "a", 3, resume=True, params=params)
    assert same_model(again, whole)


def test_metrics_of_every_other_tree_are_taken_up(tmp_path: Path) -> None:
    params = replace(PARAMS, n_estimators=5, eval_every=2, early_stopping_rounds=4)
    expected = run(tmp_path / "whole", seed=1, params=params)
    with pytest.raises(CrashError):
        run(tmp_path / "broken", seed=1, params=params, crash=(2, None))
    resumed = run(tmp_path / "broken", seed=2, resume=True, params=params)
    assert resumed[0].history == resumed[1].history == expected[0].history
    assert [len(values) for values in resumed[0].history["test"].values()] == [3]
    assert resumed[1].best_iteration == expected[1].best_iteration


def test_other_data_or_another_job_are_refused(tmp_path: Path) -> None:
    broken(tmp_path, 1, (3, None))
    with pytest.raises(DataError, match="label party or the parameters"):
        run(tmp_path, 2, resume=True, params=replace(PARAMS, n_estimators=7))
    label, feature = jobs(PARAMS, DATA, {"test": TEST}, resume=True, job_digest="OTHER")
    given = [
        replace(job, store=CheckpointStore(tmp_path / str(rank)))
        for rank, job in enumerate((label, feature))
    ]
    with pytest.raises(DataError, match="another job"):
        run_parties(train, given)


def test_both_sides_must_resume() -> None:
    label, feature = jobs(PARAMS, DATA)
    seen = []

    def program(party, job: TrainingJob) -> None:
        try:
            train(party, job)
        except SecureXGBError as error:
            seen.append(type(error))

    run_parties(program, [label, replace(feature, store=CheckpointStore(Path("nowhere")))])
    assert seen == [TermsDiffer, TermsDiffer]
    assert not Path("nowhere").exists()


@pytest.mark.parametrize("name", ["state.json", "tree-1.npz"])
@pytest.mark.parametrize("keep", [0, 40])
def test_damaged_files_that_others_stand_on_are_refused(tmp_path, name, keep) -> None:
    broken(tmp_path, 1, (3, None))
    damage(tmp_path / "0" / name, keep)
    with pytest.raises(DataError, match=name):
        run(tmp_path, 2, resume=True)


def test_the_tree_that_is_named_may_be_removed(tmp_path: Path, unbroken) -> None:
    broken(tmp_path, 1, (3, None))
    path = tmp_path / "0" / "tree-1.npz"
    damage(path, 40)
    with pytest.raises(DataError, match="remove it to go on from the 1 trees before it"):
        run(tmp_path, 2, resume=True)
    path.unlink()
    assert same_model(run(tmp_path, 3, resume=True), unbroken)


NEWEST = ("tree-2.npz", "margins-2.npz", "margins-3.npz")


@pytest.mark.parametrize("key", [None, ModelKey(bytes(32))], ids=["plain", "sealed"])
@pytest.mark.parametrize("names", [NEWEST[:1], NEWEST[2:], NEWEST], ids=["tree", "margins", "all"])
def test_the_newest_files_are_left_out_where_they_are_damaged(tmp_path, key, names, unbroken):
    """Cut to nothing, cut, or changed in the middle: the training goes on from what is good."""
    broken(tmp_path, 1, (3, None), key=key)
    for name, keep in zip(names, (None, 0, 40), strict=False):
        damage(tmp_path / "0" / name, keep)
    told: list[str] = []
    assert same_model(run(tmp_path, 2, resume=True, key=key, tell=told.append), unbroken)
    # Margins beyond the newest good tree are of no use, damaged or not.
    expected = [name for name in names if names[0] == NEWEST[2] or name != NEWEST[2]]
    assert [sentence.split(" is damaged: ")[0] for sentence in told] == [
        str(tmp_path / "0" / name) for name in expected
    ]


def damage(path: Path, keep: int | None) -> None:
    """Cut a file to so many bytes; None changes one in its middle."""
    content = bytearray(path.read_bytes())
    if keep is None:
        content[len(content) // 2] ^= 255
    path.write_bytes(content[:keep])


def saved(directory: Path, session: str, key: ModelKey | None, rank: int = 0) -> CheckpointStore:
    """A checkpoint of two trees, grown in ``session``."""
    half = run_parties(train, list(jobs(replace(PARAMS, n_estimators=1), DATA, {})))[rank]
    store = CheckpointStore(directory, key)
    store.start(TrainingState(rank, f"model of {directory.name}", "JOB", "00", "data"))
    for count in (1, 2):
        store.save_margins(count, session, np.arange(3, dtype=np.uint64))
        store.save(count, SavedRound(half.rounds[0], session, ()))
    return store


@pytest.mark.parametrize("key", [None, ModelKey(bytes(32))])
def test_files_of_another_run_side_or_tree_are_refused(tmp_path: Path, key) -> None:
    own = tmp_path / "own"
    store = saved(own, "one", key)
    columns = len(DATA[0].column_names)
    whole = {path.name: path.read_bytes() for path in own.iterdir()}
    other_run, other_side = tmp_path / "other", tmp_path / "side" / "own"
    saved(other_run, "one", key)
    saved(other_side, "one", key, rank=1)
    assert store.margins(2, "one").tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="another file"):
        store.margins(2, "two")
    for source in (
        other_run / "margins-2.npz",
        other_side / "margins-2.npz",
        own / "margins-1.npz",
    ):
        (own / "margins-2.npz").write_bytes(source.read_bytes())
        for reader in (store, CheckpointStore(own, key)):
            with pytest.raises(DataError, match="another file"):
                reader.margins(2, "one")
    (own / "margins-2.npz").write_bytes(whole["margins-2.npz"])
    for source in (other_run / "tree-1.npz", other_side / "tree-1.npz", own / "tree-0.npz"):
        (own / "tree-1.npz").write_bytes(source.read_bytes())
        with pytest.raises(DataError, match="another file"):
            CheckpointStore(own, key).load(columns, 1)
    (own / "tree-1.npz").write_bytes(whole["tree-1.npz"])
    assert CheckpointStore(own, key).load(columns, 1) is not None
    (own / "state.json").write_bytes((other_run / "state.json").read_bytes())
    with pytest.raises(DataError, match="another file"):
        CheckpointStore(own, key).load(columns, 1)


def read_all(store: CheckpointStore) -> None:
    store.load(len(DATA[0].column_names), 1)
    store.margins(2, "one")


def test_a_header_that_is_not_the_content_s_is_refused(tmp_path: Path) -> None:
    key = ModelKey(bytes(32))
    store = saved(tmp_path, "one", key)
    for name in ("state.json", "tree-0.npz", "margins-2.npz"):
        path = tmp_path / name
        sealed = path.read_bytes()
        about, content = key.open(sealed, name)
        assert (about["role"], about["job_digest"]) == ("label", "JOB")
        path.write_bytes(key.seal(content, about | {"model_id": "another"}))
        with pytest.raises(DataError, match="another file"):
            read_all(store)
        path.write_bytes(sealed)


def test_a_resumed_training_refuses_margins_of_another_run(tmp_path: Path) -> None:
    broken(tmp_path / "a", 1, (3, None))
    broken(tmp_path / "b", 2, (3, None))
    foreign = (tmp_path / "b" / "0" / "margins-3.npz").read_bytes()
    (tmp_path / "a" / "0" / "margins-3.npz").write_bytes(foreign)
    with pytest.raises(DataError, match="another file"):
        run(tmp_path / "a", 3, resume=True)


def test_nothing_that_hides_a_share_is_written(tmp_path: Path) -> None:
    """Files hold the tree, margins, and the state named in the module; the user's alone."""
    run(tmp_path, seed=1)
    names = {path.name for path in (tmp_path / "0").iterdir()}
    assert names == {
        "state.json", "margins-5.npz", "margins-6.npz", *(f"tree-{i}.npz" for i in range(6)),
    }  # fmt: skip
    for path in (tmp_path / "0").iterdir():
        assert path.stat().st_mode & 0o077 == 0
    with np.load(tmp_path / "0" / "tree-0.npz", allow_pickle=False) as content:
        assert set(content.files) == {
            "owners", "features", "bins", "thresholds", "missing_left", "one_hot", "leaf_values",
            "header", "metrics",
        }  # fmt: skip


def test_the_longest_common_beginning() -> None:
    assert common_rounds(["a", "a", "b"], ["a", "a", "c", "c"]) == 2
    assert common_rounds([], ["a"]) == 0
    assert common_rounds(["a"], ["a", "a"]) == 1
