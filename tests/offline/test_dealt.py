"""Correlations from a dealer's process: the laws, bounded reading ahead, accounts, training."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from securexgb._pb import dealer_pb2 as pb
from securexgb.arith.prg import Prg
from securexgb.boost.params import TrainingParams
from securexgb.channel.memory import memory_pair
from securexgb.correlations.counting import Budget, CountingSource
from securexgb.correlations.kinds import KINDS
from securexgb.correlations.random_bits import RandomBits
from securexgb.correlations.triples import Triples
from securexgb.errors import ProtocolDesync
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.offline.dealer_link import DealerLink
from securexgb.offline.dealt import DealtSource
from securexgb.testing.harness import run_both, run_parties
from tests.dealer.running import RunningDealer, Terms, connected, dealer_process
from tests.offline.laws import bucket_matrix, check_next, check_products, one_hot


@pytest.fixture(scope="module")
def dealer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDealer]:
    with dealer_process(tmp_path_factory.mktemp("dealer")) as running:
        yield running


def test_every_kind_keeps_its_law(dealer: RunningDealer) -> None:
    with connected(dealer) as (zero, one):
        assert (zero.name, zero.evidence) == ("dealt", "none")
        for count in (0, 1, 63, 64, 65, 5000, 300_000, 3):
            for kind in KINDS:
                check_next(kind, (zero, one), min(count, 40_000) if kind.elements > 1 else count)


@pytest.mark.parametrize("owner", [0, 1])
@pytest.mark.parametrize(("rows", "features"), [(1, 1), (500, 3), (5, 0), (0, 2)])
def test_products(dealer: RunningDealer, owner: int, rows: int, features: int) -> None:
    n_bins = 7
    with connected(dealer) as sources:
        holder, other = sources[owner], sources[1 - owner]
        for registration in range(2):
            rng = np.random.default_rng(registration)
            bins = rng.integers(0, n_bins, (rows, features), np.uint8)
            matrix = bucket_matrix(owner, rows, features, n_bins)
            holder.products.register_matrix(matrix, bins)
            other.products.register_matrix(matrix, None)
            for count in (1, 3, 0, 100):
                ours = holder.products.vector_products(owner, count)
                theirs = other.products.vector_products(owner, count)
                check_products(ours, theirs, one_hot(bins, n_bins))


def test_no_more_is_drawn_than_the_trees_will_take(dealer: RunningDealer) -> None:
    a_tree = Budget({Triples(): 128_000, RandomBits(): 6400})
    with connected(dealer) as (_, one):
        before = one.account.dealer_bytes
        for left in (3, 2, 1):
            one.begin_tree(left)
            for _ in range(100):
                one.take(Triples(), 1280)
                one.take(RandomBits(), 64)
        drawn = one.account.dealer_bytes - before
    needed = 8 * a_tree.times(3).correction_words((0, 0))
    # The supply's blocks are larger than the last request: one block a kind at most.
    assert needed <= drawn <= needed + 2**19


def test_time_and_bytes_are_accounted(dealer: RunningDealer) -> None:
    with connected(dealer) as (zero, one):
        connecting = one.account.seconds
        assert connecting > 0
        before, quiet = one.account.dealer_bytes, zero.account.dealer_bytes
        one.take(Triples(), 100_000)
        assert one.account.dealer_bytes - before >= 800_000
        assert one.account.seconds > connecting
        zero.take(Triples(), 100_000)
        assert zero.account.dealer_bytes == quiet


def test_messages_stay_below_a_mebibyte(
    dealer: RunningDealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    take_in = DealerLink._take_in

    def spy(self: DealerLink, message: pb.DealResponse) -> None:
        sizes.append(message.ByteSize())
        take_in(self, message)

    monkeypatch.setattr(DealerLink, "_take_in", spy)
    with connected(dealer) as (_, one):
        one.take(Triples(), 1_000_000)
    assert sum(sizes) > 8_000_000
    assert max(sizes) <= 1 << 20


@pytest.mark.parametrize(
    "frame",
    [
        pb.Correction(kind=pb.KIND_TRIPLES, start=0, words=bytes(8)),
        pb.Correction(kind=pb.KIND_TRIPLES, start=1 << 40, words=bytes(64)),
        pb.Correction(kind=pb.KIND_UNSPECIFIED, words=bytes(8)),
        pb.Correction(kind=pb.KIND_PRODUCTS, owner=1, words=bytes(8)),
        pb.Correction(kind=pb.KIND_TRIPLES, start=0, words=bytes(7)),
        pb.Correction(kind=pb.KIND_TRIPLES, start=0),
    ],
)
def test_a_correction_that_was_not_asked_for_is_refused(
    dealer: RunningDealer, frame: pb.Correction, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in = DealerLink._take_in

    def tamper(self: DealerLink, message: pb.DealResponse) -> None:
        wrong = message.WhichOneof("message") == "correction"
        take_in(self, pb.DealResponse(correction=frame) if wrong else message)

    with connected(dealer) as (_, one):
        one.take(Triples(), 1)
        monkeypatch.setattr(DealerLink, "_take_in", tamper)
        with pytest.raises(ProtocolDesync):
            one.take(Triples(), 1_000_000)


def grow(party: Party, side: Rows) -> tuple[list[list[int]], Budget]:
    """Train two small trees; own splits, and what was consumed."""
    counting = CountingSource(party.source)
    party.source = counting
    params = TrainingParams(n_estimators=2, max_depth=2, max_bin=8)
    half = train(party, TrainingJob(params=params.decided(can_hide=False), data=side))
    return [
        [*map(int, tree.features), *map(int, tree.bins)] for tree in half.trees
    ], counting.budget


def test_a_training_gives_the_trees_of_the_local_source(dealer: RunningDealer) -> None:
    rng = np.random.default_rng(5)
    columns = rng.normal(size=(60, 4))
    labels = (columns[:, 0] + columns[:, 3] > 0).astype(np.float64)
    sides = (
        Rows(np.ascontiguousarray(columns[:, :2]), ("a", "b"), labels),
        Rows(np.ascontiguousarray(columns[:, 2:]), ("c", "d")),
    )
    alone = run_parties(grow, sides)
    channels = memory_pair(20)
    with connected(dealer, Terms(channels=channels)) as sources:
        assert isinstance(sources[0], DealtSource)
        coins = b"public coins 123"
        parties = [
            Party(rank, channels[rank], sources[rank], Prg.fresh(), Prg(coins), Prg.fresh())
            for rank in (0, 1)
        ]
        dealt = run_both(grow, parties, sides)
    assert dealt == alone
    assert dealt[0][1] == dealt[1][1]
