"""What the terms of a job say of each objective: apart from the objectives, which need the terms.

An objective is a class (``boost.objective.registry``), made from the terms that name it; what can
be said of it before is here, and ``boost.params`` checks terms by it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Traits:
    """``metrics``: of evaluation sets, the first one is the default. ``classifies``: labels are
    classes, else numbers, which are centred and divided by 2^target_exponent. ``opened_metrics``:
    those that exist where the label party gets the scores of evaluation rows.
    """

    name: str
    metrics: tuple[str, ...]
    classifies: bool
    opened_metrics: tuple[str, ...] = ()


LOGISTIC = Traits(
    "binary:logistic",
    ("logloss", "error", "auc"),
    classifies=True,
    opened_metrics=("aucpr", "ks", "error@t"),
)
SQUARED_ERROR = Traits("reg:squarederror", ("rmse",), classifies=False, opened_metrics=("mae",))
TRAITS = {traits.name: traits for traits in (LOGISTIC, SQUARED_ERROR)}
