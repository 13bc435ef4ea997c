"""Trying again by itself: after a lost link, dealer, shard or other side.

Only what the network, or a process that died or was stopped, may have done is tried again: exit
code 3, and 7 where the other side says that this is what stopped it. Whatever somebody refuses, or
must look at, ends at once. Before the two sides have ever met, no try begins after the time that
this side waits for the first contact; from then on each try waits as long for the other side anew,
or ``AGAIN_SECONDS`` where that is longer. A new tree makes the count of tries begin again, so that
long trainings may lose their link often.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from securexgb.channel.channel import INTERRUPTION
from securexgb.errors import (
    DealerGone,
    PeerError,
    PeerGone,
    PeerTimeout,
    SecureXGBError,
    ShardGone,
    StoppedByPeer,
)

T = TypeVar("T")
_KINDS = (PeerError, PeerGone, PeerTimeout, DealerGone, ShardGone)
_LOST = frozenset(kind.__name__ for kind in _KINDS)
"""What the other side may have lost; who stopped it may start it again."""
AGAIN_SECONDS = 60.0
"""So long a try waits at least for the other side to come back."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 15.0


@dataclass
class Reached:
    """How far a job has come at this side, over all its sessions."""

    has_met: bool = False
    trees: int = 0

    @property
    def place(self) -> str:
        """For messages: "after tree 7"."""
        if not self.has_met:
            return "before the two sides had met"
        return f"after tree {self.trees}" if self.trees else "before the first tree"


@dataclass(frozen=True)
class Patience:
    """How often to try again in a row without a new tree, and how long the other side may take to
    come at first."""

    retries: int
    wait_seconds: float
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


def is_lost(error: SecureXGBError) -> bool:
    """Whether the network or a process that died explains an error, so that it may pass."""
    if isinstance(error, StoppedByPeer):
        return error.kind in _LOST or error.kind == INTERRUPTION
    return isinstance(error, PeerError)


def keep_trying(
    attempt: Callable[[], T], reached: Reached, patience: Patience, tell: Callable[[str], None]
) -> T:
    """What ``attempt`` returns, once it does; its last error where it may not be tried again.

    ``attempt`` keeps ``reached`` up to date; ``tell`` gets one sentence before each new try.
    """
    began, used, trees = patience.clock(), 0, 0
    while True:
        try:
            return attempt()
        except SecureXGBError as error:
            if reached.trees > trees:
                used, trees = 0, reached.trees
            may_come = reached.has_met or patience.clock() - began < patience.wait_seconds
            if not is_lost(error) or used == patience.retries or not may_come:
                raise
            used += 1
            tell(
                f"the link broke {reached.place} ({error}); trying again, "
                f"{used} of {patience.retries}"
            )
        patience.pause(min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** (used - 1)))
