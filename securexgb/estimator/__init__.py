"""The scikit-learn estimators: ``SecureXGBClassifier`` and ``SecureXGBRegressor``.

Alone, an estimator plays both parties in this process, by default with an insecure
in-process dealer: for development, teaching and model search. With ``federation=`` it is one
company's side of a real job: the other company makes the same calls on its own columns,
and each keeps its half of the model.

No protocol is written here: data is checked, handed to ``jobs``, and the result kept.
"""

from securexgb.estimator.classifier import SecureXGBClassifier
from securexgb.estimator.loading import load_model
from securexgb.estimator.regressor import SecureXGBRegressor

__all__ = ["SecureXGBClassifier", "SecureXGBRegressor", "load_model"]
