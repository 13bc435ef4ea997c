"""One batch at the label party, from the waiting rows to their answers.

Rows that this side does not know, or has no budget for, are answered at once: their keys do not
leave this side.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.objective.start import check_base_margin
from securexgb.errors import FeaturesUnavailable, UsageError
from securexgb.serve.parts import Floats, Meter, Request, Status
from securexgb.serve.scoring.batches import Chunk
from securexgb.serve.scoring.messages import MOST_KEY, Mark
from securexgb.serve.scoring.rows import Desk, OwnRows
from securexgb.serve.scoring.session import Batch, Scored, padded

NAME_BYTES = 16
"""Of a batch's name: nobody else can say which keys a digest under it is of."""
_HERE: dict[Mark, Status] = {"scored": "scored", "unknown": "unknown here", "budget": "budget here"}
_THERE: dict[Mark, Status] = {
    "scored": "scored",
    "unknown": "unknown there",
    "budget": "budget there",
}


def check_request(request: Request, half: ModelHalf) -> None:
    """UsageError or DataError for a request that could not be sent, or not be scored."""
    for key in request.keys:
        try:
            is_fit = len(key.encode()) <= MOST_KEY
        except UnicodeEncodeError:
            is_fit = False
        if not is_fit:
            raise UsageError(f"a key of the request is no text of at most {MOST_KEY} bytes")
    if request.base_margins is not None:
        given = request.base_margins
        check_base_margin(0, half.params, given, len(request.keys), "rows to score")


class Work:
    """Rows of one model that are scored together. ``asked``: what is sent of them, or None.

    A row for which no base margin is found, or one beyond the terms' bound, is none that is known.
    """

    def __init__(self, desk: Desk, half: ModelHalf, chunks: Sequence[Chunk]) -> None:
        """FeaturesUnavailable where this side cannot look its rows up."""
        self._chunks, self._outputs = chunks, half.outputs
        places = [(chunk.pending.request, int(row)) for chunk in chunks for row in chunk.rows]
        keys = [request.keys[row] for request, row in places]
        callers = [request.caller for request, _ in places]
        reasons = chunks[0].pending.request.reasons
        name = secrets.token_hex(NAME_BYTES)
        self._own = desk.rows(half, keys, callers, reasons, name)
        base, self._marks = _base_margins(chunks, self._own, half), list[Mark](self._own.marks)
        if base is not None:
            bound = half.params.base_margin_bound or 0.0
            for at in np.flatnonzero(~(np.abs(base) <= bound)).tolist():
                self._marks[at] = "unknown" if self._marks[at] == "scored" else self._marks[at]
        self._sent = _scored(self._marks)
        self.asked: Batch | None = None
        if self._sent.size:
            self.asked = Batch(
                half.model_id,
                tuple(keys[at] for at in self._sent.tolist()),
                self._own.values[self._sent],
                None if base is None else base[self._sent],
                reasons,
                name,
            )

    def give(self, found: Scored | None, groups: Sequence[str], meter: Meter) -> None:
        """Answer the requests; ``found``: of what was asked, ``groups``: names of what its reasons
        are. FeaturesUnavailable where the other side cannot look its rows up."""
        if found is not None and found.failure:
            raise FeaturesUnavailable("the other side cannot look its columns up at the moment")
        statuses = [_HERE[mark] for mark in self._marks]
        why: list[str | None] = [self._own.why.get(at) for at in range(len(statuses))]
        outputs = (self._outputs,) if self._outputs > 1 else ()
        values = np.full((len(statuses), *outputs), np.nan)
        reasons: list[tuple[str, ...]] = [()] * len(statuses)
        if found is not None:
            for number, at in enumerate(self._sent.tolist()):
                statuses[at], why[at] = _THERE[found.marks[number]], found.why.get(number)
            scored = self._sent[_scored(found.marks)]
            if scored.size:
                values[scored] = found.predictions
            if found.reasons is not None:
                for at, numbers in zip(scored.tolist(), found.reasons.tolist(), strict=True):
                    reasons[at] = tuple(groups[number] for number in numbers)
            meter.scored(scored.size, padded(self._sent.size))
        for status in {*statuses} - {"scored"}:
            meter.refused(status, statuses.count(status))
        start = 0
        for chunk in self._chunks:
            part = slice(start, start + chunk.rows.size)
            rows = chunk.rows.tolist()
            chunk.pending.put(rows, statuses[part], why[part], values[part], reasons[part])
            start += chunk.rows.size


def _scored(marks: Sequence[Mark]) -> NDArray[np.intp]:
    """Where they let a row be scored."""
    return np.array([at for at, mark in enumerate(marks) if mark == "scored"], np.intp)


def _base_margins(chunks: Sequence[Chunk], own: OwnRows, half: ModelHalf) -> Floats | None:
    """Each row's, from its request, or looked up."""
    if not half.params.has_base_margin:
        return None
    found, start = [], 0
    for chunk in chunks:
        given, stop = chunk.pending.request.base_margins, start + chunk.rows.size
        if given is not None:
            found.append(given[chunk.rows])
        elif own.base_margins is not None:
            found.append(own.base_margins[start:stop])
        else:
            found.append(np.full(chunk.rows.size, np.nan))
        start = stop
    return np.concatenate(found)
