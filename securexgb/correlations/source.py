"""Where correlated randomness comes from, as the online protocols see it.

The sources (dealt, two-party, insecure local) differ in trust and in cost, not
in what they hand out. Pieces are handed out in order and never twice; both
parties must ask for the same kinds and counts in the same order, which holds
because control flow is public.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from securexgb.correlations.kind import Directed, Kind, P, R, S, Words
from securexgb.correlations.prices import Prices
from securexgb.correlations.rows import RowBitsSource
from securexgb.errors import DataError


@dataclass
class Account:
    """What one party has spent on correlations so far.

    ``seconds``: of production, the other's part included. ``waited_seconds``: that its protocols
    have waited; all of ``seconds`` where correlations are made when they are asked for.
    ``dealer_bytes``: exchanged with a dealer. ``channel_bytes``: sent on the channel (in its
    traffic too).
    """

    seconds: float = 0.0
    waited_seconds: float = 0.0
    dealer_bytes: int = 0
    channel_bytes: int = 0

    def __add__(self, other: Account) -> Account:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Account(*[a + b for a, b in pairs])


@dataclass(frozen=True)
class BucketMatrix:
    """What is public of a party's one-hot matrix M, and of the sums that are taken over it.

    ``owner``: its rank. M has ``columns``, ``bins`` of each feature: column f * bins + b is one in
    the rows whose feature f lies in bin b. Vectors come in pairs, of g and of h;
    ``gradient_sum_bits``, ``hessian_sum_bits``: of their sums over any rows, one sign included.
    ``chain``: so many vectors' sums are added up or subtracted at most, before a sum over up to
    ``bins`` columns of a feature is used.
    """

    owner: int
    rows: int
    columns: int
    bins: int
    gradient_sum_bits: int
    hessian_sum_bits: int
    chain: int = 1

    @property
    def features(self) -> int:
        return self.columns // self.bins

    @property
    def sum_bits(self) -> tuple[int, int]:
        return self.gradient_sum_bits, self.hessian_sum_bits

    def own(self, buckets: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        """The owner's bin indices (rows, features), contiguous; DataError for any other shape."""
        if buckets is None or buckets.shape != (self.rows, self.features):
            raise DataError(
                f"the bucket matrix of party {self.owner} must be its bin indices, "
                f"({self.rows}, {self.features}) of uint8"
            )
        return np.ascontiguousarray(buckets)


@dataclass(frozen=True, repr=False)
class VectorProducts:
    """Additive shares of M^T a for pairs of random vectors a.

    ``vectors`` (v, 2, n) at the side that does not own M, None at the owner;
    ``products`` (v, 2, columns) at both: they add up to M^T a.
    """

    vectors: Words | None
    products: Words


class Pads(Protocol):
    """Pseudorandom pairs a of the side that does not own M, made when they are used."""

    def masked(self, vectors: Words) -> Words:
        """2^noise_bits y - a of pairs y (v, 2, n), each modulo 2^(bits of its sums + noise_bits).

        Once only: a pad serves one message.
        """


@dataclass(frozen=True, repr=False)
class PadProducts:
    """Noisy shares of M^T a for pairs of pads a, modulo 2^(bits of their sums + noise_bits).

    ``pads`` at the side that does not own M, None at the owner; ``products`` (v, 2, columns) at
    both: they add up to M^T a - r. |r| < 2^(noise_bits - 1), of what ``BucketMatrix.chain`` adds up
    too; bits as agreed when M was registered.
    """

    pads: Pads | None
    products: Words


@dataclass(frozen=True, repr=False)
class PadKeys:
    """What the pads of a job are made of, where rows lie in several places of each party.

    ``coins``: public, by the owner of the matrix; b"" where it has no column. ``secrets``: the key
    of the secrets of this party's pads, which stays with it. ``noise_bits``: as for all rows.
    """

    coins: tuple[bytes, bytes]
    secrets: bytes
    noise_bits: int


class SummedMatrix(Protocol):
    """W = M^T A at the owner of M, added up over the places of its rows: words (columns, k)."""

    def __getitem__(self, columns: slice, /) -> Words: ...


class DividedProducts(Protocol):
    """Products with matrices whose rows lie in several places, made once for all of them.

    At the two parties that have none of the rows: products of all rows, without pads.
    """

    def divide(self, matrices: Sequence[BucketMatrix]) -> PadKeys:
        """Agree on what pads are made of; the matrices are of all rows, and of both parties."""

    def register_sums(self, matrix: BucketMatrix, own: SummedMatrix | None) -> None:
        """As ``MatrixProducts.register_matrix``; ``own``: at its owner."""


