"""The ``securexgb`` command: its commands, and how every error becomes an exit code.

0 done, 1 bug, 2 usage or configuration, 3 peer or network, 4 data, 5 trust,
6 protocol desync, 7 stopped by peer, 130 interrupted (see ``securexgb.errors``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from securexgb import __version__
from securexgb.cli import audit, dealer, job, keys, keyservice, model, output
from securexgb.cli.align import align
from securexgb.cli.check import check
from securexgb.cli.convert import convert
from securexgb.cli.estimate import estimate
from securexgb.cli.evaluate import evaluate
from securexgb.cli.init import init
from securexgb.cli.predict import predict
from securexgb.cli.protocols import protocols
from securexgb.cli.relay import relay
from securexgb.cli.report import report
from securexgb.cli.serve import serve
from securexgb.cli.shard import shard
from securexgb.cli.signals import ended_in_order
from securexgb.cli.simulate import simulate
from securexgb.cli.train import train
from securexgb.dealer.wire import raise_file_limit

INTERRUPTED = 130

app = typer.Typer(
    name="securexgb",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (
    simulate,
    init,
    estimate,
    check,
    convert,
    align,
    train,
    shard,
    relay,
    evaluate,
    predict,
    serve,
    report,
    protocols,
):
    app.command()(command)
app.add_typer(keys.app, name="keys")
app.add_typer(job.app, name="job")
app.add_typer(model.app, name="model")
app.add_typer(dealer.app, name="dealer")
app.add_typer(audit.app, name="audit")
app.add_typer(keyservice.app, name="keyservice")


def _show_version(is_asked: bool) -> None:
    if is_asked:
        print(f"securexgb {__version__}")
        raise typer.Exit


@app.callback()
def _commands(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """XGBoost across two companies that do not show each other their data."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Usage errors of flags are typer's, with code 2."""
    try:
        raise_file_limit()
        with ended_in_order():
            app(args=None if arguments is None else list(arguments))
    except SystemExit as end:
        code = int(end.code or 0) if not isinstance(end.code, str) else output.BUG
        if code == INTERRUPTED:
            output.note("interrupted")
        return code
    except KeyboardInterrupt:
        output.note("interrupted")
        return INTERRUPTED
    except Exception as error:
        return output.explain(error)
    return 0
