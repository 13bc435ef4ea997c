"""Pads for histograms and shares of M^T a, by ring-LWE and BFV, without a dealer.

For a matrix M of party P the other side Q's pads are ring-LWE samples a = A s + e: A public and
fixed with M, a fresh ternary s (4096 numbers) and fresh small errors for each vector. Then
M^T a = W s + M^T e with W = M^T A, known to P. Q encrypts s, P multiplies with W under encryption
and sends masked results, Q decrypts: work and bytes that do not depend on the number of rows.
Shares are those of W s, with some noise more; M^T e is missing. Whoever takes sums multiplies
them by 2^noise_bits and rounds (``mpc.matrix``).

Vectors come in pairs, of g and of h. Both pads of a pair have the same s, with public polynomials
A_g and A_h of their own and errors of their own: more samples under one secret, as blocks of rows
are anyway. So s is encrypted and sent once a pair, and P multiplies it with W_g and W_h.

    register_matrix   both ways: what A is drawn from; Q -> P: the public key
    vector_products   Q -> P: Galois keys, where new; encrypted secrets
                      P -> Q: masked products

Where rows lie in several places of each party (``cluster``), everything is linear over them: each
place has blocks of A, and errors, of its own, and W is the sum of the places' W. One s serves a
vector everywhere, and it is encrypted and multiplied once, between the two parties that have none
of the rows (``divide``, ``register_sums``); the places make pads alone (``row_pads``).

P sees ciphertexts under Q's key. Q sees uniform c0 and RLWE-masked c1 (``he.bfv``). Pads hide what
they are added to by ring-LWE. Sums are right except with probability 2^-40 for all
``values_in_job`` together (``he.noise``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.arith.prg import KEY_BYTES as COIN_BYTES
from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.correlations.kind import Words
from securexgb.correlations.source import BucketMatrix, PadKeys, PadProducts, SummedMatrix
from securexgb.errors import ProtocolDesync, SecureXGBError
from securexgb.he.bfv import ANNOUNCEMENT_BYTES, BfvEvaluator, BfvKeyHolder
from securexgb.he.layout import GALOIS_KEY_BYTES, MOST_VECTORS, Layout, batch_vectors, first_vectors
from securexgb.he.made_matrix import MadeMatrix, Matrix, held_bytes, whole_bytes
from securexgb.he.noise import PRIMES, SHORT, Precision, Sums, sums_precision
from securexgb.offline.homomorphic import Due, HomomorphicProducts, Received, finish

_COINS = "offline/he/{}/coins"
_KEY = "offline/he/{}/key"
_MERGING = "offline/he/{}/merging"
_SECRETS = "offline/he/{}/secrets"
_PRODUCTS = "offline/he/{}/products"
_PAIR = "g", "h"

WORD_BYTES = 8
Buckets = NDArray[np.uint8]
_Messages = Iterator[tuple[str, bytes]]


def matrix_bytes(matrix: BucketMatrix, noise_bits: int) -> int:
    """What the owner of a matrix holds of W_g and W_h for the whole job."""
    bits = [bits + noise_bits for bits in matrix.sum_bits]
    return min(whole_bytes(matrix.columns, bits), held_bytes(matrix.rows))


def stock_bytes(columns: int, vectors: int) -> int:
    """Of one side's share of the products of so many pairs of vectors."""
    return vectors * columns * len(_PAIR) * WORD_BYTES


def pads_precision(matrix: BucketMatrix, values_in_job: int) -> Precision:
    """Of the products of pairs with a matrix; UsageError where no parameters fit.

    A vector serves two nodes at most, left child and right: two sums a product.
    """
    bits, values = max(matrix.sum_bits), 2 * values_in_job
    return sums_precision(Sums(matrix.rows, bits, matrix.bins, matrix.chain, values))


Masks = list[_kernels.RlwePads]
"""A_g and A_h."""


def _drawn_from(matrix: BucketMatrix, noise_bits: int, coins: Prg) -> tuple[list[int], list[bytes]]:
    """Of A_g and A_h: the bits of their numbers, and the keys of their streams."""
    bits = [bits + noise_bits for bits in matrix.sum_bits]
    return bits, [coins.derive(word).key for word in _PAIR]


def masks_of(matrix: BucketMatrix, noise_bits: int, coins: Prg) -> Masks:
    """What pads are made of."""
    drawn = zip(*_drawn_from(matrix, noise_bits, coins), strict=True)
    return [_kernels.RlwePads(SHORT, PRIMES[:2], bits, key, matrix.rows) for bits, key in drawn]


