"""What is public of a training before it starts: all that an estimate is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

from securexgb.arith.bits import WORD, words_per
from securexgb.boost.costs.metrics import MeasuredSet
from securexgb.boost.histogram import matrix_shape
from securexgb.boost.layout import Layout
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request
from securexgb.he.noise import Precision
from securexgb.offline.matrix_products import pads_precision
from securexgb.offline.method import Method
from securexgb.terms.job import JobTerms

Part: TypeAlias = Literal["all", "head", "shard"]


@dataclass(frozen=True)
class Job:
    """``sets``: the evaluation sets; ``request``: how predictions are asked for; ``has_ids``:
    whether rows are compared by ids; ``aligns``: whether the terms align rows, ``is_aligned``: and
    that is done, for all sets; ``by_command``: whether it runs by ``securexgb train``, which
    compares runs, ledgers and rows first, measures the link and keeps a checkpoint;
    ``measures_link``: whether protocols are chosen by what was measured, as they are then.
    ``shards``: of the rows at each side, 0 where none are apart; ``part``: what is spoken of: all
    that one process would do, or what a head does, or its largest shard."""

    params: TrainingParams
    layout: Layout
    method: Method
    sets: tuple[MeasuredSet, ...] = ()
    request: Request = field(default_factory=Request)
    has_ids: bool = False
    aligns: bool = False
    is_aligned: bool = False
    by_command: bool = True
    measures_link: bool = True
    shards: int = 0
    part: Part = "all"

    @staticmethod
    def of(
        terms: JobTerms,
        rows: int,
        columns: tuple[int, int],
        sets: Sequence[tuple[str, int]],
        *,
        is_weighted: bool,
        is_aligned: bool | None = None,
    ) -> Job:
        """A training by ``securexgb train`` under these terms; ``columns`` by rank, ``sets``: names
        and rows. Weights the feature party sees by the terms alone. ``is_aligned``: None: where
        the terms align."""
        params = terms.training
        is_weighted = is_weighted or params.weight_exponent is not None
        return Job(
            params=params,
            layout=Layout.of(params, rows, columns, is_weighted),
            method=terms.method,
            sets=tuple(MeasuredSet(name, count, is_weighted) for name, count in sets),
            request=terms.request,
            has_ids=bool(terms.id_columns),
            aligns=terms.align is not None,
            is_aligned=terms.align is not None if is_aligned is None else is_aligned,
            shards=terms.shards,
        )

    def comparing_rounds(self, calls: int, tables: int) -> int:
        """Rounds in which so many calls of ``same_rows`` compare so many tables."""
        rounds = calls if self.aligns else 0
        return rounds if self.is_aligned else rounds + tables * (2 if self.has_ids else 1)

    @property
    def has_rows(self) -> bool:
        return self.part != "head"

    @property
    def has_trees(self) -> bool:
        return self.part != "shard"

    @property
    def rows(self) -> int:
        """Training rows of this part."""
        return self.of_part(self.layout.rows)

    @property
    def evaluation_rows(self) -> int:
        """Of this part."""
        return sum(self.of_part(one.rows) for one in self.sets)

    @property
    def all_rows(self) -> int:
        """Rows that trees send to leaves, of this part."""
        return self.rows + self.evaluation_rows

    def of_part(self, rows: int) -> int:
        """How many of so many rows of a data set this part has."""
        if self.part == "shard":
            return min(rows, WORD * -(-words_per(rows) // self.shards))
        return rows if self.has_rows else 0

    @property
    def nodes_a_round(self) -> int:
        """Inner nodes of the trees of a round."""
        return self.outputs * ((1 << self.params.max_depth) - 1)

    @property
    def outputs(self) -> int:
        """Trees a round."""
        return objective_of(self.params).outputs

    @property
    def vectors_a_round(self) -> int:
        """Pairs of vectors of each matrix."""
        return self.outputs << (self.params.max_depth - 1)

    @property
    def vectors(self) -> int:
        return self.params.n_estimators * self.vectors_a_round

    @property
    def has_pads(self) -> bool:
        return self.method.algorithm == "hybrid" and self.method.he == "bfv"

    @property
    def makes_products(self) -> bool:
        """Whether this part makes the products that pads are for."""
        return self.has_pads and self.has_trees

    @property
    def first_words(self) -> int:
        """Of transfers that this part says it will take, see ``correlations.source``."""
        if self.has_trees:
            return self.values
        return words_per(self.params.n_estimators * self.nodes_a_round * self.rows // 2)

    @property
    def values(self) -> int:
        """Words of products, both directions together."""
        return 2 * self.vectors * self.layout.total_columns * self.layout.all_bins

    @property
    def buckets(self) -> tuple[int, int]:
        """Columns times bins of each side."""
        label, feature = self.layout.columns
        return label * self.layout.all_bins, feature * self.layout.all_bins

    @cached_property
    def precision(self) -> Precision:
        """Of the products with pads, as a training plans them."""
        layout = self.layout
        shape = matrix_shape(layout, layout.numbers(self.params), self.params.max_depth)
        return pads_precision(shape.matrix(0), self.values)
