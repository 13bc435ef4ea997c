"""reg:squarederror: targets, centred, in units of their public scale: g = margin - y, h = 1."""

from __future__ import annotations

import math

import numpy as np

from securexgb.arith.fixedpoint import NumberFormat, Scales, encode
from securexgb.boost.dither import Dither
from securexgb.boost.objective.objective import (
    Derivatives,
    Floats,
    Labels,
    Objective,
    rounded,
    weighted_pair,
)
from securexgb.boost.objective.traits import SQUARED_ERROR
from securexgb.boost.scales import (
    Outcomes,
    centre_of,
    check_finite,
    check_targets,
    weighted_mean,
)
from securexgb.mpc.party import Party
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared, Words

_SLACK, _LESS_IS_KNOWN = 1.5, 16.0
"""What |g| may be on average: targets' root mean square is at most 1; that of a sample may not be,
nor what an earlier model leaves of rows that it was not trained on."""


class SquaredError(Objective):
    """One number a row; one tree a round."""

    traits = SQUARED_ERROR

    @property
    def most(self) -> tuple[float, float]:
        is_less = self._params.subsample < 1.0 or self._params.past.rounds > 0
        return (_LESS_IS_KNOWN if is_less else _SLACK), 1.0

    @property
    def scales(self) -> Scales:
        return Scales(gradient=self._params.target_scale)

    def check_labels(self, labels: Floats) -> None:
        check_finite(labels, self._params)

    def check_scales(self, rows: Outcomes) -> None:
        super().check_scales(rows)
        check_targets(rows, self._params)

    def centre(self, rows: Outcomes) -> float:
        return 0.0 if self._params.has_base_margin else float(centre_of(rows, self._params))

    def begin_with(self, base_margin: Floats) -> tuple[Floats, Floats]:
        return np.zeros_like(base_margin), base_margin

    def constant_metric(self, train: Outcomes, rows: Outcomes) -> float:
        own = train if rows.base_margin is None else rows
        gaps = np.abs(rows.labels - centre_of(own, self._params))
        most = float(gaps.max(initial=0.0))
        root = math.sqrt(weighted_mean((gaps / most) ** 2, rows.weights)) if most > 0.0 else 0.0
        return most * root

    def targets(self, labels: Floats, centre: Floats | float, numbers: NumberFormat) -> Words:
        return encode((labels - centre) / numbers.target_scale, numbers.margin_bits)

    def derivatives(self, numbers: NumberFormat, coins: Dither, is_weighted: bool) -> Derivatives:
        bits = min(numbers.row_gradient_bits, numbers.margin_bits)
        first = coins.tables[0] if is_weighted else coins.gradient

        def of_rows(party: Party, margins: Shared, labels: Labels) -> Shared:
            gaps = margins[0] - labels.targets
            g = rounded(party, gaps, numbers.margin_bits - bits, first)
            if labels.weights is None:
                h = constant(party, 1 << numbers.row_hessian_bits, g.shape)
                return Shared.stack([Shared.stack([g, h])])
            drop = numbers.row_weight_bits + bits - numbers.row_gradient_bits
            h = constant(party, 1 << bits, g.shape)
            both = weighted_pair(party, (g, h), labels.weights, drop, coins)
            more = numbers.row_gradient_bits - numbers.row_hessian_bits
            h = rounded(party, both[1], more, coins.tables[2])
            return Shared.stack([Shared.stack([both[0], h])])

        return of_rows

    def predictions(self, margins: Floats) -> Floats:
        return margins
