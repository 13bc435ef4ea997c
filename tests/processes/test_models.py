"""Counts, amounts and classes by name: two companies' processes, from terms to scores."""

import csv

import pytest

from tests.processes.companies import Companies

MODELS = {
    "counts": ({"objective": "count:poisson", "target_exponent": 0}, {}, ["prediction"]),
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
        {"objective": "multi:softprob", "num_class": 2},
        {},
        ["probability of 0", "probability of 1"],
    ),
}


def to_amounts(folder):
    """Labels above 0 in the place of 0 and 1."""
    for path in (folder / "train.csv", folder / "test.csv"):
        head, *rows = csv.reader(path.read_text().splitlines())
        place = head.index("default")
        for row in rows:
            row[place] = str(50.0 + 100.0 * float(row[place]))
        with path.open("w", newline="") as stream:
            csv.writer(stream).writerows([head, *rows])


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("training", "method", "columns"), MODELS.values(), ids=MODELS)
def test_trained_and_predicted(tmp_path, training, method, columns):
    given = {"n_estimators": 2, "max_depth": 2} | training
    companies = Companies(tmp_path, given, rows=24, method=method)
    if training["objective"] == "reg:gamma":
        to_amounts(tmp_path / "bank")
    try:
        for command in ("train", "predict"):
            ended = companies.both(command)
            assert {side.code for side in ended.values()} == {0}, ended
    finally:
        companies.stop()
    path = tmp_path / "bank" / ended["bank"].json["predictions"]
    head, *rows = csv.reader(path.read_text().splitlines())
    assert head == ["id", *columns]
    scores = [[float(value) for value in row[1:]] for row in rows]
    assert len({tuple(of_row) for of_row in scores}) > 1
    for of_row in scores:
        assert min(of_row) > 0.0
        if len(columns) > 1:
            assert sum(of_row) == pytest.approx(1.0, abs=1e-3)
