"""Shares of M^T a for a private one-hot matrix M and random a, by BFV, without a dealer.

For a matrix of party P the other side Q draws uniform vectors a and sends them encrypted; P
multiplies with M under encryption and sends masked results; Q decrypts. P's share is the mask.

    register_matrix   Q -> P: the public key, once
    vector_products   Q -> P: keys for merging, where new; encrypted vectors
                      P -> Q: masked products

P sees ciphertexts under Q's key. Q sees uniform c0 and RLWE-masked c1 (``he.bfv``). Shares are
right except with probability 2^-40 for all ``values_in_job`` words together (``he.noise``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.errors import UsageError
from securexgb.he.bfv import BfvEvaluator, BfvKeyHolder
from securexgb.he.layout import BYTES_PER_SECOND, Layout, Shape, batch_limit, best_layout
from securexgb.offline.correlations import VectorProducts, Words
from securexgb.offline.source import own_buckets

_KEY = "offline/he/{}/key"
_MERGING = "offline/he/{}/merging"
_VECTORS = "offline/he/{}/vectors"
_PRODUCTS = "offline/he/{}/products"


@dataclass
class Account:
    """What this party has spent: seconds of work and waiting, bytes sent on the channel."""

    seconds: float = 0.0
    bytes_sent: int = 0


@dataclass(eq=False, repr=False)
class _Matrix:
    """One registered matrix at one party: the owner has bins, the other side the secret key."""

    owner: int
    shape: Shape
    bins: NDArray[np.uint8] | None = None
    holder: BfvKeyHolder | None = None
    evaluator: BfvEvaluator | None = None
    gaps: set[int] = field(default_factory=set)
    layouts: dict[int, Layout] = field(default_factory=dict)
    stock: list[VectorProducts] = field(default_factory=list)

    @property
    def ready(self) -> int:
        """Vectors that were made and not yet handed out."""
        return sum(len(part.products) for part in self.stock)

    def put(self, made: VectorProducts) -> None:
        self.stock.append(made)

    def take(self, count: int) -> VectorProducts:
        """The next ``count`` vectors; each is handed out once."""
        whole = _concatenated(self.stock, self.shape.columns)
        vectors = rest = None
        if whole.vectors is not None:
            vectors, rest = whole.vectors[:count], whole.vectors[count:]
        left = VectorProducts(rest, whole.products[count:])
        self.stock = [left] if len(left.products) else []
        return VectorProducts(vectors, whole.products[:count])

    def layout(self, vectors: int) -> Layout:
        """Both sides compute the same from public numbers."""
        if vectors not in self.layouts:
            self.layouts[vectors] = best_layout(self.shape, vectors)
        return self.layouts[vectors]

    def new_gaps(self, layout: Layout) -> list[int]:
        """Gaps whose keys the owner of the matrix has not had yet; from now on it has."""
        gaps = [gap for gap in layout.gaps if gap not in self.gaps]
        self.gaps.update(gaps)
        return gaps

    def batches(self, count: int) -> list[int]:
        """``count`` vectors in batches that fit the owner's memory, as equal as can be."""
        parts = -(-count // batch_limit(self.shape))
        return [count // parts + (i < count % parts) for i in range(parts)]

    @property
    def empty(self) -> bool:
        return not (self.shape.rows and self.shape.columns)


class BfvMatrixProducts:
    """One party's end; both call the same methods in the same order.

    ``private``: the party's own stream, fresh for every job; keys, errors, masks and vectors are
    derived from it. ``values_in_job``: the most words of products, both directions together,
    that will ever be asked for. ``bytes_per_second``: the link, for the cost model; public,
    the same at both sides. ``batch``: vectors that ``vector_products`` makes ahead, best those
    of one tree; public too.
    """

    def __init__(
        self,
        rank: int,
        channel: Channel,
        private: Prg,
        values_in_job: int,
        bytes_per_second: float = BYTES_PER_SECOND,
        batch: int = 8,
    ) -> None:
        self.account = Account()
        self._rank = rank
        self._channel = channel
        self._private = private
        self._values_left = self._values_in_job = values_in_job
        self._bytes_per_second = bytes_per_second
        self._batch_vectors = batch
        self._registered = 0
        self._matrices: list[_Matrix | None] = [None, None]
        self._vectors = private.derive("vectors")

    @property
    def offline_channel_bytes(self) -> int:
        """Bytes that this party has sent."""
        return self.account.bytes_sent

    def register_matrix(
        self, owner: int, rows: int, columns: int, matrix: NDArray[np.uint8] | None, bins: int
    ) -> None:
        """See ``offline.source``. A second matrix of the same owner replaces the first."""
        began = perf_counter()
        shape = Shape(rows, columns // bins, bins, self._values_in_job, self._bytes_per_second)
        new = _Matrix(owner, shape)
        self._registered += 1
        if self._rank == owner:
            new.bins = own_buckets(owner, matrix, rows, columns, bins)
        if not new.empty:
            private = self._private.derive(f"matrix {self._registered}")
            tag = _KEY.format(owner)
            if self._rank == owner:
                new.evaluator = BfvEvaluator(private, self._channel.receive(tag))
            else:
                new.holder = BfvKeyHolder(private)
                self._send(tag, new.holder.announcement())
        self._matrices[owner] = new
        self.account.seconds += perf_counter() - began

    def vector_products(self, owner: int, count: int) -> VectorProducts:
        """See ``offline.source``; raises UsageError past ``values_in_job``.

        Made ``batch`` at a time, for both parties' matrices at once where both run dry: then
        both parties work at the same time, and share the transforms of their plaintexts.
        """
        matrix = self._matrix(owner)
        if matrix.ready < count:
            dry = [m for m in self._matrices if m is not None and m.ready < count]
            columns = sum(m.shape.columns for m in dry)
            most = self._values_left // columns if columns else self._batch_vectors
            made = max(count - min(m.ready for m in dry), min(self._batch_vectors, most))
            counts = [made if m in dry else 0 for m in self._matrices]
            for m, products in zip(
                self._matrices, self.both_products((counts[0], counts[1])), strict=True
            ):
                if m in dry:
                    m.put(products)
        return matrix.take(count)

    def both_products(self, counts: tuple[int, int]) -> tuple[VectorProducts, VectorProducts]:
        """``counts[i]`` products with party i's matrix, both directions at the same time.

        A count of zero needs no registered matrix, and gives empty products.
        """
        began = perf_counter()
        done: list[list[VectorProducts]] = [[], []]
        batches = [
            self._matrix(i).batches(count) if count else [] for i, count in enumerate(counts)
        ]
        for step in range(max(map(len, batches))):
            now = [sizes[step] if step < len(sizes) else 0 for sizes in batches]
            for owner, products in enumerate(self._batch(now)):
                if products is not None:
                    done[owner].append(products)
        self.account.seconds += perf_counter() - began
        columns = [0 if m is None else m.shape.columns for m in self._matrices]
        zero, one = (_concatenated(*both) for both in zip(done, columns, strict=True))
        return zero, one

    def _batch(self, counts: list[int]) -> list[VectorProducts | None]:
        """One batch of each direction: vectors cross, are multiplied, and products cross."""
        own, other = self._rank, 1 - self._rank
        for owner, count in enumerate(counts):
            self._spend(count * self._matrix(owner).shape.columns if count else 0)
        mine = self._matrix(own) if counts[own] else None
        asked = self._matrix(other) if counts[other] else None
        products: list[VectorProducts | None] = [None, None]
        vectors = np.zeros((0, 0), np.uint64)
        if asked is not None:
            vectors = self._vectors.words(counts[other] * asked.shape.rows)
            vectors = vectors.reshape(counts[other], asked.shape.rows)
        share, results = self._multiplied(mine, counts[own], _asking(asked, vectors))
        tag = _PRODUCTS.format(other)
        expected = 0 if asked is None or asked.empty else asked.layout(len(vectors)).results
        received = self._swapped(results, [tag] * expected)
        if asked is not None:
            products[other] = VectorProducts(vectors, _opened(asked, len(vectors), received))
        for _ in received:
            raise AssertionError("all that was expected has been read")
        if mine is not None:
            products[own] = VectorProducts(None, share)
        return products

    def _multiplied(
        self, matrix: _Matrix | None, count: int, asking: Iterator[tuple[str, bytes]]
    ) -> tuple[Words, Iterator[tuple[str, bytes]]]:
        """P: its share, (count, columns), filled while the masked products are read.

        Sends ``asking`` while it receives the other side's vectors.
        """
        if matrix is None or matrix.empty:
            for _ in self._swapped(asking, []):
                pass
            columns = 0 if matrix is None else matrix.shape.columns
            return np.zeros((count, columns), np.uint64), iter(())
        assert matrix.evaluator is not None
        layout = matrix.layout(count)
        gaps = matrix.new_gaps(layout)
        messages = count * layout.messages
        tags = [_MERGING.format(matrix.owner)] * len(gaps)
        received = self._swapped(asking, tags + [_VECTORS.format(matrix.owner)] * messages)
        for gap in gaps:
            matrix.evaluator.add_merging_key(gap, next(received))
        ciphertexts = matrix.evaluator.expanded(layout, received)
        for _ in received:
            raise AssertionError("all that was expected has been read")
        share = np.zeros((count, matrix.shape.columns), np.uint64)
        return share, _answers(matrix, layout, ciphertexts, share)

    def _swapped(
        self, outgoing: Iterator[tuple[str, bytes]], tags: list[str]
    ) -> Iterator[bytes | memoryview]:
        """Receives what the tags say, one for each message sent: nobody's buffers fill up."""
        waiting = iter(tags)
        for tag, message in outgoing:
            self._send(tag, message)
            for expected in islice(waiting, 1):
                yield self._channel.receive(expected)
        for expected in waiting:
            yield self._channel.receive(expected)

    def _send(self, tag: str, message: bytes) -> None:
        self._channel.send(tag, message)
        self.account.bytes_sent += len(message)

    def _matrix(self, owner: int) -> _Matrix:
        matrix = self._matrices[owner]
        assert matrix is not None, "register_matrix comes first"
        return matrix

    def _spend(self, values: int) -> None:
        if values > self._values_left:
            raise UsageError(
                f"more than the {self._values_in_job} values that the homomorphic parameters were "
                "made for: state the job's real size"
            )
        self._values_left -= values


def _concatenated(parts: list[VectorProducts], columns: int) -> VectorProducts:
    """One batch of all; empty where there are none."""
    if not parts:
        return VectorProducts(None, np.zeros((0, columns), np.uint64))
    vectors = [part.vectors for part in parts if part.vectors is not None]
    return VectorProducts(
        np.concatenate(vectors) if vectors else None,
        np.concatenate([part.products for part in parts]),
    )


def _asking(matrix: _Matrix | None, vectors: Words) -> Iterator[tuple[str, bytes]]:
    """Q: new keys for merging, then the encrypted vectors (v, rows)."""
    if matrix is None or matrix.empty:
        return
    assert matrix.holder is not None
    layout = matrix.layout(len(vectors))
    for gap in matrix.new_gaps(layout):
        yield _MERGING.format(matrix.owner), matrix.holder.merging_key(gap)
    for message in matrix.holder.encrypted(layout, vectors):
        yield _VECTORS.format(matrix.owner), message


def _answers(
    matrix: _Matrix, layout: Layout, ciphertexts: Words, share: Words
) -> Iterator[tuple[str, bytes]]:
    """P: the masked products; fills in its own ``share``."""
    assert matrix.evaluator is not None
    assert matrix.bins is not None
    for message, part, number in matrix.evaluator.products(layout, ciphertexts, matrix.bins):
        _, vectors, columns = layout.places(number)
        share[vectors, columns] = part
        yield _PRODUCTS.format(matrix.owner), message


def _opened(matrix: _Matrix, count: int, messages: Iterator[bytes | memoryview]) -> Words:
    """Q: its share of the products, (count, columns)."""
    if matrix.empty:
        return np.zeros((count, matrix.shape.columns), np.uint64)
    assert matrix.holder is not None
    return matrix.holder.opened(matrix.layout(count), messages)
