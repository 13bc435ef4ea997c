"""Bringing the spellings of two companies to one: steps that both name in the terms.

Keys are compared as they are, to the letter, unless the terms name steps from a closed set, which
each side takes on its own machine, in the order of the terms:

    nfc       Unicode's composed form: a letter and its accent are one character
    strip     no white space at either end
    casefold  no difference between capital and small letters ("ß" is "ss")
    digits    only decimal digits are left, of whatever script, written 0 to 9
    iso_date  a day is written YYYY-MM-DD; what is no day stays as it is

A day is known as 1980-12-31, 1980/12/31, 1980.12.31, 19801231 and 31.12.1980, with or without a
time of day behind it. 31/12/1980 is not: some write the month first, and nothing here guesses.

Patterns say what keys look like without saying what they are: "digits:9", "letters:2+digits:7".
They are for a side's own operator, who sees at once why nothing matches.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date
from itertools import groupby
from typing import Literal, get_args

Step = Literal["nfc", "strip", "casefold", "digits", "iso_date"]
STEPS: tuple[Step, ...] = get_args(Step)

_YEAR_FIRST = re.compile(r"(\d{4})([-/.]?)(\d{2})\2(\d{2})(?:[T ].*)?", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?: .*)?", re.ASCII)
_MOST_PATTERNS = 5
_PATTERN_ROWS = 100_000
"""Of so many keys, evenly over all rows, the patterns are counted."""
_MOST_PARTS = 6


def normalised(texts: Sequence[str], steps: Sequence[Step]) -> list[str]:
    """Texts after all steps, in their order."""
    result = list(texts)
    for step in steps:
        result = list(map(_FUNCTIONS[step], result))
    return result


def is_day(text: str) -> bool:
    """Whether a text is a day as ``iso_date`` writes it."""
    found = _parsed(text)
    return found is not None and found.isoformat() == text


def patterns(texts: Sequence[str]) -> list[tuple[str, float]]:
    """The most frequent patterns and their shares, of an even sample of at most 100,000 texts."""
    some = texts[:: max(1, -(-len(texts) // _PATTERN_ROWS))]
    counts = Counter(map(pattern, some))
    return [(found, count / len(some)) for found, count in counts.most_common(_MOST_PATTERNS)]


def pattern(text: str) -> str:
    """Kinds of characters, and how many of each stand side by side."""
    if not text:
        return "empty"
    runs = [f"{kind}:{sum(1 for _ in run)}" for kind, run in groupby(text, _kind)]
    return "+".join(runs[:_MOST_PARTS]) + ("+…" if len(runs) > _MOST_PARTS else "")


def _kind(character: str) -> str:
    if character.isdecimal():
        return "digits"
    if character.isalpha():
        return "letters"
    return "blanks" if character.isspace() else "signs"


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _digits(text: str) -> str:
    if text.isascii():
        return text if text.isdigit() else "".join(filter(str.isdigit, text))
    return "".join(_decimals(text))


def _decimals(text: str) -> Iterable[str]:
    return (str(unicodedata.decimal(character)) for character in text if character.isdecimal())


def _day(text: str) -> str:
    found = _parsed(text)
    return text if found is None else found.isoformat()


def _parsed(text: str) -> date | None:
    """The day that a text says; None where it says none, or none that there is."""
    year_first, day_first = _YEAR_FIRST.fullmatch(text), _DAY_FIRST.fullmatch(text)
    if year_first is not None:
        parts = year_first[1], year_first[3], year_first[4]
    elif day_first is not None:
        parts = day_first[3], day_first[2], day_first[1]
    else:
        return None
    with suppress(ValueError):
        return date(*map(int, parts))
    return None


_FUNCTIONS: dict[Step, Callable[[str], str]] = {
    "nfc": _nfc,
    "strip": str.strip,
    "casefold": str.casefold,
    "digits": _digits,
    "iso_date": _day,
}
