"""Reading a side's table: what is accepted, and what each refusal says."""

import csv
import io
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securexgb.errors import DataError, UsageError
from securexgb.jobs.data.files import ColumnRoles, read_side
from securexgb.jobs.data.labels import LabelKinds, class_labels
from securexgb.jobs.data.tables import read_table
from securexgb.jobs.prediction import read_scores, write_predictions


def write(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def test_roles_and_missing_values(tmp_path):
    path = write(tmp_path, "id,a,b,y,w\nr1,1,,0,1\nr2,NA,2.5,1,2\n")
    table = read_side(path, ColumnRoles(label="y", weight="w", id="id"), "bank")
    assert table.column_names == ("a", "b")
    np.testing.assert_array_equal(table.values, [[1, np.nan], [np.nan, 2.5]])
    np.testing.assert_array_equal(table.labels, [0, 1])
    np.testing.assert_array_equal(table.weights, [1, 2])
    assert table.ids == ("r1", "r2")
    assert table.missing_rates == {"a": 0.5, "b": 0.5}


def test_base_margins_are_a_column_that_is_no_feature(tmp_path):
    path = write(tmp_path, "a,m,y\n1,-0.5,0\n2,3,1\n")
    table = read_side(path, ColumnRoles(label="y", base_margin="m"), "bank")
    assert table.column_names == ("a",)
    np.testing.assert_array_equal(table.base_margin, [-0.5, 3])
    path = write(tmp_path, "a,m,y\n1,,0\n2,3,1\n")
    with pytest.raises(DataError, match="base margin column 'm' has a missing value"):
        read_side(path, ColumnRoles(label="y", base_margin="m"), "bank")


@pytest.mark.parametrize(
    "roles",
    [{"base_margin": "y"}, {"weight": "y"}, {"weight": "m", "base_margin": "m"}, {"id": "y"}],
)
def test_no_column_is_two_things_of_a_row(tmp_path, roles):
    path = write(tmp_path, "a,y,m\n1,0,2\n2,1,3\n")
    with pytest.raises(UsageError, match="is named for two of label, weight"):
        read_side(path, ColumnRoles(label="y", **roles), "bank")


def test_parquet_and_booleans_and_an_all_missing_column(tmp_path):
    path = tmp_path / "table.parquet"
    pa.parquet.write_table(pa.table({"a": [True, None], "b": pa.nulls(2)}), path)
    table = read_side(path, ColumnRoles(), "bank")
    np.testing.assert_array_equal(table.values, [[1, np.nan], [np.nan, np.nan]])


def test_categories_of_a_csv_file_are_texts_and_a_model_numbers_later_ones(tmp_path):
    path = write(tmp_path, "a,place,kind\n1,Oslo,07\n2,,7\n3,Lyon,07\n")
    rows = read_side(path, ColumnRoles(categorical=("place", "kind")), "bank")
    assert rows.categories == {"place": ("Lyon", "Oslo"), "kind": ("07", "7")}
    np.testing.assert_array_equal(rows.values[:, 1:], [[1, 0], [np.nan, 1], [0, 0]])
    later = write(tmp_path, "a,place,kind\n1,Graz,7\n2,Oslo,8\n")
    known = ColumnRoles(categories=rows.categories)
    np.testing.assert_array_equal(read_side(later, known, "bank").values[:, 1:], [[-1, 1], [1, -1]])
    with pytest.raises(UsageError, match="'b' is named as categorical, and is no feature column"):
        read_side(path, ColumnRoles(categorical=("place", "kind", "b")), "bank")


def test_dictionaries_of_parquet_are_categories_where_the_terms_say_so(tmp_path):
    path = tmp_path / "table.parquet"
    kinds = pa.array(["tied", "free", None, "tied"]).dictionary_encode()
    pa.parquet.write_table(pa.table({"a": [1, 2, 3, 4], "kind": kinds}), path)
    rows = read_side(path, ColumnRoles(finds_categories=True), "bank")
    assert rows.categories == {"kind": ("free", "tied")}
    np.testing.assert_array_equal(rows.values[:, 1], [1, 0, np.nan, 1])


def test_no_feature_columns(tmp_path):
    table = read_side(write(tmp_path, "id\n1\n2\n"), ColumnRoles(id="id"), "bureau")
    assert table.values.shape == (2, 0)


@pytest.mark.parametrize(
    ("text", "roles", "says"),
    [
        ("a,b\n1,2\n3\n", ColumnRoles(), "Expected 2 columns, got 1"),
        ("a\n1\nsecret\n", ColumnRoles(), "column 'a' (read as string, first in data row 2) is n"),
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
        (
            "id,a\nx,1\n,2\n",
            ColumnRoles(id="id"),
            "id column 'id' has 1 empty fields, first in data row 2",
        ),
        ('id,a\nx,1\n"",2\n', ColumnRoles(id="id"), "1 empty fields, first in data row 2"),
        ("y,a\ngood,1\nNA,2\n", ColumnRoles(label="y"), "label column 'y' has 1 empty fields"),
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


@pytest.mark.parametrize("separator", [";", "\t", "|"])
@pytest.mark.parametrize("decimal", [".", ","])
def test_files_of_other_countries(tmp_path, separator, decimal):
    lines = [["id", "a,b", "whole", "y"], ["1,5", "1.5", "7", "no"], ["2", "", "8", "yes"],
             ["03", "-2.25", "NA", "no"]]  # fmt: skip
    text = "\n".join(
        separator.join([line[0], line[1].replace(".", decimal), *line[2:]]) for line in lines
    )
    rows = read_side(write(tmp_path, text), ColumnRoles(id="id", label="y"), "bank")
    np.testing.assert_array_equal(rows.values, [[1.5, 7], [np.nan, 8], [-2.25, np.nan]])
    assert (rows.column_names, rows.ids) == (("a,b", "whole"), ("1,5", "2", "03"))
    assert rows.classes == ("no", "yes")


def test_semicolons_in_quotes_separate_nothing(tmp_path):
    path = write(tmp_path, '"a;b;c",d\n1,2\n')
    assert read_side(path, ColumnRoles(), "bank").column_names == ("a;b;c", "d")
    assert read_side(write(tmp_path, "only\n1\n2\n"), ColumnRoles(), "bank").count == 2


def test_all_columns_that_are_not_numeric_are_named_at_once(tmp_path):
    path = write(tmp_path, 'a,b,c\n1,2,"3,5"\n4,hidden,"1.234,5"\n5,6,7\nother,8,9\n')
    with pytest.raises(DataError) as caught:
        read_side(path, ColumnRoles(), "bank")
    said = str(caught.value)
    assert "bank: columns 'a' (read as string, first in data row 4), 'b' (read" in said
    assert "'b' (read as string, first in data row 2), 'c' (read as string, first in" in said
    assert "are not numeric; encode them" in said
    assert "these may be decimal commas: write points" in said
    assert not {"hidden", "other", "3,5"} & set(said.split("'"))
    assert caught.value.__notes__ == [
        "column 'a', data row 4: 'other'", "column 'b', data row 2: 'hidden'",
        "column 'c', data row 1: '3,5'",
    ]  # fmt: skip


def test_a_word_among_decimal_commas_is_what_is_shown(tmp_path):
    path = write(tmp_path, "a;b\n1,5;2,25\n2,5;word\n-3,5;1\n")
    with pytest.raises(DataError, match="first in data row 2") as caught:
        read_side(path, ColumnRoles(), "bank")
    assert "'a'" not in str(caught.value)
    assert "decimal commas" not in str(caught.value)
    assert caught.value.__notes__ == ["column 'b', data row 2: 'word'"]


def test_what_counts_as_missing_can_be_said(tmp_path):
    path = write(tmp_path, "a,y\n1,no\n-999,?\n?,yes\n")
    roles = ColumnRoles(features=("a",), missing=("?", "-999"))
    values = read_side(path, roles, "bank").values
    np.testing.assert_array_equal(values, [[1], [np.nan], [np.nan]])
    with pytest.raises(DataError, match=r"'a' .*first in data row 3"):
        read_side(path, ColumnRoles(features=("a",)), "bank")


def test_files_of_another_kind_than_their_name_says(tmp_path):
    (tmp_path / "t.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="is no Parquet file, though its name says so"):
        read_side(tmp_path / "t.parquet", ColumnRoles(), "bank")
    pa.parquet.write_table(pa.table({"a": [1]}), tmp_path / "t.csv")
    with pytest.raises(DataError, match="is no CSV file, but a Parquet file"):
        read_side(tmp_path / "t.csv", ColumnRoles(), "bank")
    (tmp_path / "t.csv").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(DataError, match="perhaps a spreadsheet: save it as CSV"):
        read_side(tmp_path / "t.csv", ColumnRoles(), "bank")


def test_parquet_columns_of_one_name(tmp_path):
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pa.parquet.write_table(twice, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="more than one column named 'a'"):
        read_side(tmp_path / "t.parquet", ColumnRoles(), "bank")


ODD_IDS = (
    "7", "007", "7.0", "+7", "1e3", "1000", "0x10", "NA", "nan", "NaN", "null", "None", "N/A", "-",
    "true", "True", "2020-01-01", " ", "  x", "x  ", "x", "\t", "inf",
    "12345678901234500000", "12345678901234500007", "9007199254740992", "9007199254740993",
    "1" * 40, "a,b", 'a"b', '"', "'", "two\nlines", "two\r\nlines", "stra\u00dfe", "strasse",
    "\u00e9", "e\u0301", "\u5317\u4eac", "=1+1", "#", "\\",
)  # fmt: skip


def csv_of(ids, quoting=csv.QUOTE_MINIMAL):
    content = io.StringIO(newline="")
    writer = csv.writer(content, quoting=quoting)
    writer.writerow(["id", "a"])
    writer.writerows((value, str(row)) for row, value in enumerate(ids))
    return content.getvalue().encode()


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_ids_of_csv_are_its_text_to_the_letter(tmp_path, quoting):
    path = tmp_path / "table.csv"
    path.write_bytes(csv_of(ODD_IDS, quoting))
    table = read_side(path, ColumnRoles(id="id"), "bank")
    assert table.ids == ODD_IDS
    np.testing.assert_array_equal(table.values[:, 0], np.arange(len(ODD_IDS)))


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.dictionary(pa.int32(), pa.string()),
    ],
)
def test_ids_of_parquet_text_are_that_text(tmp_path, kind):
    path = tmp_path / "table.parquet"
    table = pa.table({"id": pa.array(ODD_IDS, kind), "a": range(len(ODD_IDS))})
    try:
        pa.parquet.write_table(table, path)
    except pa.ArrowNotImplementedError:
        pytest.skip(f"pyarrow {pa.__version__} writes no column of {kind}")
    assert read_side(path, ColumnRoles(id="id"), "bank").ids == ODD_IDS


def test_digits_that_differ_past_a_float_are_different_ids(tmp_path):
    both = []
    for end in ("00000", "00007"):
        path = tmp_path / f"{end}.csv"
        path.write_text(f"id,a\n123456789012345{end},1\n223456789012345{end},2\n")
        both.append(read_side(path, ColumnRoles(id="id"), "bank").ids)
    assert both[0] == ("12345678901234500000", "22345678901234500000")
    assert both[1] == ("12345678901234500007", "22345678901234500007")


def test_whole_numbers_of_parquet_are_their_decimal_text(tmp_path):
    path = tmp_path / "table.parquet"
    values = [0, 7, 2**53, 2**53 + 1, 2**64 - 1]
    pa.parquet.write_table(pa.table({"id": pa.array(values, pa.uint64())}), path)
    expected = ("0", "7", "9007199254740992", "9007199254740993", "18446744073709551615")
    assert read_side(path, ColumnRoles(id="id"), "bank").ids == expected


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1.0, 2.0]),
        pa.array([Decimal("1.0"), Decimal("2.0")]),
        pa.array([date(2020, 1, 1), date(2020, 1, 2)]),
        pa.array([datetime(2020, 1, 1), datetime(2020, 1, 2)]),  # noqa: DTZ001
        pa.array([True, False]),
        pa.array([[1], [2]]),
    ],
    ids=lambda values: str(values.type),
)
def test_other_kinds_of_parquet_ids_are_refused(tmp_path, values):
    path = tmp_path / "table.parquet"
    pa.parquet.write_table(pa.table({"id": values}), path)
    with pytest.raises(DataError, match=r"bank: id column 'id' holds .* ids are text or whole"):
        read_side(path, ColumnRoles(id="id"), "bank")


