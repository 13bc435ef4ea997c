"""Files as Arrow tables: CSV or Parquet by pyarrow, CSV as other countries write it.

Which character separates columns is read off the first line: the comma, the semicolon, the
tabulator or the bar, whichever is there most often outside quotes. Where that is not the comma,
numbers may have a decimal comma, which is found, too: a column that is no number with a point and
is one with a comma says so for the whole file. An empty field and a few words (``MISSING``) are
"missing".
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from securexgb.errors import DataError, UsageError
from securexgb.jobs.data.arrow import texts
from securexgb.storage.trouble import refuse_machine
from securexgb.terms.party import MISSING

_SEPARATORS = ",;\t|"
_HEAD_BYTES = 1 << 16
_PARQUET = b"PAR1"
_UTF16 = "text in UTF-16 or UTF-32: save it as UTF-8"
_OTHER_KINDS = {
    _PARQUET: "a Parquet file: let its name end in .parquet",
    b"PK\x03\x04": "a zip file, perhaps a spreadsheet: save it as CSV",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet: save it as CSV",
}
"""Files of other kinds by their first bytes."""
_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""How UTF-16 begins, mostly; where it does not, every second byte of a plain name is zero."""
DECIMAL_COMMA = re.compile(r"\s*[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+\s*")


@dataclass(frozen=True)
class CsvWays:
    """How to read a CSV file.

    ``id_columns``: whose fields stay text as they are, quotes removed; ``text_columns``: that are
    not expected to be numbers; ``categories``: that are text, whatever they look like;
    ``missing``: what a field says for "no value".
    """

    id_columns: tuple[str, ...] = ()
    text_columns: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    missing: Sequence[str] = MISSING


def read_table(path: Path, side: str, ways: CsvWays = CsvWays()) -> pa.Table:
    """The file as an Arrow table; CSV, or Parquet where the name ends in .parquet or .pq."""
    is_of_parquet = is_parquet(path)
    with reading(path, side):
        names = pa.parquet.read_schema(path).names if is_of_parquet else []
        check_names(names, path, side)
        table = pa.parquet.read_table(path) if is_of_parquet else _read_csv(path, ways)
        names = table.column_names  # decoded here
        table.validate(full=True)  # texts are looked at here
    check_names(names, path, side)
    check_has_rows(table.num_rows, path, side)
    return table


@contextmanager
def reading(path: Path, side: str) -> Iterator[None]:
    """What cannot be read within the block is a DataError, UsageError where there is no file."""
    if not is_file(path):
        raise UsageError(f"{side}: there is no file {path}")
    is_of_parquet = is_parquet(path)
    try:
        _check_kind(path, side, is_of_parquet)
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        refuse_machine("read", path, error)
        if isinstance(error, UnicodeDecodeError) or "invalid utf8" in str(error).lower():
            line = "" if is_of_parquet else _first_strange_line(path)
            raise DataError(f"{side}: {path} is not UTF-8 text{line}: save it as UTF-8") from None
        raise DataError(f"{side}: {path} cannot be read: {_without_values(error)}") from None


def check_has_rows(count: int, path: Path, side: str) -> None:
    """DataError for a file without rows."""
    if count == 0:
        raise DataError(f"{side}: {path} has no rows")


def is_parquet(path: Path) -> bool:
    """Whether a file's name says that it is Parquet."""
    return path.suffix.lower() in (".parquet", ".pq")


def is_file(path: Path) -> bool:
    """Whether there is such a file; no name is too long or too strange to be asked for."""
    try:
        return path.is_file()
    except OSError:
        return False


