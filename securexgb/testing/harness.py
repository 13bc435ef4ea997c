"""Both parties of a program in two threads of this process.

``backend="shared"`` runs the protocols on shares; ``backend="plaintext"`` puts both
parties' shares together at every protocol and runs its functionality in the clear, which
every algorithm above must match bit for bit. Neither protects anything: both sides are
in one process. The correlations come from an insecure local source, unless a ``Method``
says how they are really made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import numpy as np

from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.channel.memory import memory_pair
from securexgb.correlations.source import CorrelationSource
from securexgb.errors import PeerError, StoppedByPeer
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.offline.local import InsecureLocalSource
from securexgb.offline.method import Method
from securexgb.offline.two_party import TwoPartySource

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
        return self._meeting.run(self._rank, ideal, args)


def insecure_parties(
    seed: int,
    backend: Backend = "shared",
    timeout_seconds: float = 60.0,
    method: Method | None = None,
    lasting: int | None = None,
) -> tuple[Party, Party]:
    """Two connected parties whose randomness all derives from ``seed``.

    ``lasting``: stands for the secrets that parties keep from run to run; None: ``seed``.

    ``method``: how correlations are made, with an in-process dealer where it has one; None:
    all by that dealer, which is the fastest for small data.
    """
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
    root = _root(seed)
    kept = root if lasting is None else _root(lasting)
    meeting = InsecureMeeting(timeout_seconds)
    parties = []
    for rank, channel in enumerate(channels):
        source = _source(method, rank, channel, root)
        own, coins = root.derive(f"party {rank}"), root.derive("coins")
        party = Party(rank, channel, source, own, coins, kept.derive(f"lasting secret {rank}"))
        if backend == "plaintext":
            party.ideal = _Seat(meeting, rank)
        parties.append(party)
    return parties[0], parties[1]


def _root(seed: int) -> Prg:
    return Prg(int(seed).to_bytes(16, "little"))


def _source(method: Method | None, rank: int, channel: Channel, root: Prg) -> CorrelationSource:
    own = root.derive(f"correlations of party {rank}")
    products = None
    if method is not None:
        products = method.products(rank, channel, own.derive("products"))
    if method is None or method.has_dealer or products is None:
        return InsecureLocalSource(rank, channel, root.derive("correlations").key, products)
    return TwoPartySource(rank, channel, own.derive("offline"), products)


def run_parties(
    program: Callable[[Party, Any], Result],
    inputs: Sequence[Any],
    backend: Backend = "shared",
    seed: int = 0,
    timeout_seconds: float = 60.0,
    lasting: int | None = None,
) -> list[Result]:
    """``program(party, inputs[rank])`` at both sides; both results.

    Where a side fails the other is stopped at once, and the cause is raised, not the casualty.
    """
    parties = insecure_parties(seed, backend, timeout_seconds, lasting=lasting)
    return run_both(program, parties, inputs)


def run_both(
    program: Callable[[Party, Any], Result], parties: Sequence[Party], inputs: Sequence[Any]
) -> list[Result]:
    """Run both given parties, the label party in this thread."""
    results: list[Any] = [None, None]
    errors: list[BaseException | None] = [None, None]

    def side(rank: int) -> None:
        party = parties[rank]
        try:
            results[rank] = program(party, inputs[rank])
        except BaseException as error:
            errors[rank] = error
            party.channel.close(error)
            if isinstance(party.ideal, _Seat):
                party.ideal._meeting.abort()

    other = threading.Thread(target=side, args=(1,), name="feature party", daemon=True)
    other.start()
    side(0)
    other.join()
    _raise_cause(errors)
    return results


def _raise_cause(errors: list[BaseException | None]) -> None:
    casualties = (StoppedByPeer, PeerError, threading.BrokenBarrierError)
    causes = [error for error in errors if error is not None]
    causes.sort(key=lambda error: isinstance(error, casualties))
    if causes:
        raise causes[0]


__all__ = ["Backend", "insecure_parties", "join_parties", "run_both", "run_parties"]
