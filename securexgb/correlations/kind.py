"""A kind of correlated randomness is a value: ``Gates(4)``, ``Transfers(64, sender=0)``.

Its class says which arrays each party holds and in which order, what a party draws from its own
seed and what a dealer fits to it; its module's first lines say the law that both parties' arrays
satisfy together, which tests check. (How two parties make it alone is in ``offline.two_party``: no
dealer needs it.) Each party's part is
uniform, given the constraints of the other's. Words are elements of Z_2^64 (dtype uint64); bits are
packed 64 to a word, little-endian (bit i of word w is element 64 w + i).

Almost all of a correlation can be drawn freely. Each party draws its free pieces alone, from its
own seed; a dealer, who is given both seeds, draws the same pieces and computes the one piece that
is not free, the **correction**. It always belongs to party 1, so that party 0 never waits for
anybody. A correction is uniform given party 1's own pieces, because party 0's share in it is a
fresh one-time pad.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels

Words = NDArray[np.uint64]
Arrays = tuple[Words, ...]
Numbers = NDArray[np.unsignedinteger[Any]]

BLOCK = 64
"""Elements, the least that is drawn or fitted at a time."""


class Pieces:
    """One party's part of a run of elements: arrays along whose last axis these lie.

    Subclasses are dataclasses whose fields are the arrays. ``per_word``: of each, elements in a
    word.
    """

    per_word: ClassVar[tuple[int, ...]]


P = TypeVar("P", bound=Pieces)
S = TypeVar("S", bound=Pieces)
R = TypeVar("R", bound=Pieces)


@dataclass(frozen=True)
class Piece:
    """One array as it is drawn or sent: ``rows`` rows, ``per_block`` words each for 64 elements.

    Rows lie side by side within a block.
    """

    name: str
    rows: tuple[int, ...] = ()
    per_block: int = BLOCK

    @property
    def words(self) -> int:
        """Words of a block."""
        return prod(self.rows) * self.per_block

    def array(self, stream: Words) -> Words:
        """Words as drawn or sent, block after block, as an array (*rows, words)."""
        if not self.rows:
            return stream
        blocks = np.moveaxis(stream.reshape(-1, *self.rows, self.per_block), 0, -2)
        return blocks.reshape(*self.rows, blocks.shape[-2] * self.per_block)

    def stream(self, array: Words) -> Words:
        """Undoes ``array``."""
        blocks = array.reshape(*self.rows, array.shape[-1] // self.per_block, self.per_block)
        return np.moveaxis(blocks, -2, 0).reshape(-1)


@dataclass(frozen=True)
class Layout:
    """The pieces of a kind: what party 0 and party 1 draw, in order, and party 1's correction."""

    free: tuple[tuple[Piece, ...], tuple[Piece, ...]]
    fitted: Piece


class Kind(ABC, Generic[P]):
    """The base of all kinds; subclasses are frozen dataclasses. ``P``: what a party gets of it.

    ``use``: what tables count it as. ``elements``: how many of these an element holds: one, or a
    word of 64. ``grain``: so many elements, or a multiple, are used up by a request. ``block``:
    where two parties make it, so many or a multiple are made at a time.
    """

    use: ClassVar[str]
    elements: ClassVar[int] = 1
    grain: ClassVar[int] = 1
    block: ClassVar[int] = BLOCK

    @property
    @abstractmethod
    def name(self) -> str:
        """In the derivation of keys, on the wire, in messages and tables."""

    @property
    @abstractmethod
    def layout(self) -> Layout: ...

    @property
    def dealt(self) -> Self:
        """The kind that a dealer deals in its place, and that is counted."""
        return self

    @abstractmethod
    def fit(self, first: Arrays, second: Arrays) -> Words:
        """The correction for both parties' free pieces."""

    @abstractmethod
    def complete(self, rank: int, pieces: Arrays) -> P:
        """A party's part from its free pieces, at party 1 with the correction behind them."""


class Directed(Kind[S | R], Generic[S, R]):
    """A kind of which the ``sender`` (a rank) gets S and the other party R."""

    sender: int


def numbers(words: Words, bits: int) -> Numbers:
    """The numbers of so many bits (8, 16, 32, 64) that words hold."""
    return words.view(f"<u{bits // 8}")


def widened(words: Words, bits: int) -> Words:
    """These numbers, a word each."""
    return numbers(words, bits).astype(np.uint64, copy=False)


def spread(packed: Words, bits: int) -> Numbers:
    """Packed bits as one number of so many bits each, 0 or 1."""
    flags = _kernels.unpack_bits(packed, BLOCK * packed.size)
    return flags.astype(f"<u{bits // 8}")
