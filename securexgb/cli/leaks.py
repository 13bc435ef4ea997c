"""What the leak meter says, for people and for JSON: bits about labels, and what is too few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from securexgb.boost.layout import Layout
from securexgb.boost.leak import Leak, of_splits
from securexgb.boost.params import TrainingParams
from securexgb.cli.output import note

__all__ = ["a_tree", "facts_of", "leaks_text", "note_leaks"]

EXAMPLE_COLUMNS = (1, 10, 100)
"""The terms do not say how many columns the feature party has."""


def facts_of(leaks: Sequence[Leak]) -> list[dict[str, Any]]:
    """For JSON."""
    return [leak.to_mapping() for leak in leaks]


def leaks_text(leaks: Sequence[Leak]) -> str:
    """A line for each, and one for each warning."""
    lines = []
    for leak in leaks:
        lines.append(leak.sentence)
        if leak.warning:
            lines.append(f"warning: {leak.warning}")
    return "\n".join(lines)


def note_leaks(leaks: Sequence[Leak]) -> None:
    """Before anything is opened: the worst case, on stderr."""
    note(f"at worst: {leaks_text(leaks)}")


def a_tree(params: TrainingParams) -> dict[int, float]:
    """Bits that one tree opens at worst, by the number of the feature party's columns."""
    splits = (1 << params.max_depth) - 1
    return {
        columns: of_splits(params, Layout.of(params, 1, (0, columns), False), splits).bits
        for columns in EXAMPLE_COLUMNS
    }
