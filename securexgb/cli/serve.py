"""``securexgb serve``: this side's replica, which scores rows on request until it is stopped."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from securexgb.cli.membership import federation_of
from securexgb.cli.options import ConfigOption, JobOption, SetOption
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.report.aligned import table

_EXTRA = ("prometheus_client", "uvicorn")


def serve(
    config: ConfigOption = Path("party.toml"),
    job: JobOption = Path("job.toml"),
    setting: SetOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what would keep it from serving.")
    ] = False,
    form: FormatOption = Format.text,
) -> None:
    """Score rows on request, together with the other side's replica, until stopped."""
    if not all(find_spec(name) is not None for name in _EXTRA):
        raise UsageError(
            "serving needs packages that are not installed: pip install 'securexgb[serve]'"
        )
    federation = federation_of(config, job, setting)
    if check:
        _check(federation, form)
        return
    from securexgb.serve.replica import serve_until_stopped  # noqa: PLC0415  (of an extra)

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    note(f"job {federation.digest}, serving with {federation.peer_name}")

    def started(port: int) -> None:
        side, role = federation.config.name, federation.role
        facts = {"party": side, "role": role, "http_port": port, "model": federation.terms.name}
        result(facts, f"{side} ({role} party) listens for HTTP on port {port}", form)

    serve_until_stopped(federation, started)


def _check(federation: Federation, form: Format) -> None:
    from securexgb.serve.checks import ServeChecks  # noqa: PLC0415  (of an extra)

    checks = ServeChecks(federation)
    checks.run()
    facts = {
        "digest": federation.digest,
        "checks": [
            dict(zip(("check", "status", "detail"), line, strict=True)) for line in checks.lines
        ],
    }
    result(facts, table(checks.lines, ("check", "status", "detail")), form)
    if checks.first is not None:
        raise checks.first
