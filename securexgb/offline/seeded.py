"""What every source with a dealer does at a party: own pieces from the own seed.

The subclasses differ in one thing, where party 1's corrections come from: another
process (``dealt``), or this one, insecurely (``local``). Products with a fixed private
matrix are the dealer's too (algorithm ss), unless the two parties make them by
homomorphic encryption (algorithm hybrid): then ``products`` does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.channel.channel import Channel
from securexgb.dealer.deal import BLOCK, Pieces, Streams, complete, matrix_name
from securexgb.errors import ProtocolDesync, UsageError
from securexgb.offline.blocks import Supply
from securexgb.offline.correlations import (
    BITS,
    DIGITS,
    TRANSFERS,
    BucketMatrix,
    DigitReceiver,
    DigitSender,
    GateTriples,
    Kind,
    PadProducts,
    RandomOTReceiver,
    RandomOTSender,
    SharedRandomBits,
    Triples,
    VectorProducts,
    Words,
    gate_kind,
)
from securexgb.offline.producer import ProductsAhead
from securexgb.offline.source import own_buckets


@dataclass
class FixedMatrix:
    """One registered matrix, at one party.

    ``masked`` is E = M - U at the side that does not own it, None at the owner.
    ``used`` counts the vectors handed out, two a pair.
    """

    name: str
    owner: int
    number: int
    rows: int
    columns: int
    masked: Words | None
    used: int = 0


class SeededSource(ABC):
    """One party's supply, its own pieces drawn from its own seed; see ``dealer.deal``.

    ``products``: who makes matrix products in the dealer's place, on the offline lane.
    """

    name = "seeded"
    evidence = "none"
    dealt = True

    def __init__(
        self, streams: Streams, channel: Channel, products: ProductsAhead | None = None
    ) -> None:
        self._seconds = 0.0
        self._rank = streams.rank
        self._streams = streams
        self._channel = channel
        self._products = products
        self._bytes_sent = 0
        self._matrices: list[FixedMatrix | None] = [None, None]
        self._supplies = {kind: self._supply(kind) for kind in Kind}

    @property
    def offline_seconds(self) -> float:
        return self._seconds + (0.0 if self._products is None else self._products.producer.seconds)

    @property
    def waited_seconds(self) -> float:
        made = self._products
        return self._seconds + (0.0 if made is None else made.producer.waited_seconds)

    @property
    @abstractmethod
    def offline_bytes(self) -> int:
        """Bytes exchanged with the dealer so far."""

    @property
    def offline_channel_bytes(self) -> int:
        """Masked matrices, or what the products have sent."""
        made = 0 if self._products is None else self._products.offline_channel_bytes
        return self._bytes_sent + made

    @abstractmethod
    def _check(self) -> None:
        """Raise where the supply has failed; called at every request."""

    def close(self) -> None:
        """Ask for nothing more; what was never used is simply lost. After the channel."""
        if self._products is not None:
            self._products.producer.close()

    @abstractmethod
    def _correction(self, kind: Kind, start: int, count: int) -> Words:
        """The dealer's piece of so many blocks of 64 elements, as sent; at party 1 only."""

    @abstractmethod
    def _product_correction(self, matrix: FixedMatrix, start: int, count: int) -> Words:
        """The dealer's piece, shape (count, columns); called at party 1 only."""

    @abstractmethod
    def _announce(self, matrix: FixedMatrix) -> None:
        """Tell whoever deals of a new matrix: its public shape."""

    def triples(self, count: int, ring_bits: int = 64) -> Triples:
        """See ``offline.source``; right modulo 2^64 whatever is asked for."""
        return Triples(*self._take(Kind.TRIPLES, count))

    def gates(self, words: int, width: int) -> GateTriples:
        a, b, c = self._take(gate_kind(width), words)
        return GateTriples(a, b[:width], c[:width])

    def digit_send(self, words: int, width: int) -> DigitSender:
        return DigitSender(*self._take(DIGITS[width, self._rank], words))

    def digit_receive(self, words: int, width: int) -> DigitReceiver:
        return DigitReceiver(*self._take(DIGITS[width, 1 - self._rank], words))

    def shared_bits(self, count: int, ring_bits: int = 64) -> SharedRandomBits:
        return SharedRandomBits(*self._take(BITS[ring_bits], count))

    def random_ot_send(self, count: int, bits: int = 64) -> RandomOTSender:
        return RandomOTSender(*self._take(TRANSFERS[bits, self._rank], count))

    def random_ot_receive(self, count: int, bits: int = 64) -> RandomOTReceiver:
        return RandomOTReceiver(*self._take(TRANSFERS[bits, 1 - self._rank], count))

    def plan(self, vectors: int, values: int) -> None:
        """See ``offline.source``."""
        if self._products is not None:
            self._products.plan(vectors, values)

    @abstractmethod
    def begin_tree(self, left: int) -> None:
        """See ``offline.source``."""

    def noise_bits(self, matrix: BucketMatrix) -> int:
        """See ``offline.source``: what is dealt is exact."""
        return 0 if self._products is None else self._products.noise_bits(matrix)

    def register_matrix(self, matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> None:
        """See ``offline.source``. A second matrix of the same owner replaces the first."""
        if self._products is not None:
            self._products.register_matrix(matrix, own)
            return
        began = perf_counter()
        self._fix_matrix(matrix, own)
        self._seconds += perf_counter() - began

    def _fix_matrix(self, matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> None:
        owner, before = matrix.owner, self._matrices[matrix.owner]
        number = 0 if before is None else before.number + 1
        name = matrix_name(owner, number)
        fixed = FixedMatrix(name, owner, number, matrix.rows, matrix.columns, None)
        self._announce(fixed)
        size = 8 * matrix.rows * matrix.columns
        if size:
            tag = f"offline/{fixed.name}"
            if self._rank == owner:
                self._channel.send(tag, self._mask(name, matrix, own).data.cast("B"))
                self._bytes_sent += size
            else:
                fixed.masked = _as_matrix(self._channel.receive(tag), fixed)
        self._matrices[owner] = fixed

    def vector_products(self, owner: int, count: int) -> VectorProducts | PadProducts:
        """See ``offline.source``."""
        self._check()
        if self._products is not None:
            return self._products.vector_products(owner, count)
        began = perf_counter()
        made = self._dealt_products(owner, count)
        self._seconds += perf_counter() - began
        return made

    def _dealt_products(self, owner: int, count: int) -> VectorProducts:
        fixed, single = self._matrices[owner], 2 * count
        if fixed is None:
            raise UsageError(f"the matrix of party {owner} is not registered: do that first")
        start, fixed.used = fixed.used, fixed.used + single
        if self._rank == 0:
            products = self._streams.products(fixed.name, fixed.columns, start, single)
        else:
            products = self._product_correction(fixed, start, single)
        vectors = None
        if self._rank != owner:
            vectors = self._streams.vectors(fixed.name, fixed.rows, start, single)
            if fixed.masked is not None and count:
                products = products + _kernels.matrix_product(fixed.masked, vectors)
            vectors = vectors.reshape(count, 2, fixed.rows)
        return VectorProducts(vectors, products.reshape(count, 2, fixed.columns))

    def _take(self, kind: Kind, count: int) -> Pieces:
        self._check()
        return self._supplies[kind].take(count)

    def _supply(self, kind: Kind) -> Supply:
        def make(start: int, count: int) -> Pieces:
            began = perf_counter()
            blocks = (start // BLOCK, count // BLOCK)
            free = self._streams.free(kind, *blocks)
            fitted = self._correction(kind, *blocks) if self._rank == 1 else None
            pieces = complete(kind, self._rank, free, fitted)
            self._seconds += perf_counter() - began
            return pieces

        received = {kind for (_, rank), kind in TRANSFERS.items() if rank != self._rank}
        packed = kind in (*BITS.values(), *received)
        return Supply(make, packed, whole_words=packed or kind in TRANSFERS.values())

    def _mask(self, name: str, matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> Words:
        """E = M - U, shape (rows, columns)."""
        buckets = own_buckets(matrix, own)
        return _kernels.mask_bucket_matrix(buckets, matrix.bins, self._streams.mask_key(name), 0)


def _as_matrix(payload: bytes | memoryview, fixed: FixedMatrix) -> Words:
    """The received E, without a copy."""
    if len(payload) != 8 * fixed.rows * fixed.columns:
        raise ProtocolDesync(
            f"the masked matrix of party {fixed.owner} has {len(payload)} bytes "
            f"instead of {8 * fixed.rows * fixed.columns}: the two sides hold different terms"
        )
    words: Words = np.frombuffer(payload, dtype="<u8").reshape(fixed.rows, fixed.columns)
    return words
