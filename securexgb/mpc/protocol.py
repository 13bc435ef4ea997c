"""The contract of a protocol, declared beside it and checked by tests.

``@protocol`` puts a function into the registry together with what it costs, the
correlated randomness that it consumes included, what its messages show and where it
comes from.
The registry feeds the cost test, the table in the documentation and the budget.

``ideal`` is the functionality that the protocol realises, on values in the clear
(the ideal world of the simulation paradigm). The insecure plaintext backend of the
test kit runs it in place of the protocol, so that every algorithm above runs
unchanged on plain values and must agree with the shared run bit for bit. A protocol that
is nothing but a composition of others has ``ideal=None``: its parts are run in the clear.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from securexgb.correlations.counting import Budget
from securexgb.correlations.kind import Kind
from securexgb.correlations.prices import Prices
from securexgb.mpc.party import Party

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Cost:
    """What one call costs, exactly: it follows from public shapes alone.

    ``rounds``: in each both parties send, then both receive. ``label_words``,
    ``feature_words``: payload words of 8 bytes that each party sends. ``correlations``: the
    correlated randomness it consumes, by kind.

    The cost of a composition is the sum of the costs of its parts where they come one after the
    other, and ``at_once`` of theirs where they run together.
    """

    rounds: int = 0
    label_words: int = 0
    feature_words: int = 0
    correlations: Budget = field(default_factory=Budget)

    @classmethod
    def alike(cls, rounds: int, words: int, kinds: Mapping[Kind[Any], int]) -> Cost:
        """Each party sends so many words."""
        return cls(rounds, words, words, Budget(kinds))

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.rounds + other.rounds,
            self.label_words + other.label_words,
            self.feature_words + other.feature_words,
            self.correlations + other.correlations,
        )

    def __sub__(self, other: Cost) -> Cost:
        return self + other.times(-1)

    def times(self, factor: int) -> Cost:
        """So many calls, one after the other."""
        return Cost(
            factor * self.rounds,
            factor * self.label_words,
            factor * self.feature_words,
            self.correlations.times(factor),
        )

    def at_once(self, *others: Cost) -> Cost:
        """All in the same rounds, see ``mpc.together``."""
        rounds = max(cost.rounds for cost in (self, *others))
        return replace(sum(others, self), rounds=rounds)


@dataclass(frozen=True)
class Declaration:
    """One row of the registry; ``cost`` takes the source's prices and the protocol's arguments."""

    name: str
    cost: Callable[..., Cost]
    opens: str
    source: str
    ideal: Callable[..., Any] | None
    summary: str


COMPOSED = "nothing of its own: it calls other protocols"
"""What the messages of a composition show."""

REGISTRY: dict[str, Declaration] = {}
"""Filled by the decorator while the modules are imported, constant from then on."""


def protocol(
    *,
    opens: str,
    source: str,
    ideal: Callable[..., Any] | None,
    cost: Callable[..., Cost] | None = None,
    priced: Callable[..., Cost] | None = None,
) -> Callable[[Callable[Concatenate[Party, P], R]], Callable[Concatenate[Party, P], R]]:
    """Declare a protocol; see the module's docstring.

    ``cost``: of the arguments without the party, whatever the source charges; ``priced``: of its
    prices and the arguments, where the protocol or a part of it chooses by them. One of the two.
    """

    def cost_of(prices: Prices, /, *args: Any, **kwargs: Any) -> Cost:
        if priced is not None:
            return priced(prices, *args, **kwargs)
        assert cost is not None
        return cost(*args, **kwargs)

    def declare(function: Callable[Concatenate[Party, P], R]) -> Callable[Concatenate[Party, P], R]:
        name = f"{function.__module__.removeprefix('securexgb.')}.{function.__name__}"
        summary = (function.__doc__ or "").strip().split("\n")[0]
        REGISTRY[name] = Declaration(name, cost_of, opens, source, ideal, summary)
        label = function.__name__

        @functools.wraps(function)
        def run(party: Party, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with party.step(label):
                if party.ideal is not None and ideal is not None:
                    result: R = party.ideal.run(functools.partial(ideal, **kwargs), args)
                    return result
                return function(party, *args, **kwargs)

        return run

    return declare
