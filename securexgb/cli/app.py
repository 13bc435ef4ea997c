"""The ``securexgb`` command: its commands, and how every error becomes an exit code.

0 done, 1 bug, 2 usage or configuration, 3 peer or network, 4 data, 5 trust,
6 protocol desync, 7 stopped by peer, 130 interrupted (see ``securexgb.errors``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Annotated

import typer

from securexgb import __version__
from securexgb.cli import output
from securexgb.cli.signals import ended_in_order
from securexgb.dealer.wire import raise_file_limit

INTERRUPTED = 130

COMMANDS = (
    "simulate", "init", "estimate", "check", "convert", "align", "train", "shard", "relay",
    "evaluate", "predict", "serve", "report", "protocols", "keys", "job", "model", "dealer",
    "audit", "keyservice",
)  # fmt: skip
"""Each is a module beside this one: its function of that name, or its ``app`` of several."""


def typer_app(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command with these commands. Only their modules are imported: all of them take longer
    than what most of them do.
    """
    app = typer.Typer(
        name="securexgb",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_commands)
    for name in names:
        found = vars(import_module(f"securexgb.cli.{name}"))
        if "app" in found:
            app.add_typer(found["app"], name=name)
        else:
            app.command()(found[name])
    return app


def needed(arguments: Sequence[str]) -> Sequence[str]:
    """The commands that these arguments ask for; all, where they ask for help or for none."""
    first = arguments[0] if arguments else "--help"
    if first == "--version":
        return ()
    return (first,) if first in COMMANDS else COMMANDS


def _show_version(is_asked: bool) -> None:
    if is_asked:
        print(f"securexgb {__version__}")
        raise typer.Exit


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
            given = sys.argv[1:] if arguments is None else list(arguments)
            typer_app(needed(given))(args=given)
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
