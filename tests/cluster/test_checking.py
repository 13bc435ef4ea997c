"""``check`` asks this side's shards, and ``estimate`` knows them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from securexgb.cli.app import typer_app
from securexgb.cluster import about, checking
from securexgb.cluster.about import AboutShard
from securexgb.cluster.checking import shards_line
from securexgb.cluster.commands import Said
from securexgb.cluster.data import load_tables
from securexgb.errors import DataError, MalformedFrame, UsageError
from securexgb.jobs.checks import Checks
from tests.cluster.running import Sharded
from tests.processes.companies import SIDES


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Sharded:
    """Two shards a side, of 64 and of 36 rows."""
    root = tmp_path_factory.mktemp("checked")
    made = Sharded(root, 2, rows=100, train_data="train.parquet", eval_data="test.parquet")
    made.parquet()
    made.terms(*SIDES)
    return made


def said(made: Sharded, *command: str) -> tuple[int, dict[str, Any]]:
    """What a command of the bank prints as JSON, and its exit code."""
    files = ["--config", str(made.root / "bank" / "party.toml")]
    files += ["--job", str(made.root / "bank" / "job.toml")]
    found = CliRunner().invoke(typer_app(command[:1]), [*command, *files, "--format", "json"])
    return found.exit_code, json.loads(found.stdout)


def test_every_shard_is_asked_and_what_does_not_fit_is_refused(
    two: Sharded, monkeypatch: pytest.MonkeyPatch
) -> None:
    with two.workers() as running:
        _, facts = said(two, "check", "--local")
        lines = {line["check"]: line for line in facts["checks"]}
        assert lines["shards"]["status"] == "ok", lines["shards"]
        assert "0: 0 to 64 of " in lines["shards"]["detail"]
        assert "1: 64 to 100 of " in lines["shards"]["detail"]
        for number in range(2):
            running["bank", number].result(timeout=60)
        monkeypatch.setattr(about, "machine_bytes", lambda: 10_000_000)
        federation = two.federation("bureau")
        checks = Checks(federation, tables=lambda: load_tables(federation))
        checks.run_alone()
        checks.run_cost()
        # Both shards and the head are on this machine.
        with pytest.raises(UsageError, match=r"shards 0, 1 and the head take some .* has 0\.0 GB"):
            shards_line(checks)
        for number in range(2):
            running["bureau", number].result(timeout=60)


def test_other_rows_than_the_heads_are_refused(
    two: Sharded, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation = two.federation("bank")
    checks = Checks(federation, tables=lambda: load_tables(federation))
    assert "not asked" in shards_line(checks)
    checks.training, checks.sets = load_tables(federation)
    found = [AboutShard((64, 20), "there.parquet", "far", 1 << 40)] * 2
    monkeypatch.setattr(checking, "ask_shards", lambda *_: found)
    with pytest.raises(DataError, match=r"bank reads \(64, 20\) rows .* it is there\.parquet"):
        shards_line(checks)


def test_estimates_tell_heads_from_shards(two: Sharded) -> None:
    code, facts = said(two, "estimate", "--rows", "200000")
    shards = facts["shards"]
    assert (code, shards["count"], shards["rows"]) == (0, 2, 100_032)
    sent = shards["head"]["tree"]["sent"] + 2 * shards["shard"]["tree"]["sent"]
    assert facts["tree"]["sent"] == pytest.approx(sent)
    rounds = shards["head"]["tree"]["rounds"] + shards["shard"]["tree"]["rounds"]
    assert facts["tree"]["rounds"] == rounds
    assert shards["memory"]["shard"]["total"] > 100e3 * 9
    assert shards["memory"]["head"] == facts["memory"]


@pytest.mark.parametrize("answer", [Said("about"), Said("about", (1, 2), ("one",))])
def test_a_malformed_answer_is_none(answer: Said) -> None:
    with pytest.raises(MalformedFrame):
        AboutShard.of(answer)
