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
from securexgb.dealer.deal import SHAPES, Streams, correction, matrix_name, product_correction
from securexgb.offline.correlations import Kind, Words

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


@dataclass(frozen=True)
class Series:
    """One sequence of corrections; ``matrix`` is (owner, number) for products, else None."""

    kind: Kind | None
    matrix: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """For messages and logs."""
        if self.kind is not None:
            return self.kind.value
        assert self.matrix is not None
        return f"products of {matrix_name(*self.matrix)}"


@dataclass
class Session:
    """The state of one session; gone when either party's connection is."""

    name: bytes
    digest: str
    instance: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    _seeds: list[Prg | None] = field(default_factory=lambda: [None, None], repr=False)
    _parties: tuple[Streams, Streams] | None = field(default=None, repr=False)
    _shapes: dict[tuple[int, int], dict[int, tuple[int, int]]] = field(default_factory=dict)
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
            self._parties = make_parties(zero, one, self.name, self.instance)

    def register(self, rank: int, matrix: tuple[int, int], shape: tuple[int, int]) -> None:
        """Take one party's word for a matrix's public shape (rows, columns)."""
        (owner, number), (rows, columns) = matrix, shape
        if owner not in (0, 1) or rows > ROWS or columns > COLUMNS or rows * columns > CELLS:
            raise Refused("no such matrix")
        named = self._shapes.setdefault(matrix, {})
        expected = sum(1 for (o, n), by in self._shapes.items() if o == owner and rank in by)
        if rank in named or number != expected or number >= MATRICES:
            raise Refused("the matrices of an owner are numbered in order")
        named[rank] = shape
        if len(set(named.values())) > 1:
            raise Refused("the two parties name different shapes for one matrix")

    def knows(self, series: Series) -> bool:
        """Whether both parties have named the matrix of this series, if it has one."""
        return series.matrix is None or len(self._shapes.get(series.matrix, ())) == 2

    def corrections(self, series: Series, start: int, count: int) -> Iterator[Work]:
        """Check a request of ``count`` words and give the work that it takes, in order."""
        if self._parties is None or not self.knows(series):
            raise Refused("not before both parties have given their parts")
        unit = self._unit(series)
        if not 0 < count <= max(REQUEST_WORDS, unit) or unit == 0 or count % unit:
            raise Refused(f"a request of {count} words cannot be served")
        if start != self._served.get(series, 0):
            raise Refused(f"{series.name}: word {start} is not the next one")
        self._served[series] = start + count
        units = range(start // unit, (start + count) // unit)
        return self._matrix_work(series, units) if series.matrix else self._work(series, units)

    def _unit(self, series: Series) -> int:
        """Words that belong together: of a block of elements, or of a vector."""
        if series.matrix is not None:
            return self._shapes[series.matrix][1][1]
        assert series.kind is not None
        return SHAPES[series.kind].fitted.words

    def _work(self, series: Series, blocks: range) -> Iterator[Work]:
        assert series.kind is not None
        assert self._parties is not None
        for at in _cut(blocks, FRAME_WORDS // self._unit(series)):
            yield partial(correction, series.kind, *self._parties, at.start, len(at))

    def _matrix_work(self, series: Series, vectors: range) -> Iterator[Work]:
        assert series.matrix is not None
        assert self._parties is not None
        shape, name = self._shapes[series.matrix][1], matrix_name(*series.matrix)
        for at in _cut(vectors, min(BATCH_VECTORS, BATCH_WORDS // max(1, shape[0]))):
            yield partial(product_correction, series.matrix[0], name, shape, self._parties, at)


def _cut(whole: range, size: int) -> Iterator[range]:
    size = max(1, size)
    for first in range(whole.start, whole.stop, size):
        yield range(first, min(first + size, whole.stop))


def make_parties(zero: Prg, one: Prg, session: bytes, instance: bytes) -> tuple[Streams, Streams]:
    """Both parties' streams, as the dealer sees them."""
    name = session_name(session, instance)
    return Streams(zero, name, 0), Streams(one, name, 1)


def session_name(session: bytes, instance: bytes) -> str:
    """What both parties' name for the session and the dealer's own make together."""
    return f"{session.hex()} {instance.hex()}"
