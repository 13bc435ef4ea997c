#!/bin/sh
# pyarrow imports pandas, where it is installed, as soon as a number becomes a scalar of Arrow or a
# column becomes an array of NumPy, though neither has to do with pandas.
#
# Seen with pyarrow 26.0.1 and pandas 3.1.1 on CPython 3.11, Linux, x86-64. A program that imports
# numpy and pyarrow alone reads a CSV file, takes rows, casts a column: pandas is not loaded.
# pyarrow.scalar(1.0), pyarrow.array([1.0]), pyarrow.array of a NumPy array, and a column's
# to_numpy() each load it (one is enough). Expected: NumPy and Arrow talk to each other without a
# third library, as where pandas is not installed, where all four work and give the same. Seen: a
# first such call takes several hundred modules, tenths of a second and tens of megabytes.
#
# It matters for processes that start often or of which many run beside each other: commands of a
# tool, replicas of a scoring service, workers of a cluster. What a process holds depends on what
# else is installed beside it. Array.from_buffers and Array.buffers with NumPy's frombuffer do not.
#
# Output seen (seconds and megabytes are those of one machine):
#   pyarrow 26.0.1, pandas 3.1.1
#   read, taken and cast: pandas loaded: False
#   pyarrow.scalar(1.0): pandas loaded: True
#   pyarrow.array([1.0]): pandas loaded: True
#   pyarrow.array(numpy.arange(2)): pandas loaded: True
#   column.to_numpy(): pandas loaded: True
#   Array.from_buffers, numpy.frombuffer: pandas loaded: False
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    "pyarrow==26.0.1" "pandas==3.1.1" "numpy==2.4.6"
cat > "$folder/load.py" <<'PYTHON'
import io
import sys

import numpy
import pyarrow
from pyarrow import csv

column = csv.read_csv(io.BytesIO(b"a\n1\n2\n"))["a"].take(
    pyarrow.Array.from_buffers(
        pyarrow.int64(), 2, [None, pyarrow.py_buffer(numpy.array([1, 0]))]
    )
)
column = column.cast(pyarrow.float64())
what = sys.argv[1]
if what == "pyarrow.scalar(1.0)":
    pyarrow.scalar(1.0)
elif what == "pyarrow.array([1.0])":
    pyarrow.array([1.0])
elif what == "pyarrow.array(numpy.arange(2))":
    pyarrow.array(numpy.arange(2))
elif what == "column.to_numpy()":
    assert column.to_numpy().tolist() == [2.0, 1.0]
elif what == "Array.from_buffers, numpy.frombuffer":
    (part,) = column.chunks
    assert numpy.frombuffer(part.buffers()[1]).tolist() == [2.0, 1.0]
print(f"{what}: pandas loaded: {'pandas' in sys.modules}")
PYTHON
python="$folder/env/bin/python"
{
    for what in "read, taken and cast" "pyarrow.scalar(1.0)" "pyarrow.array([1.0])" \
        "pyarrow.array(numpy.arange(2))" "column.to_numpy()" "Array.from_buffers, numpy.frombuffer"
    do
        "$python" "$folder/load.py" "$what"
    done
} > "$folder/seen"
"$python" -c 'import pandas, pyarrow
print(f"pyarrow {pyarrow.__version__}, pandas {pandas.__version__}")'
cat "$folder/seen"
cat > "$folder/expected" <<'TEXT'
read, taken and cast: pandas loaded: False
pyarrow.scalar(1.0): pandas loaded: True
pyarrow.array([1.0]): pandas loaded: True
pyarrow.array(numpy.arange(2)): pandas loaded: True
column.to_numpy(): pandas loaded: True
Array.from_buffers, numpy.frombuffer: pandas loaded: False
TEXT
cmp "$folder/seen" "$folder/expected"
