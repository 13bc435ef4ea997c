"""One session at the dealer: two seeds, counters, and the corrections in order.

No network here. What a party says is checked before anything is computed: kinds,
owners and shapes exist, sizes are bounded, and every request starts at the word after
the last one served, so that no index is ever served twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from securexgb.arith.prg import KEY_BYTES, Prg
from securexgb.correlations.kind import Words
from securexgb.correlations.kinds import Series
from securexgb.correlations.matrices import Products
from securexgb.correlations.streams import Streams, correction

FRAME_WORDS = 1 << 16
"""Words in one message to party 1: 512 KiB."""
REQUEST_WORDS = 1 << 22
"""Most words in one request: 32 MiB."""
BATCH_WORDS = 1 << 21
"""Vectors multiplied at once stay within this many words (16 MiB) ..."""
BATCH_VECTORS = 64
"""... and within this number."""
ROWS, COLUMNS, CELLS, MATRICES = 1 << 28, 1 << 20, 1 << 32, 64
"""Bounds of the shapes, and of the matrices an owner may register in a session."""


class Refused(Exception):
    """A party asked for what it may not have; the text goes to that party and the log."""


Work = Callable[[], Words]
"""A bounded piece of computing that changes nothing; it may run in another thread."""


@dataclass
class Session:
    """The state of one session; gone when either party's connection is."""

    name: bytes
    digest: str
    instance: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    _seeds: list[Prg | None] = field(default_factory=lambda: [None, None], repr=False)
    _parties: tuple[Streams, Streams] | None = field(default=None, repr=False)
    _shapes: dict[Products, dict[int, tuple[int, int]]] = field(default_factory=dict)
    _served: dict[Series, int] = field(default_factory=dict)

    @property
    def is_seeded(self) -> bool:
        """Whether both seeds are here."""
        return self._parties is not None

    def add_seed(self, rank: int, seed: bytes) -> None:
        """Take one party's seed, once."""
        if len(seed) != KEY_BYTES:
            raise Refused(f"a seed has {KEY_BYTES} bytes")
        if self._seeds[rank] is not None:
            raise Refused("a seed is given once in a session")
        self._seeds[rank] = Prg(seed)
        zero, one = self._seeds
        if zero is not None and one is not None:
            run = session_name(self.name, self.instance)
            self._parties = Streams(zero, run, 0), Streams(one, run, 1)

    def register(self, rank: int, products: Products, shape: tuple[int, int]) -> None:
        """Take one party's word for a matrix's public shape (rows, columns)."""
        (rows, columns), owner = shape, products.owner
        if owner not in (0, 1) or rows > ROWS or columns > COLUMNS or rows * columns > CELLS:
            raise Refused("no such matrix")
        named = self._shapes.setdefault(products, {})
        expected = sum(1 for p, by in self._shapes.items() if p.owner == owner and rank in by)
        if rank in named or products.number != expected or expected >= MATRICES:
            raise Refused("the matrices of an owner are numbered in order")
        named[rank] = shape
        if len(set(named.values())) > 1:
            raise Refused("the two parties name different shapes for one matrix")

    def knows(self, series: Series) -> bool:
        """Whether both parties have named the matrix of this series, if it has one."""
        return not isinstance(series, Products) or len(self._shapes.get(series, ())) == 2

    def corrections(self, series: Series, start: int, count: int) -> Iterator[Work]:
        """Check a request of ``count`` words and give the work that it takes, in order."""
        if self._parties is None or not self.knows(series):
            raise Refused("not before both parties have given their parts")
        unit = self._unit(series)
        if not 0 < count <= max(REQUEST_WORDS, unit) or unit == 0 or count % unit:
            raise Refused(f"a request of {count} words cannot be served")
        if start != self._served.get(series, 0):
            raise Refused(f"{series.name}: word {start} is not the next one")
        if isinstance(series, Products):
            shape = self._shapes[series][1]
            size = min(BATCH_VECTORS, BATCH_WORDS // max(1, shape[0]))
            fit = partial(series.correction, shape, self._parties)
        else:
            size, fit = FRAME_WORDS // unit, partial(correction, series, self._parties)
        self._served[series] = start + count
        size, units = max(1, size), range(start // unit, (start + count) // unit)
        return (partial(fit, units[at : at + size]) for at in range(0, len(units), size))

    def _unit(self, series: Series) -> int:
        """Words that belong together: of a block of elements, or of a vector."""
        if isinstance(series, Products):
            return self._shapes[series][1][1]
        return series.layout.fitted.words


def session_name(session: bytes, instance: bytes) -> str:
    """What both parties' name for the session and the dealer's own make together."""
    return f"{session.hex()} {instance.hex()}"
