"""Pads of the rows of one place, where a party's rows lie in several: see ``matrix_products``.

A place draws its own public A from the job's coins and its number, and its own errors; the secrets
are those of its party's head, which makes the products. So nothing is sent for correlations here,
and a place takes part in no encryption. At the owner of a matrix it gives its summand of W.

A secret serves one vector: samples of all places under it are more samples of one ring-LWE secret,
as blocks of rows in one place are. Pairs are numbered by place alike, in the order in which the
training asks for them, and a secret's number is the same everywhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.prg import Prg
from securexgb.correlations.source import Account, BucketMatrix, PadKeys, PadProducts
from securexgb.errors import UsageError
from securexgb.he.made_matrix import MadeMatrix
from securexgb.offline.matrix_products import PadStreams, RlwePad, made_matrix, masks_of


class ShardPads:
    """One party's pads for the rows of one place; the products that belong to them are zero here.

    ``private``: this party's stream at this place, for nothing else.
    """

    def __init__(self, rank: int, private: Prg) -> None:
        self.account = Account()
        self._rank, self._private = rank, private
        self._keys: tuple[PadKeys, int] | None = None
        self._sums: MadeMatrix | None = None
        self._streams: PadStreams | None = None
        self._products = [0, 0]
        self._used = [0, 0]

    @property
    def divided(self) -> None:
        """See ``correlations.source``."""

    @property
    def pads(self) -> ShardPads:
        """See ``correlations.source``."""
        return self

    def take_up(self, keys: PadKeys, place: int) -> None:
        """See ``correlations.source``."""
        self._keys = keys, place

    def plan(self, vectors: int, values: int, *, is_far: bool) -> None:
        """See ``correlations.source``."""

    def begin(self) -> None:
        """See ``correlations.source``."""

    def noise_bits(self, matrix: BucketMatrix) -> int:
        """See ``correlations.source``."""
        return self._taken_up()[0].noise_bits

    def register_matrix(self, matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> None:
        """See ``correlations.source``; nothing is exchanged."""
        keys, place = self._taken_up()
        if self._products[matrix.owner]:
            raise UsageError("pads of a shard serve one matrix of each party: open a new session")
        coins = Prg(keys.coins[matrix.owner]).derive(f"place {place}")
        if matrix.owner == self._rank:
            self._sums = made_matrix(matrix, keys.noise_bits, coins, matrix.own(own))
        else:
            masks = masks_of(matrix, keys.noise_bits, coins)
            self._streams = PadStreams.of(masks, keys.secrets, self._private)
        self._products[matrix.owner] = matrix.columns

    def part_of_sums(self, word: int, group: int) -> NDArray[np.uint8]:
        """See ``correlations.source``."""
        if self._sums is None or (word, group) not in self._sums.groups:
            raise UsageError("a head asks for a part of a matrix that is not here")
        return self._sums.packed(word, group)

    def vector_products(self, owner: int, count: int) -> PadProducts:
        """See ``correlations.source``."""
        first = self._used[owner]
        self._used[owner] += count
        pads = None
        if owner != self._rank:
            if self._streams is None:
                raise UsageError(f"the matrix of party {owner} is not registered: do that first")
            pads = RlwePad(self._streams, first, count, self._taken_up()[0].noise_bits)
        return PadProducts(pads, np.zeros((count, 2, self._products[owner]), np.uint64))

    def close(self) -> None:
        """There is nothing to end."""

    def _taken_up(self) -> tuple[PadKeys, int]:
        if self._keys is None:
            raise UsageError("pads of a shard need their keys from its head first")
        return self._keys
