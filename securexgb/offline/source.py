"""Where correlated randomness comes from, as the online protocols see it.

The sources (dealt, two-party, insecure local) differ in trust and in cost, not
in what they hand out. Pieces are handed out in order and never twice; both
parties must ask for the same kinds and counts in the same order, which holds
because control flow is public.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from securexgb.errors import DataError
from securexgb.offline.correlations import (
    BucketMatrix,
    DigitReceiver,
    DigitSender,
    GateTriples,
    PadProducts,
    RandomOTReceiver,
    RandomOTSender,
    SharedRandomBits,
    Triples,
    VectorProducts,
)


class CorrelationSource(Protocol):
    """One party's supply of correlated randomness for one job."""

    @property
    def name(self) -> str:
        """What reports call it: "dealt", "insecure-local", …"""

    @property
    def evidence(self) -> str:
        """The dealer's evidence type ("none" where there is no attested dealer)."""

    @property
    def dealt(self) -> bool:
        """Whether a triple costs its words and no transfers, as it does from a dealer. Public."""

    @property
    def offline_seconds(self) -> float:
        """Time this party has spent producing correlations so far, the other's part included."""

    @property
    def waited_seconds(self) -> float:
        """Time its protocols have waited for correlations so far: ``offline_seconds`` where
        these are made when they are asked for, less where they are made ahead."""

    @property
    def offline_bytes(self) -> int:
        """Bytes this party has exchanged with a dealer so far; nothing of the channel."""

    @property
    def offline_channel_bytes(self) -> int:
        """Bytes this party has sent for correlations on the channel (in its traffic too)."""

    def triples(self, count: int, ring_bits: int = 64) -> Triples:
        """Right modulo 2^ring_bits (1 to 64), uniform modulo 2^64."""

    def gates(self, words: int, width: int) -> GateTriples:
        """64 * words gates, each with ``width`` (1 to 32) bits behind it."""

    def digit_send(self, words: int, width: int) -> DigitSender:
        """64 * words transfers of one of 16 messages of ``width`` (2, 7) bits to the other."""

    def digit_receive(self, words: int, width: int) -> DigitReceiver:
        """The other end of ``digit_send``."""

    def shared_bits(self, count: int, ring_bits: int = 64) -> SharedRandomBits:
        """Additive shares modulo 2^ring_bits (64, 32), in the low bits of words."""

    def random_ot_send(self, count: int, bits: int = 64) -> RandomOTSender:
        """Messages right modulo 2^bits (64, 32, 16, 8), in the low bits of words; 128: (2, n)."""

    def random_ot_receive(self, count: int, bits: int = 64) -> RandomOTReceiver:
        """The other end of ``random_ot_send``."""

    def plan(self, vectors: int, values: int) -> None:
        """What a training will ask of products, before its first matrix is registered.

        ``vectors``: pairs of vectors, for each matrix; ``values``: words of products, of both
        matrices. Public.
        """

    def begin_tree(self, left: int) -> None:
        """Before each tree: so many are left, this one included, and they take alike.

        A source that works ahead of requests stops where the last tree will.
        """

    def noise_bits(self, matrix: BucketMatrix) -> int:
        """Bits of noise in products of such a matrix.

        0 where products are exact: ``vector_products`` gives VectorProducts then, PadProducts
        otherwise. Public; UsageError where the sums are beyond what the source can do.
        """

    def register_matrix(self, matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> None:
        """Fix the private one-hot matrix M of one party for the whole job.

        ``own``: bin indices (rows, features), dtype uint8, at the owner; None at the other side.
        Called once per owner, by both. Exchanges what the source needs (for a dealer: E = M - U,
        uniform) on the channel.
        """

    def vector_products(self, owner: int, count: int) -> VectorProducts | PadProducts:
        """``count`` fresh pairs of random vectors a of the other side, with shares of M^T a."""

    def close(self) -> None: ...


class MatrixProducts(Protocol):
    """Shares of M^T a for fixed private matrices M, made between the two parties.

    The methods are those of ``CorrelationSource``, which see; ``offline_channel_bytes``
    is what this party has sent for them.
    """

    @property
    def offline_channel_bytes(self) -> int: ...

    def plan(self, vectors: int, values: int) -> None: ...

    def noise_bits(self, matrix: BucketMatrix) -> int: ...

    def register_matrix(self, matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> None: ...

    def vector_products(self, owner: int, count: int) -> VectorProducts | PadProducts: ...

    def prepare(self, vectors: int) -> None:
        """Make ahead the first ``vectors`` of each registered matrix, counted from its start.

        After it these vectors take no message, and another thread may ask for them.
        """


def own_buckets(matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """The owner's bin indices (rows, features), contiguous; DataError for any other shape."""
    if own is None or own.shape != (matrix.rows, matrix.features):
        raise DataError(
            f"the bucket matrix of party {matrix.owner} must be its bin indices, "
            f"({matrix.rows}, {matrix.features}) of uint8"
        )
    return np.ascontiguousarray(own)
