"""What the terms of a job say of each objective: apart from the objectives, which need the terms.

An objective is a class (``boost.objective.registry``), made from the terms that name it; what can
be said of it before is here, and ``boost.params`` checks terms by it.
"""

from __future__ import annotations

from dataclasses import dataclass

from securexgb.errors import UsageError

_MOST_BASE = 100.0
"""Of a base_score that is the margin of every class."""


@dataclass(frozen=True)
class Traits:
    """``metrics``: of evaluation sets, the first one is the default; one that ends in @ is followed
    by tweedie_variance_power. ``classifies``: labels are classes, else numbers. ``is_log``: margins
    are logarithms of predictions. ``is_scaled``: labels are divided by 2^target_exponent.
    ``opened_metrics``: those that exist where the label party gets the scores of evaluation rows.
    ``is_multi``: there are ``num_class`` classes, and as many margins a row.
    """

    name: str
    metrics: tuple[str, ...]
    classifies: bool = False
    is_log: bool = False
    is_scaled: bool = False
    opened_metrics: tuple[str, ...] = ()
    is_multi: bool = False

    @property
    def is_binary(self) -> bool:
        """Whether labels are two classes, one of which counts as 1."""
        return self.classifies and not self.is_multi

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
_OF_CLASSES = ("mlogloss", "merror")
SOFTPROB = Traits("multi:softprob", _OF_CLASSES, classifies=True, is_multi=True)
SOFTMAX = Traits("multi:softmax", _OF_CLASSES, classifies=True, is_multi=True)
TRAITS = {
    traits.name: traits
    for traits in (LOGISTIC, SQUARED_ERROR, POISSON, GAMMA, TWEEDIE, SOFTPROB, SOFTMAX)
}


def check_classes(
    traits: Traits, classes: int | None, base_score: float | None, margin_bound: float | None
) -> None:
    """Refuse terms of several classes, or that count classes, which do not go together."""
    if not traits.is_multi:
        raise UsageError(
            f"num_class is for objectives {SOFTPROB.name!r} and {SOFTMAX.name!r}, not for "
            f"{traits.name!r}"
        )
    if classes is None:
        raise UsageError(f"objective {traits.name!r} needs num_class, the number of classes")
    if margin_bound is not None:
        raise UsageError(
            f"base margins are one number a row, and objective {traits.name!r} has a margin for "
            "each class: leave them, and base_margin_bound, out"
        )
    if base_score is not None and abs(base_score) > _MOST_BASE:
        raise UsageError(
            f"base_score must lie between -{_MOST_BASE:g} and {_MOST_BASE:g} for objective "
            f"{traits.name!r}, where it is the margin of every class: it is {base_score:g}"
        )
