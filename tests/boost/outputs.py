"""An objective of two outputs, as one of several classes will be: the second learns the reverse."""

from __future__ import annotations

from securexgb.boost.objective.logistic import Logistic
from securexgb.mpc.shared import Shared


class TwoOutputs(Logistic):
    """Two trees a round; put it into ``OBJECTIVES`` under a name that terms know."""

    outputs = 2

    def derivatives(self, numbers, coins, weighted):
        single = super().derivatives(numbers, coins, weighted)

        def of_rows(party, margins, labels):
            first, second = (single(party, margins[k : k + 1], labels) for k in (0, 1))
            return Shared.concatenate([first, -second])

        return of_rows
