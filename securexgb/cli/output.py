"""What a command prints: results to stdout as text or JSON, everything else to stderr.

stdout carries the result and nothing else, so ``--format json`` can be piped: one
object, strict JSON. Notes, warnings and errors are for people and go to stderr.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from securexgb.errors import SecureXGBError, UsageError
from securexgb.report.record import plain

BUG = 1
_UNSEEN = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(32), *range(127, 160), *range(0x200E, 0x2010), *range(0x2028, 0x202F),
                 *range(0x2066, 0x206A), *range(0xD800, 0xE000))
    if code not in (9, 10)
}  # fmt: skip
"""What a terminal takes for a command, or what turns the order of letters."""


def shown(text: str) -> str:
    """Text fit for a terminal: names come from files and from the other side."""
    return text.translate(_UNSEEN)


class Format(StrEnum):
    """How a result is printed."""

    text = "text"
    json = "json"


FormatOption = Annotated[
    Format, typer.Option("--format", help="How the result is printed on stdout.")
]


def result(facts: Mapping[str, Any], text: str, form: Format) -> None:
    """Print a command's result: the object as JSON, or the text for people."""
    if form is Format.json:
        print(json.dumps(plain(facts), allow_nan=False))
    else:
        print(shown(text).rstrip("\n"))
    sys.stdout.flush()


def note(text: str) -> None:
    """One line for people."""
    print(shown(text), file=sys.stderr, flush=True)


def explain(error: BaseException) -> int:
    """Say on stderr what happened and what to do; the exit code for it.

    Errors raised on purpose, and files that cannot be read or written, get a sentence, or two,
    and no traceback. Anything else is a bug of ours and gets its traceback, which a report
    needs.
    """
    if isinstance(error, SecureXGBError):
        note(f"error: {error}")
        for line in getattr(error, "__notes__", ()):
            note(f"  {line}")
        if error.help:
            note(f"help: {error.help}")
        return error.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        note(f"error: {error.filename!s}: {error.strerror}")
        return UsageError.exit_code
    note("".join(traceback.format_exception(error)).rstrip("\n"))
    note(f"error: unexpected {type(error).__name__}")
    note(f"help: {SecureXGBError.help}")
    return BUG