def check_names(names: Sequence[str], path: Path, side: str) -> None:
    """DataError for two columns of one name."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{side}: {path} has more than one column named {repeated[0]!r}")


def _check_kind(path: Path, side: str, is_parquet: bool) -> None:
    """Refuse a file that is of another kind than its name says."""
    with path.open("rb") as stream:
        start = stream.read(4)
    if is_parquet and start != _PARQUET:
        raise DataError(
            f"{side}: {path} is no Parquet file, though its name says so: it does not begin with "
            "PAR1; write it again, or let its name end in .csv"
        )
    if is_parquet:
        return
    kind = _OTHER_KINDS.get(start)
    if kind is None and (start[:2] in _MARKS or b"\0\0" in (start[::2], start[1::2])):
        kind = _UTF16
    if kind is not None:
        raise DataError(f"{side}: {path} is no CSV file, but {kind}")


def _read_csv(path: Path, ways: CsvWays) -> pa.Table:
    """With a decimal point, then, where a column says so, with a decimal comma."""
    separator = separator_of(path)
    table = _parsed(path, ways, separator, ".")
    named = zip(table.column_names, table.columns, strict=True)
    if separator != "," and any(_has_decimal_comma(*column, ways) for column in named):
        return _parsed(path, ways, separator, ",")
    return table


def _first_strange_line(path: Path) -> str:
    """Which line of a CSV file is the first that is no UTF-8, for the message."""
    with pa.input_stream(str(path), compression="detect") as stream:
        for number, line in enumerate(io.BufferedReader(stream), start=1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return f", first in line {number}"
    return ""


def separator_of(path: Path) -> str:
    """The character that parts the columns' names; the comma where there is none."""
    with pa.input_stream(str(path), compression="detect") as stream:
        head = stream.read(_HEAD_BYTES).decode("utf-8", errors="replace")
    line = re.sub(r'"[^"]*"', "", head).splitlines()[:1]
    counts = {character: line[0].count(character) for character in _SEPARATORS} if line else {}
    return max(_SEPARATORS, key=lambda character: counts.get(character, 0))


def _has_decimal_comma(name: str, column: pa.ChunkedArray, ways: CsvWays) -> bool:
    """Whether a column's first value is a number with a decimal comma."""
    is_text = pa.types.is_string(column.type)
    if not is_text or name in (*ways.id_columns, *ways.text_columns, *ways.categories):
        return False
    known = column.drop_null()
    return len(known) > 0 and DECIMAL_COMMA.fullmatch(known[0].as_py()) is not None


_READ = deque[Any](maxlen=16)
"""What was read last, so that no other thread is the last to let go of it. pyarrow reads ahead on
one, which may hold a source a moment longer than the reading takes, and needs the interpreter to
let go of it: where that ends just then, the process aborts (seen twice in some hundred ends right
after the reading, on a busy machine; that this was the cause is inferred)."""


def _parsed(path: Path, ways: CsvWays, separator: str, decimal: str) -> pa.Table:
    """Types are inferred, but that of the ids, which is text without nulls.

    pyarrow makes nulls of strings in all columns or in none, hence the second step. A quoted field
    may hold line breaks; see ``_WholeBreaks``.
    """
    missing, as_text = list(ways.missing), ways.id_columns
    convert = pa.csv.ConvertOptions(
        null_values=missing,
        strings_can_be_null=False,
        column_types=dict.fromkeys((*as_text, *ways.categories), pa.string()),
        decimal_point=decimal,
    )
    parse = pa.csv.ParseOptions(newlines_in_values=True, delimiter=separator)
    with pa.input_stream(str(path), compression="detect") as stream:
        source = pa.PythonFile(_WholeBreaks(stream), mode="r")
        _READ.append(source)
        table = pa.csv.read_csv(source, convert_options=convert, parse_options=parse)
    nothing = pa.nulls(1, pa.string())[0]
    for place, column in enumerate(table.columns):
        if table.field(place).name not in as_text and pa.types.is_string(column.type):
            is_null = pa.compute.is_in(column, value_set=texts(missing))
            known = pa.compute.if_else(is_null, nothing, column)
            table = table.set_column(place, table.field(place), known)
    return table


class _WholeBreaks(io.RawIOBase):
    """A stream of which no block ends between CR and LF.

    pyarrow drops an LF that begins a block after a CR, in quotes too, where both belong to the
    text (seen with pyarrow 26.0): an id would depend on its place in the file.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._held = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block: bytes = self._held + self._stream.read(max(size - len(self._held), 1))
        self._held = b"\r" if len(block) > 1 and block.endswith(b"\r") else b""
        return block.removesuffix(self._held)


def _without_values(error: BaseException) -> str:
    """The first line of pyarrow's message, cut before it quotes the file's content."""
    line = str(error).split("\n")[0]
    return re.sub(r"(Expected \d+ columns, got \d+).*", r"\1", line)[:200]
