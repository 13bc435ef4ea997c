"""An objective of two margins, for what works round by round."""

from __future__ import annotations

from dataclasses import replace

from securexgb.boost.objective.logistic import Logistic
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared


class TwoOutputs(Logistic):
    """Two trees a round, the second for the opposite labels; put it into ``OBJECTIVES`` under a
    name that terms know."""

    outputs = 2

    def derivatives(self, numbers, coins, weighted):
        single = super().derivatives(numbers, coins, weighted)

        def of_rows(party, margins, labels):
            targets = constant(party, 1, labels.targets.shape) - labels.targets
            opposite = replace(labels, targets=targets)
            outputs = [
                single(party, margins[k : k + 1], of) for k, of in enumerate((labels, opposite))
            ]
            return Shared.concatenate(outputs)

        return of_rows
