"""How do the lines of benchmarks/training.py read as a table?

    python benchmarks/training.py --work W1 >> lines.jsonl
    python benchmarks/table.py lines.jsonl

Runs of the same work, source and number of trees make one row: medians. Markdown on stdout.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

HEAD = (
    "work", "correlations", "trees", "runs", "s a tree", "offline", "online", "MB a tree",
    "offline", "online", "rounds a tree", "CPU s a tree: label, feature, dealer",
    "peak MB: label, feature, dealer",
)  # fmt: skip


def row(runs: list[dict[str, Any]]) -> list[str]:
    """One line of the table."""
    first, trees = runs[0], runs[0]["trees"]

    def middle(*path: str) -> float:
        values = []
        for run in runs:
            value: Any = run
            for key in path:
                value = value[key]
            values.append(float(value))
        return median(values)

    sides = ("label", "feature", "dealer") if first["offline_source"] == "dealt" else (
        "label", "feature",
    )  # fmt: skip
    return [
        first["work"],
        first["offline_source"],
        str(trees),
        str(len(runs)),
        f"{middle('seconds_per_tree'):.2f}",
        *(f"{middle('seconds', phase) / trees:.2f}" for phase in ("offline", "online")),
        f"{middle('megabytes_per_tree'):.1f}",
        *(f"{middle('megabytes', phase) / trees:.1f}" for phase in ("offline", "online")),
        f"{middle('rounds_per_tree'):.0f}",
        ", ".join(f"{middle('cpu_seconds', side) / trees:.2f}" for side in sides),
        ", ".join(f"{middle('peak_rss_mb', side):.0f}" for side in sides),
    ]


def main() -> None:
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = defaultdict(list)
    for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        run = json.loads(line)
        groups[run["work"], run["offline_source"], run["trees"]].append(run)
    lines = [list(HEAD), ["---"] * len(HEAD), *(row(runs) for runs in groups.values())]
    sys.stdout.write("".join(f"| {' | '.join(cells)} |\n" for cells in lines))


if __name__ == "__main__":
    main()
