"""Columns of Arrow as NumPy's, without pandas."""

import math
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from securexgb.jobs.data.arrow import reals, row_numbers, texts

COLUMNS = {
    "float": pa.chunked_array([pa.array([1.5, None, math.nan]), pa.array([-0.0, math.inf])]),
    "narrow": pa.chunked_array([pa.array([1.5, None], pa.float32()), pa.array([], pa.float32())]),
    "integer": pa.chunked_array([pa.array([2**53, None, -3], pa.int64())]),
    "truth": pa.chunked_array([pa.array([True, None, False])]),
    "decimal": pa.chunked_array([pa.array(["1.25", None]).cast(pa.decimal128(5, 2))]),
    "whole": pa.chunked_array([pa.array([1.0, 2.0, 3.0])]),
    "none": pa.chunked_array([], pa.float64()),
    "empty": pa.chunked_array([pa.nulls(3)]),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("start", [0, 1])
def test_reals_are_what_arrow_says(name, start):
    column = COLUMNS[name].slice(start)
    found = reals(column)
    assert found.dtype == np.float64
    expected = [math.nan if one is None else float(one) for one in column.to_pylist()]
    assert np.array_equal(found, expected, equal_nan=True)
    assert np.array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("rows", [[2, 0, 0], [], [3, 1]])
def test_rows_are_taken_by_their_numbers(rows):
    numbers = np.array(rows, np.int64)
    apart = np.column_stack([numbers, numbers])[:, 0]  # not contiguous
    for given in (numbers, apart):
        assert row_numbers(given).to_pylist() == rows


@pytest.mark.parametrize("given", [[], [""], ["", "NA", "Zürich"]])
def test_texts_are_as_given(given):
    assert texts(given).equals(pa.array(given, pa.string()))


def test_files_are_read_without_pandas(tmp_path):
    pytest.importorskip("pandas")
    path = tmp_path / "rows.csv"
    path.write_text("id,a,b,kind\n1,0.5,,new\n2,,7,\n")
    program = (
        "import sys; from pathlib import Path\n"
        "from securexgb.jobs.data.arrow import reals, row_numbers\n"
        "from securexgb.jobs.data.tables import read_table\n"
        "import numpy as np\n"
        "table = read_table(Path(sys.argv[1]), 'bank').take(row_numbers(np.array([1, 0])))\n"
        "assert reals(table['b'])[0] == 7 and table['kind'].to_pylist() == [None, 'new']\n"
        "print('pandas' in sys.modules)"
    )
    command = [sys.executable, "-c", program, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
