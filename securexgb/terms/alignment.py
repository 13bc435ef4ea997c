"""``[align]`` of ``job.toml``: by what the two sides find the rows that both have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from securexgb.align.normalise import Step
from securexgb.align.row_keys import Duplicates
from securexgb.errors import UsageError
from securexgb.terms.toml import Column, TomlFile

MOST_KEYS = 100_000_000


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[Column, ...], BeforeValidator(_listed), Field(min_length=1, max_length=16)]
Steps = Annotated[tuple[Step, ...], BeforeValidator(_listed)]


class AlignTerms(TomlFile):
    """How `securexgb align` finds the rows that both sides have. Without this table both files
    must hold the same rows in the same order."""

    keys: Names
    """Columns by which both sides know a row: ["national_id"], or several that only together are
    one person's, as ["surname", "birth_date"]. A side that calls them otherwise says so in
    key_columns of party.toml."""
    normalise: Steps | dict[Column, Steps] = ()
    """Steps that both take with their own keys first, in this order: nfc (one form of accents),
    strip (white space at the ends), casefold (capitals), digits (nothing but digits), iso_date (a
    day as YYYY-MM-DD). A list is for all keys; or a table by key. Left empty: to the letter."""
    duplicates: Duplicates = "refuse"
    """What a key that comes twice in a file means: refuse: an error; first: its first row is
    taken."""
    min_common: Annotated[int, Field(ge=1)] = 1000
    """With fewer rows in common the alignment stops: the side with more rows learns only that; the
    other's program has found them by then, shows none and keeps none."""
    max_keys: Annotated[int, Field(ge=1, le=MOST_KEYS)] = MOST_KEYS
    """A side with more rows is refused."""
    reveal: Literal["members", "size"] = "members"
    """members: each side learns which of its rows the other has; size: their number alone, so
    nothing can be trained: for `align --dry-run`."""

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if len(set(self.keys)) < len(self.keys):
            raise UsageError(f"keys names a column twice: {', '.join(self.keys)}")
        if isinstance(self.normalise, Mapping):
            for name in self.normalise:
                if name not in self.keys:
                    raise UsageError(f"normalise names {name!r}, which is none of the keys")
        if self.max_keys < self.min_common:
            raise UsageError("max_keys is below min_common: nobody could ever align")
        return self

    def steps(self, key: str) -> tuple[Step, ...]:
        """What is done with one key's texts, in order."""
        if isinstance(self.normalise, Mapping):
            return self.normalise.get(key, ())
        return self.normalise

    @property
    def sha256(self) -> str:
        """Digest of all that says which rows go together: another one is another alignment."""
        said = {"keys": self.keys, "normalise": [self.steps(key) for key in self.keys]}
        content = json.dumps(said | {"duplicates": self.duplicates}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()
