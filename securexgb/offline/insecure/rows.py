"""Row correlations for both parties in one process: insecure on purpose.

Both know the stream that everything random comes from; what a party does not know of it is the
other one's rows, so each computes z_P = M b ^ z_Q of its own rows alone. Bits that are fixed are
told to the owner of the rows in the clear.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.bits import pack_bits, unpack_bits, words_per
from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.correlations.kind import Words
from securexgb.correlations.rows import RowBits, RowShape
from securexgb.errors import UsageError

Bits = NDArray[np.bool_]
_TAG = "insecure row bits"


class InsecureRowBits:
    """A party's row correlations, drawn from a stream that the other party has, too."""

    def __init__(self, rank: int, channel: Channel, root: Prg) -> None:
        self._rank, self._channel, self._root = rank, channel, root
        self._registered: tuple[RowShape, NDArray[np.uint8]] | None = None
        self._used = 0

    def register(self, shape: RowShape, own: NDArray[np.uint8], nodes: int, rounds: int) -> None:
        """See ``correlations.rows``."""
        del nodes, rounds
        self._registered = shape, shape.own(self._rank, own)

    def take(self, nodes: int) -> RowBits:
        """See ``correlations.rows``."""
        if self._registered is None:
            raise UsageError("row correlations need rows: register them first")
        shape, own = self._registered
        masks = []
        for owner, entries in enumerate(shape.entries):
            words = self._stream(f"masks of {owner}").words(words_per(entries * nodes))
            masks.append(unpack_bits(words, entries * nodes).reshape(entries, nodes))
        return RowBits(masks[1 - self._rank], self.shared(shape, masks[self._rank], own))

    def fix(self, shape: RowShape, bits: Bits) -> InsecureFixedRowBits:
        """See ``correlations.rows``."""
        own = shape.entries[self._rank], bits.shape[1]
        due = -(-own[0] * own[1] // 8)
        self._channel.send(_TAG, np.packbits(bits).tobytes(), due)
        packed = np.frombuffer(self._channel.receive(_TAG, due), np.uint8)
        told = np.unpackbits(packed, count=own[0] * own[1]).reshape(own).astype(np.bool_)
        return InsecureFixedRowBits(self, shape, told)

    def shared(self, shape: RowShape, told: Bits, own: NDArray[np.uint8]) -> Words:
        """This party's shares of both M b, of which ``told`` is the b for its own rows."""
        nodes, rows = told.shape[1], own.shape[0]
        entries = told.reshape(-1, shape.bins, nodes)
        found = np.zeros((rows, nodes), np.bool_)
        for column, of_column in enumerate(entries):
            found ^= of_column[own[:, column]]
        shares = pack_bits(np.ascontiguousarray(found.T))
        for owner in (0, 1):
            words = self._stream(f"shares of {owner}").words(shares.size)
            shares ^= words.reshape(shares.shape)
        self._used += 1
        return shares

    def _stream(self, purpose: str) -> Prg:
        return self._root.derive(f"{purpose}, {self._used}")


class InsecureFixedRowBits:
    """See ``correlations.rows``."""

    def __init__(self, source: InsecureRowBits, shape: RowShape, told: Bits) -> None:
        self._source, self._shape, self._told = source, shape, told

    def shares(self, own: NDArray[np.uint8]) -> Words:
        """See ``correlations.rows``."""
        return self._source.shared(self._shape, self._told, own)
