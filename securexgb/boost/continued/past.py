"""What is said of the trees that a model takes over from an earlier one: public, as terms are."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Past:
    """The first ``rounds`` of a model, grown in earlier trainings; none where that is 0.

    ``model_id``: of the model that they are from. ``reach``: their learning rates added up, a
    round's for each; ``most_rate``: the greatest of them. Both bound what their leaves may be.
    ValueError for what none of this can be, as in a damaged file.
    """

    model_id: str = ""
    rounds: int = 0
    reach: float = 0.0
    most_rate: float = 0.0

    def __post_init__(self) -> None:
        kinds = (type(self.model_id), type(self.rounds), type(self.reach), type(self.most_rate))
        if kinds != (str, int, float, float) or self.rounds < 0:
            raise ValueError("past")
        if not (0.0 <= self.most_rate <= 1.0 and math.isfinite(self.reach) and self.reach >= 0.0):
            raise ValueError("past")

    def __str__(self) -> str:
        return f"the first {self.rounds} trees of model {self.model_id[:8]}"


NO_PAST = Past()
