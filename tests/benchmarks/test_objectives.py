"""Counts and amounts on tables of health insurance that ship inside packages, beside xgboost's."""

import json
import sys

import pytest

SAME_SPLITS = 1e-3
"""A row's margins differ by less where no split does."""


@pytest.mark.parametrize("table", ["diabetes", "randhie", "meps", "meddol", "medpar"])
def test_losses_on_held_out_rows_are_xgboosts(table, monkeypatch, capsys):
    import objectives

    given = ["--only", table, "--rows", "400", "--draws", "3", "--trees", "4"]
    monkeypatch.setattr(sys, "argv", ["objectives.py", *given])
    objectives.main()
    told = capsys.readouterr()
    lines = [json.loads(line) for line in told.out.splitlines()]
    if not lines:
        pytest.skip(told.err.strip())
    for line in lines:
        pairs = list(zip(line["gaps"], line["margin_gaps"], strict=True))
        same = [abs(gap) for gap, margin in pairs if margin < SAME_SPLITS]
        assert same, pairs
        assert max(same) < 1e-4
        # A near-tie that fell otherwise makes another tree, and no worse a model.
        assert max(abs(gap) for gap, _ in pairs) < 0.05
