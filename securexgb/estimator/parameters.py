"""The parameters of both estimators: the terms of a training, and how data comes in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from securexgb.federation.session import Federation


@dataclass(kw_only=True, eq=False, repr=False)
class Parameters:
    """The parameters of an estimator, with scikit-learn's meaning of one.

    The training parameters are those of ``boost.params.TrainingParams``, with xgboost's
    names and meanings. Beyond them: ``feature_party_columns``, the columns that the feature
    party holds where both are played here: names, numbers, a pattern that names match, or a
    callable that gets X (None: the second half); ``prediction_decimals``, to which margins are
    rounded before they are opened (of a regression in units of 2^target_exponent);
    ``feature_types``, xgboost's "c" for columns of X that hold numbers of categories, with
    ``enable_categorical``; ``importance_type``, see ``feature_importances_``; ``callbacks``, with
    xgboost's four hooks; ``federation``, this side of a real job; ``align``: find the rows that
    both sides have, by the terms' keys (None: where they name any). Other names of xgboost's:
    ``estimator_names``.

    ``algorithm`` ("hybrid", "ss"), ``he`` ("bfv", "paillier") and ``offline`` ("two-party",
    "dealt") are terms of a job, and None leaves them to the terms. Alone, None for all three
    means the in-process dealer; otherwise correlations are made as they say, what is left open
    being hybrid, bfv and dealt. None of them changes a tree. ``prediction`` is a term, too:
    "transfers" (the default) or "ckks", with which margins are rounded to hundredths; and so is
    ``positive_label``, the class that counts as 1 (None: the greater), which ``scale_pos_weight``
    weighs; ``classes_`` stays sorted.
    """

    objective: str | None = None
    n_estimators: int = 50
    learning_rate: float = 0.3
    max_depth: int = 4
    min_child_weight: float = 1.0
    max_delta_step: float | None = None
    monotone_constraints: Any = ()
    interaction_constraints: Any = ()
    gamma: float = 0.0
    reg_lambda: float = 1.0
    reg_alpha: float = 0.0
    subsample: float = 1.0
    colsample_bytree: float = 1.0
    colsample_bylevel: float = 1.0
    colsample_bynode: float = 1.0
    scale_pos_weight: float = 1.0
    tweedie_variance_power: float = 1.5
    base_score: float | None = None
    base_margin_bound: float | None = None
    max_bin: int = 32
    enable_categorical: bool = False
    max_cat_to_onehot: int | None = None
    feature_types: Sequence[str] | None = None
    random_state: Any = 0
    eval_metric: str | Sequence[str] = ()
    eval_every: int = 1
    auc_rows: int = 0
    evaluation_scores_to: str = "none"
    early_stopping_rounds: int | None = None
    missing: float = np.nan
    missing_values: str = "allowed"
    gradient_bits: int | None = None
    sigmoid: str = "table"
    splits: str | None = None
    importance: str = "none"
    weight_exponent: int | None = None
    target_exponent: int | None = None
    metric_exponent: int | None = None
    weight_bound: float | None = None
    target_bound: float | None = None
    importance_type: str | None = None
    feature_party_columns: (
        Sequence[str] | Sequence[int] | str | re.Pattern[str] | Callable[[Any], Any] | None
    ) = None
    callbacks: Sequence[Any] | None = None
    prediction_decimals: int = 6
    algorithm: str | None = None
    he: str | None = None
    offline: str | None = None
    prediction: str | None = None
    positive_label: Any = None
    federation: Federation | None = None
    align: bool | None = None
