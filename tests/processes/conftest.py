"""Two companies for each test; whatever still runs at its end is killed."""

import pytest

from tests.processes.companies import Companies


@pytest.fixture
def companies(tmp_path):
    made = Companies(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def with_dealer(companies):
    companies.start_dealer()
    return companies


@pytest.fixture
def without_dealer(tmp_path):
    """By the default terms: nobody else is needed."""
    made = Companies(tmp_path, method={})
    yield made
    made.stop()
