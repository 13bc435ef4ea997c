"""What the parts of a replica tell each other; each part stands behind one of these.

A request comes in at the label party's front (``serve.front``), is looked up (``Features``),
counted (``Gate``) and scored by the pair of replicas (``Scorer``); the feature party's replica
looks up and counts the same keys on its own before it takes part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from securexgb.jobs.data.categories import Names

Floats = NDArray[np.float64]
NO_CATEGORIES: Mapping[str, Names] = MappingProxyType({})
Status = Literal["scored", "unknown here", "unknown there", "budget here", "budget there"]
"""Of a row: its score is in the answer, or which side does not know its key, or has a budget that
is used up."""


@dataclass(frozen=True, repr=False)
class Found:
    """Rows of own columns, looked up by keys.

    ``values`` (n, f): NaN where a value is missing, and in every column of an unknown key.
    ``known`` (n,): whether the key is there. ``base_margins`` (n,): where the model asks for them.
    """

    values: Floats
    known: NDArray[np.bool_]
    base_margins: Floats | None = None


class Features(Protocol):
    """Where own columns are looked up. Threads may ask at the same time."""

    def look_up(
        self,
        keys: Sequence[str],
        columns: Sequence[str],
        categories: Mapping[str, Names] = NO_CATEGORIES,
    ) -> Found:
        """These columns in this order, those with ``categories`` (a model's) as numbers of them;
        FeaturesUnavailable where they cannot be had in time."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, repr=False)
class Asked:
    """Rows that are about to be scored: what budgets and the audit count.

    ``model``: its id. ``callers``: a name a row, at the label party; None at the feature party.
    ``batch``: a name of the batch that both sides know and nobody else does, such as the secret of
    their session and a number: what both audits compare their entries by. The label party asks
    before it sends, and sends the keys of rows that are admitted and no others; the feature party
    asks about every key that came. ``known``: whether a row's key is there; None: all are. What
    is not known is noted, and counts for no budget.
    """

    model: str
    keys: tuple[str, ...]
    callers: tuple[str, ...] | None
    reasons: bool
    batch: bytes = b""
    known: tuple[bool, ...] | None = None


class Gate(Protocol):
    """Budgets and the audit of one replica. Threads may ask at the same time."""

    def admit(self, asked: Asked) -> tuple[str | None, ...]:
        """For each row None, or which budget refuses it, in words; None, too, where its key is not
        known. What is admitted is counted and on disk when this returns."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, repr=False)
class Request:
    """Rows of one call that are to be scored.

    ``model``: an id, or None: the newest that both sides have. ``base_margins``: the caller's own,
    (n,); None: looked up where the model asks for them.
    """

    keys: tuple[str, ...]
    model: str | None = None
    caller: str = ""
    reasons: bool = False
    base_margins: Floats | None = None


@dataclass(frozen=True, repr=False)
class Scores:
    """The answer to a request.

    ``values``: probabilities, or values of the target, (n,), or (n, classes); NaN where the status
    is not "scored". ``statuses``: one a row. ``why``: which budget, for rows that have none left.
    ``reasons``: names of groups, the strongest first, a row; None where they were not asked for.
    """

    model: str
    values: Floats
    statuses: tuple[Status, ...]
    why: tuple[str | None, ...]
    reasons: tuple[tuple[str, ...], ...] | None = None


class Scorer(Protocol):
    """The label party's end of the pair."""

    def submit(self, request: Request) -> Future[Scores]:
        """Queue the rows; NotReady at once where nothing can be scored now, with the seconds to
        wait, UnknownModel for a model that this pair does not serve."""
        ...

    @property
    def models(self) -> tuple[str, ...]:
        """Ids that both sides announce, the newest last."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether a replica of the other side is linked and correlations are in stock."""
        ...

    def drain(self, seconds: float) -> None:
        """Take no more, finish what is there, then end the links."""
        ...


class Meter(Protocol):
    """Figures for operators: never a key, never a score."""

    def scored(self, rows: int, padded: int) -> None: ...

    def refused(self, status: str, rows: int) -> None: ...

    def took(
        self, stage: Literal["queue", "look up", "gate", "rounds"], seconds: float
    ) -> None: ...

    def stock(self, rows: int) -> None: ...

    def linked(self, sessions: int) -> None: ...


__all__ = [
    "NO_CATEGORIES",
    "Asked",
    "Features",
    "Found",
    "Gate",
    "Meter",
    "Request",
    "Scorer",
    "Scores",
    "Status",
]
