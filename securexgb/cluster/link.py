"""A head's shards as processes of their own: a link to each, over mutual TLS with the one
certificate of the company.

The head dials, because it comes and goes; a shard waits for it. Questions go on the first stream of
a link, answers on the second, so that at each end one thread has each. The link's heartbeat tells
a shard that is frozen or cut off from one that computes.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from securexgb.channel.channel import MESSAGE_BYTES
from securexgb.channel.endpoint import Endpoint, connect
from securexgb.channel.grpc import GrpcChannel
from securexgb.channel.handshake import Hello
from securexgb.cluster.messages import Opening, answered
from securexgb.cluster.parts import failing_together
from securexgb.errors import (
    PeerError,
    PeerGone,
    PeerTimeout,
    SecureXGBError,
    ShardGone,
    StoppedByPeer,
)
from securexgb.federation.session import Federation
from securexgb.terms.cluster import written

OPEN, COMMAND, ANSWER = "open", "command", "answer"


def own_endpoint(federation: Federation, *, called: str) -> Endpoint:
    """With a process of the same company: its own certificate is the pinned one, too."""
    endpoint = federation.endpoint()
    own = replace(endpoint.credentials, peer=endpoint.credentials.own)
    name = federation.config.name
    return replace(
        endpoint, credentials=own, peer_name=name, called=called, listen=None, connect=None
    )


def own_hello(federation: Federation, role: str, number: int) -> Hello:
    """``role``: head or shard."""
    name = federation.config.name
    hello = federation.hello("train", number)
    return replace(hello, role=role, name=name, peer_name=name, purpose=f"shard {number}")


class LinkedShard:
    """A head's way to its shard ``number``; see ``parts.ShardHandle``."""

    def __init__(self, federation: Federation, number: int) -> None:
        """Dials until the shard is there, as long as the other side may be silent."""
        self.number = number
        self._name = f"shard {number} of {federation.config.name}"
        host, port = federation.cluster.own_shard(number)
        endpoint = replace(
            own_endpoint(federation, called=self._name),
            connect=written(host, port),
            wait_seconds=federation.config.timeout_seconds,
        )
        try:
            self._channel: GrpcChannel = connect(endpoint, own_hello(federation, "head", number))
        except PeerError as error:
            raise ShardGone(str(error)) from None
        self._answers = self._channel.stream("offline")

    def open(self, opening: Opening) -> None:
        """Begin a session; what comes of it ``wait`` says."""
        with suppress(PeerGone, StoppedByPeer):  # as in ``ask``
            self._channel.send(OPEN, opening.encode())

    def wait(self) -> None:
        """Until it has met the other side's shard and read its rows, or says that it cannot: both
        take their time, and have deadlines of their own."""
        while True:
            try:
                self.answer()
            except PeerTimeout:
                continue
            return

    def ask(self, command: bytes) -> None:
        # Why a link has ended may stand in an answer that has come before: see there.
        with suppress(PeerGone, StoppedByPeer):
            self._channel.send(COMMAND, command)

    def answer(self) -> bytes:
        try:
            content = self._answers.receive(ANSWER, MESSAGE_BYTES)
        except SecureXGBError as error:
            raise self._lost(error) from None
        return answered(content, self._name)

    def close(self, error: BaseException | None = None) -> None:
        if error is None:
            self.ask(b"")  # no command is empty: the last one is
        self._channel.close(error)

    def _lost(self, error: SecureXGBError) -> SecureXGBError:
        """An end that nobody asked for is a lost shard, however it came."""
        if isinstance(error, (PeerGone, StoppedByPeer)):
            return ShardGone(str(error))
        return error


class LinkedShards:
    """All shards of this side, for one session; see ``parts.Shards``."""

    def __init__(self, federation: Federation) -> None:
        """ShardGone where one does not come."""
        self.handles: list[LinkedShard] = []
        with failing_together(self):
            for number in range(federation.terms.shards):
                self.handles.append(LinkedShard(federation, number))

    def open(self, opening: Opening) -> None:
        """Begin the session with all of them; raises what a shard raises that cannot begin."""
        for shard in self.handles:
            shard.open(opening)
        for shard in self.handles:
            shard.wait()

    def close(self, error: BaseException | None = None) -> None:
        for shard in self.handles:
            shard.close(error)
