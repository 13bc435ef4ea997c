"""What models shall keep to beside xgboost's, and which of them do: a table of docs/accuracy.md.

A bar is kept to in one of three ways. Every draw does; or the mean over draws does and single ones
do not, since a near-tie that falls the other way makes another model, with no preference for
either; or, of AUC alone and over ten draws, the mean is within two of its standard errors of 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from lines import Line, at, standard_error, values_at

COUNTED = 20
"""Least positives of a segment whose mean prediction counts."""
DRAWS_OF_ERRORS = 10
"""Fewer draws have no standard error to judge by."""


@dataclass(frozen=True)
class Bar:
    """``path``: of the difference in a line; ``factor``: of the unit that the table has."""

    name: str
    path: str
    most: float
    factor: float
    decimals: int
    errors: bool = False


BARS = (
    Bar("mean p, %", "apart.fitted_mean", 1.0, 100.0, 2),
    Bar("segments, %", "apart.segment", 10.0, 100.0, 1),
    Bar("median logit", "apart.median", 0.02, 1.0, 3),
    Bar("AUC", "apart.auc", 0.002, 1.0, 4, errors=True),
)


@dataclass(frozen=True)
class Judged:
    """A bar over a set's draws: the mean, its error, and how many draws keep to the bar."""

    bar: Bar
    mean: float
    error: float | None
    within: int
    draws: int

    @property
    def verdict(self) -> str:
        """One of "every draw", "mean", "two errors", "missed"."""
        if self.within == self.draws:
            return "every draw"
        if abs(self.mean) <= self.bar.most:
            return "mean"
        may_err = self.bar.errors and self.draws >= DRAWS_OF_ERRORS and self.error is not None
        if may_err and abs(self.mean) <= 2 * (self.error or 0.0):
            return "two errors"
        return "missed"

    @property
    def cell(self) -> str:
        """The mean; draws where not all keep to the bar, and bold where it is missed."""
        text = f"{self.mean:+.{self.bar.decimals}f}"
        if self.error is not None and self.within < self.draws:
            text += f" ± {self.error:.{self.bar.decimals}f}"
        if self.verdict == "missed":
            text = f"**{text}**"
        return text if self.within == self.draws else f"{text}, {self.within} of {self.draws}"


def judged(lines: Sequence[Line]) -> list[Judged | None]:
    """Of a set's draws, one a bar; None where it has nothing to judge by."""
    return [_judged(bar, lines) for bar in BARS]


def _judged(bar: Bar, lines: Sequence[Line]) -> Judged | None:
    values = values_at(lines, bar.path, bar.factor)
    if not values:
        return None
    within = sum(abs(value) <= bar.most for value in values)
    if bar.path == "apart.segment":
        return Judged(bar, bar.factor * _worst_segment(lines), None, within, len(values))
    return Judged(bar, fmean(values), standard_error(values), within, len(values))


def _worst_segment(lines: Sequence[Line]) -> float:
    """Of the segments' means over those draws that have positives enough."""
    gaps: dict[int, list[float]] = {}
    for line in lines:
        parts = (at(line, path) for path in ("ours.segments", "xgboost.segments", "ours.positives"))
        for number, (ours, other, positives) in enumerate(zip(*parts, strict=True)):
            if positives >= COUNTED:
                gaps.setdefault(number, []).append(ours / other - 1)
    return max((fmean(found) for found in gaps.values()), key=abs)


def summary(found: Sequence[Judged | None]) -> str:
    """A row's last cell."""
    kept = [one for one in found if one is not None]
    if not kept:
        return "refused"
    missed = [one.bar.name.split(",")[0] for one in kept if one.verdict == "missed"]
    if missed:
        return "missed: " + ", ".join(missed)
    if all(one.verdict == "every draw" for one in kept):
        return "met"
    return "met by the mean"