@pytest.mark.parametrize("values", [["x", None], ["x", ""], [b"x", b""], [1, None], [None, None]])
def test_empty_parquet_ids_are_named_by_row(tmp_path, values):
    path = tmp_path / "table.parquet"
    pa.parquet.write_table(pa.table({"id": values}), path)
    with pytest.raises(DataError, match=r"empty fields, first in data row [12]:"):
        read_side(path, ColumnRoles(id="id"), "bank")


def test_ids_that_are_not_utf8_are_refused_with_a_sentence(tmp_path):
    path = tmp_path / "table.parquet"
    pa.parquet.write_table(pa.table({"id": [b"x", b"\xff"]}), path)
    with pytest.raises(DataError, match="id column 'id' is not UTF-8 text"):
        read_side(path, ColumnRoles(id="id"), "bank")
    path = tmp_path / "table.csv"
    path.write_bytes(b"id,a\nx,1\n\xff,2\n")
    with pytest.raises(DataError, match=r"table\.csv is not UTF-8 text"):
        read_side(path, ColumnRoles(id="id"), "bank")


def test_many_rows_with_line_breaks_in_ids(tmp_path):
    """More than one of pyarrow's blocks, so that breaks fall on their borders too."""
    ids = tuple(f"row {row}\nof\r\nmany" for row in range(60_000))
    path = tmp_path / "table.csv"
    path.write_bytes(csv_of(ids))
    assert path.stat().st_size > 1 << 20
    assert read_side(path, ColumnRoles(id="id"), "bank").ids == ids