def made_matrix(matrix: BucketMatrix, noise_bits: int, coins: Prg, own: Buckets) -> MadeMatrix:
    """W, at the owner of a matrix."""
    return MadeMatrix(*_drawn_from(matrix, noise_bits, coins), own, matrix.bins)


@dataclass(frozen=True, eq=False, repr=False)
class PadStreams:
    """What pads are drawn from: A, the errors of g and of h, and the secrets of both."""

    masks: Masks
    secrets: bytes
    errors: list[bytes]

    @staticmethod
    def of(masks: Masks, secrets: bytes, private: Prg) -> PadStreams:
        """``private``: for the errors."""
        errors = [private.derive(f"errors of pads, {word}").key for word in _PAIR]
        return PadStreams(masks, secrets, errors)


@dataclass(frozen=True, eq=False, repr=False)
class _Helper:
    """Q's part of a matrix: its BFV secret, and pads, where the rows are here."""

    holder: BfvKeyHolder
    secrets: bytes
    pads: PadStreams | None


@dataclass(frozen=True, eq=False, repr=False)
class _Owner:
    """P's part: Q's public key, and W."""

    evaluator: BfvEvaluator
    matrix: Matrix


@dataclass(eq=False, repr=False)
class _Matrix:
    """One registered matrix at one party. Pairs are numbered: each number serves once.

    ``products``: of a pair, one for each column and each of its vectors.
    """

    owner: int
    products: int
    precision: Precision
    part: _Owner | _Helper | None = None
    spacings: set[int] = field(default_factory=set)
    next_batch: int = 0
    stock: list[Words] = field(default_factory=list)
    made: int = 0
    used: int = 0
    lock: Lock = field(default_factory=Lock)

    def put(self, products: Words) -> None:
        with self.lock:
            self.stock.append(products)
            self.made += len(products)

    def take(self, count: int) -> PadProducts:
        """The next ``count`` vectors; another thread may put more."""
        first, self.used = self.used, self.used + count
        with self.lock:
            products = np.zeros((0, self.products), np.uint64)
            if self.stock:
                products = self.stock[0] if len(self.stock) == 1 else np.concatenate(self.stock)
            self.stock = [products[count:]]
        pads = None
        if isinstance(self.part, _Helper) and self.part.pads is not None:
            pads = RlwePad(self.part.pads, first, count, self.precision.noise_bits)
        return PadProducts(pads, products[:count].reshape(count, 2, self.products // 2))

    def layout(self, wanted: int, in_job: int | None) -> Layout:
        """The next batch, for at least ``wanted`` vectors or as many as fit. After the first one
        batches are large, but nothing is made beyond what the job takes."""
        left = self.next_batch if in_job is None else in_job - self.made
        vectors = batch_vectors(max(wanted, min(self.next_batch, left)))
        self.next_batch = MOST_VECTORS
        return Layout(self.products, vectors, self.precision)

    def new_spacings(self, layout: Layout) -> list[int]:
        """Gaps whose keys the owner of the matrix has not had yet; from now on it has."""
        spacings = [spacing for spacing in layout.spacings if spacing not in self.spacings]
        self.spacings.update(spacings)
        return spacings


@dataclass(eq=False, repr=False)
class RlwePad:
    """Q's pads of some pairs of vectors; made when they are used, each once."""

    _streams: PadStreams
    _first: int
    _count: int
    _noise_bits: int

    def masked(self, vectors: Words) -> Words:
        """2^noise_bits y - a of pairs y (count, 2, rows).

        SecureXGBError for a second call: two messages under one pad show the vectors' difference.
        """
        if len(vectors) != self._count:
            raise SecureXGBError("a pad serves once, and as many vectors as it was made for")
        self._count = -1
        of, noise = self._streams, self._noise_bits
        result = np.empty(vectors.shape, np.uint64)
        # One vector after another: at a million rows every further array of all counts.
        for number, pair in enumerate(np.ascontiguousarray(vectors), self._first):
            row = result[number - self._first]
            for word, (pads, errors) in enumerate(zip(of.masks, of.errors, strict=True)):
                row[word] = pads.masked(of.secrets, errors, number, pair[word : word + 1], noise)
        return result

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("pads have secrets and are not pickled")


class BfvMatrixProducts(HomomorphicProducts[_Matrix]):
    """One party's end; see ``homomorphic``.

    ``private``: the party's own stream, fresh for every job; keys, errors, masks and secrets are
    derived from it. ``a_tree``: pairs of vectors that one tree takes; public, the same at both
    sides.
    """

    sized = "the homomorphic parameters"

    def __init__(
        self, rank: int, channel: Channel, private: Prg, values_in_job: int, a_tree: int = 8
    ) -> None:
        super().__init__(rank, channel, values_in_job)
        self._private = private
        self._vectors_in_job: int | None = None
        self._a_tree = a_tree
        self._is_far = False
        self._registered = 0
        self._divided: dict[int, Prg] = {}

    def plan(self, vectors: int, values: int, *, is_far: bool) -> None:
        super().plan(vectors, values, is_far=is_far)
        self._is_far = is_far
        self._vectors_in_job = vectors

    def noise_bits(self, matrix: BucketMatrix) -> int:
        """See ``correlations.source``; UsageError where no parameters fit."""
        return pads_precision(matrix, self._values_in_job).noise_bits

    def register_matrix(self, matrix: BucketMatrix, own: Buckets | None) -> None:
        """See ``correlations.source``. A second matrix of the same owner replaces the first."""
        began = perf_counter()
        new = self._new(matrix)
        own = matrix.own(own) if self._rank == matrix.owner else None
        private = self._next()
        if matrix.rows and matrix.columns:
            coins, noise = self._coins(matrix.owner), new.precision.noise_bits
            if own is not None:
                new.part = self._owner(private, made_matrix(matrix, noise, coins, own))
            else:
                masks, secrets = masks_of(matrix, noise, coins), private.derive("secrets").key
                new.part = self._helper(private, PadStreams.of(masks, secrets, private))
        self._matrices[matrix.owner] = new
        self.account.seconds += perf_counter() - began

    @property
    def divided(self) -> BfvMatrixProducts:
        """See ``correlations.source``."""
        return self

    def divide(self, matrices: Sequence[BucketMatrix]) -> PadKeys:
        """See ``correlations.source``."""
        coins, secrets = [b"", b""], b""
        for matrix in matrices:
            private = self._divided[matrix.owner] = self._next()
            coins[matrix.owner] = self._coins(matrix.owner).key
            if matrix.owner != self._rank:
                secrets = private.derive("secrets").key
        return PadKeys((coins[0], coins[1]), secrets, self.noise_bits(matrices[0]))

    def register_sums(self, matrix: BucketMatrix, own: SummedMatrix | None) -> None:
        """See ``correlations.source``."""
        began = perf_counter()
        new, private = self._new(matrix), self._divided[matrix.owner]
        if own is not None:
            new.part = self._owner(private, own)
        else:
            new.part = self._helper(private, None)
        self._matrices[matrix.owner] = new
        self.account.seconds += perf_counter() - began

    def _new(self, matrix: BucketMatrix) -> _Matrix:
        precision = pads_precision(matrix, self._values_in_job)
        first = first_vectors(self._a_tree, is_far=self._is_far)
        return _Matrix(matrix.owner, 2 * matrix.columns, precision, next_batch=first)

    def _next(self) -> Prg:
        """The stream of the next matrix."""
        self._registered += 1
        return self._private.derive(f"matrix {self._registered}")

    def _owner(self, private: Prg, matrix: Matrix) -> _Owner:
        """This party owns the matrix of W, and awaits the other one's key."""
        tag = _KEY.format(self._rank)
        evaluator = BfvEvaluator(private, self._channel.receive(tag, ANNOUNCEMENT_BYTES))
        return _Owner(evaluator, matrix)

    def _helper(self, private: Prg, pads: PadStreams | None) -> _Helper:
        """The other one does, and gets this party's key."""
        holder = BfvKeyHolder(private)
        self._send(_KEY.format(1 - self._rank), holder.announcement())
        return _Helper(holder, private.derive("secrets").key, pads)

    def begin(self) -> None:
        """Make W: both parties do so at the same time, once nobody waits for the other's coins."""
        began = perf_counter()
        own = self._matrices[self._rank]
        matrix = own.part.matrix if own and isinstance(own.part, _Owner) else None
        if isinstance(matrix, MadeMatrix):
            matrix.hold()
        self.account.seconds += perf_counter() - began

    def vector_products(self, owner: int, count: int) -> PadProducts:
        """See ``correlations.source``; raises UsageError past ``values_in_job``.

        Made in batches, for both parties' matrices at once where both run dry: then both parties
        work at the same time.
        """
        matrix = self._matrix(owner)
        self._spend(count * matrix.products)
        self.prepare(matrix.used + count)
        return matrix.take(count)

    def prepare(self, vectors: int) -> None:
        """See ``correlations.source``."""
        began = perf_counter()
        while dry := self._dry(vectors):
            most = self._vectors_in_job
            self._make(dry, {m.owner: m.layout(vectors - m.made, most) for m in dry})
        self.account.seconds += perf_counter() - began

    def _coins(self, owner: int) -> Prg:
        """The public coins that A_g and A_h are drawn from: both sides contribute."""
        tag = _COINS.format(owner)
        own = self._private.derive(f"coins {self._registered}").key
        self._send(tag, own)
        received = bytes(self._channel.receive(tag, COIN_BYTES))
        if len(received) != COIN_BYTES:
            raise ProtocolDesync("the two sides' coins for pads have different lengths")
        both = (own, received)[:: 1 - 2 * self._rank]
        return Prg(hashlib.sha256(b"securexgb pads" + b"".join(both)).digest()[:COIN_BYTES])

    def _make(self, matrices: list[_Matrix], layouts: dict[int, Layout]) -> None:
        """One batch of each: secrets cross, are multiplied, and products cross."""
        mine, asked = self._mine_and_asked(matrices)
        asking: _Messages = iter(())
        if asked is not None:
            asking = _asking(asked, layouts[asked.owner])
        share, results = self._multiplied(mine, layouts, asking)
        expected: list[Due] = []
        if asked is not None and asked.part is not None:
            layout = layouts[asked.owner]
            tag = _PRODUCTS.format(asked.owner)
            expected = [(tag, layout.most_result_bytes)] * layout.results
        received = self._swapped(results, expected)
        if asked is not None:
            asked.put(_opened(asked, layouts[asked.owner], received))
        finish(received)
        if mine is not None:
            mine.put(share)

    def _multiplied(
        self, matrix: _Matrix | None, layouts: dict[int, Layout], asking: _Messages
    ) -> tuple[Words, _Messages]:
        """P: its share, (pairs, products), filled while the masked products are read.

        Sends ``asking`` while it receives the other side's secrets.
        """
        if matrix is None or matrix.part is None:
            finish(self._swapped(asking, []))
            vectors = 0 if matrix is None else layouts[matrix.owner].vectors
            columns = 0 if matrix is None else matrix.products
            return np.zeros((vectors, columns), np.uint64), iter(())
        assert isinstance(matrix.part, _Owner)
        layout, evaluator = layouts[matrix.owner], matrix.part.evaluator
        spacings = matrix.new_spacings(layout)
        due = [(_MERGING.format(matrix.owner), GALOIS_KEY_BYTES)] * len(spacings)
        due += [(_SECRETS.format(matrix.owner), size) for size in layout.secret_bytes]
        received = self._swapped(asking, due)
        for spacing in spacings:
            evaluator.add_galois_key(spacing, next(received))
        ciphertexts = evaluator.expanded(layout.groups, received, layout.precision)
        finish(received)
        share = np.zeros((layout.vectors, layout.columns), np.uint64)
        return share, _answers(matrix, layout, ciphertexts, share)


def _asking(matrix: _Matrix, layout: Layout) -> _Messages:
    """Q: new Galois keys, then the encrypted secrets."""
    if matrix.part is None:
        return
    assert isinstance(matrix.part, _Helper)
    holder = matrix.part.holder
    for spacing in matrix.new_spacings(layout):
        yield _MERGING.format(matrix.owner), holder.galois_key(spacing)
    for message in holder.encrypted_ternary(layout, matrix.part.secrets, matrix.made):
        yield _SECRETS.format(matrix.owner), message


def _answers(matrix: _Matrix, layout: Layout, ciphertexts: Words, share: Words) -> _Messages:
    """P: the masked products; fills in its own ``share``."""
    assert isinstance(matrix.part, _Owner)
    products = matrix.part.evaluator.products(layout, ciphertexts, matrix.part.matrix)
    for message, part, number in products:
        _, vectors, columns = layout.indices(number)
        share[vectors, columns] = part
        yield _PRODUCTS.format(matrix.owner), message


def _opened(matrix: _Matrix, layout: Layout, messages: Received) -> Words:
    """Q: its share of the products, (pairs, products)."""
    if matrix.part is None:
        return np.zeros((layout.vectors, matrix.products), np.uint64)
    assert isinstance(matrix.part, _Helper)
    return matrix.part.holder.opened(layout, messages)
