"""Counts by columns of categories, amounts, classes by name: two companies, terms to scores."""

import csv

import pytest

from tests.processes.companies import Companies, write_table

MODELS = {
    "counts": (
        {"objective": "count:poisson", "target_exponent": 0, "enable_categorical": True},
        {},
        ["prediction"],
    ),
    "amounts": (
        {
            "objective": "reg:tweedie",
            "target_exponent": 0,
            "monotone_constraints": {"arrears": 1, "income": -1},
            "interaction_constraints": [["income", "arrears"], ["age", "loan", "cards"]],
            "colsample_bynode": 0.8,
        },
        {},
        ["prediction"],
    ),
    "ratios by Paillier": (
        {
            "objective": "reg:gamma",
            "n_estimators": 1,
            "max_depth": 1,
            "monotone_constraints": {"arrears": 1},
            "colsample_bytree": 0.8,
        },
        {"he": "paillier", "paillier_bits": 2048},
        ["prediction"],
    ),
    "classes": (
        {"objective": "multi:softprob", "num_class": 3},
        {},
        ["probability of early", "probability of late, or never", "probability of paid"],
    ),
}


def name_classes(folder):
    """Texts in place of labels, of three classes."""
    for path in (folder / "train.csv", folder / "test.csv"):
        head, *rows = csv.reader(path.read_text().splitlines())
        at = head.index("default")
        for number, row in enumerate(rows):
            late = "late, or never" if number % 3 else "early"
            row[at] = late if float(row[at]) else "paid"
        write_table(path, [head, *rows])


def to_amounts(folder):
    """Labels above 0 in the place of 0 and 1."""
    for path in (folder / "train.csv", folder / "test.csv"):
        head, *rows = csv.reader(path.read_text().splitlines())
        at = head.index("default")
        for row in rows:
            row[at] = str(50.0 + 100.0 * float(row[at]))
        write_table(path, [head, *rows])


def with_categories(companies):
    """A column of texts at each side, of which the rows to predict have one more."""
    for side, column in (("bank", "age"), ("bureau", "cards")):
        companies.settings(side, categorical_columns=[column])
        for part, kinds in (("train", 4), ("test", 5)):
            path = companies.root / side / f"{part}.csv"
            head, *rows = csv.reader(path.read_text().splitlines())
            at = head.index(column)
            for row in rows:
                row[at] = f"kind {int(100 * abs(float(row[at]))) % kinds}"
            write_table(path, [head, *rows])


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("training", "method", "columns"), MODELS.values(), ids=MODELS)
def test_trained_and_predicted(tmp_path, training, method, columns):
    given = {"n_estimators": 2, "max_depth": 2} | training
    companies = Companies(tmp_path, given, rows=24 if method else 60, method=method)
    if "num_class" in training:
        name_classes(tmp_path / "bank")
    elif training["objective"] == "reg:gamma":
        to_amounts(tmp_path / "bank")
    elif "enable_categorical" in training:
        with_categories(companies)
    try:
        for command in ("train", "predict"):
            ended = companies.both(command)
            assert {side.code for side in ended.values()} == {0}, ended
    finally:
        companies.stop()
    bank = ended["bank"].json
    assert bank["metrics"]["rows"] == (24 if method else 60)
    path = tmp_path / "bank" / ended["bank"].json["predictions"]
    head, *rows = csv.reader(path.read_text().splitlines())
    assert head == ["id", *columns]
    scores = [[float(value) for value in row[1:]] for row in rows]
    assert len({tuple(of_row) for of_row in scores}) > 1
    for of_row in scores:
        assert min(of_row) > 0.0
        if len(columns) > 1:
            assert sum(of_row) == pytest.approx(1.0, abs=1e-3)