class RowPads(Protocol):
    """Pads of the rows of one place, whose products are made elsewhere."""

    def take_up(self, keys: PadKeys, place: int) -> None:
        """Before the matrices of this place, whose number it is, are registered."""

    def part_of_sums(self, word: int, group: int) -> NDArray[np.uint8]:
        """This party's summand of a group of columns of W_g or W_h, packed (``he.made_matrix``)."""


class MatrixProducts(Protocol):
    """Shares of M^T a for fixed private matrices M."""

    @property
    def account(self) -> Account: ...

    @property
    def divided(self) -> DividedProducts | None:
        """How products are made for rows in several places; None where each place makes its own."""

    @property
    def pads(self) -> RowPads | None:
        """Where only pads are made here: products are zero, and are added elsewhere."""

    def plan(self, vectors: int, values: int, *, is_far: bool) -> None:
        """What a training will ask for, before its first matrix is registered.

        ``vectors``: pairs of vectors, for each matrix; ``values``: words of products, of both
        matrices; ``is_far``: messages are slow, so what is needed first should be small. Public.
        """

    def noise_bits(self, matrix: BucketMatrix) -> int:
        """Bits of noise in products of such a matrix.

        0 where products are exact: ``vector_products`` gives VectorProducts then, PadProducts
        otherwise. Public; UsageError where the sums are beyond what the source can do.
        """

    def register_matrix(self, matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> None:
        """Fix the private one-hot matrix M of one party for the whole job.

        ``own``: bin indices (rows, features), dtype uint8, at the owner; None at the other side.
        Called once per owner, by both; a second matrix replaces the first. Exchanges what the
        source needs (for a dealer: E = M - U, uniform) on the channel.
        """

    def begin(self) -> None:
        """All matrices are registered: what the job needs of them is made, and what the first tree
        needs may be. By both parties."""

    def vector_products(self, owner: int, count: int) -> VectorProducts | PadProducts:
        """``count`` fresh pairs of random vectors a of the other side, with shares of M^T a."""


class ObservedProducts:
    """Products of ``within``; ``before(owner, count)`` runs whenever some are asked for."""

    def __init__(self, within: MatrixProducts, before: Callable[[int, int], object]) -> None:
        self._within = within
        self._before = before
        self.plan = within.plan
        self.noise_bits = within.noise_bits
        self.register_matrix = within.register_matrix
        self.begin = within.begin
        self.divided = within.divided
        self.pads = within.pads

    @property
    def account(self) -> Account:
        return self._within.account

    def vector_products(self, owner: int, count: int) -> VectorProducts | PadProducts:
        self._before(owner, count)
        return self._within.vector_products(owner, count)


class CorrelationSource(Protocol):
    """One party's supply of correlated randomness for one job.

    ``name``: what reports call it: "dealt", "insecure-local", ... ``evidence``: the dealer's
    evidence type ("none" where there is no attested dealer).
    """

    @property
    def name(self) -> str: ...

    @property
    def evidence(self) -> str: ...

    @property
    def prices(self) -> Prices: ...

    @property
    def account(self) -> Account: ...

    @property
    def products(self) -> MatrixProducts: ...

    @property
    def row_bits(self) -> RowBitsSource: ...

    def take(self, kind: Kind[P], count: int) -> P:
        """This party's part of the next ``count`` elements, as read-only arrays."""

    def begin_job(self, words: int) -> None:
        """So many words of 64 transfers will be taken in each direction, at least: what such a job
        needs first may be made."""

    def expect(self, counts: Mapping[Kind[Any], int]) -> None:
        """So many elements of these kinds will be taken by a tree, beside what was said before:
        they may be made now. Levels take of all kinds, each twice what the one above took."""

    def begin_tree(self, remaining: int) -> None:
        """Before each tree: so many are to come, this one included, and they take alike.

        A source that works ahead of requests stops where the last tree will.
        """

    def close(self) -> None:
        """Ask for nothing more; what was never used is simply lost. After the channel."""


def take_ends(
    source: CorrelationSource, rank: int, kinds: Sequence[Directed[S, R]], sent: int, received: int
) -> tuple[S, R]:
    """This party's ends of two kinds in opposite directions: of what it sends, of what it receives.

    The kinds are drawn in their order, which is the same at both parties.
    """
    drawn = {k.sender: source.take(k, sent if k.sender == rank else received) for k in kinds}
    return cast("tuple[S, R]", (drawn[rank], drawn[1 - rank]))
