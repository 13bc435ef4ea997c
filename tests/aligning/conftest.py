"""Both sides of a command here, over a link in memory; with a stand-in for the protocol, which
takes a third of a second, but where a test asks for it."""

import pytest

from securexgb.align.intersect import intersect
from securexgb.jobs import reports
from securexgb.jobs.aligning import session
from tests.aligning.kit import in_the_clear, two_files
from tests.cli.conftest import both, companies, securexgb

__all__ = ["both", "companies", "securexgb"]


@pytest.fixture(autouse=True)
def clear(monkeypatch):
    monkeypatch.setattr(session, "intersect", in_the_clear)
    monkeypatch.setattr(reports, "has_page", lambda: False)


@pytest.fixture
def real(clear, monkeypatch):
    monkeypatch.setattr(session, "intersect", intersect)


@pytest.fixture
def apart(companies):
    """Two companies whose files hold different rows in different orders; see ``two_files``."""

    def make(name="apart", training=None, **more):
        made = companies(name, **(training or {}))
        two_files(made, **more)
        return made

    return make
