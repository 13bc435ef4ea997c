"""What does doubling cost, by each way of training? Measured beside what is declared.

    python benchmarks/complexity.py
    python benchmarks/complexity.py --method ss --trees 2

One JSON line a point: W1 as it is, then with twice the rows, columns or bins, then with one level
more, for every algorithm, encryption and kind of splits: that of ``training.py``, and what the
cost model says of it before it runs, as in ``growth.py``. docs/benchmarks.md puts them beside the
asymptotic costs.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

import loopback
import works
from growth import model
from measure import measured

METHODS: dict[str, dict[str, Any]] = {
    "hybrid, BFV, owner": {"splits": "owner"},
    "hybrid, BFV, hidden": {"splits": "hidden"},
    "hybrid, Paillier, owner": {"he": "paillier", "splits": "owner"},
    "ss, owner": {"algorithm": "ss", "offline": "dealt", "splits": "owner"},
    "ss, hidden": {"algorithm": "ss", "offline": "dealt", "splits": "hidden"},
}
"""Paillier cannot hide splits, and ss has no use for encryption; see docs/operations.md."""
STEPS = ("nothing", "rows", "columns", "bins", "depth")


def changed(work: works.Work, step: str) -> works.Work:
    """Twice as much of it; of depth, one level more, so twice the leaves."""
    twice = {
        "nothing": work,
        "rows": replace(work, rows=2 * work.rows),
        "columns": replace(work, columns=2 * work.columns),
        "bins": replace(work, bins=2 * work.bins),
        "depth": replace(work, depth=work.depth + 1),
    }
    return twice[step]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    works.add_options(parser, work="W1", trees=3)
    parser.add_argument("--method", help="only those whose names begin so")
    parser.add_argument("--doubled", choices=STEPS[1:], help="only this, and the work as it is")
    options = parser.parse_args()
    for method, terms in METHODS.items():
        if not method.startswith(options.method or ""):
            continue
        for step in STEPS if options.doubled is None else (STEPS[0], options.doubled):
            work = replace(changed(works.chosen(options), step), **terms)
            line = {"question": "complexity", "training": method, "doubled": step}
            line |= {"model": model(work)} | measured(work)
            sys.stdout.write(loopback.stamped(line))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
