"""``securexgb relay``: one port of this side for its head and all its shards."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from securexgb.channel.probe import split_address
from securexgb.channel.relay import Passed, Relay, shard_name
from securexgb.cli.membership import federation_of
from securexgb.cli.options import ConfigOption, JobOption, SetOption
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.cli.signals import until_stopped
from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.report.aligned import table


def relay(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    setting: SetOption = None,
    form: FormatOption = Format.text,
) -> None:
    """Pass the other side's connections on to this side's head and shards, until stopped.

    It needs no key and ends no TLS. At its end it says what has passed.
    """
    federation = federation_of(config, job, setting)
    address = federation.cluster.relay
    if address is None:
        raise UsageError("[cluster] in party.toml does not say relay, where to listen")
    passing = Relay(address, _targets(federation))
    name = federation.config.name
    note(f"{name}: whoever asks for this side at port {passing.port} is passed on")
    try:
        until_stopped()
    except KeyboardInterrupt:  # the end that a service is asked for
        passed = passing.passed
        passing.stop()
        result(_facts(passed, passing.strangers), _text(passed, passing.strangers), form)


def _targets(federation: Federation) -> dict[str, tuple[str, int]]:
    """By the name that the other side asks for."""
    config, settings = federation.config, federation.cluster
    head = settings.head or config.listen
    if head is None:
        raise UsageError(
            f"{config.name} dials, so that nobody asks for it: the relay is for the side that "
            "listens"
        )
    found = {
        shard_name(number, config.name): settings.own_link(number)
        for number in range(federation.terms.shards)
    }
    return {config.name: split_address(head), **found}


def _facts(passed: Sequence[Passed], strangers: int) -> dict[str, Any]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    of = {
        one.name: {
            "connections": one.taken,
            "absent": one.absent,
            "bytes_in": one.bytes_in,
            "bytes_out": one.bytes_out,
        }
        for one in passed
    }
    cpu_seconds = used.ru_utime + used.ru_stime
    return {"passed": of, "strangers": strangers, "cpu_seconds": cpu_seconds}


def _text(passed: Sequence[Passed], strangers: int) -> str:
    lines = [
        (one.name, one.taken, one.absent, one.bytes_in / 1e6, one.bytes_out / 1e6) for one in passed
    ]
    titles = ("asked for", "connections", "found nobody", "MB in", "MB out")
    return f"{table(lines, titles)}\n{strangers} connections asked for nobody who is here"
