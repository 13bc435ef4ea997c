"""The part of docs/benchmarks.md about rows in shards."""

from __future__ import annotations

from lines import Line, Results, table
from plots import number


def shards(results: Results) -> str:
    """What the slowest shard and the head of a party take, beside one process of an older build."""
    before = {(line["work"], line["date"]): line for line in results.get("versus", ())}
    rows = []
    for line in results["shards"]:
        sides = list(line["a_tree"].values())
        old = before.get((_work_of(line), line["date"]))  # of the same day
        rows.append(
            [
                f"{line['rows']:,}",
                line["shards"],
                line["splits"],
                line["emulated_seconds"],
                line["of_it_head_seconds"],
                "" if old is None else line["emulated_seconds"] / old["old"]["seconds"],
                _most(sides, "most_shard_cpu_seconds"),
                _most(sides, "all_shards_cpu_seconds"),
                _most(sides, "head_cpu_seconds"),
                number(sum(side["bytes_to_other_head"] for side in sides) / 1e6),
                number(_most(sides, "bytes_with_shards") / 1e6),
                _peak(line, "shard_peak_rss_mb"),
                _peak(line, "head_peak_rss_mb"),
                line["load"],
            ]
        )
    head = (
        "rows", "shards", "splits", "s a tree", "of it the head", "of 348e649's one process",
        "CPU s: slowest shard", "all shards", "head", "MB between heads", "MB head and own shards",
        "peak MB: shard", "head", "load",
    )  # fmt: skip
    return table(head, rows)


def _work_of(line: Line) -> str:
    """The work of the other tables that has these shapes."""
    is_million = (line["rows"], line["columns"], line["depth"], line["bins"]) == (10**6, 10, 4, 16)
    return "1M" if is_million else ""


def _most(sides: list[Line], name: str) -> float:
    return max(float(side[name]) for side in sides)


def _peak(line: Line, name: str) -> str:
    return f"{max(line[name].values()):,.0f}"
