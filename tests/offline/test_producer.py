"""Production ahead on another thread: the same blocks at both parties, errors, ends, bounds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from securexgb.boost.params import TrainingParams
from securexgb.channel.channel import MESSAGE_BYTES, Channel
from securexgb.correlations.kind import Pieces, Words
from securexgb.correlations.triples import TriplePieces, Triples
from securexgb.errors import DataError, PeerGone, ProtocolDesync, StoppedByPeer
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.local import close_parties
from securexgb.jobs.training import train
from securexgb.offline.ahead import joined
from securexgb.offline.matrix_products import BfvMatrixProducts
from securexgb.offline.method import Method
from securexgb.offline.producer import MOST_TILES, UNDER_WAY, PrefetchQueue, Producer, ProductsAhead
from securexgb.offline.two_party import TwoPartySource
from securexgb.testing.harness import insecure_parties, run_both
from tests.boost.data import same_model, sides, table, train_both
from tests.offline.laws import bucket_matrix, check
from tests.offline.pairs import SlowProducts, both, channels, private

pytestmark = pytest.mark.timeout(60)
TILE = 256


@pytest.fixture
def producer() -> Iterator[Producer]:
    made = Producer()
    yield made
    made.close()


@dataclass(frozen=True)
class Numbered(Pieces):
    """Elements that are their own numbers: one for each word of packed bits, and two words each."""

    per_word = 64, 1
    packed: Words
    numbers: Words


class Counter:
    def __init__(self) -> None:
        self.made: list[int] = []

    def __call__(self, count: int) -> Callable[[], Numbered]:
        start = sum(self.made)
        self.made.append(count)
        numbers = np.arange(start, start + count, dtype=np.uint64)
        return lambda: Numbered(numbers[::64] // np.uint64(64), np.stack([numbers, numbers]))


def check_drawn(stream: PrefetchQueue[Numbered], counts: list[int]) -> None:
    start = 0
    for count in counts:
        drawn = joined([part for part, _ in stream.draw(start, count)])
        np.testing.assert_array_equal(drawn.packed, np.arange(start // 64, (start + count) // 64))
        np.testing.assert_array_equal(drawn.numbers[1], np.arange(start, start + count))
        start += count


def test_elements_come_in_order_and_ahead_is_bounded(producer: Producer) -> None:
    make, counts = Counter(), [64, 640, 64, 64 * 200, 128, 64 * 1000, 64]
    stream = PrefetchQueue(producer, make, TILE)
    check_drawn(stream, counts)
    producer.run(lambda: None)  # everything that was ordered before is made
    taken = sum(counts)
    assert taken <= sum(make.made) <= taken + MOST_TILES * TILE
    assert max(make.made) <= TILE
    assert producer.seconds > 0


def test_nothing_is_made_beyond_the_last_tree(producer: Producer) -> None:
    make = Counter()
    stream = PrefetchQueue(producer, make, TILE)
    for left in (4, 3, 2, 1):
        stream.begin_tree(left)
        for count in (64, 64 * 30, 64 * 5):
            stream.draw(0, count)
    producer.run(lambda: None)
    assert sum(make.made) == 4 * 64 * 36
    ((part, size),) = stream.draw(0, 128)  # more than was expected is no error
    assert part.numbers.shape == (2, size) == (2, 128)


def test_all_that_a_tree_takes_is_ordered_as_it_begins(producer: Producer) -> None:
    late = PrefetchQueue(producer, Counter(), TILE)
    for left in (3, 2, 1):
        if left == 3:
            late.within_tree()  # it is first taken of in the first tree
        else:
            late.begin_tree(left)
            assert late.requested - late.taken == 64 * 47
        before = late.requested
        for count in (64 * 7, 64 * 40):
            late.draw(0, count)
    assert late.requested == before  # of the last tree nothing had to be ordered any more


def test_what_is_ordered_depends_on_counts_alone(producer: Producer) -> None:
    """However fast the other side's thread is: the same tiles."""
    rng = np.random.default_rng(0)
    counts = [int(64 * n) for n in rng.integers(1, 90, 60)]
    tiles = []
    for slow in (False, True):
        make, gate = Counter(), threading.Event()
        own = Producer()
        stream = PrefetchQueue(own, make, TILE)
        if slow:
            own.order(lambda gate=gate: gate.wait(0.1) and None)
        check_drawn(stream, counts)
        own.run(lambda: None)
        own.close()
        tiles.append(make.made)
    assert tiles[0] == tiles[1]


