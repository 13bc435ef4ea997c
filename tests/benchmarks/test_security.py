"""What the page says of security is what the code's own parameters come to."""

from __future__ import annotations

import json
import math
import re

import pytest

from tests.benchmarks.conftest import BENCHMARKS

PAGE = BENCHMARKS.parent / "docs" / "offline.md"
AGAIN = "run python benchmarks/security.py --page docs/offline.md > results/security.jsonl there"


def recorded() -> list[dict[str, object]]:
    text = (BENCHMARKS / "results" / "security.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def rows():
    import security

    fraction = float(str(recorded()[0]["shrinking_fraction"]))
    return security.rows(fraction)


def test_the_table_is_made_from_the_parameters() -> None:
    import security

    found = rows()
    text = PAGE.read_text("utf-8")
    assert security.table(found) in text, AGAIN
    assert security.page(text, found) == text, AGAIN
    kept = [line | {"question": "security"} for line in recorded()[1:]]
    assert [line["bits"] for line in kept] == [round(row.bits, 1) for row in found], AGAIN
    assert recorded()[0]["share"] == 1


def test_head_and_table_agree() -> None:
    import security

    head = PAGE.read_text("utf-8").split("\n## ", 1)[0]
    (claimed,) = re.findall(r"takes 2\^(\d+) operations", head)
    assert int(claimed) == math.floor(security.least(rows()))


@pytest.mark.parametrize("degree", [2048, 4096, 8192, 16384])
def test_the_price_is_that_of_the_standard(degree: int) -> None:
    """Its largest moduli for 128 bits come out there; the standard's deviation is 3.2."""
    import lattices

    from securexgb.he.noise import STANDARD_BITS

    found = lattices.ring_lwe(degree, STANDARD_BITS[degree], 3.2)
    assert found.operations == pytest.approx(128, abs=2)


def test_every_basis_is_explained_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    for row in rows():
        assert f"*{row.basis}*" in text


def test_what_is_meant_for_a_job_holds_for_a_job() -> None:
    import security

    assert all(row.bits >= 40 for row in security.statistical())
