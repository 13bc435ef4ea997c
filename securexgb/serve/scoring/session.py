"""One session between two replicas: its two ends, which call and answer until the link ends.

    label party                      feature party
    call: keys, rows            ->                          hop 1
    flips and masked words      ->   looks up, counts
                                <-   flips and masked words hop 2
                                <-   answer: marks
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
from securexgb.boost.scoring.row_scores import REASON_BITS, Numbers, RowScores
from securexgb.errors import MalformedFrame, ProtocolDesync, TermsDiffer
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Audience, Reveal
from securexgb.serve.parts import Floats
from securexgb.serve.scoring.messages import (
    MOST_WHY,
    Answer,
    Asked,
    Call,
    Mark,
    hear_answer,
    hear_call,
    tell,
)
from securexgb.serve.scoring.reasons import Groups
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
    name: str = ""


@dataclass(frozen=True, repr=False)
class Scored:
    """What came of a batch: marks and which budget, by row; predictions of the scored rows, in
    their order, and ``reasons`` (k, count): numbers of groups. ``failure``: the other side could
    not look its rows up."""

    marks: tuple[Mark, ...]
    why: Mapping[int, str]
    predictions: Floats
    reasons: Numbers | None = None
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

    def __init__(
        self, party: Party, decimals: int, stock_rows: int, groups: Groups | None = None
    ) -> None:
        """``stock_rows``: this side's setting; both keep the smaller one. ``groups``: whose numbers
        may be asked for as reasons."""
        self.party, self._decimals, self._groups = party, decimals, groups
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
        if self._groups is not None:
            self._groups.check(half)
        with self.party.step("model"):
            scores = RowScores(self.party, half, self._decimals)
        self.stock.open(scores)
        self._open[half.model_id] = scores

    def _score(
        self,
        asked: Asked,
        values: Floats,
        base: Floats | None,
        answer: Callable[[], Sequence[Mark]],
    ) -> tuple[Floats | None, Numbers | None]:
        """Predictions of the rows that ``answer`` marks as scored, at the label party, and their
        reasons; it is told or heard between margins, which show nothing, and the opening."""
        party, scores, groups = self.party, self._open[asked.model], None
        filled = _filled(values, asked.rows)
        if asked.reasons:
            groups = self._groups
            if groups is None:
                raise ProtocolDesync("reasons were asked for, and the terms allow none")
            filled = groups.changed(scores.model, filled).reshape(-1, values.shape[1])
            base = None if base is None else np.tile(base, 1 + len(groups.names))
        with party.step("batch"):
            margins, centre = scores.margins(filled, base, REASON_BITS if groups else 0)
        rows = np.array([at for at, mark in enumerate(answer()) if mark == "scored"], np.intp)
        if not rows.size:
            return None, None
        outputs = scores.model.outputs
        most: dict[tuple[Reveal, Audience], int] = {
            (Reveal.PREDICTION, "label"): rows.size * outputs,
            (Reveal.REASON_CODES, "label"): rows.size * groups.count if groups else 0,
        }
        with party.ledger.announced(most), party.step("batch"):
            found = scores.opened(margins, centre, rows)
            reasons = None
            if groups is not None:
                changed = margins.reshape(-1, asked.rows)[:, rows]
                reasons = scores.strongest(changed, groups.count, raised=groups.raised)
        return None if found is None else scores.predictions(found), reasons

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
        size = padded(len(batch.keys))
        asked = Asked(batch.model, size, batch.keys, batch.reasons, batch.name)
        self._count_keys(asked)
        call, heard = Call(self._number, asked=asked), list[Answer]()
        with self.party.step("call", call.number):
            tell(self.party, call)

        def answer() -> Sequence[Mark]:
            heard.append(self._heard(call))
            marks = heard[0].marks
            if len(marks) != (0 if heard[0].failure else len(batch.keys)):
                raise MalformedFrame("the other side's answer is not about the rows asked for")
            return marks

        base = batch.base_margins
        if base is not None:
            base = np.concatenate([base, np.zeros(asked.rows - base.size)])
        found, reasons = self._score(asked, batch.values, base, answer)
        last, predictions = heard[0], np.zeros(0) if found is None else found
        return Scored(
            last.marks, last.why or {}, predictions, reasons, last.failure, last.is_leaving
        )

    def _called(self, call: Call) -> Answer:
        with self.party.step("call", call.number):
            tell(self.party, call)
        return self._heard(call)

    def _heard(self, call: Call) -> Answer:
        with self.party.step("answer", call.number):
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
            number = self._number
            with self.party.step("call", number):
                call = hear_call(self.party)
            if call.number != number:
                raise ProtocolDesync(f"call {number} came as call {call.number}")
            self._number += 1
            if call.asked is not None:
                self._answer_rows(call.asked, look_up, is_leaving)
                continue
            half = self._called_for(call, models())
            told = tuple(models()) if call.models is not None else None
            with self.party.step("answer", number):
                tell(self.party, Answer(number, is_leaving(), told))
            if half is not None:
                self._open_model(half)

    def _answer_rows(
        self,
        asked: Asked,
        look_up: Callable[[Asked, ModelHalf], Looked | None],
        is_leaving: Callable[[], bool],
    ) -> None:
        """Take part in a batch; of rows that cannot be looked up nothing is opened."""
        number, found = self._number - 1, self._looked(asked, look_up)
        marks = () if found is None else found.marks

        def answer() -> Sequence[Mark]:
            told = {} if found is None else found.why
            why = {at: text[:MOST_WHY] for at, text in told.items()} or None
            said = Answer(number, is_leaving(), None, marks, why, failure=found is None)
            with self.party.step("answer", number):
                tell(self.party, said)
            return marks

        columns = self._open[asked.model].model.columns
        values = np.zeros((0, len(columns))) if found is None else found.values
        self._score(asked, values, None, answer)

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
