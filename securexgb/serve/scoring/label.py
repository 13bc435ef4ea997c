"""The label party's replica: a queue of requests, and one link to a replica of the other side.

One link at a time takes batches. Another one follows where the other replica leaves, where it is
old, or where it broke: the next one is opened, with its models and its stock, while the former
still scores, wherever it can. A batch whose link broke is scored once more over the next
one, with new correlations; what was opened of it before is opened again to the same side.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from time import monotonic, perf_counter

from securexgb.channel.endpoint import connect
from securexgb.errors import (
    FeaturesUnavailable,
    NotReady,
    PeerError,
    SecureXGBError,
    UnknownModel,
    UsageError,
)
from securexgb.federation.session import Federation
from securexgb.serve.parts import Features, Gate, Meter, Request, Scores
from securexgb.serve.scoring.allowed import serving
from securexgb.serve.scoring.batches import Batches, Chunk, Pending
from securexgb.serve.scoring.own import own_parts
from securexgb.serve.scoring.session import LabelEnd
from securexgb.serve.scoring.stock import LOW_WATER
from securexgb.serve.scoring.work import Work, check_request

_LOG = logging.getLogger(__name__)
BEAT_SECONDS = 1.0
"""Between two words over a link on which nothing is scored: who waits longer for one is alone."""
HEAR_SECONDS = 5.0
"""Between two looks for new models of the other side while rows come all the time."""
OPENING_SECONDS = 5.0
AGAIN_SECONDS = 0.3
"""Between two attempts to open a link."""
GLANCE_SECONDS = 0.2
RECOVERY_SECONDS = 5.0
"""So long requests wait for a new link when one broke."""
MOST_TRIES = 2


class LabelScorer:
    """See ``parts.Scorer``. It begins to look for the other side when it is made."""

    def __init__(
        self, federation: Federation, features: Features, gate: Gate, meter: Meter
    ) -> None:
        """UsageError where the terms or the settings do not let this side serve;
        FeaturesUnavailable where columns of its models are not to be had."""
        self.settings = serving(federation)
        if federation.role != "label":
            raise UsageError(f"{federation.config.name} is the feature party: it answers replicas")
        self.federation, self.meter = federation, meter
        self.own_models, self.desk, self.groups = own_parts(
            federation, self.settings, features, gate, meter
        )
        times = 1 if self.groups is None else 1 + len(self.groups.names)
        most = self.settings.batch_rows
        self.batches = Batches(most, max(1, most // times))
        self._changed = threading.Condition()
        self._link: _Link | None = None
        self._good = -RECOVERY_SECONDS
        self._is_draining = self.is_over = False
        self._in_work = 0
        self.problem: SecureXGBError | None = None
        """Why there is no link, for the log and for whoever asks for this replica's health."""
        self._keeper = threading.Thread(target=self._keep_linked, name="links", daemon=True)
        self._keeper.start()

    def submit(self, request: Request) -> Future[Scores]:
        """See ``parts.Scorer``."""
        if not request.keys:
            raise UsageError("a request names no key")
        if request.reasons and self.groups is None:
            raise UsageError("the terms allow no reasons (reasons_to in [serve] of job.toml)")
        models = self.models
        self._check_ready(models)
        model = request.model or models[-1]
        if model not in models:
            raise UnknownModel(
                f"model {model!r} is not served by both sides; these are: {', '.join(models)}"
            )
        check_request(request, self.own_models.halves()[model])
        pending = Pending(request, model)
        self.batches.add(pending)
        return pending.future

    @property
    def models(self) -> tuple[str, ...]:
        """See ``parts.Scorer``."""
        link = self._link
        return () if link is None else link.models

    @property
    def is_ready(self) -> bool:
        """See ``parts.Scorer``."""
        link = self._link
        return not self._is_draining and link is not None and link.is_good and bool(link.models)

    def drain(self, seconds: float) -> None:
        """See ``parts.Scorer``."""
        self._is_draining = True
        until = monotonic() + seconds
        with self._changed:
            while monotonic() < until and (self._in_work or not self.batches.is_empty):
                self._changed.wait(max(min(until - monotonic(), GLANCE_SECONDS), 0.0))
            self.is_over = True
            self._changed.notify_all()
        self.batches.fail(NotReady("this replica has ended"))
        self.batches.wake()
        self._keeper.join(max(until - monotonic(), OPENING_SECONDS))

    def changed(self) -> None:
        """A link is another one than it was."""
        with self._changed:
            self._changed.notify_all()

    def working(self, chunks: int) -> None:
        """So many more are in work, or fewer. Nobody but a drain waits for that: to wake the
        thread that looks after links would have it compete with the one that scores."""
        with self._changed:
            self._in_work += chunks
            if self._is_draining:
                self._changed.notify_all()

    def _check_ready(self, models: Sequence[str]) -> None:
        link = self._link
        if self._is_draining:
            raise NotReady("this replica is about to end")
        if link is None or not models or not (link.is_good or self._may_recover):
            raise NotReady("no replica of the other side is linked, or none with a common model")
        if link.is_good and link.stock_share < LOW_WATER:
            raise NotReady("the stock of correlations is low: it is being filled")

    @property
    def _may_recover(self) -> bool:
        return monotonic() - self._good < RECOVERY_SECONDS

    def _keep_linked(self) -> None:
        """The keeper's thread: one link after the other."""
        while not self.is_over:
            if not self._needs_link():
                with self._changed:
                    self._changed.wait(GLANCE_SECONDS)
                continue
            link = _Link(self)
            link.start()
            while not (link.is_good or link.is_gone or self.is_over):
                self._needs_link()
                with self._changed:
                    self._changed.wait(GLANCE_SECONDS)
            if link.is_good:
                former, self._link, self.problem = self._link, link, None
                _LOG.info("linked with a replica of %s", self.federation.peer_name)
                if former is not None:
                    former.leave()
                self.meter.linked(1)
            else:
                link.leave()
                if str(link.problem or "") not in ("", str(self.problem)):
                    _LOG.warning("not linked: %s", link.problem)
                self.problem = link.problem or self.problem
                with self._changed:
                    self._changed.wait_for(lambda: self.is_over, AGAIN_SECONDS)
        if self._link is not None:
            self._link.leave()
            self._link.join(OPENING_SECONDS)

    def _needs_link(self) -> bool:
        """Whether another link is to be opened. What waits too long without any is answered."""
        link = self._link
        if link is None or not link.is_good:
            if not self._may_recover:
                self.batches.fail(NotReady("no replica of the other side is linked"))
                self.meter.linked(0)
            return True
        self._good = monotonic()
        is_old = self._good - link.began > self.settings.redial_seconds
        # Where this side listens the other one dials again by itself.
        return link.is_left or (is_old and self.federation.config.listen is None)


