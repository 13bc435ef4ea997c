"""Two companies with two shards each, as seven processes: the same trees, whatever is killed."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from securexgb.boost.ensemble import ModelHalf
from securexgb.federation.session import Federation
from securexgb.jobs.data.files import load_rows
from securexgb.jobs.simulation import simulate_parties
from securexgb.jobs.training import agreed_job, train
from securexgb.model.digest import trees_sha256
from securexgb.model.files import load_half
from securexgb.mpc.party import Party
from tests.cluster.running import Sharded
from tests.processes.companies import SIDES, finish
from tests.processes.test_failures import wait_for_trees
from tests.profiles import moments

SHARDS = 2
KILLS = moments(1, 20)
TREES = 2 * KILLS + 1

pytestmark = pytest.mark.timeout(120 + 60 * KILLS)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Sharded]:
    found = Sharded(
        tmp_path, SHARDS, rows=150, train_data="train.parquet", eval_data="test.parquet",
        retries=20,
    )  # fmt: skip
    found.parquet()
    found.terms(*SIDES, training={"n_estimators": TREES})
    yield found
    found.stop()


def test_whatever_is_killed_comes_back_and_trees_are_those_of_one_process(made: Sharded) -> None:
    starts: dict[str, Callable[[], subprocess.Popen[str]]] = {"relay": made.start_relay}
    for name in SIDES:
        starts[f"head of {name}"] = lambda name=name: made.start(name, "train", "--resume")
        for number in range(SHARDS):
            place = f"shard {number} of {name}"
            starts[place] = lambda name=name, number=number: made.start_shard(name, number)
    running = {place: start() for place, start in starts.items()}
    for kill in range(KILLS):
        wait_for_trees(made, "bank", 2 * kill + 1)
        place = secrets.choice(list(starts))
        print("killed:", place)
        running[place].kill()
        running[place].communicate()
        running[place] = starts[place]()
    for name in SIDES:
        ended = finish(running.pop(f"head of {name}"))
        assert ended.code == 0, ended.stderr
        assert ended.json["trees"] == TREES
    for process in running.values():
        process.send_signal(signal.SIGTERM)
    ends = {place: finish(process) for place, process in running.items()}
    assert {end.code for end in ends.values()} == {0}, ends
    passed = ends["relay"].json["passed"]
    assert set(passed) == {"bank", "shard-0.bank", "shard-1.bank"}
    models = {made.run_directory(name) / "model": role for name, role in SIDES.items()}
    report = json.loads((made.run_directory("bank") / "report.json").read_text())
    assert report["estimate"]["rounds"]["ratio"] == pytest.approx(1.0, abs=0.05)
    last = report["slowest_shards"][-1]
    assert (last["tree"], 0 < last["seconds"] <= last["steps"]) == (TREES - 1, True)
    halves = [load_half(folder / f"{role}.npz") for folder, role in models.items()]
    assert trees_sha256(halves) == reference(made)


def reference(made: Sharded) -> str:
    """Of the same training of two threads, without shards."""

    def program(party: Party, federation: Federation) -> ModelHalf:
        path = federation.config.train_data
        assert path is not None
        return train(party, agreed_job(party, federation, load_rows(federation, path), []))

    federations = [made.federation(name) for name in SIDES]
    return trees_sha256(simulate_parties(program, federations, seed=1).results)
