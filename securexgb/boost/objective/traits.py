"""What the terms of a job say of each objective: apart from the objectives, which need the terms.

An objective is a class (``boost.objective.registry``), made from the terms that name it; what can
be said of it before is here, and ``boost.params`` checks terms by it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Traits:
    """``metrics``: of evaluation sets, the first one is the default; one that ends in @ is followed
    by tweedie_variance_power. ``classifies``: labels are classes, else numbers. ``is_log``: margins
    are logarithms of predictions. ``is_scaled``: labels are divided by 2^target_exponent.
    ``opened_metrics``: those that exist where the label party gets the scores of evaluation rows.
    """

    name: str
    metrics: tuple[str, ...]
    classifies: bool = False
    is_log: bool = False
    is_scaled: bool = False
    opened_metrics: tuple[str, ...] = ()

    def is_opened(self, metric: str) -> bool:
        """Whether it is one of ``opened_metrics``, where "error@t" is any t between 0 and 1."""
        name, is_cut, text = metric.partition("@")
        if not is_cut:
            return metric in self.opened_metrics
        try:
            return f"{name}@t" in self.opened_metrics and 0.0 < float(text) < 1.0
        except ValueError:
            return False


_AMOUNTS = ("rmse", "mae")
LOGISTIC = Traits(
    "binary:logistic",
    ("logloss", "error", "auc"),
    classifies=True,
    opened_metrics=("aucpr", "ks", "error@t"),
)
SQUARED_ERROR = Traits("reg:squarederror", ("rmse",), is_scaled=True, opened_metrics=("mae",))
POISSON = Traits(
    "count:poisson", ("poisson-nloglik",), is_log=True, is_scaled=True, opened_metrics=_AMOUNTS
)
GAMMA = Traits(
    "reg:gamma", ("gamma-nloglik", "gamma-deviance"), is_log=True, opened_metrics=_AMOUNTS
)
TWEEDIE = Traits(
    "reg:tweedie", ("tweedie-nloglik@",), is_log=True, is_scaled=True, opened_metrics=_AMOUNTS
)
TRAITS = {traits.name: traits for traits in (LOGISTIC, SQUARED_ERROR, POISSON, GAMMA, TWEEDIE)}
