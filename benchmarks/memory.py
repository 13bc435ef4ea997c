"""How much memory does a party need? Peak of each process by rows, one tree.

    python benchmarks/memory.py                       # 10,000 to 1,000,000 rows of 10+10 columns
    python benchmarks/memory.py --rows-list 1000,2000 --offline dealt
    python benchmarks/memory.py --rows-list 10000 --columns 150 --bins 64    # wide

One JSON line a size, that of ``training.py`` with the resident memory of each party before
training, its own columns loaded, and at its peak; ``foreseen_mb``: what ``check`` says of each
party's peak, by parts (``jobs.estimating.memory_of``); ``foreseen_ratio``: all of it over the peak,
``is_foreseen``: whether both lie within TOLERANCE of 1.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from typing import Any

import loopback
import works
from measure import measured

from securexgb.boost.layout import Layout
from securexgb.jobs.estimating.job import Job
from securexgb.jobs.estimating.memory import Memory, memory_of

TOLERANCE = 1.35
"""Peaks are foreseen up to this factor, in either direction."""
_MEGA = 1 << 20
ROWS = (10_000, 100_000, 300_000, 1_000_000)


def foreseen(work: works.Work) -> dict[str, Memory]:
    """By role."""
    layout = Layout.of(work.params, work.rows, (work.columns, work.columns), False)
    job = Job(work.params, layout, work.method)
    return {role: memory_of(job, rank) for rank, role in enumerate(loopback.ROLES)}


def compared(work: works.Work) -> dict[str, Any]:
    """The line of a size."""
    line, said = measured(work), foreseen(work)
    ratios = {role: said[role].total / _MEGA / line["peak_rss_mb"][role] for role in said}
    parts = {
        role: {name: size / _MEGA for name, size in asdict(of).items()} for role, of in said.items()
    }
    is_near = all(1 / TOLERANCE <= ratio <= TOLERANCE for ratio in ratios.values())
    more = {"foreseen_mb": parts, "foreseen_ratio": ratios, "is_foreseen": is_near}
    return {"question": "memory"} | line | more


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    works.add_options(parser, name="memory", columns=10, depth=4, bins=16, trees=1)
    listed = ",".join(map(str, ROWS))
    parser.add_argument("--rows-list", default=listed, help="comma-separated")
    options = parser.parse_args()
    for rows in map(int, options.rows_list.split(",")):
        work = replace(works.chosen(options), rows=rows)
        sys.stdout.write(loopback.stamped(compared(work)))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
