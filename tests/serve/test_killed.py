"""A replica that dies: what was in flight is scored by the next one that comes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from securexgb.serve.parts import Request
from securexgb.serve.scoring.feature import FeatureReplica
from securexgb.serve.scoring.label import LabelScorer
from tests.serve.pair import Companies
from tests.serve.test_pair import SECONDS, ask, expected, until

ROOT = Path(__file__).resolve().parents[2]


def _started(companies: Companies) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "tests.serve.run_feature", str(companies.root / "feature")]
    process = subprocess.Popen(
        program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "listening\n"
    return process


def test_another_replica_takes_over_from_one_that_was_killed(tmp_path: Path) -> None:
    companies = Companies(tmp_path)
    companies.train("20260101T000000Z")
    first = _started(companies)
    label = LabelScorer(*companies.label.parts)
    until(label, lambda: label.is_ready)
    assert ask(label, ["key 1"]).statuses == ("scored",)
    waiting = [label.submit(Request((key,))) for key in companies.keys]
    first.kill()
    first.communicate()
    second = FeatureReplica(*companies.feature.parts)
    second.start()
    found = [future.exception(SECONDS) or future.result() for future in waiting]
    scored = [row for row, one in enumerate(found) if not isinstance(one, BaseException)]
    until(label, lambda: label.is_ready)
    assert ask(label, ["key 2"]).statuses == ("scored",)
    values = np.array([one.values[0] for one in found if not isinstance(one, BaseException)])
    assert scored
    assert np.array_equal(values, expected(companies, "20260101T000000Z", scored))
    label.drain(5.0)
    second.drain(5.0)
