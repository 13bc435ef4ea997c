"""The contract of a protocol, declared beside it and checked by tests.

``@protocol`` puts a function into the registry together with what it costs, what
correlated randomness it consumes, what its messages show and where it comes from.
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
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from securexgb.mpc.party import Party

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Cost:
    """Communication of one call: rounds, and payload words sent by one party.

    ``words`` takes the protocol's arguments without the party. Where the two parties
    send different amounts, it gives the larger one.
    """

    rounds: Callable[..., int]
    words: Callable[..., int]


@dataclass(frozen=True)
class Declaration:
    """One row of the registry."""

    name: str
    cost: Cost
    opens: str
    source: str
    ideal: Callable[..., Any] | None
    summary: str


REGISTRY: dict[str, Declaration] = {}
"""Filled by the decorator while the modules are imported, constant from then on."""


def protocol(
    *, cost: Cost, opens: str, source: str, ideal: Callable[..., Any] | None
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
