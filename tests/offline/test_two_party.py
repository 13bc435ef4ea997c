"""The source without a dealer: the laws of every kind, and whole trainings on it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from securexgb.boost.params import TrainingParams
from securexgb.channel.channel import Channel
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.offline.budget import CountingSource
from securexgb.offline.local import InsecureLocalSource
from securexgb.offline.matrix_products import BfvMatrixProducts
from securexgb.offline.producer import ProductsAhead
from securexgb.offline.two_party import TwoPartySource
from securexgb.testing.harness import insecure_parties, run_both
from tests.boost.data import same_model, sides, table, train_both
from tests.offline.laws import (
    bucket_matrix,
    check_digits,
    check_gates,
    check_products,
    check_random_ot,
    check_shared_bits,
    check_triples,
    one_hot,
)
from tests.offline.pairs import both, channels, private

COUNTS = (1, 0, 63, 64, 65, 511, 513, 3000, 20000)


class DealtProducts(InsecureLocalSource):
    """Products that cost nothing."""

    def prepare(self, vectors: int) -> None:
        """They take no message."""


def source(
    rank: int, channel: Channel, seed: int = 0, stretch_after: int = 1 << 12
) -> TwoPartySource:
    """With matrix products of an insecure source; the rest is what is tested."""
    products = ProductsAhead(DealtProducts(rank, channel.stream("offline"), 5))
    return TwoPartySource(rank, channel, private(rank, seed), products, stretch_after)


def pair(seed: int = 0, stretch_after: int = 1 << 12) -> tuple[TwoPartySource, TwoPartySource]:
    zero, one = channels()
    return source(0, zero, seed, stretch_after), source(1, one, seed, stretch_after)


@pytest.mark.parametrize("stretch_after", [0, 1 << 12, 1 << 30])
def test_every_kind_keeps_its_law(stretch_after: int) -> None:
    parties = pair(stretch_after=stretch_after)
    for count in COUNTS:
        for bits in (64, 52, 33):
            triples = both(parties, lambda _, s, n=count, r=bits: s.triples(n, r))
            check_triples(*triples, count, bits)
        for bits in (64, 32):
            shared = both(parties, lambda _, s, n=count, r=bits: s.shared_bits(n, r))
            check_shared_bits(*shared, count, bits)
        for sender, bits in product((0, 1), (8, 16, 32, 64, 128)):
            ends = both(
                parties,
                lambda rank, s, n=count, by=sender, r=bits: (
                    s.random_ot_send(n, r) if rank == by else s.random_ot_receive(n, r)
                ),
            )
            check_random_ot(ends[sender], ends[1 - sender], count, bits)


@pytest.mark.parametrize("stretch_after", [0, 1 << 30])
def test_every_width_keeps_its_law(stretch_after: int) -> None:
    parties = pair(stretch_after=stretch_after)
    for count in (1, 0, 65, 700, 5000):
        for width in (1, 2, 5, 32):
            gates = both(parties, lambda _, s, n=count, w=width: s.gates(n, w))
            check_gates(*gates, count, width)
        for width, sender in ((2, 0), (7, 1), (2, 1)):
            ends = both(
                parties,
                lambda rank, s, n=count, w=width, by=sender: (
                    s.digit_send(n, w) if rank == by else s.digit_receive(n, w)
                ),
            )
            check_digits(ends[sender], ends[1 - sender], count, width)


def test_products_are_passed_on() -> None:
    parties = pair()
    bins = np.random.default_rng(0).integers(0, 4, (9, 2), np.uint8)

    def step(rank: int, own: TwoPartySource) -> object:
        own.register_matrix(bucket_matrix(1, 9, 2, 4), bins if rank == 1 else None)
        return own.vector_products(1, 3)

    other, owner = both(parties, step)
    check_products(owner, other, one_hot(bins, 4))
    assert parties[1].offline_channel_bytes == 8 * 9 * 8
    assert parties[0].offline_channel_bytes == 0


def test_shares_look_uniform_and_are_never_repeated() -> None:
    parties = pair()
    drawn = []
    for _ in range(2):
        triples = both(parties, lambda _, s: s.triples(4000))
        gates = both(parties, lambda _, s: s.gates(4000, 2))
        sent, received = both(
            parties,
            lambda rank, s: s.digit_receive(4000, 7) if rank else s.digit_send(4000, 7),
        )
        shared = both(parties, lambda _, s: s.shared_bits(4032))
        drawn += [x for t in (*triples, *gates) for x in (t.a, t.b.ravel(), t.c.ravel())]
        drawn += [sent.messages.ravel(), received.choices.ravel()]
        drawn += [x for s in shared for x in (s.boolean, s.arithmetic)]
    for words in drawn:
        ones = np.unpackbits(words.view(np.uint8)).mean()
        assert abs(ones - 0.5) < 6 * 0.5 / np.sqrt(64 * words.size)
    everything = np.concatenate([words for words in drawn if words.size > 100])
    assert np.unique(everything).size == everything.size


def test_what_it_reports() -> None:
    parties = pair()
    both(parties, lambda _, s: s.triples(100))
    for own in parties:
        assert (own.name, own.evidence, own.offline_bytes) == ("two-party", "none", 0)
        assert own.offline_seconds > 0
        assert own.waited_seconds > 0
        setup, block = 64 + 128 * 64 + 128 * 32, 640 * (8 * 31 + 260)  # a quarter ahead
        assert own.offline_channel_bytes == setup + block
        own.close()


def encrypted(party: Party) -> TwoPartySource:
    """The source of a job without a dealer, matrix products included."""
    lane = party.channel.stream("offline")
    products = ProductsAhead(BfvMatrixProducts(party.rank, lane, private(party.rank, 9), 1 << 20))
    return TwoPartySource(party.rank, party.channel, private(party.rank), products, 64)


def test_training_gives_the_trees_of_the_dealt_source() -> None:
    data = sides(*table(150, missing=0.1), 2)
    params = TrainingParams(n_estimators=2, max_depth=2, max_bin=8)
    parties = insecure_parties(3)
    for party in parties:
        party.source = CountingSource(party.rank, encrypted(party))
    halves = run_both(lambda party, own: train(party, TrainingJob(params, own)), parties, data)
    assert same_model(halves, train_both(params, data))
    sent = [party.source.offline_channel_bytes for party in parties]
    assert sent[0] > 0
    assert abs(sent[0] - sent[1]) < sent[0] / 2