def test_text_labels_still_read_missing_values(tmp_path):
    path = write(tmp_path, "id,y,a\nNA,good,1\nnull,bad,\n")
    table = read_side(path, ColumnRoles(id="id", label="y"), "bank")
    assert table.ids == ("NA", "null")
    assert table.classes == ("bad", "good")
    assert table.labels.tolist() == [1, 0]


@settings(deadline=None)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=20, unique=True))
def test_predictions_carry_ids_back_unchanged(tmp_path_factory, ids):
    path = tmp_path_factory.mktemp("written") / "predictions.csv"
    scores = np.linspace(0.1, 0.9, len(ids))
    write_predictions(path, ids, scores, ("bad", "good"))
    table = read_side(path, ColumnRoles(id="id"), "bank")
    assert table.ids == tuple(ids)
    assert table.column_names == ("probability of good",)
    np.testing.assert_array_equal(table.values[:, 0], scores)
    np.testing.assert_array_equal(read_scores(path, "bank"), scores)
    with path.open(newline="", encoding="utf-8") as stream:
        assert [line[0] for line in csv.reader(stream)][1:] == ids


def test_predictions_without_ids_are_numbered(tmp_path):
    path = tmp_path / "predictions.csv"
    write_predictions(path, None, np.array([0.5, 1.0]), None)
    assert path.read_text() == '"row","prediction"\n1,0.5\n2,1.0\n'


