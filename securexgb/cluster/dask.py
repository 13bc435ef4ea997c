"""Shards as actors of a company's own Dask cluster, one on each of its workers.

``[cluster] engine = "dask"`` of party.toml; the extra ``cluster`` brings Dask. The head is a client
of the scheduler that the settings name; each company has a cluster of its own. Nothing of the data
goes through Dask: a worker reads its own rows from files that it finds under the same paths as the
head. What does go are the settings without any key, commands and answers, all of them bytes or text
of our own.

An actor answers from a thread of its own, so its worker's loop stays free for the head's beats: a
head that hears none from a worker for ``timeout_seconds`` takes the shard for lost, and an actor
that hears none from its head ends its session, and with it the link to the other side's shard. A
worker that dies is known at once. Nothing moves to another worker by itself: a lost shard ends the
session at both sides, and the next one makes actors anew.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import tomllib
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from queue import SimpleQueue
from socket import gethostbyname
from typing import Any

from securexgb.cluster.messages import Opening, answered, done, failed
from securexgb.cluster.parts import failing_together
from securexgb.cluster.worker import Head, session
from securexgb.cluster.working import work_of
from securexgb.errors import PeerGone, SecureXGBError, ShardGone, UsageError
from securexgb.federation.session import Federation
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from securexgb.terms.toml import to_toml, validate

_BEATS = 8
"""Within the time after which silence is an end."""
_MOST_BEAT_SECONDS = 5.0
_GLANCE_SECONDS = 0.5
"""A waiting head looks so often whether the worker still beats."""
_PARTING_SECONDS = 10.0
_MOST_TEXT = 200


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
        while not self.over.wait(self._silence / _BEATS):
            if time.monotonic() - self.heard > self._silence:
                self.break_off("nothing was heard from the own head")


class DaskShard:
    """A head's way to its shard ``number``; see ``parts.ShardHandle``."""

    def __init__(self, number: int, name: str, actor: _Actor, beats: _Beats) -> None:
        self.number, self._name, self._actor, self._beats = number, name, actor, beats
        self._asked: deque[bytes] = deque()
        self._under_way: Any = None

    def wait(self) -> None:
        """Until it has met the other side's shard and read its rows, or says that it cannot."""
        self._under_way = self._actor.ready()
        self.answer()

    def ask(self, command: bytes) -> None:
        # Calls of an actor may overtake each other: one at a time is on its way.
        self._asked.append(command)
        self._send()

    def answer(self) -> bytes:
        content = self._beats.result(self._under_way, self.number, self._name)
        self._under_way = None
        self._send()
        return answered(content, self._name)

    def close(self, error: BaseException | None = None) -> None:
        if error is None:
            self.ask(b"")
        else:
            self._actor.stop(type(error).__name__)

    def _send(self) -> None:
        if self._under_way is None and self._asked:
            self._under_way = self._actor.answer(self._asked.popleft())


class DaskShards:
    """All shards of this side on its Dask cluster, for one session; see ``parts.Shards``."""

    def __init__(self, federation: Federation, opening: Opening) -> None:
        """ShardGone where the scheduler or a worker does not come, UsageError where workers have
        another installation, or are not where shards have to be."""
        config = federation.config
        self._seconds = config.timeout_seconds
        self._client = _client(federation)
        self._closing = threading.Event()
        self.handles: list[DaskShard] = []
        try:
            actors = self._made(federation)
            for actor in actors:
                actor.open(opening)
            beats = _Beats(actors, self._seconds, self._closing)
        except BaseException as error:
            self._leave()
            raise _ours(f"a Dask worker of {config.name}", error) from None
        self.handles = [
            DaskShard(number, f"shard {number} of {config.name}", actor, beats)
            for number, actor in enumerate(actors)
        ]
        with failing_together(self):
            for shard in self.handles:
                shard.wait()

    def close(self, error: BaseException | None = None) -> None:
        if self._closing.is_set():
            return
        try:
            for shard in self.handles:
                shard.close(error)
            if error is None:
                for shard in self.handles:
                    shard.answer()
        finally:
            self._leave()

    def _made(self, federation: Federation) -> list[_Actor]:
        """An actor on a worker for each number."""
        settings, terms = to_toml(federation.config.with_whole_paths()), federation.terms.to_toml()
        futures = [
            self._client.submit(
                ShardActor, settings, terms, number,
                actor=True, pure=False, workers=[worker], allow_other_workers=False,
            )
            for number, worker in enumerate(_workers(self._client, federation))
        ]  # fmt: skip
        return [_Actor(self._client, future, self._seconds) for future in futures]

    def _leave(self) -> None:
        self._closing.set()
        self._client.close(timeout=_PARTING_SECONDS)


