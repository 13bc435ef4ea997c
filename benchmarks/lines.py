"""The JSON lines of results/: read, grouped, and put into tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median, stdev
from typing import Any

from plots import number

Line = Mapping[str, Any]
Results = Mapping[str, Sequence[Line]]


def read(folder: Path) -> dict[str, list[Line]]:
    """All lines by the name of their file; ``method``: how correlations were made, in words."""
    found: dict[str, list[Line]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        found[path.stem] = [line | _method(line) for line in lines]
    return found


def _method(line: Line) -> dict[str, str]:
    if "algorithm" not in line:
        return {}
    if line["algorithm"] == "ss":
        return {"method": "dealer, ss"}
    scheme = "" if line["he"] == "bfv" else f", Paillier-{line['paillier_bits']}"
    return {"method": ("dealer" if line["offline"] == "dealt" else "two parties") + scheme}


def at(line: Line, path: str) -> Any:
    """A value by its dotted path; None where there is none."""
    value: Any = line
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def values_at(lines: Iterable[Line], path: str, factor: float = 1.0) -> list[float]:
    """The values by a dotted path, times the factor, of those lines that have one."""
    return [factor * value for line in lines if (value := at(line, path)) is not None]


def standard_error(values: Sequence[float]) -> float | None:
    """Of the mean; a single value has none."""
    return stdev(values) / len(values) ** 0.5 if len(values) > 1 else None


def middle(runs: Sequence[Line], path: str) -> float:
    """Median over runs."""
    return median(float(at(run, path)) for run in runs)


def grouped(lines: Iterable[Line], *paths: str) -> dict[tuple[Any, ...], list[Line]]:
    """Lines with the same values at these paths, in the order of their first one."""
    groups: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        groups.setdefault(tuple(at(line, path) for path in paths), []).append(line)
    return groups


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Markdown; floats to three digits."""
    lines = [list(head), ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return number(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
