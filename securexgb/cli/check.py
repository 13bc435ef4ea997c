"""``securexgb check``: everything that can be known before a job starts, one line each.

First what concerns this side alone, then, with the other side running ``check`` too,
the link, the terms, the dealer, the rows, and what the training would open. Where something of this
side's fails the link is tried all the same, and the other side is told what kind of thing it was.
All failures are listed; the exit code is the first one's.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from securexgb.cli.membership import federation_of
from securexgb.cli.options import ConfigOption, JobOption, SetOption
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.cluster.checking import shards_line
from securexgb.cluster.data import load_tables
from securexgb.jobs.checks import Checks
from securexgb.jobs.estimating import trial
from securexgb.report.aligned import table
from securexgb.report.text import bits_facts, leaks_text, verdict_text


def check(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    setting: SetOption = None,
    local: Annotated[
        bool, typer.Option("--local", help="Only what this side can check alone.")
    ] = False,
    earlier: Annotated[
        Path | None,
        typer.Option("--continue", help="A finished run that the training is to go on from."),
    ] = None,
    form: FormatOption = Format.text,
) -> None:
    """Check files, keys, terms, data, machine, and the link to the other side."""
    trial.begun()
    federation = federation_of(config, job, setting)
    is_sharded = federation.terms.shards > 0
    checks = Checks(
        federation, earlier, tables=partial(load_tables, federation) if is_sharded else None
    )
    checks.run_alone()
    if not local:
        note(f"waiting for {checks.federation.peer_name}")
        checks.run_together()
    checks.run_cost()
    if is_sharded:
        checks.add("shards", partial(shards_line, checks))
    result(_facts(checks), _text(checks), form)
    if checks.first is not None:
        raise checks.first


def _facts(checks: Checks) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "digest": checks.federation.digest,
        "dealer": None if checks.dealer is None else checks.dealer.to_dict(),
        "leaks": [leak.to_mapping() for leak in checks.leaks],
        "peer_columns": checks.peer_columns,
        "proposed": checks.proposed,
        "checks": [
            dict(zip(("check", "status", "detail"), line, strict=True)) for line in checks.lines
        ],
    }
    if checks.numbers is not None:
        facts["gradient_bits"] = bits_facts(checks.numbers)
    if checks.estimate is not None:
        facts["estimate"] = checks.estimate.to_mapping()
    return facts


def _text(checks: Checks) -> str:
    text = table(checks.lines, ("check", "status", "detail"))
    if checks.proposed:
        lines = "\n".join(f"{name} = {value}" for name, value in checks.proposed.items())
        text += f"\n\nproposed for [training] of job.toml, at both sides:\n{lines}"
    if checks.leaks:
        text += f"\n\nat worst:\n{leaks_text(checks.leaks)}"
    if checks.dealer is not None:
        text += f"\n\nthe dealer:\n{verdict_text(checks.dealer)}"
    return text
