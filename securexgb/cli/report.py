"""``securexgb report``: write the report of a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from securexgb.cli.membership import federation_of
from securexgb.cli.options import ConfigOption, JobOption, SetOption
from securexgb.cli.output import Format, FormatOption, result
from securexgb.cli.predict import RunOption
from securexgb.jobs.reports import quality_of, report_sentence, write_report
from securexgb.jobs.runs import finished_run
from securexgb.report.record import report_json
from securexgb.report.text import leaks_text


def report(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    setting: SetOption = None,
    run: RunOption = None,
    remark: Annotated[
        list[str] | None, typer.Option(help="A remark to print at the report's head.")
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(help="Another run's predictions (CSV), for the stability index."),
    ] = None,
    form: FormatOption = Format.text,
) -> None:
    """Write the report of a run again, from what this side has kept: page, JSON and CSV."""
    federation = federation_of(config, job, setting)
    finished = finished_run(federation, run)
    quality = quality_of(federation, finished, baseline)
    half, record = finished.half, finished.record
    written = write_report(federation, finished.run, half, record, quality, remark or ())
    text = f"{report_sentence(finished.run)}\n\n{leaks_text(record.leaks)}"
    result(report_json(written), text, form)
