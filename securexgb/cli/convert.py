"""``securexgb convert``: a file of this side once more as Parquet, for workers that read parts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.parquet
import typer

from securexgb.cli.options import ConfigOption, JobOption
from securexgb.cli.output import Format, FormatOption, result
from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.data.files import roles_of
from securexgb.jobs.data.parquet import BATCH_ROWS
from securexgb.jobs.data.tables import is_parquet, read_table
from securexgb.storage.whole import make_directory, write_whole


def convert(
    source: Annotated[Path, typer.Argument(help="A file of this side, CSV or Parquet.")],
    target: Annotated[Path, typer.Argument(help="The new file; its name ends in .parquet.")],
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    form: FormatOption = Format.text,
) -> None:
    """Write a file as Parquet in small row groups, with the values that a training reads."""
    federation = Federation.from_file(config, job)
    if not is_parquet(target):
        raise UsageError(f"{target} is to be a Parquet file: let its name end in .parquet")
    if target.exists() or target.is_symlink():
        raise UsageError(
            f"{target} is there already, and no file of yours is ever rewritten: name another, or "
            "remove it"
        )
    table = read_table(source, federation.config.name, roles_of(federation).ways())
    buffer = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table, buffer, row_group_size=BATCH_ROWS)
    make_directory(target.absolute().parent)
    write_whole(target, buffer.getvalue().to_pybytes())
    facts = {"file": str(target), "rows": table.num_rows, "columns": table.num_columns}
    text = f"{target}: {table.num_rows:,} rows of {table.num_columns} columns"
    result(facts, text, form)
