"""The fitted model that a fit goes on from, ``xgb_model=``: an estimator, or what one saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from securexgb.boost.ensemble import ModelHalf
from securexgb.errors import DataError, UsageError
from securexgb.estimator.files import restore_estimator


@dataclass(frozen=True, repr=False)
class Earlier:
    """``halves``: both alone, one in a federation; ``classes``, ``positive``: of a classifier."""

    halves: tuple[ModelHalf, ...]
    classes: Any = None
    positive: int | None = None

    @staticmethod
    def of(model: Any, given: Any) -> Earlier | None:
        """What ``model``, about to be fitted, goes on from; it may be this very estimator."""
        if given is None:
            return None
        kind = type(model)
        if isinstance(given, (str, Path)):
            saved = kind(federation=model.federation)
            restore_estimator(saved, Path(given))
            given = saved
        if not isinstance(given, kind):
            raise UsageError(
                f"xgb_model must be a fitted {kind.__name__}, or a directory that save_model "
                f"wrote, not {type(given).__name__}: a model of xgboost's holds no shares to go "
                "on from"
            )
        if not hasattr(given, "_halves"):
            raise UsageError("xgb_model is not fitted: there is nothing to go on from")
        halves, needed = given._halves, 2 if model.federation is None else 1
        if len(halves) != needed:
            raise UsageError(
                f"xgb_model holds {len(halves)} halves of a model, and {needed} are needed: alone "
                "both, and one side's own in a federation"
            )
        return Earlier(halves, getattr(given, "classes_", None), getattr(given, "_positive", None))

    def check_classes(self, classes: Any, positive: int | None) -> None:
        """DataError where labels are others than those that the old trees were grown for."""
        is_same: Sequence[bool] = (
            self.classes is None or np.array_equal(self.classes, classes),
            self.positive in (None, positive),
        )
        if not all(is_same):
            raise DataError(
                "the labels are other ones than xgb_model was trained on, or another class counts "
                "as 1: a model goes on with the same classes"
            )
