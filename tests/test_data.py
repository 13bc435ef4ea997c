"""Reading a side's table: what is accepted, and what each refusal says."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from securexgb.data import ColumnRoles, binary_labels, read_side, read_table
from securexgb.errors import DataError, UsageError


def write(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def test_roles_and_missing_values(tmp_path):
    path = write(tmp_path, "id,a,b,y,w\nr1,1,,0,1\nr2,NA,2.5,1,2\n")
    table = read_side(path, ColumnRoles(label="y", weight="w", id="id"), "bank")
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table.features, [[1, np.nan], [np.nan, 2.5]])
    np.testing.assert_array_equal(table.labels, [0, 1])
    np.testing.assert_array_equal(table.weights, [1, 2])
    assert table.ids == ("r1", "r2")
    assert table.missing_rates == {"a": 0.5, "b": 0.5}


def test_parquet_and_booleans_and_an_all_missing_column(tmp_path):
    path = tmp_path / "table.parquet"
    pa.parquet.write_table(pa.table({"a": [True, None], "b": pa.nulls(2)}), path)
    table = read_side(path, ColumnRoles(), "bank")
    np.testing.assert_array_equal(table.features, [[1, np.nan], [np.nan, np.nan]])


def test_no_feature_columns(tmp_path):
    table = read_side(write(tmp_path, "id\n1\n2\n"), ColumnRoles(id="id"), "bureau")
    assert table.features.shape == (2, 0)


@pytest.mark.parametrize(
    ("text", "roles", "says"),
    [
        ("a,b\n1,2\n3\n", ColumnRoles(), "Expected 2 columns, got 1"),
        ("a\n1\nsecret\n", ColumnRoles(), "column 'a' is not numeric"),
        (
            "a\n1\ninf\n",
            ColumnRoles(),
            "column 'a' holds infinity, first in data row 2",
        ),
        ("a\n1\n", ColumnRoles(features=("z",)), "has no column 'z'"),
        ("a\n", ColumnRoles(), "has no rows"),
        ("a,a\n1,2\n", ColumnRoles(), "more than one column named 'a'"),
        (
            "id,a\nx,1\nx,2\n",
            ColumnRoles(id="id"),
            "data rows 1 and 2 hold the same id",
        ),
        ("id,a\nx,1\n,2\n", ColumnRoles(id="id"), "id column 'id' has 1 empty fields"),
        (
            "y,a\n1,1\n,2\n",
            ColumnRoles(label="y"),
            "label column 'y' has 1 empty fields",
        ),
        ("w,a\n1,1\n-1,2\n", ColumnRoles(weight="w"), "weight column 'w'"),
    ],
)
def test_refusals_name_side_and_column_and_no_value(tmp_path, text, roles, says):
    with pytest.raises(DataError) as caught:
        read_side(write(tmp_path, text), roles, "bank")
    assert "bank: " in str(caught.value)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)


def test_truncated_parquet(tmp_path):
    path = tmp_path / "table.parquet"
    pa.parquet.write_table(pa.table({"a": list(range(1000))}), path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="cannot be read"):
        read_side(path, ColumnRoles(), "bank")


def test_missing_file_is_the_configuration_s_fault(tmp_path):
    with pytest.raises(UsageError, match="there is no file"):
        read_side(tmp_path / "none.csv", ColumnRoles(), "bank")


def test_binary_labels():
    codes, classes = binary_labels(np.array(["good", "bad", "good"]), "y", "bank")
    assert codes.tolist() == [1, 0, 1]
    assert classes == ("bad", "good")
    with pytest.raises(DataError, match="3 different values"):
        binary_labels(np.array([0.0, 1, 2]), "y", "bank")


def test_text_that_is_not_utf8_is_refused_with_a_sentence(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("straße,label\n1,0\n2,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read_table(path, "bank")
