"""Whole jobs of two parties, one message of which is another one when it arrives."""

from __future__ import annotations

import threading
from collections.abc import Callable

from securexgb.boost.params import TrainingParams
from securexgb.channel.channel import Channel, StreamName
from securexgb.channel.memory import memory_pair
from securexgb.jobs import local
from securexgb.jobs.training import train
from securexgb.offline.method import Method
from tests.boost.data import jobs, sides, table

MESSAGES = (
    "mpc.party:Party.exchange_bytes",
    "mpc.party:Party.in_round",
    "offline.base_transfer:Messages.get",
    "offline.homomorphic:HomomorphicProducts._swapped",
    "offline.insecure.rows:InsecureRowBits.fix",
    "offline.matrix_products:BfvMatrixProducts._coins",
    "offline.matrix_products:BfvMatrixProducts._owner",
    "offline.paillier_products:PaillierMatrixProducts.register_matrix",
    "offline.seeded:DealtProducts.register_matrix",
)
"""Where they are received."""
METHODS = {"bfv": Method(), "ss": Method(algorithm="ss", offline="dealt")}
DATA = sides(*table(40, missing=0.1), 1)
PARAMS = TrainingParams(n_estimators=1, max_depth=1, max_bin=4)


class Arrivals:
    """Counts what arrives at both parties, and changes message number ``place``."""

    def __init__(self, place: int, change: Callable[[bytes], bytes]) -> None:
        self._place, self._change = place, change
        self._lock = threading.Lock()
        self.count = 0

    def changed(self, payload: bytes) -> bytes:
        with self._lock:
            self.count += 1
            is_it = self.count == self._place + 1
        return self._change(payload) if is_it else payload


class Changing:
    """A channel whose messages go through ``Arrivals``."""

    def __init__(self, channel: Channel, arrivals: Arrivals) -> None:
        self._channel, self._arrivals = channel, arrivals
        self.traffic, self.is_network = channel.traffic, channel.is_network

    def send(
        self, tag: str, payload: bytes | bytearray | memoryview, awaits: int | None = None
    ) -> None:
        self._channel.send(tag, payload, awaits)

    def receive(self, tag: str, at_most: int) -> bytes:
        return self._arrivals.changed(bytes(self._channel.receive(tag, at_most)))

    def stream(self, name: StreamName) -> Channel:
        return Changing(self._channel.stream(name), self._arrivals)

    def close(self, error: BaseException | None = None) -> None:
        self._channel.close(error)


def run(method: str, place: int, change: Callable[[bytes], bytes]) -> int:
    """A training, and how many messages arrived; the error of it, where there is one."""
    arrivals = Arrivals(place, change)
    first, second = memory_pair(20.0)
    ends = Changing(first, arrivals), Changing(second, arrivals)
    params = PARAMS.decided(can_hide=METHODS[method].can_hide)
    parties = local.join_parties(ends, 0, METHODS[method])
    try:
        local.run_both(train, parties, jobs(params, DATA))
    finally:
        local.close_parties(parties)
    return arrivals.count
