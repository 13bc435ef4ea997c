"""Bytes that oblivious transfers take, and the kinds that are made of them.

A dry run: what is asked for, in what portions, and when a pool is filled follow from the objects
that do it in a training (``oblivious_transfer``, ``producer``, ``ahead``), here without messages.
Within a tree requests are taken as equal portions, so figures of a single tree are off by a
portion; those of a job are not.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from securexgb.correlations.digits import DIGIT, DigitTransfers
from securexgb.correlations.gates import Gates
from securexgb.correlations.kind import Kind
from securexgb.correlations.random_bits import RandomBits
from securexgb.correlations.row_triples import RowTriples
from securexgb.correlations.slices import SlicedTransfers
from securexgb.correlations.transfers import Transfers
from securexgb.correlations.triples import Triples
from securexgb.offline import oblivious_transfer as ot
from securexgb.offline.ahead import block_of
from securexgb.offline.base_transfer import Keys
from securexgb.offline.oblivious_transfer import STRETCH_AFTER, TREE_DEPTH, WORD
from securexgb.offline.producer import LEAST_SHARE, LEVELS, UNDER_WAY, PrefetchQueue, Producer
from securexgb.offline.traffic.tiles import TILE, all_as_made, as_made, tile_of

BASE_BYTES = 64 + 2 * 32 * 128 + 8 * 4 * 128
"""Of either side, once a session: offer, reply, sums of the trees; see ``base_transfer``."""
_REQUESTS = 32
"""Of a kind in a tree, at least: what is more than a block is drawn as it is asked for."""
_BIT_TILE = (1 << 19) // 64
_NOBODY = cast("Producer", None)
"""What is ordered is counted at once."""
_nothing = cast("Callable[[int], Callable[[], Any]]", None)
_NO_KEYS = Keys(bytes(32), np.zeros(0, np.uint64), np.zeros(2, np.uint64))


class TransferTraffic:
    """Counts what transfers send. ``sent``: bytes by rank; ``messages``: in the longest chain of
    messages of which each was sent after the one before it had come; ``fills``: pools that were
    filled, ``kinds``: elements that were made."""

    def __init__(self, stretch_after: int = STRETCH_AFTER) -> None:
        self.sent = [0, 0]
        self.fills = 0
        self._chains = [0, 0]
        self._under_way: deque[tuple[list[int], float]] = deque()
        self.kinds: Counter[Kind[Any]] = Counter()
        self._ends: list[ot._Direction] = []
        self._stretch_after = stretch_after

    def prepare(self, label: int, feature: int) -> None:
        """As ``ObliviousTransfer.prepare`` before so many words from either side."""
        if not self._ends:
            self._ends = [ot._Direction(_NO_KEYS), ot._Direction(_NO_KEYS)]
            self.sent = [size + BASE_BYTES for size in self.sent]
            for _ in range(3):
                self._wait(True, True)
        shares = [
            end.filling(words, self._stretch_after)
            for end, words in zip(self._ends, (label, feature), strict=True)
        ]
        if any(share.trees or share.words for share in shares):
            self._pass(shares, 0)
            self.settle()
        for end, share in zip(self._ends, shares, strict=True):
            if share.trees or share.words:
                end.fill(np.zeros(0, np.uint64))
                self.fills += 1

    def transfer(self, label: int, feature: int) -> None:
        """So many words of 64 transfers from either side, in one request."""
        self.prepare(label, feature)
        both = zip(self._ends, (label, feature), strict=True)
        self._pass([end.share(words) for end, words in both], max(label, feature))

    def transfer_from(self, sender: int, words: int) -> None:
        """So many words from one side, in one request."""
        self.transfer(*((words, 0) if sender == 0 else (0, words)))

    def transfer_in_tiles(self, sender: int, words: int) -> None:
        """So many words from one side, in requests of bits as ``row_bits`` makes them."""
        while words:
            now = min(words, _BIT_TILE)
            self.transfer_from(sender, now)
            self.settle()
            words -= now

    def swap(self, label_bytes: int, feature_bytes: int) -> None:
        """Other messages of the same stream."""
        self.settle()
        self._wait(label_bytes > 0, feature_bytes > 0)
        self.sent[0] += label_bytes
        self.sent[1] += feature_bytes

    @property
    def messages(self) -> int:
        """See the class."""
        under_way = (lengths for lengths, _ in self._under_way)
        return max(max(lengths) for lengths in (self._chains, *under_way))

    def _pass(self, shares: Sequence[ot._Share], words: int) -> None:
        """One request of so many words, by who sends in it; each side's own messages go out before
        it waits."""
        sends = [False, False]
        for sender, (end, share) in enumerate(zip(self._ends, shares, strict=True)):
            end.advance(share)
            self.sent[sender] += 8 * 2 * ot.LEVELS * share.trees
            self.sent[1 - sender] += 8 * (128 // TREE_DEPTH - 1) * share.words
            sends[sender] |= share.trees > 0
            sends[1 - sender] |= share.words > 0
        while sum(tiles for _, tiles in self._under_way) >= UNDER_WAY:
            self._finish()
        self._under_way.append((self._arriving(*sends), max(words / TILE, LEAST_SHARE)))

    def settle(self) -> None:
        """Somebody waits for all that is under way."""
        while self._under_way:
            self._finish()

    def _finish(self) -> None:
        arrived, _ = self._under_way.popleft()
        self._chains = [max(pair) for pair in zip(self._chains, arrived, strict=True)]

    def _wait(self, label_sends: bool, feature_sends: bool) -> None:
        """Messages of whoever sends, awaited at once."""
        self._under_way.append((self._arriving(label_sends, feature_sends), 0.0))
        self.settle()

    def _arriving(self, label_sends: bool, feature_sends: bool) -> list[int]:
        """How long the chains are at both ends once the messages of whoever sends have come; who
        gets none need not wait."""
        label, feature = self._chains
        return [feature + 1 if feature_sends else 0, label + 1 if label_sends else 0]


class MadeTraffic:
    """What ``TwoPartySource`` sends for all kinds but row bits and products."""

    def __init__(self) -> None:
        self.transfers = TransferTraffic()
        self._queues: dict[Kind[Any], tuple[Portions, PrefetchQueue[Any]]] = {}
        self._told = Counter[Kind[Any]]()
        self._has_begun = False

    def begin_job(self, words: int) -> None:
        """See ``correlations.source``."""
        self.transfers.prepare(words, words)

    def expect(self, counts: Mapping[Kind[Any], int]) -> None:
        """See ``correlations.source``."""
        made = all_as_made(counts)
        for part in LEVELS:
            for kind, count in made.items():
                _, _, queue = self._queue(kind)
                for _, size in queue.first(self._told[kind] + count // part):
                    make(self.transfers, kind, size)
        self._told.update(made)

    def begin_tree(self, remaining: int) -> None:
        """See ``correlations.source``."""
        self._has_begun = True
        for kind, (portions, queue) in self._queues.items():
            queue.expect(remaining, portions.left)
            for _, size in queue.top_up(portions.left):
                make(self.transfers, kind, size)

    def take_in_parts(self, counts: Mapping[Kind[Any], int], parts: int) -> None:
        """So many elements of each kind by a tree, an equal part of all kinds with each level: what
        comes before the first pool is filled, at a price of its own, depends on that order."""
        before = dict.fromkeys(counts, 0)
        for part in range(1, parts + 1):
            upto = {
                kind: _whole(kind, count * part // parts, count) for kind, count in counts.items()
            }
            self.take({kind: count - before[kind] for kind, count in upto.items()})
            before = upto

    def take(self, counts: Mapping[Kind[Any], int]) -> None:
        """So many elements of each kind, in portions as a tree takes them, in the order in which
        a tree first asks for them: a pool is filled when the first large request comes."""
        for kind, count in sorted(counts.items(), key=lambda one: _place(one[0])):
            made, portions, queue = self._queue(kind)
            for drawn in portions.of(count, queue.ordered, queue.to_come):
                is_short = queue.requested < queue.taken + drawn
                for _, size in queue.ask(drawn):
                    make(self.transfers, made, size)
                if is_short:
                    self.transfers.settle()
                queue.taken += drawn

    def _queue(self, kind: Kind[Any]) -> tuple[Kind[Any], Portions, PrefetchQueue[Any]]:
        """What is made in its place, and of that what was drawn and what was ordered."""
        made = as_made(kind)
        if made not in self._queues:
            queue = PrefetchQueue[Any](_NOBODY, _nothing, tile_of(made), made.block)
            if self._has_begun:
                queue.within_tree()
            self._queues[made] = Portions(made.block), queue
        return made, *self._queues[made]


def _whole(kind: Kind[Any], part: int, whole: int) -> int:
    """A part of all as whole words, where it is not all."""
    return part if part == whole else part - part % kind.grain


def _place(kind: Kind[Any]) -> int:
    """When a level first takes of a kind: sums are taken apart, then candidates are ranked, then
    rows are moved."""
    if isinstance(kind, Gates):
        return 0 if kind.width < DIGIT else 4
    return {DigitTransfers: 1, RandomBits: 2, RowTriples: 3, Transfers: 5}.get(type(kind), 6)


class Portions:
    """The portions in which a ``Supply`` of such a unit draws what a job takes."""

    def __init__(self, unit: int) -> None:
        self._unit, self._made, self._ready = unit, 0, 0

    @property
    def left(self) -> int:
        """What was drawn and not taken."""
        return self._ready

    def of(
        self,
        count: int,
        ordered: Callable[[], int] = lambda: 0,
        to_come: Callable[[], int | None] = lambda: None,
    ) -> Iterator[int]:
        """What is drawn for ``count`` elements more; ``ordered``, ``to_come``: see ``Supply``."""
        large = count // _REQUESTS // self._unit * self._unit
        while count > self._ready:
            if self._unit > 1:
                drawn = block_of(max(large, 1), self._made, ordered(), to_come=to_come())
            else:
                drawn = count - self._ready
            drawn += -drawn % self._unit
            self._made += drawn
            self._ready += drawn
            yield drawn
        self._ready -= count


def make(transfers: TransferTraffic, kind: Kind[Any], count: int) -> None:
    """What ``TwoPartySource`` sends to make so many elements of a kind at a time."""
    transfers.kinds[kind] += count
    match kind:
        case Transfers():
            transfers.transfer_from(kind.sender, count // WORD)
        case Gates():
            transfers.transfer(count, count)
        case SlicedTransfers():
            transfers.transfer_from(kind.sender, count)
        case DigitTransfers():
            transfers.transfer_from(kind.sender, DIGIT * count)
        case RandomBits():
            words, half = count // WORD, count // WORD // 2
            transfers.transfer(half, words - half)
            transfers.swap(8 * kind.ring_bits * half, 8 * kind.ring_bits * (words - half))
        case Triples():
            bits = kind.ring_bits
            words = count * bits // WORD
            transfers.transfer(words, words)
            size = count * bits * (bits + 1) // 16
            transfers.swap(size, size)
        case RowTriples():
            bits = kind.ring_bits
            words = -(-count * bits // WORD)
            transfers.transfer(words, words)
            size = count * kind.count * bits * (bits - 1) // 16
            transfers.swap(size, size)
        case _:
            raise LookupError(f"two parties cannot make {kind.name}")
