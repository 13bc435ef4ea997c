"""Run a work by two processes and a dealer where there is one, and sum up what it cost."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, median
from typing import Any

import loopback
import oracle
from inputs import Data
from works import Work

_MEGA = 1e6


@contextmanager
def direct(port: int) -> Iterator[int]:
    """No link between: the caller calls the port itself."""
    yield port


def measured(
    work: Work, link: loopback.Link = direct, how: loopback.How = "bare"
) -> dict[str, Any]:
    """The JSON line of one run; ``link`` lies between the parties, and before the dealer, which
    runs as ``how`` says.

    Each tree has the seconds of its slower party. ``mean`` is over all trees: what is made for
    many of them at once (products are) counts in it, wherever it was made. ``median``: of most
    trees. ``before_first_tree``: what is paid once; the first tree has its keys and first pools.
    """
    data = Data.of(work)
    line = _described(work, data) | {"load_before": round(os.getloadavg()[0], 2)}
    line |= summed_up(*sides_of(work, data, link, how))
    line["xgboost_auc"] = _oracle_auc(work, data)
    return line


def _described(work: Work, data: Data) -> dict[str, Any]:
    return {
        "work": work.name,
        "rows": int(data.fitted.size),
        "test_rows": int(data.held.size),
        "label_columns": data.mine,
        "feature_columns": data.table.shape[1] - data.mine,
        "trees": work.trees,
        "depth": work.depth,
        "bins": work.bins,
        "algorithm": work.algorithm,
        "offline": work.offline,
        "he": work.he if work.algorithm == "hybrid" else None,
        "paillier_bits": work.paillier_bits if work.he == "paillier" else None,
        "splits": work.params.splits,
    }


def sides_of(
    work: Work,
    data: Data,
    link: loopback.Link = direct,
    how: loopback.How = "bare",
    script: str = "party.py",
) -> tuple[list[dict[str, Any]], dict[str, float] | None]:
    """What both parties found, which run the script; what the dealer took, if there is one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "work.json").write_text(work.to_json(), encoding="utf-8")
        data.save(folder)
        loopback.prepare(folder)
        if how == "attested":
            loopback.demand_evidence(folder)
        with loopback.dealer_of(work, folder, how) as (dealer_port, dealer):
            label = loopback.free_port()
            with link(label) as connect, link(dealer_port) as reached:
                ports = loopback.Ports(label, connect, reached if dealer_port else 0)
                sides = loopback.run_sides(folder, ports, script)
            if dealer is None:
                return sides, None
            cpu, peak = loopback.cpu_seconds(dealer.pid), loopback.peak_rss_mb(dealer)
            return sides, {"cpu_seconds": cpu, "peak_rss_mb": peak}


def summed_up(sides: list[dict[str, Any]], dealer: dict[str, float] | None) -> dict[str, Any]:
    """One line from what both parties said."""
    trees = trees_of(sides)
    setup = _joined(sides[0]["setup"], sides[1]["setup"])
    middle = {key: median(tree[key] for tree in trees) for key in trees[0]}
    peaks: dict[str, float] = {
        role: side["peak_rss_mb"] for role, side in zip(loopback.ROLES, sides, strict=True)
    }
    before = {role: side["rss_before_mb"] for role, side in zip(loopback.ROLES, sides, strict=True)}
    line: dict[str, Any] = {
        "source": sides[0]["source"],
        "median": middle,
        "mean": {key: fmean(tree[key] for tree in trees) for key in trees[0]},
        "before_first_tree": setup,
        "first_tree": trees[0],
        "tree_seconds": [round(tree["total_seconds"], 4) for tree in trees],
        "peak_rss_mb": peaks,
        "rss_before_mb": before,
        "auc": sides[0].get("auc"),
        "ledger": sides[0]["ledger"],
        "appraisals": sides[1]["appraisals"],
    }
    if dealer is not None:
        line["dealer_cpu_seconds_a_tree"] = dealer["cpu_seconds"] / len(trees)
        peaks["dealer"] = dealer["peak_rss_mb"]
    if "prediction" in sides[0]:
        line["prediction"] = _joined(sides[0]["prediction"], sides[1]["prediction"])
    return line


def trees_of(sides: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Both parties' expenses for each tree."""
    pairs = zip(sides[0]["trees"], sides[1]["trees"], strict=True)
    return [_joined(label, feature) for label, feature in pairs]


def _joined(label: dict[str, float], feature: dict[str, float]) -> dict[str, float]:
    """Both parties' expenses for one thing: times of the slower, bytes of both."""
    slower = max(label, feature, key=lambda side: side["seconds"])
    online, offline = (
        (label[name] + feature[name]) / _MEGA for name in ("online_bytes", "offline_bytes")
    )
    return {
        "total_seconds": slower["seconds"],
        "offline_seconds": slower["offline_seconds"],
        "waited_seconds": slower["waited_seconds"],
        "online_seconds": slower["seconds"] - slower["waited_seconds"],
        "megabytes": online + offline,
        "offline_megabytes": offline,
        "online_megabytes": online,
        "rounds": slower["rounds"],
        "label_cpu_seconds": label["cpu_seconds"],
        "feature_cpu_seconds": feature["cpu_seconds"],
    }


def _oracle_auc(work: Work, data: Data) -> float | None:
    """Plain xgboost on the same bins and rows."""
    if not data.held.size:
        return None
    parts = [(data.table[rows], data.labels[rows]) for rows in (data.fitted, data.held)]
    # A process of its own, so that nothing of it stays behind.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(oracle.auc, parts[0], parts[1], work.params).result()
