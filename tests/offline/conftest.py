"""Sources of a test make nothing ahead once it is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.offline.pairs import OPEN


@pytest.fixture(autouse=True)
def _links_end_with_the_test() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()
