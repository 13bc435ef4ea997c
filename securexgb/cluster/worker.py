"""A shard as a process of its own: it waits for its head, works for it, and waits for the next.

Three things can end a session, and none leaves the process hanging: the head's link, which a thread
of its own reads, so that a head that is gone or has failed ends the work under way; the other
side's shard, whose end this one's protocols meet; and an error here. The head hears what it was,
the other side's shard its kind only. Then the shard waits anew, with whatever it has on disk.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from queue import SimpleQueue

from securexgb.channel.channel import MESSAGE_BYTES
from securexgb.channel.endpoint import Endpoint, Listener
from securexgb.channel.grpc import GrpcChannel
from securexgb.cluster.about import about_shard
from securexgb.cluster.link import ANSWER, COMMAND, OPEN, own_endpoint, own_hello
from securexgb.cluster.messages import OPENING_BYTES, Opening, done, failed
from securexgb.errors import (
    PeerError,
    PeerGone,
    PeerTimeout,
    PortTaken,
    SecureXGBError,
    UsageError,
)
from securexgb.federation.session import Federation
from securexgb.mpc.party import Party

Answers = Callable[[bytes], bytes]
"""What a command is answered with."""
Work = Callable[[Party, Opening], Answers]
"""What is done in a session with the other side's shard of the same number."""

_STRETCH_SECONDS = 5.0
"""After so long without the other side's shard this one looks whether its head is still there."""
_AGAIN_SECONDS = 0.2
_FOREVER_SECONDS = 10.0**9


class ShardProcess:
    """Own shard ``number``. ``tell`` gets a sentence of what comes and goes."""

    def __init__(
        self, federation: Federation, number: int, work: Work, tell: Callable[[str], None]
    ) -> None:
        """UsageError where there is no such shard, or the settings do not say where it listens."""
        if not 0 <= number < federation.terms.shards:
            raise UsageError(
                f"there is no shard {number}: the terms divide rows into "
                f"{federation.terms.shards}, numbered from 0"
            )
        settings, name = federation.cluster, federation.config.name
        self._federation, self._number, self._work, self._tell = federation, number, work, tell
        place = settings.bound(settings.own_shard(number))
        self._endpoint = replace(
            own_endpoint(federation, called=f"the head of {name}"),
            listen=place,
            wait_seconds=_FOREVER_SECONDS,
        )

    def run(self, started: Callable[[int], None]) -> None:
        """Serve one head after another, until a signal; ``started`` hears the port each time.

        UsageError where the port cannot be had; whatever ends a session is told, and no more.
        """
        while True:
            listener = self.listen()
            try:
                self.serve(listener, started)
            except SecureXGBError as error:
                self._tell(f"the session ended: {type(error).__name__}: {error}")
            else:
                self._tell("the session ended in order")

    def listen(self) -> Listener:
        """UsageError where the port cannot be had."""
        return Listener(self._endpoint)

    def serve(self, listener: Listener, started: Callable[[int], None]) -> None:
        """Wait for one head, and serve it; raises what ended its session, where it was an error."""
        with listener:
            started(listener.port)
            channel = listener.accept(own_hello(self._federation, "shard", self._number))
        session(self._federation, self._number, self._work, _Head(channel), self._tell)


