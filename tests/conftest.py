"""Fixtures that all tests share."""

from __future__ import annotations

import os
import signal

import pytest

import tests.profiles  # noqa: F401  registers them before pytest chooses one
from securexgb.testing.harness import Backend

# A shell that starts the tests in the background has them ignore interrupts, and what a process
# ignores its children ignore: the tests of an interrupted party would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests of processes spend much of their time waiting."""
    return len(os.sched_getaffinity(0)) + 1


@pytest.fixture(params=["plaintext", "shared"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every test of the algorithm runs on plain and on shared values."""
    return request.param  # type: ignore[no-any-return]
