"""The estimator alone: both parties are played in this process, for development and teaching.

    python examples/estimator.py

Nothing is protected here. Between two companies each side passes
``federation=Federation.from_file("party.toml", job="job.toml")`` and its own columns.
"""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from securexgb import SecureXGBClassifier


def main() -> None:
    X, y = load_breast_cancer(as_frame=True, return_X_y=True)
    labels = y.map({0: "malignant", 1: "benign"})
    train, test, train_labels, test_labels = train_test_split(X, labels, random_state=1, stratify=y)
    model = SecureXGBClassifier(
        n_estimators=10,
        max_depth=3,
        eval_metric="auc",
        early_stopping_rounds=3,
        feature_party_columns=[name for name in X.columns if name.startswith("worst")],
    )
    model.fit(train, train_labels, eval_set=[(test, test_labels)])
    print(f"accuracy {model.score(test, test_labels):.3f}, classes {list(model.classes_)}")
    print(
        f"AUC after each tree: {[round(v, 4) for v in model.evals_result()['validation_0']['auc']]}"
    )
    print(f"best tree {model.best_iteration}")
    most = model.feature_importances_.argsort()[::-1][:3]
    print("most used columns:", ", ".join(X.columns[most]))
    for row in model.ledger_:
        print(f"revealed {row['values']:4} x {row['meaning']} -> {row['to']}")
    # Two companies' terms refuse so few rows (min_training_rows): the splits tell too much of them.
    print(model.leak_.warning or model.leak_.sentence)


if __name__ == "__main__":
    main()
