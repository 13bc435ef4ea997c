"""One spelling of a key: what two companies, budgets and audits count as the same key.

Where the terms align rows by keys, each side writes a key as the alignment's steps leave it, so
" ZÜ-7" and "zü-7" are one key in budgets, too. Of several keys (surname and birth date) a request
has one text, with "; " between them, as in predictions.csv. Where the terms name an id column, and
where they name nothing, keys are taken to the letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from securexgb.align.normalise import Step, normalised
from securexgb.federation.session import Federation
from securexgb.jobs.data.ids import BETWEEN


@dataclass(frozen=True)
class Spelling:
    """How keys are written. ``columns``: this side's, that a key is made of; ``steps``: what is
    done with the text of each, one entry a part of a key."""

    columns: tuple[str, ...]
    steps: tuple[tuple[Step, ...], ...]

    @staticmethod
    def of(federation: Federation) -> Spelling:
        """By the terms and this side's names; no columns where neither says which has the keys."""
        terms, settings = federation.terms, federation.config.serve
        own = None if settings is None else settings.key_column
        columns = federation.id_columns if own is None else (own,)
        if terms.id_column is not None or terms.align is None:
            return Spelling(columns, ((),))
        return Spelling(columns, tuple(terms.align.steps(key) for key in terms.align.keys))

    def __call__(self, keys: Sequence[str]) -> tuple[str, ...]:
        """The same keys in the one spelling; what has not as many parts as a key stays as it is,
        and is nobody's."""
        if not any(self.steps):
            return tuple(keys)
        if len(self.steps) == 1:
            return tuple(normalised(keys, self.steps[0]))
        return tuple(map(self._joined, keys))

    def _joined(self, key: str) -> str:
        parts = key.split(BETWEEN)
        if len(parts) != len(self.steps):
            return key
        pairs = zip(parts, self.steps, strict=True)
        return BETWEEN.join(normalised([part], steps)[0] for part, steps in pairs)
