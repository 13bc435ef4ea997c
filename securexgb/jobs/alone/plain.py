"""Plain xgboost: what a simulation is compared with.

On the same bins every column is replaced by its bin number, so that xgboost's own binning finds
the same candidates. On its own bins, as many, xgboost gets the values themselves and cuts them
by its own sketch. Missing values stay missing. xgboost is an extra, ``oracle``: nothing but this
comparison needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.columns.binning import Binner
from securexgb.boost.params import TrainingParams
from securexgb.boost.splits.directions import of_table
from securexgb.boost.splits.interactions import by_place, plain_interactions
from securexgb.errors import DataError, NotAvailable
from securexgb.jobs.rows import Rows

SHARED_NAMES = (
    "objective", "learning_rate", "max_depth", "min_child_weight", "max_delta_step", "gamma",
    "reg_lambda", "reg_alpha", "subsample", "colsample_bytree", "colsample_bylevel",
    "colsample_bynode", "scale_pos_weight",
)  # fmt: skip
ABSENT = (
    "plain xgboost is not installed, so nothing is compared with it: "
    "pip install 'securexgb[oracle]'"
)


def has_xgboost() -> bool:
    """Whether the extra ``oracle`` is installed."""
    return find_spec("xgboost") is not None


@dataclass(frozen=True, repr=False)
class Plain:
    """A model of plain xgboost's as its JSON, and its predictions for the test rows."""

    booster: bytes
    predictions: NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class PlainPast:
    """What plain xgboost goes on from: its own earlier model as JSON, and the cuts (columns, bins)
    of the bins that it, and the model beside it, were trained on."""

    booster: bytes
    cuts: NDArray[np.float64]


def plain_xgboost(
    params: TrainingParams,
    train: Rows,
    test: Rows,
    *,
    has_own_bins: bool = False,
    past: PlainPast | None = None,
) -> Plain:
    """What xgboost makes of ``train`` in the clear, after the trees of ``past`` where it is given;
    NotAvailable where there is no xgboost.

    ``has_own_bins``: xgboost chooses at most ``max_bin`` bins a column itself.
    """
    if not has_xgboost():
        raise NotAvailable(ABSENT)
    import xgboost  # noqa: PLC0415  (slow, and needed here only)

    binner = Binner.fit(train.values, params.max_bin, train.categorical)
    before = None
    if past is not None:
        binner = Binner(past.cuts, train.categorical)
        before = _loaded(past.booster)
    kinds = ["c" if name in train.categories else "q" for name in train.column_names]
    more: Any = {"feature_types": kinds, "enable_categorical": True} if train.categories else {}

    def matrix(values: NDArray[Any], data: Rows) -> Any:
        own = {"weight": data.weights, "base_margin": data.base_margin}
        return xgboost.DMatrix(values, data.labels, **own, **more)

    def table(data: Rows) -> Any:
        if has_own_bins:
            return matrix(data.values, data)
        bins = binner.transform(data.values).astype(np.float64)
        bins[bins == params.max_bin] = np.nan
        return matrix(bins, data)

    settings = _settings(params, train, has_own_bins=has_own_bins)
    model = xgboost.train(settings, table(train), params.n_estimators, xgb_model=before)
    found = np.asarray(model.predict(table(test)), np.float64)
    return Plain(bytes(model.save_raw("json")), found)


def _loaded(booster: bytes) -> Any:
    import xgboost  # noqa: PLC0415  (slow, and needed here only)

    try:
        return xgboost.Booster(model_file=bytearray(booster))
    except xgboost.core.XGBoostError as error:
        raise DataError(
            f"xgboost {xgboost.__version__} does not read its own model of the earlier run, which "
            "is damaged, or of a later version: restore it from a copy, or simulate that run again"
        ) from error


def _settings(params: TrainingParams, train: Rows, *, has_own_bins: bool) -> dict[str, Any]:
    """The same parameters by xgboost's names."""
    settings: dict[str, Any] = {name: getattr(params, name) for name in SHARED_NAMES}
    settings |= {
        "tree_method": "hist",
        "max_bin": params.max_bin if has_own_bins else 256,
        "max_cat_to_onehot": 256,
        "seed": params.random_state,
        "nthread": 1,
    }
    if params.max_delta_step is None:
        del settings["max_delta_step"]
    if not params.traits.classifies:
        del settings["scale_pos_weight"]
    if params.objective == "reg:tweedie":
        settings["tweedie_variance_power"] = params.tweedie_variance_power
    if params.is_monotone:
        settings["monotone_constraints"] = of_table(params.monotone_constraints, train.column_names)
    if params.base_score is not None:
        settings["base_score"] = params.base_score
    if params.traits.is_multi:
        # Its other objective predicts classes in place of probabilities.
        settings |= {"objective": "multi:softprob", "num_class": params.num_class}
        del settings["scale_pos_weight"]
    if params.interaction_constraints:
        names = train.column_names
        groups = by_place(params.interaction_constraints, names, range(len(names)))
        settings["interaction_constraints"] = str(plain_interactions(groups))
    return settings