def test_predictions_of_several_classes_have_a_column_for_each(tmp_path):
    path = tmp_path / "predictions.csv"
    scores = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]])
    write_predictions(path, ["a", "b"], scores, None)
    head, first, _ = path.read_text().splitlines()
    assert head == '"id","probability of 0","probability of 1","probability of 2"'
    assert first == '"a",0.5,0.25,0.25'
    np.testing.assert_array_equal(read_scores(path, "bank"), scores)
    path.write_text(path.read_text().replace("0.25,0.25", "0.25"))
    with pytest.raises(DataError, match="a line has more or fewer fields"):
        read_scores(path, "bank")


def test_truncated_parquet(tmp_path):
    path = tmp_path / "table.parquet"
    pa.parquet.write_table(pa.table({"a": list(range(1000))}), path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="cannot be read"):
        read_side(path, ColumnRoles(), "bank")


def test_missing_file_is_the_configuration_s_fault(tmp_path):
    with pytest.raises(UsageError, match="there is no file"):
        read_side(tmp_path / "none.csv", ColumnRoles(), "bank")


def of_two(values, positive=None, known=None):
    return class_labels(
        np.array(values), "bank: labels", LabelKinds(positive=positive, known=known)
    )


def test_two_classes():
    codes, classes = of_two(["good", "bad", "good"])
    assert codes.tolist() == [1, 0, 1]
    assert classes == ("bad", "good")
    with pytest.raises(DataError, match=r"3 different values.* num_class = 3"):
        of_two([0.0, 1, 2])
    with pytest.raises(DataError, match=r"3 different values, and .* two classes$"):
        of_two([0.5, 1, 2])


