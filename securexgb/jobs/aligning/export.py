"""A file's rows that both sides have, in the common order, as a file of their own.

CSV stays CSV, field by field as text, so a number has the digits and an id the zeros that it had;
only quotes are set where they are needed. Parquet stays Parquet. The users' own file is read alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from securexgb.errors import DataError, UsageError
from securexgb.jobs.aligning.kept import Aligned, file_sha256
from securexgb.jobs.data.arrow import row_numbers
from securexgb.jobs.data.tables import is_parquet, read_table, separator_of
from securexgb.storage.trouble import refuse_machine
from securexgb.storage.whole import make_directory, write_whole

_MOST_FIELD = 1 << 30


def check_export(source: Path, target: Path) -> None:
    """UsageError where the rows of ``source`` cannot be written to ``target``."""
    if is_parquet(source) != is_parquet(target):
        kind = "Parquet: let its name end in .parquet" if is_parquet(source) else "CSV"
        raise UsageError(f"--export {target}: the rows of {source} are written as {kind}")
    if target.exists() or target.is_symlink():
        raise UsageError(
            f"--export names {target}, which is there already, and no file of yours is ever "
            "rewritten: name another, or remove it"
        )


def export(source: Path, aligned: Aligned, target: Path, side: str) -> None:
    """Write the aligned rows of ``source``, in their order; the user's alone, as all files."""
    rows, record = aligned.rows, aligned.record
    if file_sha256(source) != record.file_sha256:
        raise _changed(source, side)
    make_directory(target.absolute().parent)
    if is_parquet(source):
        table = read_table(source, side).take(row_numbers(rows))
        buffer = pa.BufferOutputStream()
        pyarrow.parquet.write_table(table, buffer)
        write_whole(target, buffer.getvalue().to_pybytes())
        return
    separator = separator_of(source)
    lines = list(_lines(source, side, separator))
    if len(lines) != 1 + record.rows:
        raise _changed(source, side)
    head, own = lines[0], lines[1:]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(head)
    writer.writerows(own[row] for row in rows)
    write_whole(target, text.getvalue().encode())


def _changed(source: Path, side: str) -> DataError:
    return DataError(f"{side}: {source} has changed since its rows were aligned: align again")


def _lines(source: Path, side: str, separator: str) -> Iterator[list[str]]:
    """Every line that is not empty, the columns' names first."""
    before = csv.field_size_limit(_MOST_FIELD)
    try:
        with (
            pa.input_stream(str(source), compression="detect") as stream,
            io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text,
        ):
            yield from (line for line in csv.reader(text, delimiter=separator) if line)
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        refuse_machine("read", source, error)
        raise DataError(f"{side}: {source} cannot be exported: {error}") from None
    finally:
        csv.field_size_limit(before)
