"""The link between both sides: said by the user, or measured.

What matters is what a round takes and what a megabyte takes. A round is one message each way at the
same time, so it takes the latency of one way, once; megabytes of both directions pass at once, too.
Measured by messages as protocols send them: some empty rounds, then two of ``_BYTES`` each way, of
which the first lets TCP find its pace. Both sides say what they saw and take the slower, so their
estimates agree.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from securexgb.errors import MalformedFrame, UsageError
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost

_TRIPS = 8
_BYTES = 1 << 18
_LEAST, _MOST = 1e-6, 1e6
"""Seconds of a round that are believed."""
OWN_SECONDS = 0.2e-3
"""Of a round without any link: they count as work, see ``machine``."""
FAR_SECONDS = 5e-3
"""Rounds that take less are no reason to send more words: what they save is not more than what the
words take of the processor, and a busy machine adds as much to what is measured."""
_SAID = struct.Struct("<dd")
_UNITS = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
_PATTERN = re.compile(r"([0-9.]+) ?(kbit|mbit|gbit)(?:/s)? ?/ ?([0-9.]+) ?ms", re.IGNORECASE)


@dataclass(frozen=True)
class Link:
    """``bits_a_second``: each way; ``latency``: seconds of one way."""

    bits_a_second: float
    latency: float

    @staticmethod
    def parse(text: str) -> Link:
        """Of "100Mbit/20ms": the rate each way and the latency of one way."""
        found = _PATTERN.fullmatch(text.strip())
        try:
            rate, unit, latency = ("", "mbit", "") if found is None else found.groups()
            link = Link(float(rate) * _UNITS[unit.lower()], float(latency) * 1e-3)
        except ValueError:
            link = Link(0.0, 0.0)
        if not link.bits_a_second > 0.0:
            raise UsageError(
                f"{text[:60]!r} is no link: write its rate and its latency one way, as "
                "100Mbit/20ms or 1Gbit/0.5ms"
            )
        return link

    def seconds(self, rounds: int, bytes_one_way: float) -> float:
        """What so many rounds and bytes (of the direction that has more) take on it."""
        return rounds * self.latency + bytes_one_way * 8 / self.bits_a_second

    @property
    def round_words(self) -> int:
        """What protocols choose by, see ``correlations.prices``."""
        if self.latency < FAR_SECONDS:
            return 0
        return int(self.latency * self.bits_a_second / 64)

    def __str__(self) -> str:
        rate, unit = self.bits_a_second / 1e6, "Mbit/s"
        if rate >= 1000:
            rate, unit = rate / 1000, "Gbit/s"
        return f"{rate:.3g} {unit} each way and {1e3 * self.latency:.3g} ms one way"


FAST = Link(10e9, 0.0)
"""Where nothing is said of a link: both machines side by side."""


def measuring_cost() -> Cost:
    """Cost of ``measured``."""
    return Cost.alike(_TRIPS + 4, (2 * _BYTES + _SAID.size) // 8, {})


def measured(party: Party) -> Link:
    """The link as it is now, the same at both sides."""
    with party.step("link"):
        party.exchange_bytes(b"")  # both are here
        trips = [_timed(party, b"") for _ in range(_TRIPS)]
        latency = median(trips)
        _timed(party, bytes(_BYTES))  # TCP begins slowly
        large = max(_timed(party, bytes(_BYTES)) - latency, _LEAST)
        theirs = party.exchange_bytes(_SAID.pack(latency, large))
        other = _SAID.unpack(theirs) if len(theirs) == _SAID.size else (math.nan, math.nan)
        if not all(0.0 <= seconds < _MOST for seconds in other):
            raise MalformedFrame("what the other side says of the link is malformed")
        latency, large = max(latency, other[0]), max(large, other[1])
        return Link(8 * _BYTES / large, max(latency - OWN_SECONDS, 0.0))


def _timed(party: Party, payload: bytes) -> float:
    began = perf_counter()
    party.exchange_bytes(payload)
    return perf_counter() - began
