"""What products by Paillier and by BFV have in common: matrices by owner, messages, one bound.

Both parties' matrices are served at once where both run dry, so that both work at the same time:
each party is P, who owns the one matrix, and Q, who asks for products with the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Generic, Protocol, TypeAlias, TypeVar

from securexgb.channel.channel import Channel
from securexgb.correlations.source import Account, DividedProducts
from securexgb.errors import UsageError

Received = Iterator[bytes | memoryview]
Due: TypeAlias = tuple[str, int]
"""A message that is awaited: its tag, and how many bytes it has at most."""


class Registered(Protocol):
    """One registered matrix at one party; ``made``: vectors that there are products of."""

    owner: int
    made: int


M = TypeVar("M", bound=Registered)


class HomomorphicProducts(Generic[M]):
    """One party's end; both call the same methods in the same order.

    ``values_in_job``: the most words of products, both directions together, that will ever be
    asked for. ``sized``: what was made for so many.
    """

    sized: ClassVar[str]

    def __init__(self, rank: int, channel: Channel, values_in_job: int) -> None:
        self.account = Account()
        self._rank = rank
        self._channel = channel
        self._values_left = self._values_in_job = values_in_job
        self._matrices: list[M | None] = [None, None]

    @property
    def divided(self) -> DividedProducts | None:
        """See ``correlations.source``."""
        return None

    @property
    def pads(self) -> None:
        """See ``correlations.source``."""

    def plan(self, vectors: int, values: int, *, is_far: bool) -> None:
        """See ``correlations.source``: what is made suits what the job asks for."""
        self._values_left = self._values_in_job = values

    def begin(self) -> None:
        """Nothing is made before it is asked for; see ``producer``."""

    def _matrix(self, owner: int) -> M:
        matrix = self._matrices[owner]
        if matrix is None:
            raise UsageError(f"the matrix of party {owner} is not registered: do that first")
        return matrix

    def _dry(self, vectors: int) -> list[M]:
        """The matrices of which fewer vectors were made."""
        return [m for m in self._matrices if m is not None and m.made < vectors]

    def _mine_and_asked(self, matrices: list[M]) -> tuple[M | None, M | None]:
        """Which of these this party owns, and of which it asks for products."""
        mine = next((m for m in matrices if m.owner == self._rank), None)
        return mine, next((m for m in matrices if m.owner != self._rank), None)

    def _spend(self, values: int) -> None:
        if values > self._values_left:
            raise UsageError(
                f"more than the {self._values_in_job} values that {self.sized} were made for: "
                "state the job's real size"
            )
        self._values_left -= values

    def _send(self, tag: str, message: bytes, awaits: int | None = None) -> None:
        self._channel.send(tag, message, awaits)
        self.account.channel_bytes += len(message)

    def _swapped(self, outgoing: Iterable[tuple[str, bytes]], due: list[Due]) -> Received:
        """Receives what is due, one for each message sent: nobody's buffers fill up."""
        waiting = iter(due)
        for tag, message in outgoing:
            expected = next(waiting, None)
            self._send(tag, message, expected and expected[1])
            if expected is not None:
                yield self._channel.receive(*expected)
        for one in waiting:
            yield self._channel.receive(*one)


def finish(messages: Received) -> None:
    """Send what is still to be sent; all that was expected has been read."""
    for _ in messages:
        raise AssertionError("a message was left unread")
