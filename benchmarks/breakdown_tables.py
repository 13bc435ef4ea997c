"""What breakdown.py found, as the tables of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Collection

from lines import Line, Results, table
from plots import number

THREADS = {
    "MainThread": "protocols",
    "correlations": "transfers",
    "products": "products under encryption",
    "link": "the link",
}
"""By the thread's name: what it does."""


def threads(results: Results) -> str:
    """Processor seconds of a party's tree by thread."""
    rows: list[list[object]] = []
    for line in results["breakdown"]:
        known = [line["threads"].get(name, 0.0) for name in THREADS]
        total = sum(line["threads"].values())
        shares = [f"{number(part)} ({100 * part / total:.0f} %)" for part in known]
        rows.append([line["work"], line["trees"], *shares, total - sum(known), total])
    return table(("work", "trees", *THREADS.values(), "others", "CPU s"), rows)


def steps(results: Results) -> str:
    """By part of a tree: milliseconds of the protocols' thread, rounds and megabytes."""
    works = results["breakdown"]
    first = works[0]["steps"]
    names = sorted(
        {name for line in works for name in line["steps"]},
        key=lambda name: (-first.get(name, {}).get("seconds", 0.0), name),
    )
    rows = [[name, *(_parts([line["steps"].get(name, {})]) for line in works)] for name in names]
    rows.append(["all", *(_parts(line["steps"].values()) for line in works)])
    return table(("part", *(f"{line['work']}: ms, rounds, MB" for line in works)), rows)


def _parts(steps: Collection[Line]) -> str:
    """Of these steps together."""
    units = {"seconds": 1e3, "rounds": 1.0, "megabytes": 1.0}
    sums = (factor * sum(step.get(n, 0.0) for step in steps) for n, factor in units.items())
    return ", ".join(number(part) for part in sums)


def least(results: Results) -> str:
    """Processor seconds of a party's tree beside what cannot be left out."""
    rows: list[list[object]] = []
    for line in results["breakdown"]:
        total, plain = sum(line["threads"].values()), line["least"]["plain"]
        parts = [line["least"][name] for name in ("transfers", "link", "additions")]
        rows.append([line["work"], line["transfers"] / 1e6, total, *parts, total / sum(parts)])
        rows[-1] += [plain, total / plain]
    head = (
        "work", "million transfers a direction", "CPU s a party", "AES of transfers",
        "AES-GCM of the link", "additions to bins", "times these", "xgboost, s", "times it",
    )  # fmt: skip
    return table(head, rows)
