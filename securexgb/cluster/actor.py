"""The worker's end of a shard on Dask: an actor, see ``cluster.dask``.

Its methods run on the worker's loop, which therefore stays free for the head's beats; the work of a
session has a thread of its own, and so has the watch over it. An actor that hears no beat from its
head for ``timeout_seconds``, or that Dask forgets because its head has gone, ends its session, and
with it the link to the other side's shard.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import tomllib
import weakref
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue

from securexgb.cluster.messages import Opening, done, failed
from securexgb.cluster.worker import Head, session
from securexgb.cluster.working import work_of
from securexgb.errors import PeerGone, SecureXGBError, UsageError
from securexgb.federation.session import Federation
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from securexgb.terms.toml import validate

BEATS = 8
"""Within the time after which silence is an end."""

_log = logging.getLogger(__name__)


class ShardActor:
    """Own shard ``number`` on a worker; methods run on the worker's loop, the work does not."""

    def __init__(self, settings: str, terms: str, number: int) -> None:
        """``settings``, ``terms``: both files, as text."""
        config = validate(PartyConfig, tomllib.loads(settings), "the own head's settings")
        agreed = JobTerms.from_mapping(tomllib.loads(terms), "the own head's terms")
        self._federation, self._number = Federation(config, agreed), number
        self._head: _Head | None = None

    async def open(self, opening: bytes) -> None:
        """Begin a session; what comes of it the first answer says."""
        federation, number = self._federation, self._number
        head = self._head = _Head(Opening.decode(opening), federation.config.timeout_seconds)
        # Where the own head has gone the scheduler forgets its actors; nothing else keeps this one.
        weakref.finalize(self, head.break_off, "the own head is gone")
        work, tell = work_of(federation, number, _log.info), _log.info
        head.begin(lambda: session(federation, number, work, head, tell))

    async def ready(self) -> bytes:
        """What ``answered`` reads: the session can begin, or why it cannot."""
        head = self._head
        if head is None:
            return failed(UsageError("a session was not opened"))
        return await asyncio.get_running_loop().run_in_executor(None, head.first)

    async def beat(self) -> None:
        """The head is there."""
        if self._head is not None:
            self._head.heard = time.monotonic()

    async def answer(self, command: bytes) -> bytes:
        """As ``cluster.messages`` writes it; an empty command is the last one."""
        head = self._head
        if head is None:
            return failed(UsageError("a command came before the session was opened"))
        return await asyncio.get_running_loop().run_in_executor(None, head.exchange, command)

    async def stop(self, reason: str) -> None:
        """The head has failed."""
        if self._head is not None:
            self._head.break_off(reason)


class _Head(Head):
    """A session's end of the way to its head: two queues."""

    def __init__(self, opening: Opening, silence: float) -> None:
        super().__init__()
        self.opening, self.heard = opening, time.monotonic()
        self._silence = silence
        self._commands: SimpleQueue[bytes] = SimpleQueue()
        self._answers: SimpleQueue[bytes] = SimpleQueue()
        self._last: bytes | None = None

    def begin(self, serve: Callable[[], None]) -> None:
        """Run the session, and watch over it, in threads of their own."""

        def run() -> None:
            # The head hears of it by ``fail``, the worker's log by the session itself.
            with suppress(SecureXGBError):
                serve()

        for name, target in (("session", run), ("watch", self._watch)):
            threading.Thread(target=target, name=f"shard's {name}", daemon=True).start()

    def first(self) -> bytes:
        """What the session begins with."""
        return self._answers.get() if self._last is None else self._last

    def exchange(self, command: bytes) -> bytes:
        """One command and its answer; once a session has failed, what it has failed with."""
        if self._last is not None:
            return self._last
        self._commands.put(command)
        return self._answers.get()

    def start(self) -> None:
        """Nothing is left to be heard."""

    def next_command(self) -> bytes | None:
        command = self._commands.get()
        if self.error is not None:
            raise self.error
        return command or None

    def reply(self, content: bytes) -> None:
        self._answers.put(content)

    def fail(self, error: BaseException) -> None:
        self._finish(failed(error))

    def end(self) -> None:
        self._finish(done(b""))

    def _finish(self, last: bytes) -> None:
        self._last = last
        self.over.set()
        self._answers.put(last)

    def break_off(self, reason: str) -> None:
        """End the session, if it has not ended."""
        if self._has_gone(PeerGone(reason)):
            self._commands.put(b"")

    def _watch(self) -> None:
        while not self.over.wait(self._silence / BEATS):
            if time.monotonic() - self.heard > self._silence:
                self.break_off("nothing was heard from the own head")
