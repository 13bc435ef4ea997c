#!/bin/sh
# pyarrow's CSV reader loses a line feed of a quoted value where a block ends between the two
# characters of a line break, though newlines_in_values is set.
#
# Seen with pyarrow 26.0.1 on CPython 3.11, Linux, x86-64. A text column has values such as
# "row 7<CR><LF>of<CR><LF>many", quoted, as RFC 4180 allows. newlines_in_values is True, the option
# that the documentation asks for where values have line breaks. Expected: every value as written,
# whatever the size of a block. Seen: with 35 of 100 block sizes one or two values come back without
# one <LF>; no error, no warning, the number of rows is right. One block for the whole file gives
# every value. The default is 1 MiB, so files of more are concerned: there it takes luck, one border
# in some ten with such values.
#
# It matters where such a column is a key or is hashed: both parties of a join then have different
# texts for one person.
#
# Output seen:
#   pyarrow 26.0.1: block sizes of 1000 to 1099 bytes: 35 change a value; one block: 0 changed
#   a block of 1006 bytes: written 'row 250\r\nof\r\nmany', read 'row 250\r\nof\rmany'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check "pyarrow==26.0.1"
cat > "$folder/read.py" <<'PYTHON'
import io
import sys

import pyarrow
from pyarrow import csv

written = [f"row {i}\r\nof\r\nmany" for i in range(100, 400)]
data = b"text\n" + b"".join(b'"%s"\n' % value.encode() for value in written)


def changed(block_size):
    read = csv.read_csv(
        io.BytesIO(data),
        read_options=csv.ReadOptions(block_size=block_size),
        parse_options=csv.ParseOptions(newlines_in_values=True),
    )["text"].to_pylist()
    if len(read) != len(written):
        sys.exit("another number of rows")
    return [(a, b) for a, b in zip(written, read) if a != b]


found = {size: pairs for size in range(1000, 1100) if (pairs := changed(size))}
whole = changed(len(data) + 1)
print(
    f"pyarrow {pyarrow.__version__}: block sizes of 1000 to 1099 bytes: {len(found)} change a "
    f"value; one block: {len(whole)} changed"
)
size, pairs = min(found.items()) if found else (0, [])
for before, after in pairs:
    print(f"a block of {size} bytes: written {before!r}, read {after!r}")
expected = [("row 250\r\nof\r\nmany", "row 250\r\nof\rmany")]
sys.exit(len(found) != 35 or bool(whole) or (size, pairs) != (1006, expected))
PYTHON
"$folder/env/bin/python" "$folder/read.py"
