"""Reasons are the groups that moved a score most, and nothing else of them is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from securexgb.boost.predict import Request as Job
from securexgb.boost.predict import predict_margins
from securexgb.errors import UsageError
from securexgb.mpc.party import Party
from securexgb.serve.parts import Request
from securexgb.serve.scoring.feature import FeatureReplica
from securexgb.serve.scoring.label import LabelScorer
from securexgb.testing import run_parties
from tests.serve.pair import Companies
from tests.serve.test_pair import ask, until

TERMS = {
    "reasons_to": "label",
    "reasons": 2,
    "reasons_for": "lowered",
    "label_groups": {"income": {"x0": 0.5}, "age": {"x1": 0.0}},
    "feature_groups": {"loans": {"x2": 0.0, "x3": 1.0}, "history": {"x4": -0.5}},
}
NAMES = ["income", "age", "loans", "history"]


def _margins(companies: Companies, tables: list[np.ndarray]) -> np.ndarray:
    def program(party: Party, given: Any) -> Any:
        half, values = given
        return predict_margins(party, half, values, Job("label", 6))

    halves = companies.halves["20260101T000000Z"]
    return run_parties(program, list(zip(halves, tables, strict=True)), seed=5)[0]


def test_reasons_of_rows(tmp_path: Path) -> None:
    companies = Companies(tmp_path, serve=TERMS)
    companies.train("20260101T000000Z")
    feature = FeatureReplica(*companies.feature.parts)
    label = LabelScorer(*companies.label.parts)
    feature.start()
    until(label, lambda: label.is_ready)
    rows = [4, 9, 30, 77, 81]
    keys = [companies.keys[row] for row in rows]
    plain, found = ask(label, keys), ask(label, [*keys, "nobody"], reasons=True)
    assert np.array_equal(plain.values, found.values[:-1])
    assert plain.reasons is None
    own = [data.values[rows] for data in companies.data]
    before = _margins(companies, own)
    gaps = []
    for name in NAMES:
        changed = [values.copy() for values in own]
        groups = {**TERMS["label_groups"], **TERMS["feature_groups"]}[name]  # type: ignore[dict-item]
        for column, value in groups.items():
            number = int(column[1:])
            changed[number >= 2][:, number % 2 if number < 2 else number - 2] = value
        gaps.append(_margins(companies, changed) - before)
    assert found.reasons is not None
    assert found.reasons[-1] == ()
    for row, reasons in enumerate(found.reasons[:-1]):
        of_row = np.array([gap[row] for gap in gaps])
        strong = of_row[[NAMES.index(name) for name in reasons]]
        assert len(set(reasons)) == 2
        assert np.allclose(strong, np.sort(of_row)[::-1][:2], atol=3e-6)
    label.drain(5.0)
    feature.drain(5.0)


def test_nobody_may_ask_where_the_terms_say_nothing(tmp_path: Path) -> None:
    companies = Companies(tmp_path)
    companies.train("20260101T000000Z")
    label = LabelScorer(*companies.label.parts)
    with pytest.raises(UsageError, match="allow no reasons"):
        label.submit(Request(("key 1",), reasons=True))
    label.drain(0.0)
