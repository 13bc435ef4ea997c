"""What ``securexgb simulate`` says in the end, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from securexgb.boost.leak import Leak
from securexgb.jobs.alone.plain import ABSENT, has_xgboost
from securexgb.jobs.export import EXPORTED
from securexgb.report.aligned import figure, table
from securexgb.report.text import leaks_text, ledger_table

MOST_TREES = 10
"""Whose slowest shard is told."""


def closing_text(facts: dict[str, Any], leaks: Sequence[Leak], report_is: str) -> str:
    """The closing table for people."""
    seconds, megabytes = facts["seconds"], facts["megabytes"]
    measured = [
        name.removeprefix("xgboost_raw_") for name in facts if name.startswith("xgboost_raw_")
    ]
    names = [name for name in measured if facts[name] is not None]
    prefixes = {"": "secure"}
    if any(facts["xgboost_" + name] is not None for name in names):
        prefixes |= {
            "xgboost_": "plain xgboost, same bins",
            "xgboost_raw_": "plain xgboost, its own bins",
        }
    quality = table(
        [(name, *(facts[prefix + name] for prefix in prefixes)) for name in names],
        ("on the test rows", *prefixes.values()),
    )
    if not has_xgboost():
        quality += f"\n{ABSENT}"
    costs = table(
        [
            ("offline: correlations are made", seconds["offline"], megabytes["offline"]),
            ("protocols wait for them", seconds["waited"], None),
            ("online: the total without that", seconds["online"], megabytes["online"]),
            ("total", seconds["total"], megabytes["total"]),
            ("a tree", facts["seconds_per_tree"], facts["megabytes_per_tree"]),
        ],
        ("cost", "seconds", "MB"),
    )
    if slowest := facts["slowest_shards"]:
        costs += f"\n\n{_shards_text(slowest)}"
    ledger = f"{ledger_table(facts['ledger'])}\n\n{leaks_text(leaks)}"
    earlier = f", {found} of them earlier ones" if (found := facts["earlier_trees"]) else ""
    shape = (
        f"{facts['rows']:,} training rows, {facts['label_columns']} + {facts['feature_columns']} "
        f"columns, {facts['trees']} trees of depth {facts['depth']}{earlier}, {facts['bins']} "
        "bins; "
        f"{facts['rounds']:,} rounds, peak memory {facts['peak_rss_mb']:.0f} MB"
    )
    how = f"{facts['algorithm']} ({facts['he']})" if facts["he"] else facts["algorithm"]
    dealer = "no dealer" if facts["offline"] == "two-party" else "an in-process dealer"
    evidence = f"{how}, {dealer}; dealer evidence: none ({facts['warning']})"
    kept = (
        f"{report_is}; both halves of the model are beside it in model/, and the whole of it, as "
        f"`model export` gives it, is {EXPORTED}"
    )
    parts = (f"{shape}\n{facts['numbers']}", quality, costs, ledger, evidence, kept)
    return "\n\n".join(parts)


def _shards_text(slowest: Sequence[dict[str, Any]]) -> str:
    """A line a tree of the first ones, and the slowest of all."""
    rows = [
        (one["tree"] + 1, one["shard"], figure(one["seconds"]), figure(one["steps"]))
        for one in slowest[:MOST_TREES]
    ]
    text = table(rows, ("tree", "slowest shard", "seconds", "slowest of each step"))
    if len(slowest) > MOST_TREES:
        worst = max(slowest, key=lambda one: float(one["seconds"]))
        text += (
            f"\nof all {len(slowest)} trees: shard {worst['shard']}, "
            f"{figure(worst['seconds'])} s of tree {worst['tree'] + 1}"
        )
    return text