def test_some_orders_begin_before_earlier_ones_end_and_all_end_in_turn(producer: Producer) -> None:
    said: list[str] = []
    gate = threading.Event()

    def begin(number: int) -> Callable[[], None]:
        said.append(f"begin {number}")
        return lambda: said.append(f"end {number}")

    producer.order(lambda: gate.wait(10) and None)
    for number in range(UNDER_WAY + 2):
        producer.order_in_two(partial(begin, number))
    producer.order(lambda: said.append("alone"))
    producer.order_in_two(partial(begin, 99))
    gate.set()
    producer.run(lambda: None)
    begun = [f"begin {number}" for number in range(UNDER_WAY)]
    between = ["end 0", f"begin {UNDER_WAY}", "end 1", f"begin {UNDER_WAY + 1}"]
    ended = [f"end {number}" for number in range(2, UNDER_WAY + 2)]
    assert said == [*begun, *between, *ended, "alone", "begin 99", "end 99"]


def test_an_end_that_fails_reaches_the_taker(producer: Producer) -> None:
    def fail() -> None:
        raise ProtocolDesync("a message of no known kind")

    producer.order_in_two(lambda: fail)
    with pytest.raises(ProtocolDesync, match="no known kind"):
        producer.run(lambda: None)


def test_a_failure_reaches_every_later_taker(producer: Producer) -> None:
    def make(count: int) -> Callable[[], Numbered]:
        raise ProtocolDesync("a message of no known kind")

    streams = [PrefetchQueue(producer, make, TILE), PrefetchQueue(producer, Counter(), TILE)]
    for stream in (*streams, *streams):
        with pytest.raises(ProtocolDesync, match="no known kind"):
            stream.draw(0, 64)


def test_a_failure_wakes_a_waiting_taker(producer: Producer) -> None:
    gate = threading.Event()

    def fail() -> None:
        gate.wait(10)
        raise DataError("in the middle")

    producer.order(fail)
    threading.Timer(0.1, gate.set).start()
    with pytest.raises(DataError, match="in the middle"):
        producer.run(lambda: None)
    assert producer.waited_seconds > 0.05


def test_close_wakes_a_waiting_taker_and_ends_the_thread() -> None:
    producer, gate = Producer(), threading.Event()
    producer.order(lambda: gate.wait(10) and None)
    threading.Timer(0.1, producer.close).start()
    with pytest.raises(PeerGone, match="closed its source"):
        producer.wait(lambda: False)
    gate.set()
    producer.close()
    assert producer._thread is not None
    assert not producer._thread.is_alive()
    with pytest.raises(PeerGone):
        producer.order(lambda: None)


Pair = tuple[TwoPartySource, TwoPartySource]


def connected(seconds: float = 20) -> tuple[tuple[Channel, Channel], Pair]:
    ends = channels(seconds)

    def source(rank: int) -> TwoPartySource:
        lane = ends[rank].stream("products")
        made = BfvMatrixProducts(rank, lane, private(rank, 1), 1 << 20)
        return TwoPartySource(rank, ends[rank], private(rank), ProductsAhead(made))

    return ends, (source(0), source(1))


