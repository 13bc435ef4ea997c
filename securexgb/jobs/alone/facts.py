"""What a simulation has found, by name: what the training cost, and how good the model is.

Beside the model stand plain xgboost's on the same bins and on its own, trained on the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.objective.log_link import losses_of
from securexgb.boost.params import TrainingParams
from securexgb.jobs.alone.earlier import EarlierSimulation
from securexgb.jobs.alone.plain import Plain, has_xgboost, plain_xgboost
from securexgb.jobs.reports import metrics_of, peak_rss_mb
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import Simulation, Split
from securexgb.offline.method import Method
from securexgb.report.record import Costs
from securexgb.report.text import bits_facts

WARNING = "a simulation protects nothing: both sides share one process here"
Reals = NDArray[np.float64]
_PLAIN = {"same_bins": ("xgboost_", False), "own_bins": ("xgboost_raw_", True)}
"""Plain xgboost's models: what their metrics' names begin with, and whether it chose the bins."""
_OTHERS = ("rmse", "mlogloss", "merror")
"""What is said of the test rows where labels are not two classes."""


def costs_of_training(training: Simulation[ModelHalf]) -> Costs:
    """For the report: what one party sends the other receives, here."""
    found = training.costs
    total = found.online_bytes + found.offline_bytes
    return Costs(
        rounds=found.rounds,
        bytes_sent=total,
        bytes_received=total,
        offline_bytes=found.offline_bytes,
        offline_seconds=found.offline_seconds,
        waited_seconds=found.waited_seconds,
        online_seconds=found.online_seconds,
        total_seconds=found.total_seconds,
        peak_rss_mb=peak_rss_mb(),
    )


def facts_of_training(
    params: TrainingParams, split: Split, training: Simulation[ModelHalf], method: Method
) -> dict[str, Any]:
    """Sizes and costs of the training, and how the correlations were made."""
    costs = training.costs
    model = training.results[0]
    before = model.params.past.rounds * model.outputs
    grown = max(len(model.trees) - before, 1)
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
        "gradient_bits": bits_facts(model.numbers),
        "test_rows": split.test.count,
        "label_columns": len(split.sides[0]),
        "feature_columns": len(split.sides[1]),
        "trees": len(model.trees),
        "earlier_trees": before,
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
        "slowest_shards": [asdict(one) for one in training.slowest_shards],
        "peak_rss_mb": peak_rss_mb(),
        "dealer_evidence": "none",
        "warning": WARNING,
        "algorithm": method.algorithm,
        "he": method.he if method.algorithm == "hybrid" else None,
        "offline": method.offline,
        "offline_source": "insecure-local" if method.has_dealer else "two-party",
    }


def plain_models(
    params: TrainingParams, split: Split, earlier: EarlierSimulation | None
) -> dict[str, Plain]:
    """Plain xgboost's models by name, of which each goes on from the earlier one that is its; none
    where it is not installed, or was not for ``earlier``."""
    found: dict[str, Plain] = {}
    for name, (_, has_own_bins) in _PLAIN.items():
        past = None if earlier is None else earlier.plain_past(name, split.sides)
        if has_xgboost() and (earlier is None or past is not None):
            found[name] = plain_xgboost(
                params, split.train, split.test, has_own_bins=has_own_bins, past=past
            )
    return found


def quality_facts(
    params: TrainingParams, split: Split, secure: Reals, plain: Mapping[str, Plain]
) -> dict[str, Any]:
    """The test's metrics of the model, of xgboost on the same bins and of xgboost on its own
    bins; those that do not apply, or that there is no model of xgboost's for, are null."""
    facts: dict[str, Any] = {}
    names = ("auc", "ks") if params.traits.is_binary else ("auc", "ks", *_OTHERS)
    loss = params.known_metrics[0] if params.traits.is_log else None
    models: dict[str, Reals | None] = {"": secure}
    for name, (prefix, _) in _PLAIN.items():
        models[prefix] = plain[name].predictions if name in plain else None
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
