"""How does the cost of a tree grow with rows, columns, bins and depth?

    python benchmarks/growth.py                         # around W1
    python benchmarks/growth.py --vary rows --trees 3 --offline dealt

One JSON line a point: that of ``training.py`` for W1 with one dimension changed, and what the
cost model says of it before it runs (``securexgb.jobs.estimating``): rounds and payload megabytes,
exact but for the gradients, which are scaled from a sample; and the correlations it consumes.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import loopback
import works
from measure import measured

from securexgb.boost.layout import Layout
from securexgb.correlations.kinds import KINDS
from securexgb.jobs.data.expected import gradients_cost
from securexgb.jobs.estimating.job import Job
from securexgb.jobs.estimating.online import tree_cost

VARIED = {
    "rows": (2_500, 5_000, 10_000, 20_000, 40_000, 80_000),
    "columns": (2, 5, 10, 20, 40),
    "bins": (4, 8, 16, 32, 64),
    "depth": (1, 2, 3, 4, 5, 6),
}


def model(work: works.Work) -> dict[str, Any]:
    """What one tree should cost, the mean over a work's trees, of which the first one has no
    gradients to make together; who owns which split does not matter to these sums.
    """
    layout = Layout.of(work.params, work.rows, (work.columns, work.columns), False)
    job = Job(work.params, layout, work.method)
    whole, first = tree_cost(job), tree_cost(job, is_first=True)
    gradients = gradients_cost(work.params, layout, layout.rows)
    sent, of_first = (8e-6 * (cost.label_words + cost.feature_words) for cost in (whole, first))
    kinds = {kind.name: whole.correlations[kind] for kind in KINDS if whole.correlations[kind]}
    return {
        "rounds": whole.rounds,
        "online_megabytes": (of_first + (work.trees - 1) * sent) / work.trees,
        "gradients_megabytes": 8e-6 * (gradients.label_words + gradients.feature_words),
        "correlations": kinds,
        "vectors": sum(whole.correlations.vectors),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    works.add_options(parser, work="W1", trees=6)
    parser.add_argument("--vary", choices=list(VARIED), help="only this")
    parser.add_argument("--values", help="instead of the usual ones, comma-separated")
    options = parser.parse_args()
    names = [options.vary] if options.vary else list(VARIED)
    known: dict[works.Work, dict[str, Any]] = {}
    for name, value, work in works.varied(works.chosen(options), VARIED, names):
        if options.values and str(value) not in options.values.split(","):
            continue
        if work not in known:
            known[work] = {"model": model(work)} | measured(work)
        line = {"question": "growth", "varied": name, "value": value} | known[work]
        sys.stdout.write(loopback.stamped(line))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
