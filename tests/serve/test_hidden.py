"""A model whose splits nobody knows is served alike, and so are several classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from securexgb.boost.params import TrainingParams
from securexgb.serve.scoring.feature import FeatureReplica
from securexgb.serve.scoring.label import LabelScorer
from tests.serve.pair import Companies
from tests.serve.test_pair import ask, expected, until

KINDS = {
    "hidden": TrainingParams(n_estimators=2, max_depth=2, max_bin=8, splits="hidden"),
    "classes, label party listens": TrainingParams(
        n_estimators=2, max_depth=2, max_bin=8, objective="multi:softprob", num_class=2
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_a_job(kind: str, tmp_path: Path) -> None:
    listens = "label" if "listens" in kind else "feature"
    companies = Companies(tmp_path, KINDS[kind], listens=listens)
    companies.train("20260101T000000Z")
    feature = FeatureReplica(*companies.feature.parts)
    label = LabelScorer(*companies.label.parts)
    feature.start()
    until(label, lambda: label.is_ready)
    for rows in ([3], [5, 80, 11], [3]):
        found = ask(label, [companies.keys[row] for row in rows])
        assert np.array_equal(found.values, expected(companies, "20260101T000000Z", rows))
    label.drain(5.0)
    feature.drain(5.0)
