"""A line of help that says what the sentence before it has said is left out: none repeats."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import securexgb
from securexgb import errors

PACKAGE = Path(securexgb.__file__).parent
HELPS = {name: kind.help for name, kind in vars(errors).items() if getattr(kind, "help", "")}
MOST_REPEATED = 0.4
"""Of the longer words of a line of help; sentences share a few."""
OF_ALL = {"other", "side", "sides", "both", "this", "same", "with"}
"""Words that say nothing about what a sentence says."""


def words(text: str) -> set[str]:
    """The longer words."""
    return {word for word in re.findall(r"[a-z_]+", text.lower()) if len(word) > 3} - OF_ALL


def repeated(message: str, line: str) -> float:
    """Which share of the line's longer words the message has, too."""
    return len(words(message) & words(line)) / len(words(line))


def raised() -> Iterator[tuple[str, str, str]]:
    """Where the package makes an error with a line of help, the error's name, and its message
    without what is filled in."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(getattr(node, "func", None), "id", None)
            if isinstance(node, ast.Call) and name in HELPS and node.args:
                texts = [
                    part.value
                    for part in ast.walk(node.args[0])
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                ]
                if message := " ".join(texts).strip():
                    yield f"{path.relative_to(PACKAGE)}:{node.lineno}", name, message


def test_no_line_of_help_repeats_its_message() -> None:
    found = list(raised())
    assert len(found) > 100
    again = [
        (where, name, message)
        for where, name, message in found
        if repeated(message, HELPS[name]) > MOST_REPEATED
    ]
    assert not again


def test_one_that_repeats_would_be_found() -> None:
    line = HELPS["PeerError"]
    assert repeated("nobody answers: check that its address and port are right", line) > 0.5
    assert repeated("bank: nobody listens there", line) == 0
