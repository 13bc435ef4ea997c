"""Both parties of a program in two threads of this process.

Nothing is protected by this: both sides share one memory. All randomness derives from one
seed. The correlations come from an insecure local source, unless a ``Method`` says how they
are really made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.correlations.source import CorrelationSource
from securexgb.errors import PeerError, StoppedByPeer
from securexgb.mpc.party import Party
from securexgb.offline.local import InsecureLocalSource
from securexgb.offline.method import Method
from securexgb.offline.two_party import TwoPartySource

Given = TypeVar("Given")
Result = TypeVar("Result")


def join_parties(
    channels: tuple[Channel, Channel],
    seed: int,
    method: Method | None = None,
    lasting: int | None = None,
    *,
    are_shards: bool = False,
) -> tuple[Party, Party]:
    """Two parties on connected channels, whose randomness all derives from ``seed``.

    ``method``: how correlations are made, with an in-process dealer where it has one; None:
    all by that dealer, which is the fastest for small data. ``lasting``: stands for the secrets
    that parties keep from run to run; None: ``seed``. ``are_shards``: the two hold a shard of the
    rows of two others, which are their heads.
    """
    seeds = seed, seed if lasting is None else lasting
    root, kept = (Prg(int(one).to_bytes(16, "little")) for one in seeds)
    parties = []
    for rank, channel in enumerate(channels):
        source = _source(method, rank, channel, root, are_shards=are_shards)
        own, coins = root.derive(f"party {rank}"), root.derive("coins")
        lasts = kept.derive(f"lasting secret {rank}")
        parties.append(Party(rank, channel, source, own, coins, lasts))
    return parties[0], parties[1]


def _source(
    method: Method | None, rank: int, channel: Channel, root: Prg, *, are_shards: bool
) -> CorrelationSource:
    own = root.derive(f"correlations of party {rank}")
    products = None
    if method is not None:
        make = method.shard_products if are_shards else method.products
        products = make(rank, channel, own.derive("products"))
    if method is None or method.has_dealer or products is None:
        return InsecureLocalSource(rank, channel, root.derive("correlations").key, products)
    return TwoPartySource(rank, channel, own.derive("offline"), products)


def close_parties(parties: Sequence[Party]) -> None:
    """End what still works for them, which could abort a process that ends; channels first, since
    no source then waits for the other side."""
    for party in parties:
        party.channel.close()
    for party in parties:
        party.source.close()


def run_both(
    program: Callable[[Party, Given], Result], parties: Sequence[Party], inputs: Sequence[Given]
) -> list[Result]:
    """``program(party, inputs[rank])`` at both sides, the label party in this thread; both results.

    Where a side fails the other is stopped at once, and the cause is raised, not the casualty.
    """
    results: list[Any] = [None, None]
    errors: list[BaseException | None] = [None, None]

    def side(rank: int) -> None:
        try:
            results[rank] = program(parties[rank], inputs[rank])
        except BaseException as error:
            errors[rank] = error
            parties[rank].channel.close(error)

    other = threading.Thread(target=side, args=(1,), name="feature party", daemon=True)
    other.start()
    side(0)
    other.join()
    failed = [error for error in errors if error is not None]
    for cause in sorted(failed, key=lambda error: isinstance(error, (StoppedByPeer, PeerError))):
        raise cause
    return results
