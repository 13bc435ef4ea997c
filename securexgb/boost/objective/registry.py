"""Every objective by its name."""

from __future__ import annotations

from securexgb.boost.objective.log_link import Gamma, Poisson, Tweedie
from securexgb.boost.objective.logistic import Logistic
from securexgb.boost.objective.objective import Objective, Sigmoid
from securexgb.boost.objective.squared import SquaredError
from securexgb.boost.params import TrainingParams

OBJECTIVES: dict[str, type[Objective]] = {
    "binary:logistic": Logistic,
    "reg:squarederror": SquaredError,
    "count:poisson": Poisson,
    "reg:gamma": Gamma,
    "reg:tweedie": Tweedie,
}


def objective_of(params: TrainingParams, chosen: Sigmoid | None = None) -> Objective:
    """The objective that the terms name; ``chosen``: a sigmoid in the tables' place."""
    return OBJECTIVES[params.objective](params, chosen)
