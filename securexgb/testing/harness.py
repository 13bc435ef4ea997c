"""Both parties of a program in two threads of this process, on shares or in the clear.

``backend="shared"`` runs the protocols on shares; ``backend="plaintext"`` puts both
parties' shares together at every protocol and runs its functionality in the clear, which
every algorithm above must match bit for bit. Neither protects anything: both sides are
in one process, see ``jobs.local``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import numpy as np

from securexgb.channel.channel import Channel
from securexgb.channel.memory import memory_pair
from securexgb.errors import StoppedByPeer
from securexgb.jobs import local
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.offline.method import Method

__all__ = ["Backend", "insecure_parties", "join_parties", "run_both", "run_parties"]

Backend = Literal["shared", "plaintext"]
Result = TypeVar("Result")


class InsecureMeeting:
    """The ideal world: both threads lay their arguments open and get the functionality."""

    def __init__(self, timeout_seconds: float) -> None:
        self._barrier = threading.Barrier(2, timeout=timeout_seconds)
        self._slots: list[Any] = [None, None]

    def run(self, rank: int, ideal: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """This party's part of the functionality's result: all of it at rank 0."""
        self._slots[rank] = args
        self._barrier.wait()
        both = list(self._slots)
        self._barrier.wait()
        return _split(ideal(*map(_join, both[0], both[1])), rank)

    def abort(self) -> None:
        self._barrier.abort()


def _join(first: Any, second: Any) -> Any:
    """A value in the clear from both parties' arguments."""
    if isinstance(first, tuple | list) and isinstance(second, tuple | list):
        return type(first)(map(_join, first, second))
    if isinstance(first, Shared):
        return Shared(first.words + second.words)
    if isinstance(first, SharedBits):
        return SharedBits(first.words ^ second.words, first.count)
    if isinstance(first, np.ndarray) and first.dtype == np.bool_:
        return first | second  # private rows; the other side's are false
    return second if first is None else first


def _split(result: Any, rank: int) -> Any:
    if isinstance(result, tuple):
        return tuple(_split(part, rank) for part in result)
    if rank == 0 or isinstance(result, np.ndarray):
        return result
    if isinstance(result, Shared):
        return Shared(np.zeros_like(result.words))
    return SharedBits(np.zeros_like(result.words), result.count)


class _Seat:
    """One party's door to the meeting."""

    def __init__(self, meeting: InsecureMeeting, rank: int) -> None:
        self._meeting, self._rank = meeting, rank

    def run(self, ideal: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        try:
            return self._meeting.run(self._rank, ideal, args)
        except threading.BrokenBarrierError:
            raise StoppedByPeer("the other side has left the ideal world") from None

    def leave(self) -> None:
        """Nobody waits for this party any more."""
        self._meeting.abort()


def insecure_parties(
    seed: int,
    backend: Backend = "shared",
    timeout_seconds: float = 60.0,
    method: Method | None = None,
    lasting: int | None = None,
) -> tuple[Party, Party]:
    """Two connected parties on a backend; see ``jobs.local.join_parties``."""
    channels = memory_pair(timeout_seconds)
    return join_parties(channels, seed, backend, timeout_seconds, method, lasting)


def join_parties(
    channels: tuple[Channel, Channel],
    seed: int,
    backend: Backend,
    timeout_seconds: float,
    method: Method | None = None,
    lasting: int | None = None,
) -> tuple[Party, Party]:
    """The same on given channels (recorded ones, say)."""
    parties = local.join_parties(channels, seed, method, lasting)
    if backend == "plaintext":
        meeting = InsecureMeeting(timeout_seconds)
        for party in parties:
            party.ideal = _Seat(meeting, party.rank)
    return parties


def run_parties(
    program: Callable[[Party, Any], Result],
    inputs: Sequence[Any],
    backend: Backend = "shared",
    seed: int = 0,
    timeout_seconds: float = 60.0,
    lasting: int | None = None,
) -> list[Result]:
    """``program(party, inputs[rank])`` at both sides; both results."""
    parties = insecure_parties(seed, backend, timeout_seconds, lasting=lasting)
    return run_both(program, parties, inputs)


def run_both(
    program: Callable[[Party, Any], Result], parties: Sequence[Party], inputs: Sequence[Any]
) -> list[Result]:
    """Run both given parties; where one fails the cause is raised, see ``jobs.local.run_both``."""

    def watched(party: Party, own: Any) -> Result:
        try:
            return program(party, own)
        except BaseException:
            if isinstance(party.ideal, _Seat):
                party.ideal.leave()
            raise

    return local.run_both(watched, parties, inputs)
