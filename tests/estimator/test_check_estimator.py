"""scikit-learn's whole suite for estimators, both parties in memory, no expected failures."""

import sklearn
from sklearn.utils.estimator_checks import parametrize_with_checks

from securexgb.estimator import SecureXGBClassifier, SecureXGBRegressor
from tests.profiles import is_thorough

SMALL = {"n_estimators": 1, "max_depth": 1, "learning_rate": 1.0}
"""Some checks want scores that one tree alone has to reach."""


def wrong_checks(estimator):
    """Up to 1.6 this check makes other labels of its two data sets where classes are two."""
    old = tuple(map(int, sklearn.__version__.split(".")[:2])) < (1, 7)
    if old and isinstance(estimator, SecureXGBClassifier):
        return {"check_sample_weight_equivalence_on_dense_data": "labels differ before 1.7"}
    return {}


@parametrize_with_checks(
    [
        SecureXGBClassifier(**SMALL),
        SecureXGBRegressor(**SMALL | {"max_depth": 2}),
        # The label party holds every column, the feature party none.
        *([SecureXGBClassifier(**SMALL, feature_party_columns=[])] if is_thorough() else []),
    ],
    expected_failed_checks=wrong_checks,
)
def test_scikit_learn_compatible(estimator, check):
    check(estimator)
