"""Every test of the algorithm runs in the clear and on shares."""

from __future__ import annotations

import pytest

from securexgb.testing.harness import Backend


@pytest.fixture(params=["plaintext", "shared"])
def backend(request: pytest.FixtureRequest) -> Backend:
    return request.param
