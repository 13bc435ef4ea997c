"""Shares of M^T a for a private one-hot matrix M and random a, by Paillier, without a dealer.

The same service as ``matrix_products``, for small data and for those whose auditors know
Paillier. For a matrix of party P the other side Q draws uniform vectors a and sends them
encrypted, row by row, many vectors to a plaintext; P sums ciphertexts by bins and sends masked
results; Q decrypts. P's share is the mask.

    register_matrix   Q -> P: the public key
    vector_products   Q -> P: the rows of a batch, P -> Q: masked products

Vectors are handed out in pairs, of g and of h. A batch always has as many vectors as a plaintext
has slots, because a row costs the same however many of them are used; what was not asked for is
kept. Where one direction runs dry, the other is filled up with it as far as it would not serve
the same request: then both parties work at the same time.

P sees ciphertexts under Q's key (decisional composite residuosity). Q sees fresh encryptions
of masked sums, within 2^-40 of uniform for the whole job (``he.paillier_sums``). Exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.correlations.kind import Words
from securexgb.correlations.source import BucketMatrix, VectorProducts
from securexgb.errors import ProtocolDesync, UsageError
from securexgb.he.paillier import (
    DEFAULT_BITS,
    InsecureSecretKey,
    SecretKey,
    check_bits,
    message_bytes,
)
from securexgb.he.paillier_sums import PaillierEvaluator, PaillierKeyHolder, Slots, block
from securexgb.offline.homomorphic import HomomorphicProducts, Received, finish

_KEY = "offline/paillier/{}/key"
_ROWS = "offline/paillier/{}/rows"
_PRODUCTS = "offline/paillier/{}/products"


@dataclass(eq=False, repr=False)
class _Matrix:
    """One registered matrix at one party: its evaluator at the owner, else the key holder.

    ``made``, ``used``: single vectors.
    """

    owner: int
    rows: int
    columns: int
    slots: Slots
    evaluator: PaillierEvaluator | None = None
    holder: PaillierKeyHolder | None = None
    stock: list[VectorProducts] = field(default_factory=list)
    made: int = 0
    used: int = 0
    lock: Lock = field(default_factory=Lock)

    @property
    def empty(self) -> bool:
        return not (self.rows and self.columns)

    @property
    def batch(self) -> int:
        """Vectors of a batch."""
        return self.slots.count

    def messages(self, ciphertexts: int) -> int:
        """Messages of so many ciphertexts, none for an empty matrix."""
        return 0 if self.empty else -(-ciphertexts // block(self.slots.key_bits))

    def put(self, made: VectorProducts) -> None:
        with self.lock:
            self.stock.append(made)
            self.made += len(made.products)

    def take(self, count: int) -> VectorProducts:
        """The next ``count`` pairs; the rest stays, and another thread may put more."""
        single = 2 * count
        with self.lock:
            nothing = np.zeros((0, self.columns), np.uint64)
            products = np.concatenate([nothing, *(batch.products for batch in self.stock)])
            drawn = [batch.vectors for batch in self.stock if batch.vectors is not None]
            vectors = rest = None
            if drawn:
                vectors, rest = np.split(np.concatenate(drawn), [single])
                vectors = vectors.reshape(count, 2, self.rows)
            self.stock = [VectorProducts(rest, products[single:])]
        self.used += single
        return VectorProducts(vectors, products[:single].reshape(count, 2, self.columns))


class PaillierMatrixProducts(HomomorphicProducts[_Matrix]):
    """One party's end; see ``homomorphic``.

    ``private``: the party's own stream, fresh for every job; vectors and masks come from it,
    the randomness of keys and ciphertexts from the operating system. ``key_bits``: of both
    parties' keys. Raises UsageError for a key size below 2048.
    """

    sized = "the masks"
    key_type: type[SecretKey] = SecretKey

    def __init__(
        self,
        rank: int,
        channel: Channel,
        private: Prg,
        values_in_job: int,
        key_bits: int = DEFAULT_BITS,
    ) -> None:
        check_bits(key_bits, self.key_type.public_type.least_bits)
        super().__init__(rank, channel, values_in_job)
        self._vectors = private.derive("vectors")
        self._masks = private.derive("masks")
        self._key_bits = key_bits
        self._secret: SecretKey | None = None

    def noise_bits(self, matrix: BucketMatrix) -> int:
        """See ``correlations.source``: Paillier's sums are exact."""
        return 0

    def register_matrix(self, matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> None:
        """See ``correlations.source``. A second matrix of the same owner replaces the first."""
        began = perf_counter()
        owner = matrix.owner
        slots = Slots(matrix.rows, self._key_bits, self._most_values(matrix.columns))
        new = _Matrix(owner, matrix.rows, matrix.columns, slots)
        own = matrix.own(own) if self._rank == owner else None
        if not new.empty:
            tag = _KEY.format(owner)
            if own is not None:
                announced = self._channel.receive(tag, self._key_bits // 8)
                public = self.key_type.public_type.announced(announced, self._key_bits)
                new.evaluator = PaillierEvaluator(public, slots, own, matrix.bins, self._masks)
            else:
                if self._secret is None:
                    self._secret = self.key_type(self._key_bits)
                new.holder = PaillierKeyHolder(self._secret, slots)
                self._send(tag, new.holder.announcement())
        self._matrices[owner] = new
        self.account.seconds += perf_counter() - began

    def vector_products(self, owner: int, count: int) -> VectorProducts:
        """See ``correlations.source``; raises UsageError past ``values_in_job``."""
        matrix = self._matrix(owner)
        self._spend(2 * count * matrix.columns)
        self._prepare(matrix.used + 2 * count)
        return matrix.take(count)

    def prepare(self, vectors: int) -> None:
        """See ``correlations.source``."""
        self._prepare(2 * vectors)

    def _prepare(self, vectors: int) -> None:
        began = perf_counter()
        while dry := self._dry(vectors):
            self._make(dry)
        self.account.seconds += perf_counter() - began

    def _make(self, matrices: list[_Matrix]) -> None:
        """One batch for each of these: rows cross, are summed, and products cross."""
        mine, asked = self._mine_and_asked(matrices)
        outgoing: Iterable[bytes] = ()
        vectors = np.zeros((0, 0), np.uint64)
        if asked is not None:
            vectors = self._vectors.words(asked.batch * asked.rows).reshape(asked.batch, asked.rows)
            if asked.holder is not None:
                outgoing = asked.holder.encrypted(vectors)
        rows = self._swap(_ROWS, outgoing, mine, mine.rows if mine else 0)
        answers: list[tuple[bytes, Words]] = []
        if mine is not None and mine.evaluator is not None:
            answers = list(mine.evaluator.products(rows, mine.batch))
        finish(rows)
        made = (message for message, _ in answers)
        results = self._swap(_PRODUCTS, made, asked, asked.columns if asked else 0)
        if asked is not None:
            products = np.zeros((asked.batch, asked.columns), np.uint64)
            if asked.holder is not None:
                products = asked.holder.opened(results, asked.batch)
            if products.shape[1] != asked.columns:
                raise ProtocolDesync("another number of encrypted products arrived")
            asked.put(VectorProducts(vectors, products))
        finish(results)
        if mine is not None:
            shares = [share for _, share in answers]
            nothing = np.zeros((mine.batch, 0 if answers else mine.columns), np.uint64)
            mine.put(VectorProducts(None, np.concatenate([nothing, *shares], axis=1)))

    def _swap(
        self, tag: str, outgoing: Iterable[bytes], matrix: _Matrix | None, ciphertexts: int
    ) -> Received:
        """Sends these, and receives so many ciphertexts that have to do with a matrix."""
        count = matrix.messages(ciphertexts) if matrix else 0
        due = tag, message_bytes(self._key_bits, block(self._key_bits))
        return self._swapped(((tag, message) for message in outgoing), [due] * count)

    def _most_values(self, columns: int) -> int:
        """Words that may be masked: what is asked for, and what is left over in the last batch
        of each direction (half of the sum allows for two of them of different widths).
        """
        return 2 * (self._values_in_job + columns * self._key_bits // 128)


class InsecurePaillierMatrixProducts(PaillierMatrixProducts):
    """Any size of key, within one process only: for tests of what does not depend on it."""

    key_type = InsecureSecretKey

    def __init__(
        self, rank: int, channel: Channel, private: Prg, values_in_job: int, key_bits: int
    ) -> None:
        if channel.is_network:
            raise UsageError("short Paillier keys protect nothing and serve tests in one process")
        super().__init__(rank, channel, private, values_in_job, key_bits)
