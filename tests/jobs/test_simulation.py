"""Both parties in one process: columns are dealt out as told, and the true cause is raised."""

import threading
import time

import numpy as np
import pytest

from securexgb.correlations.triples import Triples
from securexgb.errors import DataError
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import side_data, simulate_parties, split_columns
from securexgb.offline.method import Method


@pytest.mark.parametrize(
    ("count", "chosen", "label", "feature"),
    [
        (5, None, [0, 1, 2], [3, 4]),
        (1, None, [0], []),
        (3, [2, 0], [1], [2, 0]),
        (2, [], [0, 1], []),
    ],
)
def test_split_columns(count, chosen, label, feature):
    sides = split_columns(count, chosen)
    assert [side.tolist() for side in sides] == [label, feature]


def test_side_data_gives_labels_to_the_label_party_alone():
    whole = Rows(np.arange(6.0).reshape(2, 3), ("a", "b", "c"), np.ones(2), np.ones(2))
    label, feature = side_data(whole, split_columns(3, [1]))
    assert (label.column_names, feature.column_names) == (("a", "c"), ("b",))
    np.testing.assert_array_equal(feature.values, [[1.0], [4.0]])
    assert feature.labels is feature.weights is None
    assert label.labels is not None


def test_the_cause_is_raised_and_not_the_casualty():
    def program(party, fails):
        if fails:
            raise DataError("bureau: no rows")
        return party.exchange_bytes(b"hello")

    began = time.monotonic()
    with pytest.raises(DataError, match="bureau: no rows"):
        simulate_parties(program, [False, True], seed=0)
    assert time.monotonic() - began < 5


def test_nothing_is_made_ahead_once_a_simulation_has_failed():
    def program(party, fails):
        party.source.take(Triples(), 100)
        if fails:
            raise DataError("bureau: no rows")
        return party.exchange_bytes(b"hello")

    before = threading.active_count()
    with pytest.raises(DataError, match="bureau: no rows"):
        simulate_parties(program, [False, True], 0, Method())
    assert threading.active_count() == before


def test_costs_and_seeds():
    def program(party, _):
        return party.exchange_bytes(party.private.words(4).tobytes())

    runs = [simulate_parties(program, [None, None], seed=seed) for seed in (1, 1, 2)]
    assert runs[0].results == runs[1].results != runs[2].results
    assert (runs[0].costs.rounds, runs[0].costs.online_bytes) == (1, 64)
    assert runs[0].ledger == []
