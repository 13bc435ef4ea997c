"""``securexgb audit``: what this side's replicas were asked for, checked and summed up."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from securexgb.channel.keys import Credentials
from securexgb.cli.options import ConfigOption
from securexgb.cli.output import Format, FormatOption, result
from securexgb.errors import UsageError
from securexgb.report.aligned import table
from securexgb.serve.gate.audit import AuditSecret, totals, verify_audit
from securexgb.serve.gate.budgets import SECRET_BYTES
from securexgb.terms.party import PartyConfig

app = typer.Typer(help="The audit of `securexgb serve`.", no_args_is_help=True)


@app.command()
def verify(
    noted: Annotated[
        str | None, typer.Option(help="A head that was shown earlier, NUMBER:LETTERS.")
    ] = None,
    config: ConfigOption = Path("party.toml"),
    form: FormatOption = Format.text,
) -> None:
    """Check that every entry is as it was written; exit code 4 and its number where one is not."""
    settings = PartyConfig.from_file(config)
    own = Credentials.load(settings.key, settings.certificate, settings.peer_certificate)
    secret = AuditSecret(own.lasting_secret(SECRET_BYTES))
    found = verify_audit(_path(settings), secret, noted)
    text = f"{found.entries:,} entries of {found.rows:,} rows, all as they were written"
    if found.first is not None:
        text += f"\nfrom {found.first} to {found.last}"
    if found.earlier_secrets:
        text += (
            f"\n{found.earlier_secrets:,} entries were sealed under another private key of this "
            "side: their order and content are checked, their seals are not"
        )
    result(asdict(found), f"{text}\nhead {found.head}: note it elsewhere", form)


@app.command()
def show(
    day: Annotated[
        str | None, typer.Option(help="One day by its hours, such as 2026-03-01.")
    ] = None,
    config: ConfigOption = Path("party.toml"),
    form: FormatOption = Format.text,
) -> None:
    """Totals by day: batches, rows and digest are equal at both sides, and tell nobody a key."""
    found = totals(_path(PartyConfig.from_file(config)), day)
    lines = [
        (t.when, f"{t.batches:,}", f"{t.rows:,}", t.digest, f"{t.refused:,}", f"{t.unknown:,}")
        for t in found
    ]
    head = ("hour" if day else "day", "batches", "rows", "digest", "refused here", "unknown here")
    result({"totals": [asdict(total) for total in found]}, table(lines, head), form)


def _path(settings: PartyConfig) -> Path:
    if settings.serve is None:
        raise UsageError(f"{settings.name}: party.toml has no table [serve], so there is no audit")
    return settings.serve.audit
