"""`simulate --id COLUMN --overlap SHARE`: the whole path on one file, by the real protocol."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.cli.simulate import simulate
from securexgb.errors import UsageError
from securexgb.jobs.aligning.simulation import align_alone
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import Split, split_columns
from tests.aligning.kit import write


def test_the_common_rows_of_both_parts_are_found():
    draws = np.random.default_rng(2)
    parts = []
    for count in (100, 40):
        values = draws.normal(size=(count, 3))
        ids = tuple(f"{part:.6f}" for part in values[:, 0])
        parts.append(Rows(values, ("a", "b", "c"), values[:, 1], ids=ids))
    split, found = align_alone(Split(*parts, split_columns(3, None)), 0.8, 1)
    assert (found.label_rows, found.feature_rows, found.common) == (90, 90, 80)
    assert (split.train.count, split.test.count) == (80, 32)
    assert [(row["reveal"], row["values"]) for row in found.ledger] == [("COMMON_MEMBERS", 112)]
    assert found.megabytes > 0
    for before, after in zip(parts, (split.train, split.test), strict=True):
        assert set(after.ids) < set(before.ids)
        assert [f"{value:.6f}" for value in after.values[:, 0]] == list(after.ids)
        assert np.array_equal(after.labels, after.values[:, 1])
    order = [parts[0].ids.index(name) for name in split.train.ids]
    assert order != sorted(order)


def test_it_is_told_and_in_the_ledger(securexgb, tmp_path):
    draws = np.random.default_rng(2)
    path = tmp_path / "people.csv"
    table = [[f"00{row}", *draws.normal(size=2), row % 2] for row in range(80)]
    write(path, [["pid", "a", "b", "y"], *table])
    options = [
        "--label",
        "y",
        "--id",
        "pid",
        "--overlap",
        "0.75",
        "--trees",
        "1",
        "--depth",
        "1",
        "--bins",
        "4",
    ]
    dealt = ["--algorithm", "ss", "--run-directory", tmp_path / "run", "--format", "json"]
    done = securexgb("simulate", path, *options, *dealt)
    assert done.code == 0
    facts = done.json
    assert facts["alignment"]["common"] == facts["rows"] == 45
    assert facts["label_columns"] + facts["feature_columns"] == 2
    assert {row["reveal"] for row in facts["ledger"]} >= {"COMMON_MEMBERS", "PREDICTION"}
    assert "aligned by ids: 52 training rows at the label party, 53 at the feature" in done.stderr
    assert "fewer than 1,000 in common would be refused" in done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"overlap": 0.5}, "--overlap needs --id"),
        ({"overlap": 1.5, "id_column": "id"}, "--overlap must lie between 0 and 1"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, monkeypatch, options, says):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "x.csv", [["id", "a", "y"], *([n, n, n % 2] for n in range(20))])
    with pytest.raises(UsageError, match=says):
        simulate(data=tmp_path / "x.csv", label="y", **options)
