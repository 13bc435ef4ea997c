"""``securexgb estimate``: what the job will cost at this side, before anybody agrees to it.

Nothing is sent, but with ``--measure``: then the other side runs the same, and both measure the
link between them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from securexgb.cli.membership import federation_of
from securexgb.cli.options import ConfigOption, JobOption, SetOption
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.cluster.data import load_data
from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.alignment import column_counts
from securexgb.jobs.data.files import needed_file, needed_sets
from securexgb.jobs.estimating import trial
from securexgb.jobs.estimating.estimate import estimate as estimated
from securexgb.jobs.estimating.job import Job
from securexgb.jobs.estimating.link import FAST, Link, measured
from securexgb.jobs.estimating.words import estimate_text

RowsOption = Annotated[
    int | None, typer.Option("--rows", min=1, help="Training rows. Default: those of the data.")
]
PeerOption = Annotated[
    int | None,
    typer.Option("--peer-columns", min=0, help="The other side's columns. Default: as many."),
]
LinkOption = Annotated[
    str | None,
    typer.Option("--link", help="Rate each way and latency one way, as 100Mbit/20ms."),
]
MeasureOption = Annotated[
    bool,
    typer.Option("--measure", help="Measure the link: the other side runs the same command."),
]


def estimate(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    setting: SetOption = None,
    rows: RowsOption = None,
    peer_columns: PeerOption = None,
    link: LinkOption = None,
    measure: MeasureOption = False,
    form: FormatOption = Format.text,
) -> None:
    """Say what a training and predictions will take: seconds, rounds, megabytes, memory."""
    if measure and link is not None:
        raise UsageError("--measure finds out what --link says: give one of them")
    trial.begun()
    federation, given = federation_of(config, job, setting), FAST
    if link is not None:
        given = Link.parse(link)
    settings = federation.config
    needed_file(settings.train_data, "train_data", settings.name)
    needed_sets(settings)
    found, sets = load_data(federation)
    own = len(found.column_names)
    if measure:
        given, theirs = _measured(federation, own)
        peer_columns = theirs if peer_columns is None else peer_columns
    peer = own if peer_columns is None else peer_columns
    of = Job.of(
        federation.terms,
        found.count if rows is None else rows,
        (own, peer) if settings.rank == 0 else (peer, own),
        [(name, data.count) for name, data in sets],
        is_weighted=found.weights is not None,
    )
    facts = estimated(of, settings.rank, given)
    shape = {"rows": of.layout.rows, "columns": own, "peer_columns": peer}
    head = (
        f"{of.layout.rows:,} rows, {own} columns here and {peer} at the other side, "
        f"{federation.role} party"
    )
    result({**shape, **facts.to_mapping()}, f"{head}\n{estimate_text(facts)}", form)


def _measured(federation: Federation, own: int) -> tuple[Link, int]:
    """The link, and the other side's number of columns."""
    note(f"waiting for {federation.peer_name}")
    with federation.session("estimate") as party:
        return measured(party), column_counts(party, own)[1 - party.rank]
