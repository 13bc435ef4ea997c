"""Trying again: what the network did, never what somebody refused, and not for ever."""

from __future__ import annotations

import pytest

from securexgb.channel.channel import INTERRUPTION, stopped
from securexgb.errors import (
    CertificateRefused,
    DataError,
    DealerGone,
    PeerGone,
    PeerTimeout,
    ProtocolDesync,
    SecureXGBError,
    UsageError,
)
from securexgb.jobs.resuming.retrying import Patience, Reached, is_lost, keep_trying


class Tries:
    """Attempts that end as the list says: an error, or the number of trees that came first."""

    def __init__(self, *ends: SecureXGBError | tuple[int, SecureXGBError] | str) -> None:
        self.ends = list(ends)
        self.reached = Reached()
        self.said: list[str] = []
        self.now = 0.0
        self.pauses: list[float] = []

    def attempt(self) -> str:
        end = self.ends.pop(0)
        if isinstance(end, tuple):
            self.reached.has_met, self.reached.trees = True, end[0]
            end = end[1]
        if isinstance(end, SecureXGBError):
            self.now += 10
            raise end
        return end

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def run(self, retries: int, wait_seconds: float = 60) -> str:
        patience = Patience(retries, wait_seconds, lambda: self.now, self.pause)
        return keep_trying(self.attempt, self.reached, patience, self.said.append)


GONE = PeerGone("the connection broke")


def test_what_was_lost_is_tried_again_and_said() -> None:
    tries = Tries((0, GONE), (7, GONE), (7, PeerTimeout("silent")), "done")
    assert tries.run(2) == "done"
    assert tries.said == [
        "the link broke before the first tree (the connection broke); trying again, 1 of 2",
        "the link broke after tree 7 (the connection broke); trying again, 1 of 2",
        "the link broke after tree 7 (silent); trying again, 2 of 2",
    ]


def test_the_last_error_is_the_end() -> None:
    tries = Tries((3, GONE), (3, GONE), (3, DealerGone("gone")))
    with pytest.raises(DealerGone):
        tries.run(2)
    with pytest.raises(PeerGone):
        Tries((3, GONE)).run(0)


@pytest.mark.parametrize(
    "error",
    [
        UsageError("a port in use"),
        DataError("rows differ"),
        CertificateRefused("another pin"),
        ProtocolDesync("another step"),
        stopped("bureau", "DataError"),
        stopped("bureau", "AttestationError"),
    ],
)
def test_what_was_refused_is_not_tried_again(error: SecureXGBError) -> None:
    tries = Tries((1, error), "done")
    with pytest.raises(type(error)):
        tries.run(10)
    assert tries.said == []


def test_what_the_other_side_lost_is_lost_and_so_is_a_side_that_was_stopped() -> None:
    for kind in ("PeerGone", "PeerTimeout", "DealerGone", "PeerError", INTERRUPTION):
        assert is_lost(stopped("bureau", kind))


def test_nobody_who_has_never_come_is_waited_for_longer() -> None:
    tries = Tries(GONE, GONE, GONE, "done")
    with pytest.raises(PeerGone):
        tries.run(10, wait_seconds=15)
    assert len(tries.said) == 1


def test_pauses_grow_and_stay_short() -> None:
    tries = Tries(*[(1, GONE)] * 12, "done")
    assert tries.run(12) == "done"
    assert tries.pauses == sorted(tries.pauses)
    assert tries.pauses[0] < 1 < tries.pauses[-1] <= 15
