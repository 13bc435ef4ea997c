"""Own columns of asked keys at one side, and which rows its budgets let through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.ensemble import ModelHalf
from securexgb.errors import FeaturesUnavailable
from securexgb.federation.session import Federation
from securexgb.serve.parts import Asked, Features, Floats, Gate, Meter
from securexgb.serve.scoring.messages import Mark
from securexgb.serve.spelling import Spelling

Stage = Literal["queue", "look up", "gate", "rounds"]


@dataclass(frozen=True, repr=False)
class OwnRows:
    """Own columns (n, f) of asked keys; ``marks``: which of them this side lets be scored, and
    ``why`` not, where it is a budget. ``base_margins``: where they were looked up."""

    values: Floats
    marks: tuple[Mark, ...]
    why: Mapping[int, str]
    base_margins: Floats | None = None


class Desk:
    """Where one side looks rows up and counts them."""

    def __init__(
        self, federation: Federation, features: Features, gate: Gate, meter: Meter
    ) -> None:
        terms = federation.terms.serve
        self._scores_unknown = terms is not None and terms.missing_key == "score"
        self._features, self._gate, self._meter = features, gate, meter
        self._name, self._spelling = federation.config.name, Spelling.of(federation)

    def prepare(self, half: ModelHalf) -> None:
        """Look no key up, so that the first one need not wait, nor find that columns are missing;
        FeaturesUnavailable."""
        self._features.look_up((), half.columns, half.categories)

    def timed(self, stage: Stage) -> AbstractContextManager[None]:
        """Tell the meter how long the block takes."""
        return _Timed(self._meter, stage)

    def rows(
        self,
        half: ModelHalf,
        keys: Sequence[str],
        callers: Sequence[str] | None,
        reasons: bool,
        name: str,
    ) -> OwnRows:
        """Look up and count; FeaturesUnavailable where rows cannot be had.

        Keys are counted in the one spelling, whichever the other side sends. Rows that are not
        known are noted and not counted. A row that this model cannot take, with an infinite value,
        or a missing one where the terms refuse them, is none that is known. ``name``: the batch's,
        the same at both sides.
        """
        keys = self._spelling(keys)
        with self.timed("look up"):
            found = self._features.look_up(keys, half.columns, half.categories)
        if found.values.shape != (len(keys), len(half.columns)):
            raise FeaturesUnavailable(f"{self._name}: the look-up gave other columns than asked")
        fits = usable(half, found.values)
        known = fits & (found.known | self._scores_unknown)
        asked = Asked(
            half.model_id,
            tuple(keys),
            None if callers is None else tuple(callers),
            reasons,
            name.encode(),
            tuple(known.tolist()),
        )
        with self.timed("gate"):
            refused = self._gate.admit(asked)
        why = {at: no for at, no in enumerate(refused) if no is not None and known[at]}
        marks: list[Mark] = [
            "budget" if at in why else "scored" if ok else "unknown"
            for at, ok in enumerate(known.tolist())
        ]
        values = found.values if fits.all() else np.where(fits[:, None], found.values, 0.0)
        return OwnRows(values, tuple(marks), why, found.base_margins)


class _Timed(AbstractContextManager[None]):
    """See ``Desk.timed``."""

    __slots__ = ("_began", "_meter", "_stage")

    def __init__(self, meter: Meter, stage: Stage) -> None:
        self._meter, self._stage, self._began = meter, stage, perf_counter()

    def __exit__(self, *_: object) -> None:
        self._meter.took(self._stage, perf_counter() - self._began)


def usable(half: ModelHalf, values: Floats) -> NDArray[np.bool_]:
    """Which rows, own columns (n, f), this model can score: what ``check_rows`` of a batch job
    would not refuse, (n,)."""
    if np.isfinite(values).all() and not half.layout.categorical:
        return np.ones(values.shape[0], np.bool_)
    wrong = np.asarray(np.isinf(values).any(axis=1))
    if categorical := list(half.categorical):
        numbers = values[:, categorical]
        wrong |= (np.isfinite(numbers) & (numbers % 1 != 0)).any(axis=1)
    if not half.layout.missing:
        wrong |= np.isnan(values).any(axis=1)
    fits: NDArray[np.bool_] = ~wrong
    return fits
