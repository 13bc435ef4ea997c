"""Both parties in one process, two threads: for teaching, development and tests.

The dealer is the insecure in-process one: either thread could compute the other's
shares, so a simulation protects nothing. What it shows is real: the same protocols,
the same messages, the same trees. Everything random follows from ``seed``, so a
simulation repeated gives the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from securexgb.mpc.party import Party
from securexgb.testing.harness import insecure_parties, run_both

__all__ = ["SimulatedCosts", "Simulation", "simulate_parties"]

Given = TypeVar("Given")
Result = TypeVar("Result")


@dataclass(frozen=True)
class SimulatedCosts:
    """What a simulation cost: bytes of both directions, seconds of the slower party."""

    rounds: int
    online_bytes: int
    offline_bytes: int
    offline_seconds: float


@dataclass(frozen=True)
class Simulation(Generic[Result]):
    """What each party computed (label party first), the label party's ledger, the costs."""

    results: tuple[Result, Result]
    ledger: list[dict[str, str | int]]
    costs: SimulatedCosts


def simulate_parties(
    program: Callable[[Party, Given], Result],
    inputs: Sequence[Given],
    seed: int,
    timeout_seconds: float = 600.0,
) -> Simulation[Result]:
    """Run one program at both parties, each with its own input; raises the first cause."""
    parties = insecure_parties(seed, timeout_seconds=timeout_seconds)
    results = run_both(program, parties, inputs)
    for party in parties:
        party.source.close()
        party.channel.close()
    return Simulation(
        results=(results[0], results[1]),
        ledger=parties[0].ledger.rows(),
        costs=_costs(parties),
    )


def _costs(parties: Sequence[Party]) -> SimulatedCosts:
    return SimulatedCosts(
        rounds=parties[0].rounds,
        online_bytes=sum(party.channel.traffic.bytes_sent for party in parties),
        offline_bytes=sum(party.source.offline_bytes for party in parties),
        offline_seconds=max(party.source.offline_seconds for party in parties),
    )