class _Link(threading.Thread):
    """One session with a replica of the other side, in a thread of its own.

    ``is_good``: its models are open and its stock is full, and it is not at its end. ``is_left``:
    the other replica is about to end.
    """

    def __init__(self, scorer: LabelScorer) -> None:
        super().__init__(name="session", daemon=True)
        self._scorer = scorer
        self._end: LabelEnd | None = None
        self.began = monotonic()
        self.is_good = self.is_gone = self.is_left = False
        self.models: tuple[str, ...] = ()
        self.problem: SecureXGBError | None = None
        self._leaves, self._heard = False, 0.0

    @property
    def stock_share(self) -> float:
        return 0.0 if self._end is None else self._end.stock.share

    def leave(self) -> None:
        """End after the batch in work."""
        self._leaves = True
        self._scorer.batches.wake()

    def run(self) -> None:
        scorer, federation = self._scorer, self._scorer.federation
        endpoint = replace(federation.endpoint(), wait_seconds=OPENING_SECONDS)
        try:
            channel = connect(endpoint, federation.hello("serve"))
            with federation.joined(channel, endpoint, "serve") as party:
                decimals = federation.terms.prediction_decimals
                self._end = LabelEnd(party, decimals, scorer.settings.stock_rows, scorer.groups)
                try:
                    self._work(self._end)
                finally:  # to close what has broken may take a while
                    self.is_good = False
                    scorer.changed()
        except SecureXGBError as error:
            self.problem = error
        finally:
            self.is_gone = True
            scorer.changed()

    def _work(self, end: LabelEnd) -> None:
        scorer = self._scorer
        while not (self._leaves or scorer.is_over):
            is_due = monotonic() - self._heard > HEAR_SECONDS
            chunks = [] if is_due or not self.is_good else scorer.batches.take(BEAT_SECONDS)
            if chunks:
                self._score(end, chunks)
                scorer.meter.stock(end.stock.rows)
                continue
            self._open_models(end)
            if not self.is_good:
                scorer.batches.pause(GLANCE_SECONDS)

    def _open_models(self, end: LabelEnd) -> None:
        """Hear which models the other side has, and open those that both have."""
        halves = self._scorer.own_models.looked()
        answer = end.hear(tuple(halves))
        self._heard = monotonic()
        self.is_left = self.is_left or answer.is_leaving
        fresh = [one for one in halves if one in (answer.models or ()) and one not in self.models]
        for model in fresh:
            end.open(halves[model])
        if fresh:
            end.stock.fill()
            both = {*self.models, *fresh}
            self.models = tuple(one for one in halves if one in both)
            self.is_good = True
        self._scorer.meter.stock(end.stock.rows)
        self._scorer.changed()

    def _score(self, end: LabelEnd, chunks: list[Chunk]) -> None:
        scorer = self._scorer
        scorer.working(len(chunks))
        try:
            self._score_now(end, chunks)
        except FeaturesUnavailable as error:
            _fail(chunks, error)
        except PeerError as error:
            self.is_good = False
            again = [chunk for chunk in chunks if chunk.tries + 1 < MOST_TRIES]
            for chunk in again:
                chunk.tries += 1
            _fail([chunk for chunk in chunks if chunk not in again], error)
            scorer.batches.put_back(again)
            raise
        except BaseException as error:
            _fail(chunks, error)
            raise
        finally:
            scorer.working(-len(chunks))

    def _score_now(self, end: LabelEnd, chunks: list[Chunk]) -> None:
        scorer, first = self._scorer, chunks[0].pending
        for chunk in chunks:
            scorer.meter.took("queue", perf_counter() - chunk.pending.began)
        if first.model not in end.open_models:
            raise FeaturesUnavailable(f"model {first.model} is no longer served by both sides")
        try:
            batch = Work(scorer.desk, scorer.own_models.halves()[first.model], chunks)
        except SecureXGBError as error:  # nothing was sent
            _fail(chunks, error)
            return
        with scorer.desk.timed("rounds"):
            found = end.score(batch.asked) if batch.asked is not None else None
        names = () if scorer.groups is None else scorer.groups.names
        batch.give(found, names, scorer.meter)
        self.is_left = self.is_left or (found is not None and found.is_leaving)


def _fail(chunks: Sequence[Chunk], error: BaseException) -> None:
    for chunk in chunks:
        chunk.pending.fail(error)
