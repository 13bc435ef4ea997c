"""Correlations made ahead of their use, on threads and streams of their own.

Matrix products have one thread and stream, all that comes from transfers has another: neither
waits behind the other, and what a job needs first is begun at once, both at a time.

On a stream both parties must make the same blocks in the same order. What is to be made next is
decided where correlations are taken, from public counts alone (control flow is public), so both
parties put the same orders into their queues; a producing thread works them off in turn,
exchanging messages with the other party's like thread on their stream. Some have begun, and their
messages are under way, before the first of them has what it waits for: one at a time, each would
take the link's latency. How far the thread has come does not matter to anybody but a taker who has
to wait.

How far ahead: what the first tree takes is told before it, as far as it pays, and made level by
level; of other kinds a quarter of what was taken so far, and from the second tree on what the last
tree took, ordered as a tree begins; nothing beyond what the trees to come will take if they are
like it, and never more than ``MOST_TILES``. So the buffers are bounded, and little is made in vain.

An error ends the production; whoever takes next gets it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from time import perf_counter
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from securexgb.correlations.kind import BLOCK, P
from securexgb.correlations.source import (
    Account,
    BucketMatrix,
    DividedProducts,
    MatrixProducts,
    PadKeys,
    PadProducts,
    SummedMatrix,
    VectorProducts,
)
from securexgb.errors import PeerGone, UsageError
from securexgb.offline.ahead import Made, Prefetched

PART = 4
AT_A_TIME = 8
"""In so many portions what is wanted ahead is ordered: little of it stands before what is needed
now."""
LEVELS = 8, 2, 1
"""Which parts of what the first tree takes are made one after the other: about what it has taken
after its first levels, before its last one, and in all."""
MOST_TILES = 16
"""Ahead of what is taken, a kind: some 16 MiB."""
STOCK_TILES = 8
"""A stock is made up by so much of it at a time: a service says that it is low where a quarter is
left."""
UNDER_WAY = 4
"""Tiles of orders that have begun and are not finished: a message of each order is on its way."""
LEAST_SHARE = 1 / 16
"""Of a tile, that an order counts for."""
_JOIN_SECONDS = 10.0
_GLANCE_SECONDS = 1.0
Result = TypeVar("Result")
_UnderWay: TypeAlias = tuple[Callable[[], None], float]


@dataclass(frozen=True)
class _InTwo:
    """An order whose rest is done later; see ``Producer.order_in_two``."""

    work: Callable[[], Callable[[], None]]
    tiles: float

    def begin(self, under_way: deque[_UnderWay]) -> None:
        under_way.append((self.work(), self.tiles))


class Producer:
    """One thread that works off orders; it starts with the first one. ``name``: the thread's.

    ``seconds``: spent on orders, waiting for the other party's part of them included.
    ``waited_seconds``: that takers have waited for something ordered.
    """

    def __init__(self, name: str = "correlations") -> None:
        self._name = name
        self.seconds = 0.0
        self.waited_seconds = 0.0
        self._orders: SimpleQueue[Callable[[], None] | _InTwo | None] = SimpleQueue()
        self._progress = threading.Condition()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def order(self, work: Callable[[], None]) -> None:
        """Have something made; raises what an earlier order has failed with."""
        self._put(work)

    def order_in_two(self, begin: Callable[[], Callable[[], None]], tiles: float = 1.0) -> None:
        """The same; what ``begin`` returns is called later, when others have begun, too: so many
        of them as ``UNDER_WAY`` says, of which this one counts for ``tiles``."""
        self._put(_InTwo(begin, tiles))

    def _put(self, order: Callable[[], None] | _InTwo) -> None:
        self.check()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._orders.put(order)

    def wait(self, is_there: Callable[[], bool]) -> None:
        """Until something ordered is there; raises what an order has failed with."""
        if self._failure is None and is_there():
            return
        began = perf_counter()
        try:
            with self._progress:
                while not is_there():
                    self.check()
                    self._progress.wait(_GLANCE_SECONDS)  # a signal is heard between two
        finally:
            self.waited_seconds += perf_counter() - began

    def run(self, work: Callable[[], Result]) -> Result:
        """Have something done in its turn, and wait for its result."""
        done: list[Result] = []
        self.order(lambda: done.append(work()))
        self.wait(lambda: bool(done))
        return done[0]

    def close(self) -> None:
        """Stop after the order in work; what was not taken is lost. The link is closed first,
        so that nobody waits for the other party."""
        self._closed = True
        self._orders.put(None)
        with self._progress:
            self._progress.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_JOIN_SECONDS)

    def check(self) -> None:
        """Raises what an order has failed with."""
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise PeerGone("this side has closed its source of correlations")

    def _run(self) -> None:
        under_way: deque[_UnderWay] = deque()
        while self._failure is None and not self._closed:
            is_enough = sum(tiles for _, tiles in under_way) >= UNDER_WAY
            if is_enough or (under_way and self._orders.empty()):
                self._do(under_way.popleft()[0])
                continue
            order = self._orders.get()
            if isinstance(order, _InTwo):
                self._do(partial(order.begin, under_way))
            elif order is None:
                return
            else:
                while under_way:
                    self._do(under_way.popleft()[0])
                self._do(order)

    def _do(self, work: Callable[[], None]) -> None:
        """Nothing after a failure."""
        if self._failure is not None:
            return
        began = perf_counter()
        try:
            work()
        except BaseException as error:
            self._failure = error
        self.seconds += perf_counter() - began
        with self._progress:
            self._progress.notify_all()


class PrefetchQueue(Prefetched[P]):
    """The tiles of one kind at one party, in order; ``draw`` is a ``make`` of ``Supply``.

    ``begin(count)`` begins a tile, and returns what gives it. ``tile``: elements, a multiple of
    ``unit``, made at a time.
    """

    def __init__(
        self,
        producer: Producer,
        begin: Callable[[int], Callable[[], P]],
        tile: int,
        unit: int = BLOCK,
    ) -> None:
        super().__init__(unit, tile)
        self._producer = producer
        self._begin = begin
        self._most = MOST_TILES * tile
        self._tile = self._largest = tile
        self._stock = 0

    def keep(self, count: int) -> None:
        """From now on keep so many ahead of what is taken, but for a tile, which is small beside
        it; both parties say so at the same place of the program."""
        self._stock = max(self._stock, count)
        part = -(-self._stock // STOCK_TILES)
        self._tile = self._step = min(self._largest, part + -part % self._unit)
        self._order(0)

    def have(self, count: int) -> None:
        """Have made what will be taken first, as far as so much is kept ahead."""
        self._have_made(self.first(count))

    def first(self, count: int) -> list[tuple[int, int]]:
        """Requests for that."""
        goal = min(count, self._most)
        return self._up_to(goal + -goal % self._unit)

    def ordered(self) -> int:
        """What was ordered and not taken: the same at both parties, whatever is there."""
        return self.requested - self.taken

    def draw(self, _start: int, count: int) -> Made[P]:
        """The next ``count`` elements, a multiple of the unit, once they are there."""
        self._order(count)
        self._producer.wait(lambda: self.has(count))
        return self.next(count)

    def begin_tree(self, remaining: int, held: int = 0) -> None:
        """See ``expect``; and have made what such a tree takes, see ``top_up``."""
        self.expect(remaining, held)
        self._have_made(self.top_up(held))

    def ahead(self, need: int) -> int:
        """Of what a tree takes little, a tile more, so that orders are not small."""
        more = self._largest if self.a_tree < self._largest else 0
        usual = min(need // PART if self.expected is None else self.a_tree + more, self._most)
        return max(usual, self._stock)

    def worth_asking(self, ahead: int) -> int:
        """Of a stock a tile at a time, so that making it never stands in the way for long."""
        if self._stock:
            return min(ahead // 2, self._tile)
        return max(ahead // AT_A_TIME, min(ahead, self._largest))

    def _order(self, count: int) -> None:
        self._have_made(self.ask(count))

    def _have_made(self, requests: list[tuple[int, int]]) -> None:
        for _, size in requests:
            share = max(size / self._largest, LEAST_SHARE)
            self._producer.order_in_two(partial(self._begun, size), share)

    def _begun(self, size: int) -> Callable[[], None]:
        part = self._begin(size)
        return lambda: self.add(part(), size)


class PreparedProducts(MatrixProducts, Protocol):
    """Matrix products made between the two parties, as far ahead as they are told."""

    def prepare(self, vectors: int) -> None:
        """Make ahead the first ``vectors`` of each registered matrix, counted from its start.

        After it these vectors take no message, and another thread may ask for them.
        """


class ProductsAhead:
    """Matrix products whose batches are made by a ``producer``.

    ``within`` exchanges messages when it registers a matrix and when it prepares vectors;
    both happen in the producer's thread, so ``within`` is made with a stream of its own.
    ``a_tree``: pairs of vectors of each matrix that a tree takes; those of the next one are kept
    ahead. Public, the same at both parties.
    """

    def __init__(self, within: PreparedProducts, a_tree: int = 8) -> None:
        self.producer = Producer("products")
        self._within = within
        self._a_tree = a_tree
        self._ordered = 0
        self._prepared = 0
        self._taken = [0, 0]
        self._expected: int | None = None

    @property
    def account(self) -> Account:
        made, sent = self.producer, self._within.account.channel_bytes
        return Account(made.seconds, made.waited_seconds, 0, sent)

    @property
    def divided(self) -> ProductsAhead | None:
        """See ``correlations.source``."""
        return None if self._within.divided is None else self

    @property
    def pads(self) -> None:
        """See ``correlations.source``."""

    def divide(self, matrices: Sequence[BucketMatrix]) -> PadKeys:
        """In its turn, as ``register_matrix``."""
        return self.producer.run(lambda: self._can_divide().divide(matrices))

    def register_sums(self, matrix: BucketMatrix, own: SummedMatrix | None) -> None:
        """See ``register_matrix``."""
        self.producer.run(lambda: self._can_divide().register_sums(matrix, own))
        self._begin(matrix)

    def _can_divide(self) -> DividedProducts:
        divided = self._within.divided
        if divided is None:
            raise UsageError("products of this kind are made by each place of rows for itself")
        return divided

    def plan(self, vectors: int, values: int, *, is_far: bool) -> None:
        """See ``correlations.source``."""
        self._expected = vectors
        self._within.plan(vectors, values, is_far=is_far)

    def noise_bits(self, matrix: BucketMatrix) -> int:
        return self._within.noise_bits(matrix)

    def register_matrix(self, matrix: BucketMatrix, own: NDArray[np.uint8] | None) -> None:
        """In its turn, and finished when this returns."""
        self.producer.run(lambda: self._within.register_matrix(matrix, own))
        self._begin(matrix)

    def _begin(self, matrix: BucketMatrix) -> None:
        self._ordered = self._prepared = 0
        self._taken[matrix.owner] = 0

    def begin(self) -> None:
        """See ``correlations.source``: what the first sum needs, then a tree's."""
        self.producer.run(self._within.begin)
        self._order(1)
        self._order(self._a_tree if self._expected is None else min(self._a_tree, self._expected))

    def vector_products(self, owner: int, count: int) -> VectorProducts | PadProducts:
        """The next ones, once they are there; and more are ordered."""
        need = self._taken[owner] + count
        if self._ordered < need:
            self._order(need)
        if 2 * need > self._a_tree:  # the first tree does not share its time with the second one's
            more = self._a_tree * (1 + -(-need // self._a_tree))
            self._order(more if self._expected is None else min(more, self._expected))
        self.producer.wait(lambda: self._prepared >= need)
        self._taken[owner] = need
        return self._within.vector_products(owner, count)

    def prepare(self, vectors: int) -> None:
        """See ``PreparedProducts``."""
        self._order(vectors)

    def close(self) -> None:
        self.producer.close()

    def _order(self, vectors: int) -> None:
        if vectors <= self._ordered:
            return
        self._ordered = vectors

        def work() -> None:
            self._within.prepare(vectors)
            self._prepared = vectors

        self.producer.order(work)
