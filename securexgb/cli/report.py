"""``securexgb report``: write the report of a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from securexgb.cli.finished import finished_run
from securexgb.cli.options import ConfigOption, JobOption
from securexgb.cli.output import Format, FormatOption, result
from securexgb.cli.predict import RunOption
from securexgb.cli.reports import Quality, write_report
from securexgb.federation import Federation
from securexgb.report.html import report_json


def report(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    run: RunOption = None,
    note_text: Annotated[
        list[str] | None, typer.Option("--note", help="A remark to print at its head.")
    ] = None,
    form: FormatOption = Format.text,
) -> None:
    """Write report.html and report.json of a run, from what this side has kept."""
    federation = Federation.from_file(config, job)
    finished = finished_run(federation, run)
    quality = Quality(warnings=tuple(note_text or ()))
    written = write_report(federation, finished.run, finished.half, finished.facts, quality)
    result(report_json(written), f"wrote {finished.run.path / 'report.html'}", form)
