"""Both sides hold the same rows in the same order, or both say which rows differ."""

import pytest

from securexgb.align.ids import BLOCK_ROWS, check_same_rows
from securexgb.errors import DataError
from securexgb.simulation import simulate_parties


def compare(label_ids, feature_ids):
    def program(party, ids):
        try:
            check_same_rows(party, ids, len(ids), "customer")
        except DataError as error:
            return str(error)
        return "same"

    return simulate_parties(program, [label_ids, feature_ids], seed=3)


def names(count):
    return [f"c{number:06}" for number in range(count)]


@pytest.mark.parametrize("rows", [1, BLOCK_ROWS, 3 * BLOCK_ROWS + 1])
def test_equal_ids_pass_and_only_digests_travel(rows):
    run = compare(names(rows), names(rows))
    assert run.results == ("same", "same")
    assert run.costs.online_bytes == 2 * (8 + 16 * -(-rows // BLOCK_ROWS))


def test_different_counts():
    left, right = compare(names(4), names(5)).results
    assert "label party: this side has 4 rows and the other side 5" in left
    assert "feature party: this side has 5 rows and the other side 4" in right


def test_swapped_rows_are_named_by_number_and_never_by_id():
    other = names(3000)
    other[2001], other[2002] = other[2002], other[2001]
    for message in compare(names(3000), other).results:
        assert "column 'customer'" in message
        assert "first in data row 2002, 2003;" in message
        assert "c00" not in message


def test_many_differences_are_cut_short():
    for message in compare(names(50), names(50)[::-1]).results:
        assert "data row 1, 2, 3, 4, 5 and more" in message


def test_concatenation_does_not_hide_a_difference():
    assert "data row 1, 2" in compare(["ab", "c"], ["a", "bc"]).results[0]