def test_parties_may_be_far_apart() -> None:
    """One goes on as far as it can before the other begins; what they get fits together."""
    ends, parties = connected()
    counts = (100, 5000, 64, 20_000)

    def step(rank: int, own: TwoPartySource) -> list[TriplePieces]:
        if rank:
            ends[1].receive("the other one waits", MESSAGE_BYTES)
        else:
            threading.Timer(0.2, ends[0].send, ("the other one waits", b"")).start()
        return [own.take(Triples(), count) for count in counts]

    for count, one, two in zip(counts, *both(parties, step), strict=True):
        check(Triples(), one, two, count)


@pytest.mark.parametrize("failing", [0, 1])
def test_the_other_side_s_failure_is_one_here(failing: int) -> None:
    ends, parties = connected()

    def step(rank: int, own: TwoPartySource) -> None:
        own.take(Triples(), 10)
        if rank == failing:
            ends[rank].close(DataError("a secret"))
            own.close()
            return
        with pytest.raises(StoppedByPeer, match="stopped with DataError"):
            own.take(Triples(), 1_000_000)
        own.close()
        assert own.producer._thread is not None
        assert not own.producer._thread.is_alive()

    both(parties, step)


@pytest.mark.parametrize("he", ["bfv"])
@pytest.mark.parametrize("offline", ["two-party", "dealt"])
def test_a_training_with_production_ahead(he: str, offline: str) -> None:
    data = sides(*table(150, missing=0.1), 2)
    params = TrainingParams(n_estimators=3, max_depth=3, max_bin=8)
    method = Method.chosen("hybrid", offline, he)
    parties = insecure_parties(3, method=method)
    before = threading.active_count()
    halves = run_both(
        lambda party, own: train(party, TrainingJob(params.decided(can_hide=False), own)),
        parties,
        data,
    )
    assert same_model(halves, train_both(params, data))
    threads = 2 * (1 + (offline == "two-party"))  # of products, and of transfers
    assert threading.active_count() == before + threads
    close_parties(parties)
    for party in parties:
        assert party.source.account.seconds > 0
        assert party.source.account.waited_seconds > 0
    assert threading.active_count() == before


def products_of(expected: int | None, take: Callable[[ProductsAhead], None]) -> SlowProducts:
    within = SlowProducts()
    ahead = ProductsAhead(within, 4)
    ahead.register_matrix(bucket_matrix(0, 9, 1, 1), None)
    if expected is not None:
        ahead.plan(expected, 1, is_far=False)
    take(ahead)
    ahead.producer.run(lambda: None)
    ahead.producer.close()
    return within


def test_products_are_prepared_a_tree_ahead_on_the_producer_s_thread() -> None:
    def trees(ahead: ProductsAhead) -> None:
        for _ in range(3):
            for count in (1, 1, 2):
                for owner in (0, 1):
                    assert len(ahead.vector_products(owner, count).products) == count

    within = products_of(None, trees)
    assert within.prepared == sorted(set(within.prepared))
    assert 12 < within.prepared[-1] <= 16
    assert within.threads == {"products"}
    assert products_of(12, trees).prepared[-1] == 12


def test_the_first_tree_s_products_are_made_before_they_are_asked_for() -> None:
    assert products_of(None, ProductsAhead.begin).prepared == [1, 4]
    assert products_of(2, ProductsAhead.begin).prepared == [1, 2]


def test_products_do_not_wait_behind_transfers() -> None:
    ends, parties = connected()
    gate = threading.Event()

    def step(rank: int, own: TwoPartySource) -> None:
        own.producer.order(lambda: gate.wait(20) and None)
        own.products.register_matrix(
            bucket_matrix(0, 9, 1, 2), np.zeros((9, 1), np.uint8) if rank == 0 else None
        )
        own.products.begin()
        assert len(own.products.vector_products(0, 1).products) == 1
        assert not gate.is_set()

    both(parties, step)
    gate.set()
    for channel, own in zip(ends, parties, strict=True):
        channel.close()
        own.close()
