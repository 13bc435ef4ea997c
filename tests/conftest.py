"""Fixtures that all tests share."""

from __future__ import annotations

import pytest

import tests.profiles  # noqa: F401  registers them before pytest chooses one
from securexgb.testing.harness import Backend


@pytest.fixture(params=["plaintext", "shared"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every test of the algorithm runs on plain and on shared values."""
    return request.param  # type: ignore[no-any-return]