class _Actor:
    """The head's end of a ``ShardActor``.

    An actor lives as long as its future, and is called while its client is the current one: made or
    called through another it is lost without a word (Dask 2026.8).
    """

    def __init__(self, client: Any, future: Any, seconds: float) -> None:
        """Waits until it is there; raises what Dask does."""
        self._client, self._future, self._seconds = client, future, seconds
        with client.as_current():
            self._far = future.result(timeout=seconds)

    def open(self, opening: Opening) -> None:
        with self._client.as_current():
            self._far.open(opening.encode()).result(timeout=self._seconds)

    def answer(self, command: bytes) -> Any:
        """A future of the answer."""
        with self._client.as_current():
            return self._far.answer(command)

    def ready(self) -> Any:
        """A future of what the session begins with."""
        with self._client.as_current():
            return self._far.ready()

    def beat(self) -> Any:
        """A future that ends when the worker has heard it."""
        with self._client.as_current():
            return self._far.beat()

    def stop(self, kind: str) -> None:
        """As far as it is still there."""
        with self._client.as_current(), suppress(Exception):
            self._far.stop(f"the own head has ended with {kind}").result(timeout=_PARTING_SECONDS)


class _Beats:
    """Tells all actors that their head is there, and knows when each was heard last."""

    def __init__(self, actors: Sequence[_Actor], silence: float, over: threading.Event) -> None:
        self._actors, self._silence, self._over = actors, silence, over
        self._heard = [time.monotonic()] * len(actors)
        self._sent: list[Any] = [None] * len(actors)
        threading.Thread(target=self._run, name="beats of Dask shards", daemon=True).start()

    def result(self, future: Any, number: int, name: str) -> bytes:
        """What an actor has answered; ShardGone for one that is lost, or silent for too long."""
        while True:
            try:
                found: bytes = future.result(timeout=_GLANCE_SECONDS)
            except TimeoutError:
                silent = time.monotonic() - self._heard[number]
                if silent > self._silence:
                    raise ShardGone(
                        f"{name}: its Dask worker has said nothing for {silent:.0f} s, so it is "
                        "frozen or cut off"
                    ) from None
            except Exception as error:
                raise _ours(name, error) from None
            else:
                return found

    def _run(self) -> None:
        pause = min(self._silence / _BEATS, _MOST_BEAT_SECONDS)
        while not self._over.wait(pause):
            for number, actor in enumerate(self._actors):
                # Of a worker that is gone ``result`` hears by the call that it waits for.
                with suppress(Exception):
                    self._beat(number, actor)

    def _beat(self, number: int, actor: _Actor) -> None:
        sent = self._sent[number]
        if sent is not None and not sent.done():
            return
        self._sent[number] = None
        if sent is not None:
            sent.result()
            self._heard[number] = time.monotonic()
        self._sent[number] = actor.beat()


def _client(federation: Federation) -> Any:
    """A client of this side's scheduler."""
    try:
        from distributed import Client  # noqa: PLC0415  (an extra, and slow to load)
    except ImportError:
        raise UsageError(
            'engine = "dask" of party.toml needs Dask: pip install "securexgb[cluster]"'
        ) from None
    address, seconds = federation.cluster.scheduler or "", federation.config.timeout_seconds
    if not address.startswith("tls://") and not _is_here(address):
        raise UsageError(
            f"the scheduler {address} of party.toml is on another machine, and its link is not "
            "secured: whoever reaches it runs programs on the workers; give the cluster "
            "certificates (distributed.comm.tls) and write tls://"
        )
    try:
        return Client(address, timeout=seconds, set_as_default=False, name="securexgb")
    except Exception as error:
        raise _ours(f"the Dask scheduler {address} of {federation.config.name}", error) from None


def _ours(name: str, error: BaseException) -> BaseException:
    """What Dask raises, as an error of ours; ours, and what stops a program, as they are."""
    if isinstance(error, SecureXGBError) or not isinstance(error, Exception):
        return error
    what = f"{type(error).__name__}: {str(error)[:_MOST_TEXT]}".rstrip(": ")
    if isinstance(error, (ImportError, AttributeError)):
        return UsageError(
            f"{name} has another installation of securexgb than this machine ({what}): install the "
            "same version on all of them"
        )
    return ShardGone(f"{name} is lost ({what})")


def _is_here(address: str) -> bool:
    host = _host(address)
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _workers(client: Any, federation: Federation) -> list[str]:
    """The address of a worker for each shard: where the settings say at which host a shard listens
    for the other side's, one there."""
    shards, name = federation.terms.shards, federation.config.name
    until = time.monotonic() + federation.config.timeout_seconds
    while len(free := sorted(client.nthreads())) < shards:
        # One that has died may be coming back.
        if time.monotonic() > until:
            raise ShardGone(
                f"{name}: the Dask cluster has {len(free)} workers, and each of {shards} shards "
                "needs one of its own: start more"
            )
        time.sleep(_GLANCE_SECONDS)
    chosen = []
    for number in range(shards):
        at = _host_of(federation, number)
        found = next((one for one in free if at is None or _host(one) == at), None)
        if found is None:
            raise UsageError(
                f"{name}: shard {number} listens for the other side at {at} by links of "
                "party.toml, and no Dask worker is left there: start one there, or change links"
            )
        free.remove(found)
        chosen.append(found)
    return chosen


def _host_of(federation: Federation, number: int) -> str | None:
    """At which host own shard ``number`` has to be; None: anywhere."""
    if federation.config.listen is None or federation.cluster.links is None:
        return None
    host, _ = federation.cluster.own_link(number)
    with suppress(OSError):
        return gethostbyname(host)
    return host


def _host(address: str) -> str:
    """Of an address of Dask's, tls://host:port."""
    return address.rpartition("://")[2].rpartition(":")[0].strip("[]")
