"""What a command prints: results to stdout as text or JSON, everything else to stderr.

stdout carries the result and nothing else, so ``--format json`` can be piped: one
object, strict JSON. Notes, warnings and errors are for people and go to stderr.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Any

import typer

from securexgb.errors import FileError, SecureXGBError, UsageError
from securexgb.report.record import plain
from securexgb.storage.trouble import file_error, is_of_the_machine

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
    is_json = form is Format.json
    try:
        print(json.dumps(plain(facts), allow_nan=False) if is_json else shown(text).rstrip("\n"))
        sys.stdout.flush()
    except OSError as error:
        sys.stdout = None  # what is left in it goes nowhere
        raise FileError(
            f"cannot write the result to stdout: {error.strerror}; free what it leads to. What the "
            "command leaves in files is there, whole"
        ) from error


def note(text: str) -> None:
    """One line for people; where stderr takes none, a run does not end for that."""
    with suppress(OSError):
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
    if isinstance(error, OSError) and (error.filename is not None or is_of_the_machine(error)):
        note(f"error: {file_error('use', error.filename or 'a file or stream', error)}")
        return UsageError.exit_code
    if isinstance(error, MemoryError) or "can't start new thread" in str(error):
        note(
            f"error: this machine refuses more memory or threads: {str(error) or 'no more'}; "
            "free some or raise ulimit -u and -v, then start again (a training with --resume)"
        )
        return UsageError.exit_code
    note("".join(traceback.format_exception(error)).rstrip("\n"))
    note(f"error: unexpected {type(error).__name__}")
    note(f"help: {SecureXGBError.help}")
    return BUG
