"""Products with a secret D of one party over the field of 2^128 elements, from transfers.

One party gets A and C, the other D and B with C = A D + B; A is pseudorandom to who holds D. Few
elements are made of 128 correlated transfers each. For many, such elements are stretched, once or
twice: kernels/src/align/vole.rs says how, docs/alignment.md what is assumed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.correlations.kind import Words
from securexgb.errors import UsageError
from securexgb.mpc.party import Party
from securexgb.offline.oblivious_transfer import ROWS, WORD, ObliviousTransfer

_ELEMENT_WORDS = 128 // WORD
_AT_ONCE = 1 << 12
"""Words of transfers that are asked for at a time: 4 MiB of rows."""
_TAGS = 4


@dataclass(frozen=True)
class Stage:
    """A parity problem over the field: a secret of ``dimension`` elements, at most ``most_trees``
    trees of 2^levels samples, of which one is wrong by a random element.
    """

    dimension: int
    levels: int
    most_trees: int

    @property
    def most(self) -> int:
        """Elements that one use gives."""
        return self.most_trees << self.levels

    def trees(self, count: int) -> int:
        """For so many elements."""
        return -(-count // (1 << self.levels))

    def words(self, count: int) -> int:
        """Of transfers, a level of a tree each."""
        return -(-self.trees(count) * self.levels // WORD)

    def needs(self, count: int) -> int:
        """Elements that so many are made of."""
        return self.dimension + self.trees(count)


SMALL = Stage(1 << 14, 7, 1_040)
LARGE = Stage(1 << 17, 10, 2_000)
"""The numbers of stretched transfers: ``offline.oblivious_transfer``."""


def stages(count: int) -> list[tuple[Stage, int]]:
    """The stages that make so many elements, the first one first, each with what it makes."""
    if count > LARGE.most:
        raise UsageError(f"{count} elements at once are more than the {LARGE.most} of a stage")
    if count <= SMALL.dimension:
        return []
    if count <= SMALL.most:
        return [(SMALL, count)]
    return [(SMALL, LARGE.needs(count)), (LARGE, count)]


def requests(count: int) -> list[int]:
    """Words of 64 transfers that are asked for, one after the other, for so many elements."""
    plan = stages(count)
    total = _ELEMENT_WORDS * (plan[0][0].needs(plan[0][1]) if plan else count)
    asked = [min(_AT_ONCE, total - start) for start in range(0, total, _AT_ONCE)]
    return asked + [stage.words(made) for stage, made in plan]


class FieldProducts:
    """One party's end; nothing is exchanged before the first elements are asked for.

    ``private``: this party's randomness for this alone.
    """

    def __init__(self, party: Party, delta_at: int, private: Prg) -> None:
        self._party = party
        self._private = private.derive("roots")
        self._transfers = ObliviousTransfer(party.rank, party.channel, private.derive("transfers"))
        self._delta_at = delta_at

    @property
    def has_delta(self) -> bool:
        """Whether this party holds D."""
        return self._party.rank == self._delta_at

    @property
    def delta(self) -> Words:
        """D, (2,)."""
        return self._transfers.places

    def take(self, count: int, coin: bytes) -> Words:
        """New elements: (count, 2), B, at who holds D, (count, 4), A beside C, at the other one.

        ``coin``: public, random, never used before: it makes the public matrices.
        """
        plan = stages(count)
        asked = requests(count)
        made = self._combined(asked[: len(asked) - len(plan)])
        for number, (stage, wanted) in enumerate(plan):
            made = self._stretched(stage, wanted, made, _tags(coin, number))
        return made

    def _rows(self, words: int) -> Words:
        """Rows of 64 transfers a word, (64 words, 2)."""
        has_delta = self.has_delta
        sent, received = self._transfers.transfer(
            words if has_delta else 0, 0 if has_delta else words, ROWS
        )
        return (sent.zero if has_delta else received.chosen).reshape(-1, 2)

    def _combined(self, asked: list[int]) -> Words:
        """Elements of 128 transfers each, so many words of transfers at a time."""
        combine = _kernels.vole_combine_sent if self.has_delta else _kernels.vole_combine_received
        return np.concatenate([combine(self._rows(words)) for words in asked])

    def _stretched(self, stage: Stage, count: int, base: Words, tags: Words) -> Words:
        trees = stage.trees(count)
        base = base[: stage.dimension + trees]
        rows = self._rows(stage.words(count))[: trees * stage.levels]
        words = 2 * trees * (stage.levels + 1)
        party = self._party
        if self.has_delta:
            roots = self._private.words(2 * trees).reshape(-1, 2)
            message, made = _kernels.vole_send(tags, stage.levels, base, rows, self.delta, roots)
            party.pass_words(self._delta_at, message, words)
        else:
            message = party.pass_words(self._delta_at, np.zeros(0, np.uint64), words)
            made = _kernels.vole_receive(tags, stage.levels, base, rows, message.reshape(-1, 2))
        return made[:count]


def _tags(coin: bytes, stage: int) -> Words:
    """Public keys of a stage, (4, 2)."""
    digest = hashlib.shake_256(b"securexgb stage %d of " % stage + coin).digest(16 * _TAGS)
    return np.frombuffer(digest, dtype="<u8").reshape(_TAGS, 2)
