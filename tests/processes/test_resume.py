"""Broken at moments that nobody chooses: ``train --resume`` ends with the unbroken run's model.

A side is killed with -9, the connection is cut, or a side's disk is full. Who is left says what
happened and ends. ``make thorough`` breaks a training far more often.
"""

from __future__ import annotations

import contextlib
import secrets
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from securexgb.model.files import load_half
from tests.processes.companies import OTHER, RUN, SIDES, Companies, Ended, finish
from tests.processes.relay import Relay
from tests.processes.test_failures import wait_for_trees
from tests.profiles import moments

KILLS = moments(1, 20)
CUTS = moments(1, 20)
FILLINGS = moments(1, 20)
APART = 5
"""Trees between two kills."""
TREES = APART * KILLS + 2
TRAINING = {"n_estimators": TREES, "max_depth": 3, "subsample": 0.7, "colsample_bytree": 0.8}
DEALT_BYTES = 1 << 22
"""Less than what dealing takes."""
IMPATIENT = {"timeout_seconds": 8}
"""For who waits for a side that never comes."""
SMALL_DISK = (
    "import resource, sys; sys.dont_write_bytecode = True; "
    "resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0})); "
)
"""No file may be larger than so many bytes: the write beyond fails, as on a disk that is full."""

pytestmark = pytest.mark.timeout(200 + 60 * max(KILLS, CUTS, FILLINGS))


@dataclass(frozen=True)
class Unbroken:
    """A training that nothing happened to: what the others are compared with."""

    scores: str
    leaves: np.ndarray
    bytes: int
    largest_file: dict[str, int]


@pytest.fixture
def companies(tmp_path: Path) -> Iterator[Companies]:
    made = Companies(tmp_path, TRAINING)
    made.start_dealer()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unbroken]:
    made = Companies(tmp_path_factory.mktemp("unbroken"), TRAINING)
    try:
        made.start_dealer()
        with relayed(made) as relay:
            done = made.both("train")
        assert [process.code for process in done.values()] == [0, 0], done
        largest = {
            name: max(path.stat().st_size for path in made.run_directory(name).rglob("*.*"))
            for name in SIDES
        }
        yield Unbroken(scores(made), leaves(made), relay.bytes, largest)
    finally:
        made.stop()


def test_killed_and_resumed(companies: Companies, unbroken: Unbroken) -> None:
    moment = [1 + APART * k + secrets.randbelow(APART - 1) for k in range(KILLS)]
    victims = [secrets.choice(list(SIDES)) for _ in moment]
    print(f"killing {victims} after trees {moment}")
    arguments = ["train"]
    for trees, victim in zip(moment, victims, strict=True):
        sides = {name: companies.start(name, *arguments) for name in SIDES}
        wait_for_trees(companies, victim, trees)
        killed = sides.pop(victim)
        with contextlib.suppress(subprocess.TimeoutExpired):
            killed.wait(secrets.randbelow(300) / 1000)
        killed.send_signal(signal.SIGKILL)
        (survivor,) = sides.values()
        ended = finish(survivor)
        assert ended.code == 3, ended
        arguments = ["train", "--resume"]
    resume_and_compare(companies, unbroken)
    assert scores(companies) == unbroken.scores
    for name in SIDES:
        log = (companies.run_directory(name) / "log.jsonl").read_text()
        assert '"trees_so_far": 0' in log
        assert log.count('"event": "resumed"') == KILLS


