"""``securexgb train``: this side's part of a training, its run directory and its half."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from securexgb.boost.ensemble import ModelHalf
from securexgb.cli.membership import federation_of
from securexgb.cli.options import ConfigOption, JobOption, SetOption, WaitOption
from securexgb.cli.output import Format, FormatOption, result
from securexgb.cli.sessions import Sessions
from securexgb.errors import UsageError
from securexgb.jobs.data.files import needed_file, needed_sets
from securexgb.jobs.estimating import trial
from securexgb.jobs.reports import Quality, report_sentence, write_report
from securexgb.jobs.resuming.earlier import EarlierRun
from securexgb.jobs.runs import RunDirectory, RunRecord
from securexgb.report.aligned import table
from securexgb.report.text import bits_facts, bits_line, leaks_text, ledger_table, short_verdict
from securexgb.storage.sealed import find_key


def train(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    setting: SetOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that both sides have.")
    ] = False,
    run: Annotated[
        Path | None, typer.Option("--run", help="Go on with this run and no other.")
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option("--continue", help="A finished run whose trees the new model begins with."),
    ] = None,
    retry: Annotated[
        int | None, typer.Option("--retry", help="Go on by itself so often after a lost link.")
    ] = None,
    wait: WaitOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Train together with the other side; leaves a run directory with this side's half."""
    trial.begun()
    federation = federation_of(config, job, setting, wait=wait, retries=retry)
    settings = federation.config
    needed_file(settings.train_data, "train_data", settings.name)
    needed_sets(settings)
    if run is not None and not run.is_dir():
        raise UsageError(f"{settings.name}: there is no run {run}: name its directory")
    only = None if run is None else RunDirectory(run)
    key = find_key(settings.model_key)
    old = None if earlier is None else EarlierRun.read(federation, earlier)
    finished = Sessions(federation, key, resume or run is not None, only, old).train()
    trained, half, record = finished.run, finished.half, finished.record
    if not (trained.path / "report.json").exists():
        write_report(federation, trained, half, record, Quality())
    shown = {
        "run": str(trained.path),
        "model": str(trained.half(half.role)),
        "digest": federation.digest,
        "trees": len(half.trees),
        "best_iteration": half.best_iteration,
        "metrics": half.history,
        "eval_every": half.params.eval_every,
        "gradient_bits": bits_facts(half.numbers),
        **record.to_mapping(),
    }
    result(shown, _text(trained, half, record), form)


def _text(run: RunDirectory, half: ModelHalf, record: RunRecord) -> str:
    costs = record.costs
    rows = [
        ("rounds", costs.rounds),
        ("MB sent", costs.bytes_sent / 1e6),
        ("MB received", costs.bytes_received / 1e6),
        ("MB offline", costs.offline_bytes / 1e6),
        ("seconds offline", costs.offline_seconds),
        ("seconds waited for it", costs.waited_seconds),
        ("seconds online", costs.online_seconds),
        ("seconds total", costs.total_seconds),
    ]
    return "\n\n".join(
        [
            f"{len(half.trees)} trees; this side's half is in {run.model}; "
            f"{report_sentence(run)}\n{bits_line(half.numbers)}",
            table(rows, ("cost of this session at this side", "")),
            ledger_table(record.ledger),
            leaks_text(record.leaks),
            short_verdict(record.dealer),
        ]
    )
