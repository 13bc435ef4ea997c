"""Metrics of a finished model are those that training opened for the same rows."""

import numpy as np
import pytest

from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, TermsDiffer, UsageError
from securexgb.jobs.evaluation import measure
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import side_data, simulate_parties, split_columns, train_alone

SIDES = split_columns(3, None)


@pytest.fixture(scope="module")
def trained():
    draws = np.random.default_rng(0)
    features = draws.normal(size=(160, 3))
    labels = (features.sum(axis=1) + draws.normal(size=160) > 0).astype(float)
    tables = [Rows(features[part], ("a", "b", "c"), labels[part])
              for part in (slice(100), slice(100, 160))]  # fmt: skip
    params = TrainingParams(n_estimators=3, max_depth=2, eval_metric=("logloss", "error", "auc"))
    run = train_alone(params, tables[0], SIDES, 1, [("valid", tables[1])])
    return run.results, tables[1]


def measured(halves, sides, metrics):
    def program(party, own):
        return measure(party, halves[party.rank], "valid", own, metrics)

    return simulate_parties(program, sides, seed=4)


def test_equal_to_the_last_value_of_training(trained):
    halves, table = trained
    run = measured(halves, side_data(table, SIDES), ("logloss", "error", "auc"))
    last = {name: values[-1] for name, values in halves[0].history["valid"].items()}
    assert run.results[0] == run.results[1] == last
    assert [row["reveal"] for row in run.ledger] == ["METRIC"]
    assert run.ledger[0]["values"] == 3


def test_weights_are_the_label_party_s(trained):
    halves, table = trained
    label, feature = side_data(table, SIDES)
    weights = np.where(label.labels == 1, 3.0, 1.0)
    weighted = Rows(label.values, label.column_names, label.labels, weights)
    found = measured(halves, (weighted, feature), ("logloss",)).results
    plain = measured(halves, (label, feature), ("logloss",)).results
    assert found[0] == found[1] != plain[0]
    with pytest.raises(UsageError, match="auc takes no weights"):
        measured(halves, (weighted, feature), ("auc",))


def test_different_rows_and_one_class_are_refused(trained):
    halves, table = trained
    label, feature = side_data(table, SIDES)
    fewer = Rows(feature.values[1:], feature.column_names)
    with pytest.raises(TermsDiffer, match="do not measure the same"):
        measured(halves, (label, fewer), ("auc",))
    ones = Rows(label.values, label.column_names, np.ones(label.count))
    with pytest.raises(DataError, match="both classes"):
        measured(halves, (ones, feature), ("auc",))
