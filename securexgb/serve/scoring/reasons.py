"""Reasons of a score: which groups of columns moved it most, against what the terms compare with.

Of each group the row is scored once more with the group's columns at their references. Both sides
do that for all groups of both, the label party's first; a side's row differs for its own only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from securexgb.boost.ensemble import ModelHalf
from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.serve.parts import Floats


@dataclass(frozen=True)
class Groups:
    """``names`` of all groups; ``own``: of this side's, by number, the columns' references.
    ``count``: so many are opened, the strongest first; ``raised``: what makes one strong."""

    names: tuple[str, ...]
    own: Mapping[int, Mapping[str, float]]
    count: int
    raised: bool

    @staticmethod
    def of(federation: Federation) -> Groups | None:
        """What the terms say; None where nobody may ask. UsageError for several classes."""
        terms = federation.terms.serve
        if terms is None or terms.reasons_to == "none":
            return None
        if federation.terms.training.traits.is_multi:
            raise UsageError(
                f"{federation.config.name}: reasons are of one score a row, and "
                f"{federation.terms.training.objective} has one for each class: agree on "
                'reasons_to = "none"'
            )
        names = (*terms.label_groups, *terms.feature_groups)
        own = terms.label_groups if federation.role == "label" else terms.feature_groups
        return Groups(
            names,
            {names.index(name): own[name] for name in own},
            terms.reasons,
            terms.reasons_for == "raised",
        )

    def check(self, half: ModelHalf) -> None:
        """UsageError where a group names a column that the model does not have."""
        for number, references in self.own.items():
            for column in references:
                if column not in half.columns:
                    raise UsageError(
                        f"the terms' group {self.names[number]!r} names column {column!r}, which "
                        f"the {half.role} party's half of model {half.model_id[:8]} does not have"
                    )

    def changed(self, half: ModelHalf, values: Floats) -> Floats:
        """Rows (n, f) as they are and with each group at its references: (1 + groups, n, f)."""
        found = np.repeat(values[None], 1 + len(self.names), axis=0)
        for number, references in self.own.items():
            for column, value in references.items():
                found[1 + number, :, half.columns.index(column)] = value
        return found