def test_cut_off_and_resumed(companies: Companies, unbroken: Unbroken) -> None:
    """At any byte: of the handshake, the greeting, the preparation, a tree."""
    places = [secrets.randbelow(unbroken.bytes // (CUTS + 1)) for _ in range(CUTS)]
    print(f"cutting after {places} bytes")
    for place in places:
        with relayed(companies, place, **IMPATIENT):
            ended = companies.both(*begun(companies))
        codes = {process.code for process in ended.values()}
        assert codes <= {3, 7}, ended
        assert 3 in codes, ended
        assert all(process.error for process in ended.values())
    resume_and_compare(companies, unbroken)


def test_cut_off_and_nobody_there(companies: Companies, unbroken: Unbroken) -> None:
    """Both sides try again by themselves."""
    place = unbroken.bytes // 10 + secrets.randbelow(unbroken.bytes * 8 // 10)
    print(f"cutting after {place} bytes")
    with relayed(companies, place, comes_back=True, retries=3) as relay:
        ended = companies.both("train")
    assert [process.code for process in ended.values()] == [0, 0], ended
    assert relay.cuts == 1
    for process in ended.values():
        assert "trying again, 1 of 3" in process.stderr
    np.testing.assert_array_equal(leaves(companies), unbroken.leaves)


def test_the_dealer_s_link_is_cut_and_nobody_there(
    companies: Companies, unbroken: Unbroken
) -> None:
    with Relay(companies.dealer_port, secrets.randbelow(DEALT_BYTES), comes_back=True) as relay:
        for name in SIDES:
            companies.settings(name, retries=3, dealer_address=f"127.0.0.1:{relay.port}")
        ended = companies.both("train")
    assert [process.code for process in ended.values()] == [0, 0], ended
    assert relay.cuts == 1
    np.testing.assert_array_equal(leaves(companies), unbroken.leaves)


def test_killed_and_restarted_while_the_other_side_waits(
    companies: Companies, unbroken: Unbroken
) -> None:
    victim = secrets.choice(list(SIDES))
    companies.settings(OTHER[victim], retries=3)
    sides = {name: companies.start(name, "train") for name in SIDES}
    wait_for_trees(companies, victim, 1 + secrets.randbelow(TREES - 2))
    killed = sides.pop(victim)
    killed.send_signal(signal.SIGKILL)
    again = companies.start(victim, "train", "--resume")
    ended = {victim: finish(again), OTHER[victim]: finish(sides[OTHER[victim]])}
    assert [process.code for process in ended.values()] == [0, 0], ended
    assert "trying again, 1 of 3" in ended[OTHER[victim]].stderr
    np.testing.assert_array_equal(leaves(companies), unbroken.leaves)


def test_disk_full_and_resumed(companies: Companies, unbroken: Unbroken) -> None:
    for name in SIDES:
        companies.settings(name, **IMPATIENT)
    for _ in range(FILLINGS):
        victim = secrets.choice(list(SIDES))
        most = secrets.randbelow(unbroken.largest_file[victim])
        print(f"no file of {victim} may have more than {most} bytes")
        arguments = begun(companies)
        sides = {
            victim: companies.start(victim, *arguments, code=SMALL_DISK.format(most) + RUN),
            OTHER[victim]: companies.start(OTHER[victim], *arguments),
        }
        ended = {name: finish(process) for name, process in sides.items()}
        assert ended[victim].code == 2, ended
        assert "cannot write" in ended[victim].error
        assert ended[OTHER[victim]].code in (0, 3, 7), ended
    for name in SIDES:
        companies.settings(name)
    resume_and_compare(companies, unbroken)


@contextlib.contextmanager
def relayed(
    companies: Companies,
    cut_after: int | None = None,
    *,
    comes_back: bool = False,
    **changes: int,
) -> Iterator[Relay]:
    """The bureau calls the bank over a wire that may be cut."""
    with Relay(companies.port, cut_after, comes_back=comes_back) as relay:
        companies.settings("bank", **changes)
        companies.settings("bureau", connect=f"127.0.0.1:{relay.port}", **changes)
        try:
            yield relay
        finally:
            for name in SIDES:
                companies.settings(name)


def begun(companies: Companies) -> list[str]:
    """Go on where both sides have begun; there is nothing to go on from where one has not."""
    has_run = [list((companies.root / name).glob("run/*/checkpoint")) for name in SIDES]
    return ["train", "--resume"] if all(has_run) else ["train"]


def resume_and_compare(companies: Companies, unbroken: Unbroken) -> None:
    ended: dict[str, Ended] = companies.both(*begun(companies))
    assert [process.code for process in ended.values()] == [0, 0], ended
    np.testing.assert_array_equal(leaves(companies), unbroken.leaves)


def scores(companies: Companies) -> str:
    """The predictions of the test rows, as the bank's file has them."""
    ended = companies.both("predict")
    assert [process.code for process in ended.values()] == [0, 0], ended
    return (companies.root / "bank" / ended["bank"].json["predictions"]).read_text()


def leaves(companies: Companies) -> np.ndarray:
    """Every tree's leaf values, both halves' shares put together: (trees, leaves).

    Dummy splits are drawn at random in each run; the leaves below one are all equal.
    """
    halves = [
        load_half(max((companies.root / name).glob(f"run/*/model/{role}.npz")))
        for name, role in SIDES.items()
    ]
    assert [len(half.trees) for half in halves] == [TREES, TREES]
    shares = [np.stack([tree.leaf_values for tree in half.trees]) for half in halves]
    return shares[0] + shares[1]
