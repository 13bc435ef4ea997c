"""How a job's correlations are made: what the terms say of it, and what they may not say.

Two things are chosen. *Products* with the fixed matrices of bins come from a dealer (algorithm
ss, the paper's SS-XGB) or from homomorphic encryption between the two parties (algorithm
hybrid, its HEP-XGB). *Everything else* is dealt, or made by the two parties from oblivious
transfers. A method that needs no dealer for the one and a dealer for the other exists:
hybrid with dealt. The reverse does not, because a dealer that masks matrices is there anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.correlations.prices import DEALT, MADE, Prices
from securexgb.errors import UsageError
from securexgb.offline.matrix_products import BfvMatrixProducts
from securexgb.offline.paillier_products import PaillierMatrixProducts
from securexgb.offline.producer import PreparedProducts, ProductsAhead
from securexgb.offline.row_pads import ShardPads

Algorithm = Literal["hybrid", "ss"]
Offline = Literal["two-party", "dealt"]
Scheme = Literal["bfv", "paillier"]
PaillierBits = Literal[2048, 3072, 4096]

VALUES_IN_JOB = 1 << 28
"""Words of homomorphic products that a job may take: trees x 2^depth x columns x bins of
both sides. The failure probability of 2^-40 covers so many."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to make the correlations; UsageError for a pair that does not go together.

    ``he`` and ``paillier_bits`` are read where the algorithm is hybrid.
    """

    algorithm: Algorithm = "hybrid"
    offline: Offline = "two-party"
    he: Scheme = "bfv"
    paillier_bits: PaillierBits = 3072

    def __post_init__(self) -> None:
        if (self.algorithm, self.offline) == ("ss", "two-party"):
            raise UsageError(
                'algorithm "ss" needs a dealer, who masks the matrices: choose offline "dealt", '
                'or algorithm "hybrid", which goes with either'
            )

    @staticmethod
    def chosen(algorithm: str | None, offline: str | None, he: str | None) -> Method | None:
        """Where one process plays both parties: what is said of it, None where nothing is.

        What is left open is hybrid, bfv, and a dealer, who is in the process too.
        """
        if algorithm is offline is he is None:
            return None
        if he is not None and algorithm == "ss":
            raise UsageError('he is for algorithm "hybrid": leave it out, or choose "hybrid"')
        return Method(
            algorithm=_one_of("algorithm", algorithm or "hybrid", get_args(Algorithm)),
            offline=_one_of("offline", offline or "dealt", get_args(Offline)),
            he=_one_of("he", he or "bfv", get_args(Scheme)),
        )

    @property
    def has_dealer(self) -> bool:
        return self.offline == "dealt"

    @property
    def can_hide(self) -> bool:
        """Whether splits may be hidden: not where an auditor wants to see Paillier alone."""
        return self.algorithm == "ss" or self.he == "bfv"

    @property
    def prices(self) -> Prices:
        """What the job's source charges."""
        return DEALT if self.has_dealer else MADE

    def products(
        self, rank: int, channel: Channel, private: Prg, a_tree: int = 8
    ) -> ProductsAhead | None:
        """One party's end of the homomorphic products; None where a dealer makes them.

        They are made on a stream of the link's own. ``private``: this party's own stream, for
        nothing else. ``a_tree``: products that one tree takes of each matrix, best made at a
        time; public, the same at both parties.
        """
        if self.algorithm == "ss":
            return None
        lane, bits = channel.stream("products"), self.paillier_bits
        made: PreparedProducts
        if self.he == "bfv":
            made = BfvMatrixProducts(rank, lane, private, VALUES_IN_JOB, a_tree)
        else:
            made = PaillierMatrixProducts(rank, lane, private, VALUES_IN_JOB, bits)
        return ProductsAhead(made, a_tree)

    def shard_products(
        self, rank: int, channel: Channel, private: Prg, a_tree: int = 8
    ) -> ProductsAhead | ShardPads | None:
        """The same for one shard of the rows: under BFV its pads, whose products the heads make."""
        if self.algorithm == "hybrid" and self.he == "bfv":
            return ShardPads(rank, private)
        return self.products(rank, channel, private, a_tree)


def _one_of(name: str, value: str, choices: tuple[Any, ...]) -> Any:
    if value not in choices:
        raise UsageError(f"{name} {value!r} is not supported; choose among {', '.join(choices)}")
    return value
