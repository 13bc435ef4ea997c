"""Independent steps in the same rounds.

A round costs its latency whatever it carries, so steps that do not need each other's results run
side by side: in every round each of them says what it sends and what it awaits, and one message
carries it all. The steps take turns, in their order, from one message to the next: only one runs
at a time. So whatever they take from what they share, correlations, this party's randomness, the
ledger, is taken in an order that follows from the program alone, and is the same at both parties.

What a party sees is what it sees of the steps one after the other, each message in an earlier round
at most; see docs/proof.md, steps side by side.

The first step runs in the thread of its caller, each other in one of its own. All that is sent
and received passes through the caller's thread. A step that fails ends the others, at
the message that they wait for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar, overload

from securexgb.mpc.party import Message, Party
from securexgb.mpc.shared import Words

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
Step: TypeAlias = Callable[[Party], A]


@overload
def together(party: Party, first: Step[A], second: Step[B], /) -> tuple[A, B]: ...
@overload
def together(
    party: Party, first: Step[A], second: Step[B], third: Step[C], /
) -> tuple[A, B, C]: ...
@overload
def together(party: Party, *steps: Step[A]) -> tuple[A, ...]: ...
def together(party: Party, *steps: Step[Any]) -> tuple[Any, ...]:
    """The results of steps that do not depend on one another; rounds are those of the longest.

    Each step gets the party to run with. Its cost is ``Cost.at_once`` of theirs. What one of them
    raises is raised, and ends the others.
    """
    if party.ideal is not None or len(steps) < 2:
        return tuple(step(party) for step in steps)
    others = [_Other(party, step) for step in steps[1:]]

    def in_round(messages: Sequence[Message]) -> list[Words]:
        """A round of the first step, and of all others that are not at their end."""
        for other in others:
            other.run_on()
        parts, waiting = [messages], list[_Other]()
        for other in others:
            if not isinstance(other.reached, _Done):
                waiting.append(other)
                parts.append(other.reached)
        everything = [message for part in parts for message in part]
        received = iter(party.in_round(everything) if everything else [])
        own, *theirs = [[next(received) for _ in part] for part in parts]
        for other, words in zip(waiting, theirs, strict=True):
            other.received = words
        return own

    try:
        first = steps[0](party.branch(in_round))
        while not all(isinstance(other.reached, _Done) for other in others):
            in_round([])
    except BaseException:
        for other in others:
            other.stop()
        raise
    return (first, *(other.reached.result for other in others if isinstance(other.reached, _Done)))


class _Stopped(BaseException):
    """Raised in a step where it waits, since another one has failed; no step catches it."""


@dataclass(frozen=True)
class _Done:
    """The end of a step."""

    result: Any


class _Other:
    """A step in a thread of its own, which runs only while its caller waits for it.

    ``reached``: the messages of the next round that it waits with, or its end; ``received``: what
    has come for them.
    """

    def __init__(self, party: Party, step: Step[Any]) -> None:
        self._party, self._step = party, step
        self._thread = threading.Thread(target=self._run, name="step", daemon=True)
        self._inbox: SimpleQueue[list[Words] | None] = SimpleQueue()
        self._outbox: SimpleQueue[Sequence[Message] | _Done | BaseException] = SimpleQueue()
        self._is_running = False
        self.reached: Sequence[Message] | _Done = ()
        self.received: list[Words] = []

    def run_on(self) -> None:
        """Let it run to its next message or to its end; raises what it raises."""
        if isinstance(self.reached, _Done):
            return
        self._is_running = True
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._inbox.put(self.received)
        reached = self._outbox.get()
        self._is_running = False
        if isinstance(reached, BaseException):
            self.reached = _Done(None)
            raise reached
        self.reached = reached

    def stop(self) -> None:
        """End it where it waits; where it still runs it ends at its next message."""
        if self._thread.ident is not None:
            self._inbox.put(None)
            if not self._is_running:
                self._thread.join()

    def _run(self) -> None:
        try:
            result = self._step(self._party.branch(self._in_round))
        except _Stopped:
            return
        except BaseException as error:
            self._outbox.put(error)
        else:
            self._outbox.put(_Done(result))

    def _in_round(self, messages: Sequence[Message]) -> list[Words]:
        self._outbox.put(messages)
        received = self._inbox.get()
        if received is None:
            raise _Stopped
        return received
