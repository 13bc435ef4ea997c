"""What a simulation has found: facts by name, and the closing tables for people."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.leak import Leak
from securexgb.boost.objective.log_link import losses_of
from securexgb.boost.params import TrainingParams
from securexgb.jobs.plain import ABSENT, has_xgboost, plain_xgboost
from securexgb.jobs.reports import metrics_of
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import Simulation, Split
from securexgb.offline.method import Method
from securexgb.report.text import bits_facts, leaks_text, ledger_table, table

WARNING = "a simulation protects nothing: both sides share one process here"
Reals = NDArray[np.float64]
_OTHERS = ("rmse", "mlogloss", "merror")
"""What is said of the test rows where labels are not two classes."""


def peak_rss_mb() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def simulated_facts(
    params: TrainingParams, split: Split, training: Simulation[ModelHalf], method: Method
) -> dict[str, Any]:
    """Sizes and costs of the training, and how the correlations were made."""
    costs = training.costs
    grown = max(len(training.results[0].trees), 1)
    offline, online = costs.offline_bytes / 1e6, costs.online_bytes / 1e6
    megabytes = {"offline": offline, "online": online, "total": offline + online}
    classes, shares = split.train.classes or (), split.train.class_shares or ()
    is_binary = params.traits.is_binary and len(classes) == 2
    return {
        "rows": split.train.count,
        "positive_label": classes[1] if is_binary else None,
        "positive_share": shares[1] if is_binary else None,
        "classes": classes,
        "class_shares": shares,
        "gradient_bits": bits_facts(training.results[0].numbers),
        "test_rows": split.test.count,
        "label_columns": len(split.sides[0]),
        "feature_columns": len(split.sides[1]),
        "trees": len(training.results[0].trees),
        "depth": params.max_depth,
        "bins": params.max_bin,
        "seconds": {
            "offline": costs.offline_seconds,
            "waited": costs.waited_seconds,
            "online": costs.online_seconds,
            "total": costs.total_seconds,
        },
        "seconds_per_tree": costs.total_seconds / grown,
        "megabytes": megabytes,
        "megabytes_per_tree": megabytes["total"] / grown,
        "rounds": costs.rounds,
        "peak_rss_mb": peak_rss_mb(),
        "dealer_evidence": "none",
        "warning": WARNING,
        "algorithm": method.algorithm,
        "he": method.he if method.algorithm == "hybrid" else None,
        "offline": method.offline,
        "offline_source": "insecure-local" if method.has_dealer else "two-party",
    }


def quality_facts(params: TrainingParams, split: Split, secure: Reals) -> dict[str, Any]:
    """The test's metrics of the model, of xgboost on the same bins and of xgboost on its own
    bins; those that do not apply, and xgboost's where it is not installed, are null."""
    facts: dict[str, Any] = {}
    names = ("auc", "ks") if params.traits.is_binary else ("auc", "ks", *_OTHERS)
    loss = params.known_metrics[0] if params.traits.is_log else None
    models: dict[str, Reals | None] = {"": secure, "xgboost_": None, "xgboost_raw_": None}
    if has_xgboost():
        models["xgboost_"] = plain_xgboost(params, split.train, split.test)
        models["xgboost_raw_"] = plain_xgboost(params, split.train, split.test, has_own_bins=True)
    for prefix, scores in models.items():
        found = None if scores is None else metrics_of(split.test, scores, params)
        values = {} if found is None else asdict(found)
        facts |= {prefix + name: values.get(name) for name in names}
        if loss is not None:
            facts[prefix + loss] = None if scores is None else _loss(loss, split.test, scores)
    return facts


def _loss(metric: str, rows: Rows, scores: Reals) -> float:
    assert rows.labels is not None
    return float(losses_of(metric, rows.labels, scores).mean())


def simulated_text(facts: dict[str, Any], leaks: Sequence[Leak], report_is: str) -> str:
    """The closing table for people."""
    seconds, megabytes = facts["seconds"], facts["megabytes"]
    measured = [
        name.removeprefix("xgboost_raw_") for name in facts if name.startswith("xgboost_raw_")
    ]
    names = [name for name in measured if facts[name] is not None]
    prefixes = {"": "secure"}
    if has_xgboost():
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
    ledger = f"{ledger_table(facts['ledger'])}\n\n{leaks_text(leaks)}"
    shape = (
        f"{facts['rows']:,} training rows, {facts['label_columns']} + {facts['feature_columns']} "
        f"columns, {facts['trees']} trees of depth {facts['depth']}, {facts['bins']} bins; "
        f"{facts['rounds']:,} rounds, peak memory {facts['peak_rss_mb']:.0f} MB"
    )
    how = f"{facts['algorithm']} ({facts['he']})" if facts["he"] else facts["algorithm"]
    dealer = "no dealer" if facts["offline"] == "two-party" else "an in-process dealer"
    evidence = f"{how}, {dealer}; dealer evidence: none ({facts['warning']})"
    kept = f"{report_is}; both halves of the model are beside it in model/"
    parts = (f"{shape}\n{facts['numbers']}", quality, costs, ledger, evidence, kept)
    return "\n\n".join(parts)
