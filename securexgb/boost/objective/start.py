"""The margins that rows have before the first tree.

All rows begin with one number, base_score or a fitted one; or each with its own, its base margin:
the score of an older model, or the logarithm of an exposure. Base margins are the label party's.
They enter as its trivial share, so nothing is sent and nobody learns any; the other side knows from
the terms that there are some, and what bound they keep. As in xgboost a base margin takes the place
of base_score, in a training, in its evaluation sets and in predictions.

Margins of a regression are relative to a centre, which then is each row's own base margin: they
begin at 0, and a target is measured from its row's base margin, in units of the targets' scale. So
a base margin is as precise as the number that the label party gives, and no bound is needed for
the ring's sake. Log odds have the bits that the public bound asks for (``objective.logistic``).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import encode
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.scales import line_to_add
from securexgb.errors import DataError, UsageError
from securexgb.mpc.party import Party
from securexgb.mpc.share import share
from securexgb.mpc.shared import Shared

Floats = NDArray[np.float64]


def margins_to_begin(
    party: Party, model: ModelHalf, base_margin: Floats | None, rows: int
) -> tuple[Shared, Floats | float]:
    """The margins of so many rows before the first tree, shared (outputs, rows) with margin_bits,
    and what they are relative to: one number, or one for each row; 0 at the feature party.

    ``base_margin``: (rows,), at the label party where the terms have them; checked before.
    """
    shape = (model.outputs, rows)
    if not model.params.has_base_margin:
        base = np.array(model.base, np.uint64)[:, None]
        return Shared(base.repeat(rows, axis=1)), model.centre
    if base_margin is None:
        return Shared.zeros(*shape), 0.0
    first, centre = objective_of(model.params).begin_with(base_margin)
    words = np.broadcast_to(encode(first, model.numbers.margin_bits), shape)
    return share(party, words, 0, shape), centre


def check_base_margin(
    rank: int, params: TrainingParams, base_margin: Floats | None, rows: int, named: str
) -> None:
    """Refuse base margins that the terms do not ask for, or that are not as they say."""
    if rank == 1:
        if base_margin is not None:
            raise UsageError(
                f"{named} at the feature party come with base margins: these are the label party's"
            )
        return
    if base_margin is not None and params.traits.is_multi:
        raise UsageError(
            f"{named} at the label party come with base margins, which are one number a row, and "
            f"objective {params.objective!r} has a margin for each class: leave them out"
        )
    bound = params.base_margin_bound
    if base_margin is None:
        if bound is not None:
            raise UsageError(
                f"{named} at the label party come without base margins, and the terms ask for one "
                f"a row (base_margin_bound = {bound:g}): name base_margin_column in party.toml, or "
                "pass base_margin="
            )
        return
    if base_margin.shape != (rows,) or not bool(np.all(np.isfinite(base_margin))):
        raise DataError(f"{named} at the label party must have one finite base margin for each row")
    most = float(np.abs(base_margin).max(initial=0.0))
    if bound is None or most > bound:
        problem = "is not set" if bound is None else f"is {bound:g}"
        raise DataError(
            f"{named} at the label party come with base margins, and base_margin_bound {problem}, "
            "which must be no less than the greatest absolute value: "
            f"{line_to_add('base_margin_bound', needed_bound(base_margin))}, and train anew"
        )


def needed_bound(base_margin: Floats) -> int:
    """The least power of two, from 1 on, that no base margin is beyond; they must be finite."""
    most = float(np.abs(base_margin).max(initial=0.0))
    if not math.isfinite(most):
        raise DataError("rows of the label party must have one finite base margin each")
    return int(1 << max(math.ceil(math.log2(most)), 0)) if most > 0.0 else 1
