"""What one party computes by itself: protocols on values that it alone knows.

Every protocol declares its functionality on values in the clear. Where one party knows all
arguments, because the other party's shares of them are 0, it needs no protocol: it runs these
functionalities, and has the whole result as its share, word for word what the protocol would have
given both together; the other party's share is 0 again. Nothing is sent and no correlation taken,
so there is nothing to simulate. Such shares are as good as those of labels, which enter in the same
way: whatever is made of them next is masked like any share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from securexgb.errors import ProtocolDesync
from securexgb.mpc.party import Party


class Alone(Party):
    """The party of rank 0 with nobody at the other end."""

    def __init__(self, party: Party) -> None:
        nobody = cast("Any", _Nobody())
        private = party.private.derive("alone")
        super().__init__(0, nobody, nobody, private, party.coins, party.lasting)
        self.ideal = _OwnValues()


class _OwnValues:
    def run(self, ideal: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        return ideal(*args)


class _Nobody:
    """In the place of the link and of the source of correlations."""

    def __getattr__(self, name: str) -> Any:
        raise ProtocolDesync(
            f"what a party computes alone has asked for {name!r}: a protocol lacks a functionality"
        )
