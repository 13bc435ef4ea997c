"""What does a tree cost at the shapes of published runs? So that others can compare.

    python benchmarks/published.py
    python benchmarks/published.py --vary depth --trees 2

One JSON line a point, that of ``training.py``: synthetic rows, two parties on loopback. AnonGBDT's
experiments go from 100,000 to 1,000,000 rows of 10 + 10 columns, 16 bins and depth 5, and from
there on change the depth or the number of columns.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import loopback
import works
from measure import measured

BASE = works.Work("published", rows=100_000, columns=10, depth=5, bins=16, trees=3)
VARIED = {
    "rows": (100_000, 250_000, 500_000, 1_000_000),
    "depth": (3, 4, 6),
    "columns": (25, 50, 100),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--vary", choices=list(VARIED), help="only this")
    parser.add_argument("--values", help="instead of all, comma-separated")
    parser.add_argument("--rows", type=int, help="of all points but those that vary rows")
    parser.add_argument("--trees", type=int, help="the first is counted, too")
    options = parser.parse_args()
    given = {name: getattr(options, name) for name in ("rows", "trees")}
    base = replace(BASE, **{name: value for name, value in given.items() if value is not None})
    names = [options.vary] if options.vary else list(VARIED)
    for name, value, work in works.varied(base, VARIED, names):
        if options.values and str(value) not in options.values.split(","):
            continue
        line = {"question": "published", "varied": name, "value": value} | measured(work)
        sys.stdout.write(loopback.stamped(line))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
