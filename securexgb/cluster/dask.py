"""Shards as actors of a company's own Dask cluster, one on each of its workers.

``[cluster] engine = "dask"`` of party.toml; the extra ``cluster`` brings Dask. The head is a client
of the scheduler that the settings name; each company has a cluster of its own. Nothing of the data
goes through Dask: a worker reads its own rows from files that it finds under the same paths as the
head. What does go are the settings without any key, commands and answers, all of them bytes or text
of our own.

An actor (``cluster.actor``) answers the head's beats while it works: a head that hears none from a
worker for ``timeout_seconds`` takes the shard for lost, and so does an actor that hears none from
its head. A worker that dies is known at once. Nothing moves to another worker by itself: a lost
shard ends the session at both sides, and the next one makes actors anew.

What Dask (2026.8) does with a lost actor decides much here. Its future becomes an error; a call
from then on raises at once, but one under way may never end, if its worker's death is told before
the connection breaks. So whoever waits for an answer looks at the actor's future, too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from socket import gethostbyname
from typing import Any

from securexgb.cluster.actor import BEATS, ShardActor
from securexgb.cluster.messages import Opening, answered
from securexgb.errors import CertificateRefused, SecureXGBError, ShardGone, UsageError
from securexgb.federation.session import Federation
from securexgb.terms.toml import to_toml

_MOST_BEAT_SECONDS = 5.0
_GLANCE_SECONDS = 0.5
"""A waiting head looks so often whether the worker still beats."""
_MAKING_SECONDS = 60.0
"""So long a worker may take at least to make its actor: it loads this package first."""
_PARTING_SECONDS = 2.0
"""So long all workers together may take to hear that their head has failed."""
_CLOSING_SECONDS = 10.0
_QUIET_SECONDS = 10.0
"""A worker tells its scheduler every half a second that it is there, every five in the largest
clusters; Dask itself drops it after five minutes."""
_MOST_TEXT = 200


class DaskShard:
    """A head's way to its shard ``number``; see ``parts.ShardHandle``."""

    def __init__(self, number: int, name: str, actor: _Actor, beats: _Beats) -> None:
        self.number, self.name, self._actor, self._beats = number, name, actor, beats
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
        content = self._beats.result(self._under_way, self.number, self.name)
        self._under_way = None
        self._send()
        return answered(content, self.name)

    def close(self, error: BaseException | None = None) -> None:
        if error is None:
            self.ask(b"")
        else:
            self._actor.stop(type(error).__name__)

    def part(self, until: float) -> None:
        """Wait no longer than that for the worker to hear that the head has failed."""
        self._actor.part(until)

    def _send(self) -> None:
        if self._under_way is None and self._asked:
            self._under_way = self._actor.answer(self._asked.popleft())


class DaskShards:
    """All shards of this side on its Dask cluster, for one session; see ``parts.Shards``."""

    def __init__(self, federation: Federation) -> None:
        """ShardGone where the scheduler or a worker does not come, UsageError where workers have
        another installation, or are not where shards have to be."""
        config = federation.config
        self._seconds = config.timeout_seconds
        self._client = _client(federation)
        self._closing = threading.Event()
        self.handles: list[DaskShard] = []
        try:
            self._actors = actors = self._made(federation)
            beats = _Beats(actors, self._seconds, self._closing)
        except BaseException as error:
            self._leave()
            raise _ours(f"a Dask worker of {config.name}", error) from None
        self.handles = [
            DaskShard(number, f"shard {number} of {config.name}", actor, beats)
            for number, actor in enumerate(actors)
        ]

    def open(self, opening: Opening) -> None:
        """Begin the session with all of them; raises what a shard raises that cannot begin."""
        for actor, shard in zip(self._actors, self.handles, strict=True):
            try:
                actor.open(opening)
            except Exception as error:
                raise _ours(shard.name, error) from None
        for shard in self.handles:
            shard.wait()

    def close(self, error: BaseException | None = None) -> None:
        if self._closing.is_set():
            return
        try:
            for shard in self.handles:
                shard.close(error)
            until = time.monotonic() + _PARTING_SECONDS
            for shard in self.handles:
                if error is None:
                    shard.answer()
                else:
                    shard.part(until)
        finally:
            self._leave()

    def _made(self, federation: Federation) -> list[_Actor]:
        """An actor on a worker for each number."""
        settings, terms = to_toml(federation.config.with_whole_paths()), federation.terms.to_toml()
        workers = _workers(self._client, federation)
        futures = [
            self._client.submit(
                ShardActor, settings, terms, number,
                actor=True, pure=False, workers=[worker], allow_other_workers=False,
            )
            for number, worker in enumerate(workers)
        ]  # fmt: skip
        return [
            _Actor(self._client, future, worker, self._seconds)
            for worker, future in zip(workers, futures, strict=True)
        ]

    def _leave(self) -> None:
        self._closing.set()
        self._client.close(timeout=_CLOSING_SECONDS)


