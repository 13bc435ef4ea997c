"""One session between two replicas: its two ends, which call and answer until the link ends.

    label party                      feature party
    call: keys, rows            ->                          hop 1
    flips and masked words      ->   looks up, counts
                                <-   answer: marks          hop 2
                                <-   flips and masked words
    flips of the scores' bits   ->                          hop 3
                                <-   entries                hop 4

Both sides' words for margins go at once: neither waits for the other's. Which rows of a batch are
opened follows from the answer. What a session needs of a model, shares of its tables where splits
are hidden, and its stock of correlations, is made when the model is opened, before the first row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.row_scores import RowScores
from securexgb.errors import MalformedFrame, ProtocolDesync, TermsDiffer
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Audience, Reveal
from securexgb.serve.parts import Floats
from securexgb.serve.scoring.messages import (
    Answer,
    Asked,
    Call,
    Mark,
    hear_answer,
    hear_call,
    tell,
)
from securexgb.serve.scoring.stock import Stock
from securexgb.terms.serving import MOST_ROWS

SIZES = tuple(1 << power for power in range(MOST_ROWS.bit_length()))
"""Rows of a batch, padding included: whoever watches the line learns its size to a factor of two,
and at most half of the work is for nothing."""


_MOST_DIGITS = 9


def padded(rows: int) -> int:
    """The rows of a batch of so many keys."""
    return next(size for size in SIZES if size >= rows)


@dataclass(frozen=True, repr=False)
class Batch:
    """Rows that one end scores: ``values`` (n, f) of own columns, and base margins (n,) at the
    label party where the model has them."""

    model: str
    keys: tuple[str, ...]
    values: Floats
    base_margins: Floats | None = None
    reasons: bool = False


@dataclass(frozen=True, repr=False)
class Scored:
    """What came of a batch: marks and which budget, by row; predictions of the scored rows, in
    their order. ``failure``: the other side could not look its rows up."""

    marks: tuple[Mark, ...]
    why: Mapping[int, str]
    predictions: Floats
    failure: bool = False
    is_leaving: bool = False


@dataclass(frozen=True, repr=False)
class Looked:
    """What the feature party's replica found: own columns of each key, (n, f), marks and which
    budget. None of it where rows could not be looked up."""

    values: Floats
    marks: tuple[Mark, ...]
    why: Mapping[int, str]


class _End:
    """What both ends have: open models, and how a batch is scored."""

    def __init__(self, party: Party, decimals: int, stock_rows: int) -> None:
        """``stock_rows``: this side's setting; both keep the smaller one."""
        self.party, self._decimals = party, decimals
        self._open: dict[str, RowScores] = {}
        self._number = 0
        with party.step("stock"):
            told = party.exchange_bytes(str(stock_rows).encode())
        if not told.isdigit() or len(told) > _MOST_DIGITS:
            raise MalformedFrame("the other side's number of rows in stock is malformed")
        self.stock = Stock(party, min(stock_rows, int(told)))

    @property
    def open_models(self) -> tuple[str, ...]:
        """Ids, in the order in which they were opened."""
        return tuple(self._open)

    def _open_model(self, half: ModelHalf) -> None:
        with self.party.step("model"):
            scores = RowScores(self.party, half, self._decimals)
        self.stock.open(scores)
        self._open[half.model_id] = scores

    def _score(
        self, asked: Asked, values: Floats, base: Floats | None, marks: Sequence[Mark]
    ) -> Floats | None:
        """Predictions of the rows that are marked as scored, at the label party."""
        party, scores = self.party, self._open[asked.model]
        rows = np.flatnonzero(np.array(marks) == "scored")
        most: dict[tuple[Reveal, Audience], int] = {
            (Reveal.PREDICTION, "label"): rows.size * scores.model.outputs
        }
        with party.ledger.announced(most), party.step("batch"):
            margins, centre = scores.margins(_filled(values, asked.rows), base)
            if not rows.size:
                return None
            found = scores.opened(margins, centre, rows, Reveal.PREDICTION)
        return None if found is None else scores.predictions(found)

    def _count_keys(self, asked: Asked) -> None:
        """Into the ledger, before the keys are sent, or as they have come."""
        ledger, count = self.party.ledger, len(asked.keys)
        with ledger.announced({(Reveal.REQUESTED_KEYS, "feature"): count}):
            ledger.record(Reveal.REQUESTED_KEYS, "feature", count)


