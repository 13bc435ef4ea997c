"""The feature party's replica: it takes in replicas of the other side, and answers each of them.

Where it listens (party.toml) it takes as many links as its settings say, each in a thread of its
own; where it dials it has one at a time. What it looks up and counts is the same for all.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import replace
from time import monotonic

from securexgb.boost.ensemble import ModelHalf
from securexgb.channel.endpoint import Listener, connect
from securexgb.channel.grpc import GrpcChannel
from securexgb.errors import FeaturesUnavailable, PeerTimeout, SecureXGBError, UsageError
from securexgb.federation.session import Federation
from securexgb.serve.parts import Features, Gate, Meter
from securexgb.serve.scoring.allowed import serving
from securexgb.serve.scoring.messages import Asked
from securexgb.serve.scoring.own import own_parts
from securexgb.serve.scoring.session import FeatureEnd, Looked

_LOG = logging.getLogger(__name__)
AGAIN_SECONDS = 0.3
GLANCE_SECONDS = 1.0


class FeatureReplica:
    """See the module. ``start`` it; ``drain`` ends it."""

    def __init__(
        self, federation: Federation, features: Features, gate: Gate, meter: Meter
    ) -> None:
        """UsageError where the terms or the settings do not let this side serve;
        FeaturesUnavailable where columns of its models are not to be had."""
        self._settings = serving(federation)
        if federation.role != "feature":
            raise UsageError(f"{federation.config.name} is the label party: it asks replicas")
        self._federation, self._meter = federation, meter
        self._models, self._desk, self._groups = own_parts(
            federation, self._settings, features, gate, meter
        )
        self._changed = threading.Condition()
        self._links: dict[threading.Thread, GrpcChannel] = {}
        self._is_leaving = False
        self._listener: Listener | None = None
        self._most = 1 if federation.config.listen is None else self._settings.sessions
        self._door = threading.Thread(target=self._take_in, name="door", daemon=True)
        self.problem: SecureXGBError | None = None
        """Why the last link did not come about, or ended."""

    def start(self) -> None:
        """Take in replicas from now on; UsageError for an address that cannot be listened at."""
        endpoint = replace(self._federation.endpoint(), wait_seconds=GLANCE_SECONDS)
        if endpoint.listen is not None:
            self._listener = Listener(endpoint)
        self._endpoint = endpoint
        self._door.start()

    @property
    def is_ready(self) -> bool:
        """Whether it takes in replicas, or has some."""
        return self._door.is_alive() and not self._is_leaving and bool(self._models.halves())

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of this side's models, the newest last."""
        return tuple(self._models.halves())

    @property
    def sessions(self) -> int:
        """How many replicas are linked."""
        with self._changed:
            return len(self._links)

    def drain(self, seconds: float) -> None:
        """Take in nobody more, tell all replicas to go, and end the links that are left then."""
        until = monotonic() + seconds
        with self._changed:
            self._is_leaving = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._links, max(until - monotonic(), 0.0))
            left = list(self._links.values())
        for channel in left:
            with suppress(SecureXGBError):
                channel.close()
        if self._door.is_alive():
            self._door.join(2 * GLANCE_SECONDS)

    def _take_in(self) -> None:
        """The door's thread."""
        while not self._is_leaving:
            if self.sessions >= self._most:
                with self._changed:
                    self._changed.wait(GLANCE_SECONDS)
                continue
            try:
                channel = self._next()
            except PeerTimeout:
                continue  # nobody has come so far
            except SecureXGBError as error:
                self.problem = error
                with self._changed:
                    self._changed.wait_for(lambda: self._is_leaving, AGAIN_SECONDS)
                continue
            thread = threading.Thread(
                target=self._answer, args=(channel,), name="session", daemon=True
            )
            if not self._kept(thread, channel):
                break
            thread.start()
            self._meter.linked(self.sessions)
        if self._listener is not None:
            self._listener.stop()

    def _kept(self, thread: threading.Thread, channel: GrpcChannel) -> bool:
        """Whether a link is taken in: one that comes when this replica was asked to end is not."""
        with self._changed:
            if not self._is_leaving:
                self._links[thread] = channel
                return True
        with suppress(SecureXGBError):
            channel.close()
        return False

    def _next(self) -> GrpcChannel:
        """The next replica's link; PeerTimeout where none comes within a moment."""
        hello = self._federation.hello("serve")
        if self._endpoint.listen is None:
            return connect(self._endpoint, hello)
        if self._listener is None:
            self._listener = Listener(self._endpoint)
        try:
            channel = self._listener.accept(hello)
        except PeerTimeout:
            raise
        except SecureXGBError:
            self._listener.stop()
            self._listener = None
            raise
        self._listener = None  # it listens no more, and its link lives on
        return channel

    def _answer(self, channel: GrpcChannel) -> None:
        """One session, in its thread."""
        federation = self._federation
        try:
            with federation.joined(channel, self._endpoint, "serve") as party:
                decimals = federation.terms.prediction_decimals
                _LOG.info("linked with a replica of %s", federation.peer_name)
                end = FeatureEnd(party, decimals, self._settings.stock_rows, self._groups)
                end.serve(self._models.looked, self._looked, lambda: self._is_leaving)
        except SecureXGBError as error:
            self.problem = error
            _LOG.info("a link ended: %s", error)
        finally:
            with self._changed:
                del self._links[threading.current_thread()]
                self._changed.notify_all()
            self._meter.linked(self.sessions)

    def _looked(self, asked: Asked, half: ModelHalf) -> Looked | None:
        """Own columns of the asked keys, and which of these are counted."""
        try:
            rows = self._desk.rows(half, asked.keys, None, asked.reasons, asked.name)
        except FeaturesUnavailable as error:
            self.problem = error
            return None
        for mark in {*rows.marks} - {"scored"}:
            self._meter.refused(f"{mark} here", rows.marks.count(mark))
        self._meter.scored(rows.marks.count("scored"), asked.rows)
        return Looked(rows.values, rows.marks, rows.why)
