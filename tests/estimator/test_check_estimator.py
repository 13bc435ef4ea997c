"""scikit-learn's whole suite for estimators, both parties in memory, no expected failures."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from securexgb.estimator import SecureXGBClassifier, SecureXGBRegressor

SMALL = {"n_estimators": 3, "max_depth": 2}


@parametrize_with_checks(
    [
        SecureXGBClassifier(**SMALL),
        SecureXGBRegressor(**SMALL),
        # The label party holds every column, the feature party none.
        SecureXGBClassifier(**SMALL, feature_party_columns=[]),
    ]
)
def test_scikit_learn_compatible(estimator, check):
    check(estimator)
