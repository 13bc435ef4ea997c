"""The source without a dealer: the laws of every kind, and whole trainings on it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from securexgb import _kernels
from securexgb.boost.params import TrainingParams
from securexgb.channel.channel import Channel
from securexgb.correlations.counting import Budget, CountingSource
from securexgb.correlations.digits import DigitTransfers
from securexgb.correlations.gates import Gates
from securexgb.correlations.kind import Kind, Pieces, Words
from securexgb.correlations.kinds import KINDS
from securexgb.correlations.random_bits import RandomBits
from securexgb.correlations.row_triples import RowTriples
from securexgb.correlations.triples import Triples
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.local import close_parties
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.offline.local import InsecureLocalSource
from securexgb.offline.matrix_products import BfvMatrixProducts
from securexgb.offline.producer import ProductsAhead
from securexgb.offline.two_party import TwoPartySource
from securexgb.testing.harness import insecure_parties, run_both
from tests.boost.data import same_model, sides, table, train_both
from tests.offline.laws import arrays, bucket_matrix, check, check_products, one_hot
from tests.offline.pairs import both, channels, private
from tests.profiles import is_thorough

COUNTS = (1, 0, 63, 64, 65, 511, 513, 3000, 20000)
FEW = COUNTS if is_thorough() else (65, 3000)


class DealtProducts:
    """Products that cost nothing."""

    def __init__(self, rank: int, channel: Channel) -> None:
        dealt = InsecureLocalSource(rank, channel, 5).products
        self.plan, self.noise_bits = dealt.plan, dealt.noise_bits
        self.register_matrix, self.vector_products = dealt.register_matrix, dealt.vector_products
        self.account, self.begin = dealt.account, dealt.begin

    def prepare(self, vectors: int) -> None:
        """They take no message."""


def source(
    rank: int, channel: Channel, seed: int = 0, stretch_after: int = 1 << 12
) -> TwoPartySource:
    """With matrix products of an insecure source; the rest is what is tested."""
    products = ProductsAhead(DealtProducts(rank, channel.stream("products")))
    return TwoPartySource(rank, channel, private(rank, seed), products, stretch_after)


def pair(seed: int = 0, stretch_after: int = 1 << 12) -> tuple[TwoPartySource, TwoPartySource]:
    zero, one = channels()
    return source(0, zero, seed, stretch_after), source(1, one, seed, stretch_after)


def taken(
    parties: tuple[TwoPartySource, TwoPartySource], kind: Kind[Any], count: int
) -> tuple[Pieces, Pieces]:
    zero, one = both(parties, lambda _, own: own.take(kind, count))
    check(kind, zero, one, count)
    return zero, one


@pytest.mark.parametrize(("stretch_after", "counts"), [(0, FEW), (1 << 12, COUNTS), (1 << 30, FEW)])
def test_every_kind_keeps_its_law(stretch_after: int, counts: tuple[int, ...]) -> None:
    parties = pair(stretch_after=stretch_after)
    for count in counts:
        rows = RowTriples(3, 52), RowTriples(40, 33), RowTriples(1, 1)
        for kind in (*KINDS, Triples(52), Triples(33), *rows):
            taken(parties, kind, min(count, 5000) if kind.elements > 1 else count)


def test_a_stock_is_not_low_because_some_of_it_was_drawn() -> None:
    """Of a kind of which little is kept a request draws more than that at once."""
    parties, few, many = pair(), Gates(1), Gates(8)

    def ready(_: int, own: TwoPartySource) -> list[float]:
        own.keep(Budget({few: 8, many: 6400}))
        own.fill()
        shares = [own.ready_share()]
        for kind, count in ((few, 1), (many, 640), (many, 640)):
            own.take(kind, count)
            shares.append(own.ready_share())
        own.fill()
        return [*shares, own.ready_share()]

    for shares in both(parties, ready):
        assert shares[0] >= 1
        assert min(shares) > 0.7
        assert shares[-1] > 0.8  # made up but for a tile
    for party in parties:
        party.close()


def test_products_are_passed_on() -> None:
    parties = pair()
    bins = np.random.default_rng(0).integers(0, 4, (9, 2), np.uint8)

    def step(rank: int, own: TwoPartySource) -> object:
        own.products.register_matrix(bucket_matrix(1, 9, 2, 4), bins if rank == 1 else None)
        return own.products.vector_products(1, 3)

    other, owner = both(parties, step)
    check_products(owner, other, one_hot(bins, 4))
    assert parties[1].account.channel_bytes == 8 * 9 * 8
    assert parties[0].account.channel_bytes == 0


def test_shares_look_uniform_and_are_never_repeated() -> None:
    parties = pair()
    drawn = []
    for _ in range(2):
        kinds = (Triples(), Gates(2), DigitTransfers(7, 0), RandomBits())
        for kind, count in zip(kinds, (4000, 4000, 4000, 4032), strict=True):
            ends = taken(parties, kind, count)
            drawn += [array.ravel() for pieces in ends for array in arrays(pieces)]
    for words in drawn:
        ones = np.unpackbits(words.view(np.uint8)).mean()
        assert abs(ones - 0.5) < 6 * 0.5 / np.sqrt(64 * words.size)
    everything = np.concatenate([words for words in drawn if words.size > 100])
    assert np.unique(everything).size == everything.size


def test_what_it_reports() -> None:
    parties = pair()
    taken(parties, Triples(), 100)
    for own in parties:
        assert (own.name, own.evidence, own.account.dealer_bytes) == ("two-party", "none", 0)
        assert own.account.seconds > 0
        assert own.account.waited_seconds > 0
        setup, block = 64 + 128 * 64 + 128 * 32, 640 * (8 * 31 + 260)  # a quarter ahead
        assert own.account.channel_bytes == setup + block
        own.close()


def test_rows_are_made_singly_and_nothing_is_sent_for_the_lowest_bit() -> None:
    parties = pair()
    taken(parties, RowTriples(4, 52), 10)
    setup, rows = 64 + 128 * 64 + 128 * 32, 10 + 10 // 4  # a quarter ahead, of no block
    keys = -(-rows * 52 // 64) * 8 * 31
    message = -(-rows * 4 * (52 * 51 // 2) // 64) * 8
    for own in parties:
        assert own.account.channel_bytes == setup + keys + message
        own.close()


def test_no_two_keys_of_row_triples_begin_at_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one party's messages: both keys of a transfer share a place, and no other key has it."""
    expand, seen = _kernels.ot_expand, list[tuple[int, int]]()

    def spy(keys: Words, first: int, count: int, bits: int) -> Words:
        stride = count + count % 2
        seen.extend((first + n * stride, first + (n + 1) * stride) for n in range(keys.shape[1]))
        return expand(keys, first, count, bits)

    monkeypatch.setattr(_kernels, "ot_expand", spy)
    parties = pair()
    for kind in (RowTriples(3, 52), RowTriples(4, 33), RowTriples(3, 52)):
        taken(parties, kind, 200)
    for own in parties:
        own.close()
    places = sorted(set(seen))
    assert len(places) > 3 * 200 * 33
    assert all(end <= start for (_, end), (start, _) in pairwise(places))
    assert {seen.count(place) for place in places[:50]} == {6}  # two keys, one chosen; both ends


def encrypted(party: Party) -> TwoPartySource:
    """The source of a job without a dealer, matrix products included."""
    lane = party.channel.stream("products")
    products = ProductsAhead(BfvMatrixProducts(party.rank, lane, private(party.rank, 9), 1 << 20))
    return TwoPartySource(party.rank, party.channel, private(party.rank), products, 64)


def test_training_gives_the_trees_of_the_dealt_source() -> None:
    data = sides(*table(150, missing=0.1), 2)
    params = TrainingParams(n_estimators=2, max_depth=2, max_bin=8)
    parties = insecure_parties(3)
    for party in parties:
        party.source = CountingSource(encrypted(party))
    halves = run_both(
        lambda party, own: train(party, TrainingJob(params.decided(can_hide=False), own)),
        parties,
        data,
    )
    close_parties(parties)
    assert same_model(halves, train_both(params, data))
    sent = [party.source.account.channel_bytes for party in parties]
    assert sent[0] > 0
    assert abs(sent[0] - sent[1]) < sent[0] / 2
