"""Bytes that products with a fixed matrix take under BFV, batch after batch.

When a batch is made, and how large it is, follows from public counts as in ``producer`` and
``matrix_products``; what it sends is a sum of sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from securexgb.arith.prg import KEY_BYTES as COIN_BYTES
from securexgb.he.layout import GALOIS_KEY_BYTES, PUBLIC_KEY_BYTES, Layout, first_vectors
from securexgb.he.noise import DEGREE, Precision
from securexgb.offline.matrix_products import _Matrix


@dataclass(eq=False)
class ProductsTraffic:
    """What both matrices' products send while trees take vectors.

    ``columns``: of both matrices, by owner, columns times bins. ``a_tree``: pairs of vectors that
    a round takes; ``vectors``: that the whole job takes; ``is_far``:
    see ``first_vectors``. ``batches``: that were made, newest last.
    """

    columns: tuple[int, int]
    precision: Precision
    a_tree: int
    vectors: int
    is_far: bool = False
    sent: list[int] = field(default_factory=lambda: [0, 0])
    batches: list[Layout] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._matrices = [
            _Matrix(
                owner,
                2 * columns,
                self.precision,
                next_batch=first_vectors(self.a_tree, is_far=self.is_far),
            )
            for owner, columns in enumerate(self.columns)
            if columns
        ]
        self._ordered = self._taken = 0
        for matrix in self._matrices:
            self._send(matrix.owner, COIN_BYTES)
            self._send(1 - matrix.owner, COIN_BYTES + PUBLIC_KEY_BYTES)

    def begin(self) -> None:
        """As ``ProductsAhead.begin``."""
        self._order(1)
        self._order(min(self.a_tree, self.vectors))

    def take(self, counts: Sequence[int]) -> None:
        """One call after the other, of both matrices each."""
        for count in counts:
            need = self._taken + count
            self._order(need)
            if 2 * need > self.a_tree:
                more = self.a_tree * (1 + -(-need // self.a_tree))
                self._order(min(more, self.vectors))
            self._taken = need

    def _order(self, vectors: int) -> None:
        if vectors <= self._ordered:
            return
        self._ordered = vectors
        while dry := [matrix for matrix in self._matrices if matrix.made < vectors]:
            for matrix in dry:
                layout = matrix.layout(vectors - matrix.made, self.vectors)
                keys = len(matrix.new_spacings(layout)) * GALOIS_KEY_BYTES
                there = layout.groups * DEGREE * self.precision.fresh_bytes
                self._send(1 - matrix.owner, keys + int(there))
                self._send(matrix.owner, int(layout.bytes_sent - there))
                matrix.made += layout.vectors
                self.batches.append(layout)

    def _send(self, sender: int, size: int) -> None:
        self.sent[sender] += size


def calls_of_round(outputs: int, depth: int) -> Iterator[int]:
    """How many pairs each sum of a round takes: the roots, then left children, level by level."""
    yield outputs
    for level in range(depth - 1):
        yield outputs << level
