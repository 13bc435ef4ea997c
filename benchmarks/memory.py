"""How much memory does a party need? Peak of each process by rows, one tree.

    python benchmarks/memory.py                       # 10,000 to 1,000,000 rows of 10+10 columns
    python benchmarks/memory.py --rows-list 1000,2000 --offline dealt

One JSON line a size, that of ``training.py`` with the resident memory of each party before
training, its own columns loaded, and at its peak.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import loopback
import works
from measure import measured

ROWS = (10_000, 100_000, 300_000, 1_000_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    works.add_options(parser, name="memory", columns=10, depth=4, bins=16, trees=1)
    listed = ",".join(map(str, ROWS))
    parser.add_argument("--rows-list", default=listed, help="comma-separated")
    options = parser.parse_args()
    for rows in map(int, options.rows_list.split(",")):
        work = replace(works.chosen(options), rows=rows)
        sys.stdout.write(loopback.stamped({"question": "memory"} | measured(work)))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
