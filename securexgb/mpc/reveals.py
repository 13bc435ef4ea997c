"""What somebody may learn, by name, and the ledger that counts it.

Every opening of a share names a member of ``Reveal``. What carries no name
cannot be opened; what was opened stands in the ledger, and the privacy
statement of a run is that ledger.

A process may die at any moment, and what was opened stays opened. So whoever is about to open
announces it: the most that the next step (a tree, the rows of a prediction) can open, as it
follows from public numbers. A keeper writes that down before the first opening, and the true
counts after the last. A step that is cut off in the middle stays in the books at its worst case:
this side cannot know how much of it the other side has already seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from securexgb.errors import SecureXGBError

Audience = Literal["both", "label", "feature"]


class Reveal(Enum):
    """One kind of thing that leaves the shares; the value is its sentence for people."""

    SPLIT_OWNER = "which party owns each split"
    SPLIT_INDEX = "feature and threshold of a split, to the party that owns it"
    METRIC = "value of an evaluation metric that the terms ask for"
    EVALUATION_SCORE = "score of an evaluation row, in 4 decimals, after each evaluation"
    IMPORTANCE = "share of a column in the gain, cover or number of all splits, in whole per cents"
    PREDICTION = "predictions, rounded, to whom the terms name"
    REQUESTED_KEYS = "keys of rows that are scored on request, and when, to the other side"
    REASON_CODES = (
        "numbers of the groups of columns that moved a score most, in their order, to whom the "
        "terms name"
    )
    MODEL = (
        "splits, leaf values and base of the whole model, to whom the terms name; which of its "
        "nodes split, to the other side"
    )
    COMMON_MEMBERS = "which of its own rows the other party has too"
    COMMON_SIZE = "how many rows both parties have, or how many of a sample"

    @property
    def audience(self) -> str:
        """Who learns it, in words."""
        match self:
            case Reveal.SPLIT_INDEX:
                return "the split's owner"
            case Reveal.EVALUATION_SCORE:
                return "the label party"
            case Reveal.REQUESTED_KEYS:
                return "the feature party"
            case Reveal.PREDICTION | Reveal.REASON_CODES:
                return "whom the terms name"
            case Reveal.MODEL:
                return "whom the terms name, and a part the other side"
            case _:
                return "both parties"


Counts = dict[tuple[Reveal, Audience], int]
"""How many values of each kind, to whom."""


@dataclass
class Ledger:
    """How many values of each kind were opened, and to whom.

    ``in_work``: the most that the step in work opens; empty between steps. ``keeper``: is called
    whenever that changes, before the step's first opening and after its last.
    """

    entries: Counts = field(default_factory=dict)
    in_work: Counts = field(default_factory=dict)
    keeper: Callable[[], None] | None = None
    _before: Counts = field(default_factory=dict)

    @contextmanager
    def announced(self, most: Mapping[tuple[Reveal, Audience], int]) -> Iterator[None]:
        """A step that opens at most so much. Where it fails it stays in work."""
        self.in_work, self._before = {key: n for key, n in most.items() if n}, dict(self.entries)
        self._keep()
        yield
        self.in_work = {}
        self._keep()

    def record(self, reveal: Reveal, audience: Audience, values: int) -> None:
        """Count so many, before they are opened; errors as of ``check``."""
        self.check(reveal, audience, values)
        key = (reveal, audience)
        self.entries[key] = self.entries.get(key, 0) + values

    def check(self, reveal: Reveal, audience: Audience, values: int) -> None:
        """SecureXGBError where somebody keeps this ledger and so many more were not announced."""
        key = (reveal, audience)
        count = self.entries.get(key, 0) + values
        if self.keeper and count - self._before.get(key, 0) > self.in_work.get(key, 0):
            raise SecureXGBError(
                f"{values} values of {reveal.name} to {audience} would be opened without having "
                "been announced: nothing of them was sent"
            )

    def rows(self) -> list[dict[str, Any]]:
        """What was opened, one object a kind: reveal, meaning, to, values."""
        return _rows(self.entries)

    def settled_rows(self) -> list[dict[str, Any]]:
        """The same without the step in work."""
        return _rows(self._before if self.in_work else self.entries)

    def rows_in_work(self) -> list[dict[str, Any]]:
        """The most that the step in work opens."""
        return _rows(self.in_work)

    def _keep(self) -> None:
        if self.keeper is not None:
            self.keeper()


def _rows(counts: Counts) -> list[dict[str, Any]]:
    return [
        {"reveal": reveal.name, "meaning": reveal.value, "to": to, "values": count}
        for (reveal, to), count in sorted(
            counts.items(), key=lambda item: (item[0][0].name, item[0][1])
        )
    ]
