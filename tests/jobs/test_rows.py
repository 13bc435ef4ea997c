"""A side's rows: what an order of rows and a choice of columns take along."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from securexgb.errors import DataError
from securexgb.jobs.rows import Rows

VALUES = np.array([[1.0, np.nan], [2.0, 5.0], [3.0, 6.0]])
ROWS = Rows(VALUES, ("a", "b"), np.array([0.0, 1, 1]), np.arange(3.0), ("x", "y", "z"), (0, 1))


def test_rows_in_another_order_keep_all_that_is_theirs() -> None:
    taken = ROWS.take(np.array([2, 0]))
    np.testing.assert_array_equal(taken.values, VALUES[[2, 0]])
    assert taken.values.flags.c_contiguous
    assert taken.labels is not None
    assert taken.weights is not None
    assert (taken.labels.tolist(), taken.weights.tolist()) == ([1, 0], [2, 0])
    assert (taken.ids, taken.count) == (("z", "x"), 2)
    assert (taken.column_names, taken.classes) == (("a", "b"), (0, 1))
    begun = replace(ROWS, base_margin=np.array([-1.0, 0.5, 2.0]))
    margins = begun.take(np.array([2, 0])).base_margin
    assert margins is not None
    assert margins.tolist() == [2.0, -1.0]
    for digest in (Rows.fingerprint, Rows.fingerprint_of_set):
        assert digest(begun) != digest(ROWS)
    bare = Rows(VALUES, ("a", "b")).take(np.array([1]))
    assert bare.labels is bare.weights is bare.ids is None


def test_columns_and_what_is_missing_in_them() -> None:
    assert ROWS.missing_rates == {"a": 0.0, "b": 1 / 3}
    other = ROWS.take_columns(np.array([1]))
    assert (other.column_names, other.ids) == (("b",), ROWS.ids)
    np.testing.assert_array_equal(other.values, VALUES[:, [1]])
    assert ROWS.take(np.array([], np.intp)).missing_rates == {"a": 0.0, "b": 0.0}


def test_columns_that_number_the_rows_are_told_from_others() -> None:
    draws = np.random.default_rng(1)
    table = {
        "customer": 70_000.0 + draws.permutation(30),
        "amount": draws.normal(size=30),
        "age": draws.integers(0, 90, 30).astype(float),
        "holes": np.append(np.nan, np.arange(29.0)),
        "twice": np.append(3.0, np.arange(29.0)),
    }
    rows = Rows(np.column_stack(list(table.values())), tuple(table))
    assert rows.numbering_columns == ["customer"]
    assert rows.take(np.arange(19)).numbering_columns == []


def test_the_digest_of_names_is_of_a_set() -> None:
    assert ROWS.names_sha256 == ROWS.take_columns(np.array([1, 0])).names_sha256
    assert ROWS.names_sha256 == hashlib.sha256(b"a\nb").hexdigest()
    assert ROWS.take_columns(np.array([1])).names_sha256 != ROWS.names_sha256


def test_the_shares_of_the_classes() -> None:
    assert ROWS.class_shares == pytest.approx((1 / 3, 2 / 3))
    assert Rows(VALUES, ("a", "b"), ROWS.labels).class_shares is None


def test_ids_and_classes_are_no_part_of_the_fingerprints() -> None:
    """Dummy splits are drawn from these: what names rows must not change them."""
    bare = Rows(VALUES, ("a", "b"), ROWS.labels, ROWS.weights)
    assert bare.fingerprint() == ROWS.fingerprint()
    assert bare.fingerprint_of_set() == ROWS.fingerprint_of_set()


def test_one_id_a_row() -> None:
    assert ROWS.with_ids(("p", "q", "r")).ids == ("p", "q", "r")
    with pytest.raises(DataError, match=r"3 rows and ids of the shape \(2,\)"):
        ROWS.with_ids(("p", "q"))
