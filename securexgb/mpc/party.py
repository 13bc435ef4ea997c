"""One party in the midst of a job: its rank, its link, its randomness, its ledger.

A ``Party`` is passed to every protocol; there is no global one. It is the only
place of this package that touches the channel. ``exchange`` is one round: both
sides send, then both receive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol

import numpy as np

from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.correlations.source import CorrelationSource
from securexgb.errors import ProtocolDesync
from securexgb.mpc.reveals import Ledger
from securexgb.mpc.shared import Words

Role = Literal["label", "feature"]
ROLES: tuple[Role, Role] = ("label", "feature")


class IdealWorld(Protocol):
    """Runs functionalities in the clear; only the test kit has one."""

    def run(self, ideal: Callable[..., Any], args: tuple[Any, ...]) -> Any: ...


class Party:
    """This side's context.

    ``rank``: 0 is the label party, 1 the feature party. ``private``: this party's own
    randomness, new in every run. ``padding``: a stream of it for ``mpc.padding``. ``coins``:
    public coins, equal at both sides. ``lasting``: what follows from a secret that this party
    keeps, the same in every run; only streams derived from it are used, each for what must not
    change when a run is repeated.
    ``ideal`` is None; the insecure plaintext backend of the test kit sets it, see
    ``mpc.protocol``.
    """

    ideal: IdealWorld | None = None

    def __init__(
        self,
        rank: int,
        channel: Channel,
        source: CorrelationSource,
        private: Prg,
        coins: Prg,
        lasting: Prg,
    ) -> None:
        self.rank = rank
        self.channel = channel
        self.source = source
        self.private = private
        self.padding = private.derive("padding")
        self.coins = coins
        self.lasting = lasting
        self.ledger = Ledger()
        self.rounds = 0
        self._path: list[str] = []
        self._messages = 0

    @property
    def role(self) -> Role:
        return ROLES[self.rank]

    @contextmanager
    def step(self, name: str, index: int | None = None) -> Iterator[None]:
        """A named place in the program; labels the messages sent within."""
        self._path.append(name if index is None else f"{name} {index}")
        try:
            yield
        finally:
            self._path.pop()

    @property
    def place(self) -> str:
        """Where the program is: "tree 3/level 2/compare"."""
        return "/".join(self._path)

    def _tag(self) -> str:
        self._messages += 1
        return f"{self.place}#{self._messages}"

    def exchange(self, words: Words, expect: int | None = None) -> Words:
        """One round: send these words, receive as many (the shape is kept) or ``expect``."""
        tag = self._tag()
        self.rounds += 1
        self.channel.send(tag, np.ascontiguousarray(words).reshape(-1).data.cast("B"))
        received = np.frombuffer(self.channel.receive(tag), dtype="<u8")
        _check_count(received, words.size if expect is None else expect, tag)
        return received.reshape(words.shape) if expect is None else received

    def exchange_bytes(self, payload: bytes) -> bytes:
        """One round of public data of any length."""
        tag = self._tag()
        self.rounds += 1
        self.channel.send(tag, payload)
        return bytes(self.channel.receive(tag))

    def pass_words(self, sender: int, words: Words, count: int) -> Words:
        """One message of ``count`` words from party ``sender``; both get the words."""
        tag = self._tag()
        self.rounds += 1
        if self.rank == sender:
            self.channel.send(tag, np.ascontiguousarray(words).data.cast("B"))
            return words
        received = np.frombuffer(self.channel.receive(tag), dtype="<u8")
        _check_count(received, count, tag)
        return received


def _check_count(words: Words, count: int, tag: str) -> None:
    if words.size != count:
        raise ProtocolDesync(f"the message at {tag} has {words.size} words instead of {count}")