class _Actor:
    """The head's end of a ``ShardActor``.

    An actor lives as long as its future, and is called while its client is the current one: made or
    called through another it is lost without a word (Dask 2026.8).
    """

    def __init__(self, client: Any, future: Any, worker: str, seconds: float) -> None:
        """Waits until it is there; raises what Dask does, and ShardGone where it does not come."""
        self._client, self._future, self._seconds = client, future, seconds
        self._stopping: Any = None
        most = max(seconds, _MAKING_SECONDS)
        until = time.monotonic() + most
        while True:
            try:
                with client.as_current():
                    self._far = future.result(timeout=_GLANCE_SECONDS)
            except TimeoutError:
                if worker not in client.nthreads():
                    raise ShardGone(f"the Dask worker at {worker} is gone") from None
                if time.monotonic() > until:
                    raise ShardGone(
                        f"the Dask worker at {worker} did not begin within {most:g} s, so it is "
                        "frozen, cut off, or has other work"
                    ) from None
            else:
                return

    @property
    def is_lost(self) -> bool:
        """The scheduler says that its worker is gone, or is gone itself."""
        return bool(self._future.status != "finished")

    def open(self, opening: Opening) -> None:
        with self._client.as_current():
            self._far.open(opening.encode()).result(timeout=self._seconds)

    def answer(self, command: bytes) -> Any:
        """A future of the answer."""
        try:
            with self._client.as_current():
                return self._far.answer(command)
        except Exception as error:  # of whatever kind: Dask knows that its worker is gone
            return _NotAsked(error)

    def ready(self) -> Any:
        """A future of what the session begins with."""
        try:
            with self._client.as_current():
                return self._far.ready()
        except Exception as error:
            return _NotAsked(error)

    def beat(self) -> Any:
        """A future that ends when the worker has heard it."""
        with self._client.as_current():
            return self._far.beat()

    def stop(self, kind: str) -> None:
        """As far as it is still there; see ``part``."""
        with self._client.as_current(), suppress(Exception):
            self._stopping = self._far.stop(f"the own head has ended with {kind}")

    def part(self, until: float) -> None:
        """Until it has heard that, or until then."""
        if self._stopping is not None and not self.is_lost:
            with suppress(Exception):
                self._stopping.result(timeout=max(until - time.monotonic(), 0.0))


class _NotAsked:
    """In place of the future of a call that could not be made."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def result(self, timeout: float) -> bytes:
        raise self._error


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
                if self._actors[number].is_lost:
                    raise ShardGone(f"{name} is lost: its Dask worker has died") from None
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
        pause = min(self._silence / BEATS, _MOST_BEAT_SECONDS)
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
        # An extra, and slow to load.
        from distributed import Client, Security  # noqa: PLC0415
        from distributed.comm.core import FatalCommClosedError  # noqa: PLC0415
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
    # Of a scheduler that has gone Dask's client shows a traceback; the head says it in a sentence.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    security = Security(**_certificates(federation))
    if address.startswith("tls://"):
        _check(security, federation.config.name)
    try:
        return Client(
            address, security=security, timeout=seconds, set_as_default=False, name="securexgb"
        )
    except FatalCommClosedError as error:
        raise CertificateRefused(
            f"the Dask scheduler {address} of {federation.config.name} and this side do not take "
            f"each other's certificates ({_said(error)}): compare scheduler_ca and "
            "scheduler_certificate of party.toml with those of the cluster"
        ) from None
    except Exception as error:
        raise ShardGone(
            f"the Dask scheduler {address} of {federation.config.name} cannot be reached "
            f"({_said(error)})"
        ) from None


def _certificates(federation: Federation) -> dict[str, str]:
    """Of party.toml, as Dask calls them; none: those of Dask's own settings."""
    settings = federation.cluster
    found = {
        "tls_ca_file": settings.scheduler_ca,
        "tls_client_cert": settings.scheduler_certificate,
        "tls_client_key": settings.scheduler_key,
    }
    return {name: str(path) for name, path in found.items() if path is not None}


def _check(security: Any, name: str) -> None:
    """UsageError where there are no certificates, or they are of no use."""
    what = "there is none"
    if security.tls_ca_file and security.tls_client_cert:
        try:
            security.get_connection_args("client")
        except Exception as error:
            what = _said(error)
        else:
            return
    raise UsageError(
        f"{name}: no certificate for the Dask cluster can be used ({what}): give scheduler_ca, "
        "scheduler_certificate and scheduler_key in [cluster] of party.toml"
    )


def _ours(name: str, error: BaseException) -> BaseException:
    """What Dask raises, as an error of ours; ours, and what stops a program, as they are."""
    if isinstance(error, SecureXGBError) or not isinstance(error, Exception):
        return error
    what = _said(error)
    if isinstance(error, (ImportError, AttributeError)):
        return UsageError(
            f"{name} has another installation of securexgb than this machine ({what}): install the "
            "same version on all of them"
        )
    return ShardGone(f"{name} is lost ({what})")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:_MOST_TEXT]}".rstrip(": ")


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
    while len(free := _alive(client)) < shards:
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


def _alive(client: Any) -> list[str]:
    """The addresses of all workers but those that are silent while others are heard."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    heard = {address: of["last_seen"] for address, of in workers.items()}
    newest = max(heard.values(), default=0.0)
    return sorted(at for at, when in heard.items() if newest - when < _QUIET_SECONDS)


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