class Head(ABC):
    """A shard's way to the head of a session, whatever lies between.

    ``over``: set when the head has gone, or has ended the session; ``error``: what ended it, where
    it was not its end in order.
    """

    opening: Opening
    """What the session is about, once it has started."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.error: SecureXGBError | None = None
        self._lock = threading.Lock()
        self._other: GrpcChannel | None = None

    @abstractmethod
    def start(self) -> None:
        """Hear what the session is about, and hear on from now on."""

    def takes_along(self, other: GrpcChannel) -> None:
        """A link that is to end with this one."""
        with self._lock:
            self._other, is_over = other, self.over.is_set()
        if is_over:
            other.close(self.error)

    @abstractmethod
    def next_command(self) -> bytes | None:
        """None: there are no more; raises what ended the session."""

    @abstractmethod
    def reply(self, content: bytes) -> None:
        """That the session can begin, then the answer to the newest command."""

    @abstractmethod
    def fail(self, error: BaseException) -> None:
        """The head hears why; then there is nothing more."""

    @abstractmethod
    def end(self) -> None:
        """After the last command."""

    def _has_gone(self, error: SecureXGBError | None) -> bool:
        """The session is over, by ``error`` if any; False where it was before."""
        with self._lock:
            if self.over.is_set():
                return False
            self.error, other = error, self._other
            self.over.set()
        if other is not None and error is not None:
            other.close(error)
        return True


def session(
    federation: Federation, number: int, work: Work, head: Head, tell: Callable[[str], None]
) -> None:
    """Serve a head to its end; raises what ended its session, where it was an error."""
    try:
        head.start()
        tell(f"a head has come: {head.opening.purpose}, run {head.opening.run}")
        if head.opening.purpose == "check":
            _answer(head, about_shard(federation, number, head.opening))
        else:
            _work(federation, number, work, head)
    except BaseException as error:
        of_head = head.error  # it ends the work here, which then fails for no reason of its own
        head.fail(error)
        if of_head is not None and isinstance(error, SecureXGBError):
            raise of_head from None
        raise
    head.end()


def _work(federation: Federation, number: int, work: Work, head: Head) -> None:
    """With the other side's shard."""
    endpoint = federation.shard_endpoint(number, _STRETCH_SECONDS)
    channel, purpose = _meet(federation, number, head, endpoint), head.opening.purpose
    with federation.joined(channel, endpoint, purpose, is_shard=True) as party:
        _answer(head, work(party, head.opening))


def _answer(head: Head, answers: Answers) -> None:
    """All commands of a session that can begin."""
    head.reply(done(b""))
    while (command := head.next_command()) is not None:
        head.reply(done(answers(command)))


def _meet(federation: Federation, number: int, head: Head, endpoint: Endpoint) -> GrpcChannel:
    """The link with the other side's shard, whose end is the head's, too."""
    until, opening = time.monotonic() + federation.config.timeout_seconds, head.opening
    while True:
        try:
            channel = federation.shard_link(endpoint, opening.purpose, number, opening.session)
        except (PeerError, PortTaken):
            # On Dask the session before may still hold the port, until it hears of its end.
            if time.monotonic() > until or head.over.wait(_AGAIN_SECONDS):
                raise
        else:
            head.takes_along(channel)
            return channel


class _Head(Head):
    """The end of a link to the head; a thread reads what comes."""

    def __init__(self, channel: GrpcChannel) -> None:
        super().__init__()
        self._channel, self._answers = channel, channel.stream("offline")
        self._commands: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._read, name="head", daemon=True)

    def start(self) -> None:
        self.opening = Opening.decode(bytes(self._channel.receive(OPEN, OPENING_BYTES)))
        self._thread.start()

    def next_command(self) -> bytes | None:
        command = self._commands.get()
        if command is None and self.error is not None:
            raise self.error
        return command

    def reply(self, content: bytes) -> None:
        self._answers.send(ANSWER, content)

    def fail(self, error: BaseException) -> None:
        if not self.over.is_set():
            try:
                self.reply(failed(error))
            except SecureXGBError:
                error = PeerGone("the own head is gone")
        self._channel.close(None if isinstance(error, SecureXGBError) else error)

    def end(self) -> None:
        self._channel.close()

    def _read(self) -> None:
        error: SecureXGBError | None = None
        while True:
            try:
                command = bytes(self._channel.receive(COMMAND, MESSAGE_BYTES))
            except PeerTimeout:
                continue  # it lives, and has nothing to ask
            except SecureXGBError as ended:
                error = ended
                break
            if not command:
                break
            self._commands.put(command)
        self._has_gone(error)
        self._commands.put(None)
        self._channel.close()
