"""What somebody may learn, by name, and the ledger that counts it.

Every opening of a share names a member of ``Reveal``. What carries no name
cannot be opened; what was opened stands in the ledger, and the privacy
statement of a run is that ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

Audience = Literal["both", "label", "feature"]


class Reveal(Enum):
    """One kind of thing that leaves the shares; the value is its sentence for people."""

    SPLIT_OWNER = "which party owns each split"
    SPLIT_INDEX = "feature and threshold of a split, to the party that owns it"
    METRIC = "value of an evaluation metric that the terms ask for"
    IMPORTANCE = "share of a column in the gain or cover of all splits, in whole per cents"
    PREDICTION = "predictions, rounded, to whom the terms name"

    @property
    def audience(self) -> str:
        """Who learns it, in words."""
        match self:
            case Reveal.SPLIT_INDEX:
                return "the split's owner"
            case Reveal.PREDICTION:
                return "whom the terms name"
            case _:
                return "both parties"


@dataclass
class Ledger:
    """How many values of each kind were opened, and to whom."""

    entries: dict[tuple[Reveal, Audience], int] = field(default_factory=dict)

    def record(self, reveal: Reveal, audience: Audience, values: int) -> None:
        key = (reveal, audience)
        self.entries[key] = self.entries.get(key, 0) + values

    def rows(self) -> list[dict[str, str | int]]:
        """One object a kind: reveal, meaning, to, values."""
        return [
            {"reveal": reveal.name, "meaning": reveal.value, "to": to, "values": count}
            for (reveal, to), count in sorted(
                self.entries.items(), key=lambda item: (item[0][0].name, item[0][1])
            )
        ]
