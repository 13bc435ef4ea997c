"""What the terms of a job say of each objective: apart from the objectives, which need the terms.

An objective is a class (``boost.objective.registry``), made from the terms that name it; what can
be said of it before is here, and ``boost.params`` checks terms by it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Traits:
    """``metrics``: of evaluation sets, the first one is the default. ``classifies``: labels are
    classes, else numbers, which are centred and divided by 2^target_exponent. ``is_multi``: there
    are ``num_class`` of them, and as many margins a row. ``opened_metrics``: those that exist where
    the label party gets the scores of evaluation rows.
    """

    name: str
    metrics: tuple[str, ...]
    classifies: bool
    opened_metrics: tuple[str, ...] = ()
    is_multi: bool = False

    @property
    def is_binary(self) -> bool:
        """Whether labels are two classes, one of which counts as 1."""
        return self.classifies and not self.is_multi


LOGISTIC = Traits(
    "binary:logistic",
    ("logloss", "error", "auc"),
    classifies=True,
    opened_metrics=("aucpr", "ks", "error@t"),
)
SQUARED_ERROR = Traits("reg:squarederror", ("rmse",), classifies=False, opened_metrics=("mae",))
_OF_CLASSES = ("mlogloss", "merror")
SOFTPROB = Traits("multi:softprob", _OF_CLASSES, classifies=True, is_multi=True)
SOFTMAX = Traits("multi:softmax", _OF_CLASSES, classifies=True, is_multi=True)
TRAITS = {traits.name: traits for traits in (LOGISTIC, SQUARED_ERROR, SOFTPROB, SOFTMAX)}
