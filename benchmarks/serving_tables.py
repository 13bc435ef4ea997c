"""The tables and plots of docs/serving.md: figures under load, and what answers copy."""

from __future__ import annotations

from collections.abc import Sequence

from lines import Line, Results, grouped, middle, table
from plots import Panel, lines

_NAMES = {
    "one": "one row a call",
    "near": "one row a call",
    "batches": "256 rows a call",
    "wan": "one row a call, 20 ms each way",
    "rolling": "all four replicas replaced",
    "kill": "SIGKILL of a replica",
    "steps": "one row a call, more of them",
    "lasting": "70 % of saturation, for long",
}
_SHOWN = (30, 100, 300, 1000, 3000, 10_000)
_ATTACKERS = {
    "both": "columns of both sides",
    "label": "own columns alone",
    "one key": "one key, own columns varied",
}


def serving(results: Results) -> str:
    """A row a kind of load."""
    found = [line for line in results["serving"] if line["what"] != "steps"]
    rows = []
    for (what, splits, replicas, callers, killed), runs in grouped(
        found, "what", "splits", "replicas", "callers", "killed"
    ).items():
        more = f", {callers} at a time" if callers else f" of the {killed} party" if killed else ""
        rate = runs[0].get("rate")
        rows.append(
            (
                f"{_NAMES[what]}{more}",
                splits,
                replicas,
                None if rate is None else f"{rate:g}",
                *(middle(runs, name) for name in ("p50_ms", "p99_ms", "rows_per_second")),
                _kilobytes(runs),
                sum(line["failed"] for line in runs),
                sum(line["requests"] for line in runs),
            )
        )
    head = (
        "load", "splits", "replicas a side", "calls a second", "p50 ms", "p99 ms", "rows a second",
        "kB a row and side", "failed", "calls",
    )  # fmt: skip
    return table(head, rows)


def _kilobytes(runs: Sequence[Line]) -> float | None:
    having = [line for line in runs if "kilobytes_per_row_and_side" in line]
    return middle(having, "kilobytes_per_row_and_side") if having else None


def steps_plot(results: Results) -> str:
    """Times against load, by replicas."""
    steps = [line for line in results["serving"] if line["what"] == "steps"]
    panels = []
    for name, title in (("p50_ms", "half of all calls"), ("p99_ms", "99 of 100 calls")):
        measured = {
            f"{count} + {count} replicas": [(line["rate"], line[name]) for line in runs]
            for (count,), runs in grouped(steps, "replicas").items()
        }
        panels.append(Panel(title, "calls a second", "ms", measured, {}))
    return lines(panels)


def extraction(results: Results) -> str:
    """A row an attacker, model and rounding: the variance that is left unexplained, by answers."""
    rows = []
    for (attacker, trees, depth, decimals), runs in grouped(
        results["extraction"], "attacker", "trees", "depth", "decimals"
    ).items():
        if decimals in (0, 2, 4):
            left = {line["queries"]: 100 * line["unexplained"] for line in runs}
            shown = (f"{left[count]:.1f} %" if count in left else None for count in _SHOWN)
            rows.append((_ATTACKERS[attacker], f"{trees} of depth {depth}", decimals, *shown))
    order = list(_ATTACKERS.values())
    rows.sort(key=lambda row: order.index(row[0]))
    return table(("who asks knows", "trees", "decimals", *(f"{n:,}" for n in _SHOWN)), rows)


def extraction_plot(results: Results) -> str:
    """The same with four decimals, by the logarithm of the number of answers."""
    panels = []
    for attacker in ("both", "one key"):
        chosen = [
            line for line in results["extraction"]
            if line["attacker"] == attacker and line["decimals"] == 4
        ]  # fmt: skip
        measured = {
            f"{trees} trees of depth {depth}": [
                (_SHOWN.index(line["queries"]), 100 * line["unexplained"])
                for line in runs
                if line["queries"] in _SHOWN
            ]
            for (trees, depth), runs in grouped(chosen, "trees", "depth").items()
        }
        panels.append(
            Panel(
                f"who asks knows: {_ATTACKERS[attacker]}", "answers: 30, 100, 300, 1,000, ...",
                "% unexplained", measured, {},
            )
        )  # fmt: skip
    return lines(panels)
