"""One port for all processes of a company: TLS streams pass through, by the name they ask for.

The kernels do it (kernels/src/link/relay.rs): they read whom a connection asks for in TLS's first
message, which is in the clear, and pass every byte on as it came. A relay has no key and no
certificate, sees what anybody on the line sees, and lets nobody in: that is for the processes
behind it.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass

from securexgb import _kernels
from securexgb.channel.endpoint import MOST_UNKNOWN, cannot_listen, most_unknown
from securexgb.channel.probe import split_address

_A_TARGET = 4
"""So many connections of each target may be about to be let in, beside those of strangers."""


def shard_name(number: int, party: str) -> str:
    """Whom a shard of the other side asks for. No party has a name with a dot in it."""
    return f"shard-{number}.{party}"


@dataclass(frozen=True)
class Passed:
    """What has been passed on for one name; bytes as they come from callers, and to them."""

    name: str
    open: int
    taken: int
    absent: int
    bytes_in: int
    bytes_out: int


class Relay:
    """Listens at ``address`` until it is stopped. ``targets``: where each name is found."""

    def __init__(self, address: str, targets: dict[str, tuple[str, int]]) -> None:
        host, wanted = split_address(address)
        routes = [(name, *place) for name, place in targets.items()]
        try:
            self._relay = _kernels.LinkRelay(host, wanted, routes, _most_unknown(len(routes)))
        except OSError as error:
            raise cannot_listen(host, wanted, "relay", error) from None
        self.port: int = self._relay.port

    @property
    def passed(self) -> list[Passed]:
        """By name."""
        return [Passed(*one) for one in self._relay.passed()]

    @property
    def strangers(self) -> int:
        """Connections that asked for nobody who is here."""
        return self._relay.strangers()

    def stop(self) -> None:
        """End whatever is open."""
        self._relay.stop()


def _most_unknown(targets: int) -> int:
    """All shards of the other side may come at once; strangers are at most as many as elsewhere."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most_unknown() + _A_TARGET * targets
    if files == resource.RLIM_INFINITY:
        return MOST_UNKNOWN + _A_TARGET * targets
    return min(wanted, max(1, files // 4))
