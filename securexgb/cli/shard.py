"""``securexgb shard``: one of this side's shards of rows, as a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from securexgb.cli.membership import federation_of
from securexgb.cli.options import ConfigOption, JobOption, SetOption
from securexgb.cli.output import note
from securexgb.cluster.worker import ShardProcess
from securexgb.cluster.working import work_of


def shard(
    number: Annotated[int, typer.Option("--number", help="Which one, from 0.")],
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    setting: SetOption = None,
) -> None:
    """Work on one range of this side's rows whenever its head asks for it, until stopped."""
    federation = federation_of(config, job, setting)
    name = f"{federation.config.name}, shard {number}"

    def tell(sentence: str) -> None:
        note(f"{name}: {sentence}")

    process = ShardProcess(federation, number, work_of(federation, number, tell), tell)
    try:
        process.run(lambda port: tell(f"waiting for the head at port {port}"))
    except KeyboardInterrupt:  # the end that a service is asked for
        tell("stopped")
