"""One party in the midst of a job: its rank, its link, its randomness, its ledger.

A ``Party`` is passed to every protocol; there is no global one. It is the only
place of this package that touches the channel. ``exchange`` is one round: both
sides send, then both receive. Where several steps run in the same rounds (``mpc.together``), each
has a branch of the party, and one message carries what all of them send.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from securexgb.arith.bits import in_turn
from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.correlations.prices import Prices
from securexgb.correlations.source import CorrelationSource
from securexgb.errors import ProtocolDesync, UsageError
from securexgb.mpc.reveals import Ledger
from securexgb.mpc.shared import Words

Role = Literal["label", "feature"]
WORD_BYTES = 8
PUBLIC_BYTES = 16 << 20
"""The most of public data that one side tells the other at once: names, ledgers, lists of runs."""
ROLES: tuple[Role, Role] = ("label", "feature")


@dataclass(frozen=True, repr=False)
class Message:
    """What one step sends and awaits in one round.

    ``place``: in the program. ``payload``: None where this side sends nothing; ``expect``: how many
    words come, None where nothing does. Which of the two it is follows from public values.
    """

    place: str
    payload: memoryview | None
    expect: int | None


Round: TypeAlias = Callable[[Sequence[Message]], list[Words]]
"""One round of messages: what has come for each, no words where nothing does."""


class IdealWorld(Protocol):
    """Runs functionalities in the clear; only the test kit has one."""

    def run(self, ideal: Callable[..., Any], args: tuple[Any, ...]) -> Any: ...


class Party:
    """This side's context.

    ``rank``: 0 is the label party, 1 the feature party. ``private``: this party's own
    randomness, new in every run. ``padding``: a stream of it for ``mpc.padding``. ``coins``:
    public coins, equal at both sides. ``place``: where the program
    is, "tree 3/level 2/compare". ``lasting``: what follows from a secret that this party
    keeps, the same in every run; only streams derived from it are used, each for what must not
    change when a run is repeated.
    ``round_words``: see ``Prices``; public, the same at both, set by who measures the link.
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
        self.round_words = 0
        self.place = ""
        self._messages = 0
        self._round: Round | None = None

    @property
    def role(self) -> Role:
        return ROLES[self.rank]

    @property
    def prices(self) -> Prices:
        """What protocols choose by: of the source, on this link."""
        return replace(self.source.prices, round_words=self.round_words)

    def step(self, name: str, index: int | None = None) -> AbstractContextManager[None]:
        """A named place in the program; labels the messages sent within."""
        return _Step(self, name if index is None else f"{name} {index}")

    def branch(self, in_round: Round) -> Party:
        """This party for one of several steps that run together: ``in_round`` sends for it."""
        branch = copy.copy(self)
        branch._round = in_round
        return branch

    def exchange(self, words: Words, expect: int | None = None) -> Words:
        """One round: send these words, receive as many (the shape is kept) or ``expect``."""
        count = words.size if expect is None else expect
        (received,) = self.in_round([Message(self.place, _bytes_of(words), count)])
        return received.reshape(words.shape) if expect is None else received

    def pass_words(self, sender: int, words: Words, count: int) -> Words:
        """One message of ``count`` words from party ``sender``; both get the words."""
        if self.rank == sender:
            self.in_round([Message(self.place, _bytes_of(words), None)])
            return words
        (received,) = self.in_round([Message(self.place, None, count)])
        return received

    def exchange_bytes(self, payload: bytes) -> bytes:
        """One round of public data, at most ``PUBLIC_BYTES``; not within a step that runs with
        others."""
        tag = self._alone(payload)
        self.channel.send(tag, payload)
        return bytes(self.channel.receive(tag, PUBLIC_BYTES))

    def pass_bytes(self, sender: int, payload: bytes = b"", most: int = PUBLIC_BYTES) -> bytes:
        """One message of at most ``most`` bytes from party ``sender``; both get them. Public to
        both; not within a step that runs with others."""
        tag = self._alone(payload)
        if self.rank != sender:
            return bytes(self.channel.receive(tag, most))
        self.channel.send(tag, payload)
        return payload

    def _alone(self, payload: bytes) -> str:
        """The tag of a message of bytes, once it may be one."""
        if len(payload) > PUBLIC_BYTES:
            raise UsageError(f"{len(payload)} bytes are too many to tell at once, {self.place}")
        if self._round is not None:
            raise UsageError(f"bytes of any length are exchanged beside other steps, {self.place}")
        return self._tag(self.place)

    def in_round(self, messages: Sequence[Message]) -> list[Words]:
        """One round of the messages of all steps that run together: what they send goes as one."""
        if self._round is not None:
            return self._round(messages)
        tag = self._tag(*(message.place for message in messages))
        payloads = [message.payload for message in messages if message.payload is not None]
        counts = [message.expect for message in messages]
        expected = [count for count in counts if count is not None]
        due = WORD_BYTES * sum(expected)
        if payloads:
            payload = payloads[0] if len(payloads) == 1 else b"".join(payloads)
            self.channel.send(tag, payload, due if expected else None)
        received = np.zeros(0, np.uint64)
        if expected:
            received = _words_of(self.channel.receive(tag, due), due, tag)
        return list(in_turn(received, [count or 0 for count in counts]))

    def _tag(self, place: str, *others: str) -> str:
        """The name of the next round's message."""
        self.rounds += 1
        self._messages += 1
        if others:
            within = (name.removeprefix(self.place).strip("/") for name in (place, *others))
            place = f"{self.place}/({' + '.join(within)})"
        return f"{place}#{self._messages}"


class _Step(AbstractContextManager[None]):
    """See ``Party.step``; a class, since a row alone takes a dozen of them."""

    __slots__ = ("_before", "_here", "_party")

    def __init__(self, party: Party, here: str) -> None:
        self._party, self._here, self._before = party, here, party.place

    def __enter__(self) -> None:
        party = self._party
        before = self._before = party.place
        party.place = f"{before}/{self._here}" if before else self._here

    def __exit__(self, *_: object) -> None:
        self._party.place = self._before


def _bytes_of(words: Words) -> memoryview:
    return np.ascontiguousarray(words).reshape(-1).data.cast("B")


def _words_of(payload: bytes | memoryview, size: int, tag: str) -> Words:
    """A message of so many bytes as words; ProtocolDesync where it has another length."""
    if len(payload) != size:
        raise ProtocolDesync(f"the message at {tag} has {len(payload)} bytes instead of {size}")
    return np.frombuffer(payload, dtype="<u8")
