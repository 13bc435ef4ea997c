"""The head's side of the shards: rows that lie elsewhere, as one row side.

Every question goes to all shards of the party at once, and shares of sums are added up as they
come. A sum over all rows is the sum of the shards' sums, in shares modulo 2^ring_bits too, so trees
are the same, bit for bit, for any number of shards; what differs is only shares' randomness.

Under BFV the products that belong to the shards' pads are made here, once for all of them, and
added to the sums (``offline.matrix_products``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np

from securexgb.boost.ensemble import ModelHalf, Round
from securexgb.boost.histogram import NoisySums, matrix_shape
from securexgb.boost.splits.level import Level
from securexgb.cluster.commands import (
    Said,
    ask_all,
    pack,
    told_keys,
    told_level,
    told_model,
)
from securexgb.cluster.parts import ShardHandle, check_shards, shard_rows
from securexgb.cluster.times import ShardTimes
from securexgb.correlations.source import DividedProducts, PadKeys
from securexgb.errors import MalformedFrame, UsageError
from securexgb.he.made_matrix import AddedMatrix
from securexgb.jobs.data.whole_rows import RowStart, planned_sums
from securexgb.mpc.matrix import MatrixShape
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, Words


@dataclass(frozen=True)
class RowCounts:
    """Of the training rows and of each evaluation set; public."""

    training: int
    sets: tuple[int, ...] = ()

    def shards(self, count: int) -> list[list[slice]]:
        """By shard, the numbers of its rows in the training data and in each set."""
        by_set = [shard_rows(rows, count) for rows in (self.training, *self.sets)]
        return [list(parts) for parts in zip(*by_set, strict=True)]


class ShardedRows:
    """All rows of a party, held by its shards; a ``jobs.data.whole_rows.TrainingRows``.

    ``times``: that the shards' answers take.
    """

    def __init__(self, party: Party, shards: Sequence[ShardHandle], counts: RowCounts) -> None:
        check_shards(counts.training, len(shards))
        self._party, self._shards, self._counts = party, shards, counts
        self._parts = counts.shards(len(shards))
        self._shape: MatrixShape | None = None
        self._model: ModelHalf | None = None
        self._products: DividedProducts | None = None
        self.times = ShardTimes(len(shards))

    def known(self, sessions: Sequence[str]) -> frozenset[int]:
        answers = self._ask_all(Said("known", texts=tuple(sessions)))
        return frozenset.intersection(*(frozenset(said.numbers) for said in answers))

    def begin(self, start: RowStart) -> None:
        model = self._model = start.model
        shape = matrix_shape(model.layout, model.numbers, model.params.max_depth)
        keys = self._divided(shape, model)
        half = told_model(model)
        resumed = int(len(model.rounds) > model.params.past.rounds)
        questions = [
            Said(
                "begin",
                (number, training.start, training.stop, resumed, *map(_size, sets)),
                (start.coins.key.hex(), start.session),
                (half, *told_keys(keys)),
            )
            for number, (training, *sets) in enumerate(self._parts)
        ]
        noise = {said.numbers for said in self._ask(questions)}
        if len(noise) != 1 or (keys is not None and noise != {(keys.noise_bits,)}):
            raise UsageError("the shards of this side make correlations in different ways")
        ((noise_bits,),) = noise
        self._shape = replace(shape, noise_bits=noise_bits)
        if self._products is not None:
            self._register(self._products, replace(shape, noise_bits=noise_bits))

    def _divided(self, shape: MatrixShape, model: ModelHalf) -> PadKeys | None:
        """Agree with the other head on what pads are made of, where the heads make products."""
        products = self._party.source.products
        self._products = products.divided
        if self._products is None:
            return None
        products.plan(*planned_sums(model), is_far=self._party.prices.is_far)
        return self._products.divide([shape.matrix(owner) for owner in _owners(shape)])

    def _register(self, products: DividedProducts, shape: MatrixShape) -> None:
        """Add up the own matrix's W, a group of columns at a time, and begin with its products."""
        rank = self._party.rank
        added = AddedMatrix(shape.features[rank], shape.bins, shape.ring_bits)
        for word, group in added.groups:
            for said in self._ask_all(Said("part of sums", (word, group))):
                added.add(word, group, said.array(0, np.uint8, said.arrays[0].shape[:1]))
        for owner in _owners(shape):
            products.register_sums(shape.matrix(owner), added if owner == rank else None)
        self._party.source.products.begin()

    @property
    def shape(self) -> MatrixShape:
        if self._shape is None:
            raise UsageError("shards are asked for sums before their training has begun")
        return self._shape

    def gradients(self, number: int) -> None:
        self.times.begin_tree(number)
        self._ask_all(Said("gradients", (number,)))

    def root_sums(self) -> NoisySums:
        return self._sums(self._ask_all(Said("root sums")))

    def split(self, level: Level) -> NoisySums:
        numbers, arrays = told_level(level)
        return self._sums(self._ask_all(Said("split", numbers, arrays=tuple(arrays))))

    def leaves(self, level: Level, values: Shared) -> None:
        numbers, arrays = told_level(level)
        self._ask_all(Said("leaves", numbers, arrays=(*arrays, values.own_share())))

    def margins(self, rows: slice) -> Shared:
        """Of training rows, or of sets, all numbered one after the other."""
        asked = [list[int]() for _ in self._shards]
        places = [list[slice]() for _ in self._shards]
        first, own = 0, [0] * len(self._shards)
        for of_set, count in enumerate((self._counts.training, *self._counts.sets)):
            for shard, parts in enumerate(self._parts):
                part = parts[of_set]
                start = max(first + part.start, rows.start)
                stop = min(first + part.stop, rows.stop)
                if start < stop:
                    within = own[shard] - first - part.start
                    asked[shard] += [start + within, stop + within]
                    places[shard].append(slice(start - rows.start, stop - rows.start))
                own[shard] += _size(part)
            first += count
        answers = self._ask([Said("margins", tuple(numbers)) for numbers in asked])
        found = np.zeros((self._outputs, rows.stop - rows.start), np.uint64)
        for said, of_shard in zip(answers, places, strict=True):
            for place, at in enumerate(of_shard):
                found[:, at] = said.array(place, np.uint64, found[:, at].shape)
        return Shared(found)

    def evaluated(self, rounds: Sequence[Round]) -> Shared:
        assert self._model is not None
        trees = [tree for of_round in rounds for tree in of_round]
        half = told_model(replace(self._model, trees=trees, best_iteration=None))
        answers = self._ask_all(Said("evaluated", arrays=(half,)))
        by_set: list[list[Words]] = [[] for _ in self._counts.sets]
        for said, (_, *sets) in zip(answers, self._parts, strict=True):
            shape = self._outputs, sum(map(_size, sets))
            margins, at = said.array(0, np.uint64, shape), 0
            for found, part in zip(by_set, sets, strict=True):
                found.append(margins[:, at : at + _size(part)])
                at += _size(part)
        parts = [part for found in by_set for part in found]
        return Shared(np.concatenate([np.zeros((self._outputs, 0), np.uint64), *parts], axis=1))

    def keep(self, count: int, session: str) -> None:
        self._ask_all(Said("keep", (count,), (session,)))

    @property
    def _outputs(self) -> int:
        assert self._model is not None
        return self._model.outputs

    def _sums(self, answers: Sequence[Said]) -> NoisySums:
        """Added up modulo 2^64, which every 2^ring_bits divides."""
        shape = answers[0].arrays[0].shape if answers[0].arrays else ()
        of = self.shape
        if len(shape) != 4 or shape[1:] != (2, sum(of.features), of.bins):
            raise MalformedFrame("a shard's sums are of other columns or bins than the training")
        total = np.zeros(shape, np.uint64)
        for said in answers:
            total += said.array(0, np.uint64, shape)
        if self._products is not None:
            label, source = of.features[0], self._party.source
            for owner in _owners(of):
                part = total[:, :, label:] if owner else total[:, :, :label]
                part += source.products.vector_products(owner, shape[0]).products.reshape(
                    part.shape
                )
        return NoisySums(Shared(total))

    def _ask_all(self, question: Said) -> list[Said]:
        """One question, packed once."""
        return self._timed(question.name, repeat(pack(question), len(self._shards)))

    def _ask(self, questions: Sequence[Said]) -> list[Said]:
        """Each shard its own."""
        return self._timed(questions[0].name, map(pack, questions))

    def _timed(self, name: str, questions: Iterable[bytes]) -> list[Said]:
        answers = ask_all(self._shards, name, questions)
        self.times.add([said.seconds for said in answers])
        return answers


def _owners(shape: MatrixShape) -> list[int]:
    """Who has a matrix with columns."""
    return [owner for owner, features in enumerate(shape.features) if features]


def _size(part: slice) -> int:
    return int(part.stop - part.start)