@pytest.mark.parametrize(
    ("values", "count", "codes", "classes"),
    [
        (["cat", "ant", "bee", "ant"], 3, [2, 0, 1, 0], ("ant", "bee", "cat")),
        ([3.0, 1.0, 2.0], 3, [2, 0, 1], (1, 2, 3)),
        ([2.0, 0.0, 2.0], 3, [2, 0, 2], (0, 1, 2)),  # numbers already, and 1 is not there
        ([10.0, 2.0, -1.0], 3, [2, 1, 0], (-1, 2, 10)),
        (["10", "9", "x"], 3, [0, 1, 2], ("10", "9", "x")),
        (["no", "yes"], 2, [0, 1], ("no", "yes")),
    ],
)
def test_several_classes_have_places_in_order(values, count, codes, classes):
    kinds = LabelKinds(count, is_multi=True)
    found, named = class_labels(np.array(values), "bank: labels", kinds)
    assert (found.tolist(), named) == (codes, classes)
    later = LabelKinds(count, is_multi=True, known=classes)
    again, same = class_labels(np.array(values[1:]), "bank: labels", later)
    assert (again.tolist(), same) == (codes[1:], classes)


def test_texts_that_look_like_numbers_stay_texts():
    """Of classes 1, 2 and x a later file may have the first two alone, and is read as numbers."""
    later = LabelKinds(3, is_multi=True, known=("1", "2", "x"))
    assert class_labels(np.array([2.0, 1.0]), "bank: labels", later)[0].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("values", "known", "why"),
    [
        (["a", "b"], None, "2 different values, and num_class of the terms is 3"),
        ([1.0, 2.0, 4.0, 5.0], None, "4 different values.* num_class = 4"),
        (["a", "a"], None, "one class only"),
        ([7.0, 7.0], None, "one class only"),
        (["a", "d"], ("a", "b", "c"), "a class that training did not have"),
        ([0.0, 3.0], (0, 1, 2), "a class that training did not have"),
    ],
)
def test_other_classes_than_the_terms_are_refused(values, known, why):
    kinds = LabelKinds(3, is_multi=True, known=known)
    with pytest.raises(DataError, match=why):
        class_labels(np.array(values), "bank: labels", kinds)


@pytest.mark.parametrize(
    ("values", "positive", "classes"),
    [
        (["good", "bad"], "bad", ("good", "bad")),
        (["good", "bad"], "good", ("bad", "good")),
        ([0.0, 1.0], 0, (1, 0)),
        ([0.0, 1.0], "0", (1, 0)),
        ([0.0, 1.0], "false", (1, 0)),
        ([0.0, 1.0], True, (0, 1)),
        ([1.0, 2.0], 1.0, (2, 1)),
        ([0.25, 0.5], "0.250", (0.5, 0.25)),
        (["0", "1"], 0, ("1", "0")),
    ],
)
def test_the_positive_class_is_named(values, positive, classes):
    codes, found = of_two(values, positive)
    assert found == classes
    at = 0 if str(classes[1]) == str(values[0]).removesuffix(".0") else 1
    assert codes.tolist() == [1 - at, at]
    again, _ = of_two(values[:1] * 3, positive, found)
    assert again.tolist() == [codes[0]] * 3


@pytest.mark.parametrize("positive", ["ugly", 3, "1e5"])
def test_a_positive_class_that_is_none_is_refused_without_naming_one_of_the_data(positive):
    with pytest.raises(DataError, match="no label is") as refused:
        of_two(["good", "bad"], positive)
    assert "good" not in str(refused.value)
    with pytest.raises(DataError, match="no label is"):
        of_two([7.0, 8.0], positive)


def test_text_that_is_not_utf8_is_refused_with_a_sentence(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("straße,label\n1,0\n2,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read_table(path, "bank")
