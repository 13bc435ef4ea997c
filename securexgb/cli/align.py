"""``securexgb align``: which rows both sides have, found without showing the others.

Both sides type the same. Afterwards `train`, `evaluate` and `predict` take these rows, in an order
that says nothing of either file's. No file of a user is rewritten.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from securexgb.cli.membership import federation_of
from securexgb.cli.options import ConfigOption, JobOption, WaitOption
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.aligning.export import check_export, export
from securexgb.jobs.aligning.kept import Aligned
from securexgb.jobs.aligning.session import Alignment, Watching, align_terms
from securexgb.jobs.aligning.sets import data_set, read_source
from securexgb.mpc.party import Party
from securexgb.report.aligned import figure
from securexgb.report.text import ledger_table

SetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="What to align: train (default), eval NAME, or predict; "
        "and, as KEY=VALUE, a setting of party.toml.",
    ),
]
NameArgument = Annotated[
    str | None, typer.Argument(help="Name of the evaluation set, after --set eval.")
]
ExactOption = Annotated[
    bool, typer.Option("--exact", help="With --dry-run: count all rows, not a sample.")
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on after what both sides have finished.")
]
ExportOption = Annotated[
    Path | None,
    typer.Option("--export", help="Write the own rows that both have, in the common order."),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="How many rows both have, and not which.")
]


def align(
    name: NameArgument = None,
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    sets: SetsOption = None,
    dry_run: DryRunOption = False,
    exact: ExactOption = False,
    resume: ResumeOption = False,
    export_to: ExportOption = None,
    wait: WaitOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Find the rows that both sides have, by the keys that the terms name."""
    kinds = [text for text in sets or () if "=" not in text]
    if len(kinds) > 1:
        raise UsageError(f"--set names {' and '.join(kinds)}: align one set at a time")
    settings = [text for text in sets or () if "=" in text]
    federation = federation_of(config, job, settings, wait=wait)
    _check_asked(federation, dry_run, exact, resume, export_to)
    chosen = data_set(federation, kinds[0] if kinds else "train", name)
    if export_to is not None:
        check_export(chosen.path, export_to)
    note(f"job {federation.digest}, {chosen.name}, waiting for {federation.peer_name}")
    with federation.session("align") as party:
        began = perf_counter()
        source = read_source(federation, chosen)
        for remark in source.keys.remarks:
            note(f"{chosen.name}: {remark}")
        asked = Alignment(party, federation, source, resume, Watching(note, _progress))
        facts: dict[str, Any] = {"set": chosen.name, "rows": source.keys.count}
        aligned = None if dry_run else asked.run()
        text = _count(asked, facts, exact) if aligned is None else _found(facts, aligned)
        facts |= _costs(party, began)
    if export_to is not None and aligned is not None:
        export(chosen.path, aligned, export_to, federation.config.name)
        facts["export"] = str(export_to)
        text += f"\n{export_to} has these rows of {chosen.path}, in the common order"
    shown = f"{figure(facts['megabytes'])} MB both ways, {figure(facts['seconds'])} s"
    result(facts, f"{text}\n{shown}\n\n{ledger_table(facts['ledger'])}", form)


def _check_asked(
    federation: Federation, dry_run: bool, exact: bool, resume: bool, export_to: Path | None
) -> None:
    """UsageError for what does not go together, or the terms do not allow."""
    terms = align_terms(federation)
    if terms.reveal == "size" and not dry_run:
        raise UsageError(
            'the terms say reveal = "size": type --dry-run, or agree on reveal = "members"'
        )
    if exact and not dry_run:
        raise UsageError("--exact is for --dry-run: an alignment is always exact")
    if dry_run and (resume or export_to is not None):
        raise UsageError("--dry-run keeps nothing, so --resume and --export do not go with it")


def _found(facts: dict[str, Any], aligned: Aligned) -> str:
    record = aligned.record
    facts |= {
        "keys": record.keys,
        "peer_keys": record.peer_keys,
        "common": record.common,
        "file": record.file,
        "order": record.order_sha256,
    }
    return (
        f"{record.common:,} rows are in common, of {record.keys:,} here and {record.peer_keys:,} "
        f"at {record.peer}; `train`, `evaluate` and `predict` take these of {record.file}, in an "
        f"order that is new to both ({record.order_sha256[:10]} at both sides)"
    )


def _count(asked: Alignment, facts: dict[str, Any], exact: bool) -> str:
    keys, peer_keys, found = asked.count(exact=exact)
    facts |= {"keys": keys, "peer_keys": peer_keys, "common": found.common}
    facts |= {"counted": found.counted, "one_in": found.one_in, "deviation": found.deviation}
    of = f"of {keys:,} here and {peer_keys:,} at {asked.federation.peer_name}; nobody learnt which"
    if found.one_in == 1:
        return f"{found.common:,} rows are in common, {of}"
    return (
        f"some {figure(found.common)} rows are in common, give or take "
        f"{figure(2 * found.deviation)} (a sample of one in {found.one_in:,}; --exact counts all), "
        f"{of}"
    )


def _costs(party: Party, began: float) -> dict[str, Any]:
    traffic = party.channel.traffic
    return {
        "seconds": perf_counter() - began,
        "megabytes": (traffic.bytes_sent + traffic.bytes_received) / 1e6,
        "rounds": party.rounds,
        "ledger": party.ledger.rows(),
    }


def _progress(done: int, buckets: int) -> None:
    if buckets > 1:
        note(f"{done} of {buckets} parts are done")
