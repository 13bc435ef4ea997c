"""kill -9 at a random moment, twice: ``train --resume`` ends with the unbroken run's model."""

import contextlib
import secrets
import signal
import subprocess

import numpy as np
import pytest

from securexgb.model.files import load_half
from tests.processes.companies import SIDES, Companies, finish
from tests.processes.test_failures import wait_for_trees

pytestmark = pytest.mark.timeout(400)

TREES = 12


@pytest.fixture(scope="module")
def training():
    return {"n_estimators": TREES, "max_depth": 3, "subsample": 0.7, "colsample_bytree": 0.8}


@pytest.fixture
def companies(tmp_path, training):
    made = Companies(tmp_path, training)
    made.start_dealer()
    yield made
    made.stop()


def test_killed_twice_and_resumed(companies, tmp_path_factory, training):
    moments = [1 + secrets.randbelow(4), 5 + secrets.randbelow(5)]
    victims = [secrets.choice(list(SIDES)) for _ in moments]
    print(f"killing {victims} after trees {moments}")
    arguments = ["train"]
    for trees, victim in zip(moments, victims, strict=True):
        sides = {name: companies.start(name, *arguments) for name in SIDES}
        wait_for_trees(companies, victim, trees)
        killed = sides.pop(victim)
        with contextlib.suppress(subprocess.TimeoutExpired):
            killed.wait(secrets.randbelow(300) / 1000)
        killed.send_signal(signal.SIGKILL)
        (survivor,) = sides.values()
        assert finish(survivor).code == 3
        arguments = ["train", "--resume"]
    ended = companies.both(*arguments)
    assert [process.code for process in ended.values()] == [0, 0], ended
    resumed = scores(companies)

    unbroken = Companies(tmp_path_factory.mktemp("unbroken"), training)
    try:
        unbroken.start_dealer()
        done = unbroken.both("train")
        assert [process.code for process in done.values()] == [0, 0], done
        expected = scores(unbroken)
    finally:
        unbroken.stop()
    assert resumed == expected
    for name in SIDES:
        log = (companies.run_directory(name) / "log.jsonl").read_text()
        assert '"trees_so_far": 0' in log
        assert log.count('"event": "resumed"') == 2
    np.testing.assert_array_equal(leaves(companies), leaves(unbroken))


def scores(companies):
    """The predictions of the test rows, as the bank's file has them."""
    ended = companies.both("predict")
    assert [process.code for process in ended.values()] == [0, 0], ended
    return (companies.root / "bank" / ended["bank"].json["predictions"]).read_text()


def leaves(companies):
    """Every tree's leaf values, both halves' shares put together: (trees, leaves).

    Dummy splits are drawn at random in each run; the leaves below one are all equal.
    """
    halves = [
        load_half(companies.run_directory(name) / "model" / f"{role}.npz")
        for name, role in SIDES.items()
    ]
    assert [len(half.trees) for half in halves] == [TREES, TREES]
    shares = [np.stack([tree.leaf_values for tree in half.trees]) for half in halves]
    return shares[0] + shares[1]
