"""What guards masks, keys and messages raises, with asserts and without them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.security.guards import GUARDS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_it_raises(guard: Callable[[], None]) -> None:
    guard()


def test_all_raise_without_asserts() -> None:
    command = [sys.executable, "-O", "-m", "tests.security.guards"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.stdout == f"{len(GUARDS)} guards, asserts off\n", ran.stderr
    assert ran.returncode == 0
