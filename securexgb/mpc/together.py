"""Independent steps in the same rounds.

A round costs its latency whatever it carries, so steps that do not need each other's results run
side by side: in every round each of them says what it sends and what it awaits, and one message
carries it all. The steps take turns, in their order, from one message to the next: only one runs
at a time. So whatever they take from what they share, correlations, this party's randomness, the
ledger, is taken in an order that follows from the program alone, and is the same at both parties.

What a party sees is what it sees of the steps one after the other, each message in an earlier round
at most; see docs/proof.md, steps side by side.

The first step runs on the stack of its caller, each other on one of its own (a greenlet), all in
the caller's thread: to go from one to the other is a function call, where threads would wait for
the interpreter's lock at every message. A step that fails ends the others, at the message that
they wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, overload

from greenlet import greenlet

from securexgb.errors import UsageError
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


@dataclass(frozen=True)
class _Done:
    """The end of a step."""

    result: Any


class _Other:
    """A step with a stack of its own, which runs only while its caller waits for it.

    ``reached``: the messages of the next round that it waits with, or its end; ``received``: what
    has come for them. What the step raises, its caller's ``run_on`` raises.
    """

    def __init__(self, party: Party, step: Step[Any]) -> None:
        self._stack = greenlet(lambda: _Done(step(party.branch(self._in_round))))
        self.reached: Sequence[Message] | _Done = ()
        self.received: list[Words] = []

    def run_on(self) -> None:
        """Let it run to its next message or to its end."""
        if not isinstance(self.reached, _Done):
            self.reached = self._stack.switch()

    def stop(self) -> None:
        """End it where it waits."""
        self._stack.throw()

    def _in_round(self, messages: Sequence[Message]) -> list[Words]:
        caller = self._stack.parent
        if caller is None:
            raise UsageError("a step runs on without the one that waits for it")
        caller.switch(messages)
        return self.received
