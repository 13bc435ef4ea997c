"""The estimator in a directory."""

from __future__ import annotations

from pathlib import Path

from securexgb.estimator.classifier import SecureXGBClassifier
from securexgb.estimator.files import saved_kind
from securexgb.estimator.regressor import SecureXGBRegressor


def load_model(path: str | Path) -> SecureXGBClassifier | SecureXGBRegressor:
    """The estimator that ``save_model`` wrote; set its ``federation`` to predict in one."""
    kind = saved_kind(Path(path))
    model = SecureXGBRegressor() if kind == "SecureXGBRegressor" else SecureXGBClassifier()
    model.load_model(path)
    return model
