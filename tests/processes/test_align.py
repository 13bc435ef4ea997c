"""Two processes align two files; one of them is killed on the way."""

from __future__ import annotations

import hashlib
import json

import pytest

from securexgb.align.row_keys import order_check
from securexgb.jobs.aligning.kept import load, read_coin
from tests.aligning.kit import read, two_files
from tests.processes.companies import RUN, SIDES, Companies, finish

KILLED = f"""
import os, signal
from securexgb.jobs.aligning.buckets import Buckets
save = Buckets.save
Buckets.save = lambda *given: (save(*given), os.kill(os.getpid(), signal.SIGKILL))
{RUN}
"""
"""Killed once the first bucket is kept."""


@pytest.fixture
def apart(tmp_path):
    made = Companies(tmp_path)
    two_files(made)
    yield made
    made.stop()


def test_after_a_kill_resume_ends_with_the_order_that_follows_from_the_coin(apart):
    started = apart.start("bank", "align", code=KILLED), apart.start("bureau", "align")
    killed, left = (finish(process) for process in started)
    assert killed.code == -9
    assert left.code in (3, 7)
    assert list(apart.root.glob("bank/aligned/train.buckets/*.bits"))
    assert not (apart.root / "bank" / "aligned" / "train.json").exists()
    ended = apart.both("align", "--resume")
    assert {one.code for one in ended.values()} == {0}, ended
    keys = {f"p{row:04}ü".encode() for row in range(12, 48)}
    coin = read_coin(apart.root / "bank" / "aligned", "bureau")
    order = sorted(keys, key=lambda key: hashlib.sha256(coin + key).digest())
    for name in SIDES:
        found = load(apart.root / name / "aligned", "train")
        assert found.record.order_sha256 == order_check(coin, order)
        table = read(apart.root / name / "train.csv")[1:]
        assert [table[row][0].encode() for row in found.rows] == order
        assert json.loads(ended[name].stdout)["common"] == 36
        assert not (apart.root / name / "aligned" / "train.buckets").exists()
