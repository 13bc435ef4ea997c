"""The trial of the machine that estimates begin with."""

import subprocess
import sys

import pytest

from securexgb.jobs.estimating import trial
from securexgb.jobs.estimating.machine import Machine
from securexgb.jobs.estimating.trial import Speeds, Trial


@pytest.fixture
def bursts(monkeypatch):
    """Bursts of a machine with two speeds, which changes after each three."""
    seen = []

    def burst():
        slow = len(seen) // 3 % 2
        seen.append(Speeds(1.6, 1.5, 1.4) if slow else Speeds(1.0, 1.0, 1.2))
        return seen[-1]

    monkeypatch.setattr(trial, "burst", burst)
    monkeypatch.setattr(trial, "APART_SECONDS", 0.0)
    return seen


def test_a_trial_is_the_mean_of_both_speeds_of_a_machine(bursts):
    found = Trial().speeds()
    assert len(bursts) == trial.BURSTS
    assert [found.short, found.long, found.kernels] == pytest.approx([1.3, 1.25, 1.3])


def test_a_process_has_one_trial(bursts):
    trial.begun.cache_clear()
    assert trial.begun() is trial.begun()
    assert trial.begun().speeds() == trial.mean(bursts)
    trial.begun.cache_clear()


def test_a_trial_that_nobody_waits_for_ends_with_its_first_burst(bursts, monkeypatch):
    monkeypatch.setattr(trial, "APART_SECONDS", 3600.0)
    begun = Trial()
    begun.end()
    assert not begun.is_alive()
    assert begun.speeds() == Speeds(1.0, 1.0, 1.2)


def test_a_burst_looks_at_all_three():
    found = trial.burst()
    assert min(found.short, found.long, found.kernels) > 0.0


def test_a_command_that_fails_at_once_is_not_held_up_by_its_trial(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "securexgb", "estimate", "--config", tmp_path / "none.toml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "none.toml" in ended.stderr


def test_this_machine_is_what_its_trial_says(monkeypatch):
    from securexgb.jobs.estimating import machine

    class Told:
        def speeds(self):
            return Speeds(1.1, 1.2, 1.3)

    monkeypatch.setattr(machine, "begun", Told)
    found = machine.this_machine()
    assert found == Machine(1.1, 1.2, 1.3, found.cores)
    assert found.cores >= 1.0