class LabelEnd(_End):
    """The end that calls. One thread uses it."""

    def hear(self, models: Sequence[str]) -> Answer:
        """Say that this side is there, and which models it has; the other's are in the answer."""
        return self._called(Call(self._number, models=tuple(models)))

    def open(self, half: ModelHalf) -> None:
        """Open a model that both have."""
        self._called(Call(self._number, open=half.model_id, trees=len(half.best_trees)))
        self._open_model(half)

    def score(self, batch: Batch) -> Scored:
        """Score rows of an open model."""
        asked = Asked(batch.model, padded(len(batch.keys)), batch.keys, batch.reasons)
        self._count_keys(asked)
        answer = self._called(Call(self._number, asked=asked))
        if answer.failure:
            return Scored((), {}, np.zeros(0), failure=True, is_leaving=answer.is_leaving)
        if len(answer.marks) != len(batch.keys):
            raise MalformedFrame("the other side's answer is not about the rows that were asked")
        base = batch.base_margins
        if base is not None:
            base = np.concatenate([base, np.zeros(asked.rows - base.size)])
        found = self._score(asked, batch.values, base, answer.marks)
        predictions = np.zeros(0) if found is None else found
        return Scored(answer.marks, answer.why or {}, predictions, is_leaving=answer.is_leaving)

    def _called(self, call: Call) -> Answer:
        with self.party.step("call", call.number):
            tell(self.party, call)
            answer = hear_answer(self.party)
        if answer.number != call.number:
            raise ProtocolDesync(f"call {call.number} was answered as call {answer.number}")
        self._number += 1
        return answer


class FeatureEnd(_End):
    """The end that answers, until the link ends. One thread uses it."""

    def serve(
        self,
        models: Callable[[], Mapping[str, ModelHalf]],
        look_up: Callable[[Asked, ModelHalf], Looked | None],
        is_leaving: Callable[[], bool],
    ) -> None:
        """Answer calls; PeerGone where the other side ends the link, other errors where it breaks.

        ``look_up``: rows of the asked keys; None where they cannot be had now.
        """
        while True:
            with self.party.step("call", self._number):
                call, half, found = hear_call(self.party), None, None
                if call.number != self._number:
                    raise ProtocolDesync(f"call {self._number} came as call {call.number}")
                self._number += 1
                if call.asked is not None:
                    found = self._looked(call.asked, look_up)
                    self._answer_rows(call.number, found, is_leaving=is_leaving())
                else:
                    half = self._called_for(call, models())
                    told = tuple(models()) if call.models is not None else None
                    tell(self.party, Answer(call.number, is_leaving(), told))
            if half is not None:
                self._open_model(half)
            if call.asked is not None and found is not None:
                self._score(call.asked, found.values, None, found.marks)

    def _answer_rows(self, number: int, found: Looked | None, *, is_leaving: bool) -> None:
        if found is None:
            answer = Answer(number, is_leaving, failure=True)
        else:
            answer = Answer(number, is_leaving, None, found.marks, dict(found.why) or None)
        tell(self.party, answer)

    def _looked(
        self, asked: Asked, look_up: Callable[[Asked, ModelHalf], Looked | None]
    ) -> Looked | None:
        if asked.model not in self._open or len(asked.keys) > asked.rows:
            raise ProtocolDesync("rows of a model were asked for that this session has not opened")
        self._count_keys(asked)
        return look_up(asked, self._open[asked.model].model)

    def _called_for(self, call: Call, halves: Mapping[str, ModelHalf]) -> ModelHalf | None:
        """The half of the model that a call opens."""
        if call.open is None:
            return None
        half = halves.get(call.open)
        if half is None or len(half.best_trees) != call.trees or call.open in self._open:
            raise TermsDiffer(
                f"the label party opens model {call.open[:8]} of {call.trees} trees, and this side "
                "has no such model, or has opened it"
            )
        return half


def _filled(values: Floats, rows: int) -> Floats:
    """With rows of zeros behind, which are not opened."""
    found = np.zeros((rows, values.shape[1]))
    found[: values.shape[0]] = values
    return found
