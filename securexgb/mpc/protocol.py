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
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Concatenate, ParamSpec, TypeVar

from securexgb.mpc.party import Party

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Cost:
    """What one call costs, exactly: it follows from public shapes alone.

    ``rounds``: in each both parties send, then both receive. ``label_words``,
    ``feature_words``: payload words of 8 bytes that each party sends. The rest is the
    correlated randomness it consumes, in the units of ``offline.budget.Budget``: ring
    triples, words of 64 bit triples, shared random bits and random transfers (each in
    whole words of 64), random vectors by the owner of the matrix.

    The cost of a composition is the sum of the costs of its parts, one after the other.
    """

    rounds: int = 0
    label_words: int = 0
    feature_words: int = 0
    triples: int = 0
    bit_triples: int = 0
    shared_bits: int = 0
    ot_from_label: int = 0
    ot_from_feature: int = 0
    vectors_label: int = 0
    vectors_feature: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(a + b for a, b in zip(self.counts(), other.counts(), strict=True)))

    def times(self, factor: int) -> Cost:
        """So many calls, one after the other."""
        return Cost(*(factor * count for count in self.counts()))

    def counts(self) -> list[int]:
        """The numbers in the order of the fields."""
        return [getattr(self, entry.name) for entry in fields(self)]


@dataclass(frozen=True)
class Declaration:
    """One row of the registry; ``cost`` takes the protocol's arguments without the party."""

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
    *, cost: Callable[..., Cost], opens: str, source: str, ideal: Callable[..., Any] | None
) -> Callable[[Callable[Concatenate[Party, P], R]], Callable[Concatenate[Party, P], R]]:
    """Declare a protocol; see the module's docstring."""

    def declare(function: Callable[Concatenate[Party, P], R]) -> Callable[Concatenate[Party, P], R]:
        name = f"{function.__module__.removeprefix('securexgb.')}.{function.__name__}"
        summary = (function.__doc__ or "").strip().split("\n")[0]
        REGISTRY[name] = Declaration(name, cost, opens, source, ideal, summary)
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
