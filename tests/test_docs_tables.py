"""The tables in docs/ are those that the code generates, and what sources refer to is there."""

from __future__ import annotations

import re

import pytest

from securexgb.mpc.protocol import REGISTRY
from securexgb.mpc.reveals import Reveal
from securexgb.report.protocols import protocol_rows, reveal_rows
from tests.generate_tables import DOCS, regenerated, tables
from tests.thorough import PAGE, drawn


@pytest.mark.parametrize(
    ("page", "table"),
    [
        ("protocols", "protocols"),
        ("protocols", "trees"),
        ("threat-model", "reveals"),
        ("estimator", "parameters"),
    ],
)
def test_tables_are_up_to_date(page: str, table: str) -> None:
    text = (DOCS / f"{page}.md").read_text()
    assert tables()[table] in text, "run python -m tests.generate_tables"
    assert regenerated(text) == text, "run python -m tests.generate_tables"


def test_last_results_are_those_of_the_record() -> None:
    text = PAGE.read_text()
    assert drawn(text) == text, "run python tests/thorough.py --page"


def test_every_protocol_has_its_row() -> None:
    assert {row["protocol"] for row in protocol_rows()} == set(REGISTRY)


def test_every_reveal_has_its_row() -> None:
    assert [row["reveal"] for row in reveal_rows()] == [reveal.name for reveal in Reveal]


def test_sections_that_declarations_refer_to_exist() -> None:
    headings = re.findall(r"^## (.*)$", (DOCS / "protocols.md").read_text(), re.MULTILINE)
    known = {heading.lower() for heading in headings}
    for declaration in REGISTRY.values():
        for section in re.findall(r"docs/protocols\.md, ([\w -]+)", declaration.source):
            assert section in known, (declaration.name, section)
