"""Which rows both sides have, and nothing of the others: private set intersection.

The protocol is Raghuraman and Rindal's (CCS 2022), semi-honest. The side with fewer keys, the
receiver, gets A and C, the other one D and B with C = A D + B (``align.vole``). The receiver
encodes its keys as a list E from which each of them reads a value that is public for a key
(random-band encoding, ``kernels/src/align/okvs.rs``), and sends A + E. The sender reads each of its
own keys from B + (A + E) D and takes D times the key's value away: for a key of the receiver that
is what the receiver reads from C. Both hash it. The sender sends its hashes in order, packed, and
the receiver answers with a bit for each.

    counts     how many keys either side has
    ready      whether buckets are not too full, which ones are finished, nonces
    bucket i   a coin; the elements; the encoding; the hashes
    verdict    whether enough keys are in common: if not, both stop here
    answers    a bit for each hash

docs/alignment.md has the argument and the numbers, ``align.sizes`` all sizes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.align import sizes as public
from securexgb.align.cost import intersection_cost
from securexgb.align.count import CommonSize, count_common
from securexgb.align.keys import OrderedKeys, fingerprint
from securexgb.align.limits import Limits, agree_on_sizes
from securexgb.align.vole import FieldProducts
from securexgb.arith.prg import Prg
from securexgb.correlations.kind import Words
from securexgb.errors import DataError, ProtocolDesync, SecureXGBError
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import protocol
from securexgb.mpc.reveals import Counts, Reveal

__all__ = ["CommonSize", "Intersection", "Limits", "Store", "count_common", "intersect"]

_COIN_WORDS = 2
_NONCE_WORDS = 4
_COINS = 4
_FINGERPRINT = 32


class Store(Protocol):
    """Where a finished bucket is kept until the whole alignment is done, on this side's disk.

    What is kept says which of this side's own keys may be common, and nothing that would open
    the other side's messages.
    """

    def load(self, bucket: int) -> bytes | None:
        """What was saved for it, if anything was."""

    def save(self, bucket: int, bits: bytes) -> None:
        """Keep it, in place of what was there."""


@dataclass(frozen=True, repr=False)
class Intersection:
    """``rows``: this side's row numbers, from 0 on, of the ``common`` keys, in the common order."""

    common: int
    rows: NDArray[np.int64]


def intersect(
    party: Party,
    keys: Sequence[bytes],
    limits: Limits,
    order_coin: bytes,
    *,
    store: Store | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Intersection:
    """This side's rows whose keys the other side has too, in an order that is the same there.

    ``keys``: one a row, none twice. ``order_coin``: public, equal at both sides; the order is that
    of SHA-256(coin || key). ``progress`` is told how many buckets of how many are done. Errors at
    both sides: UsageError where a side has more than ``max_keys``, DataError where one has, or both
    have in common, fewer than ``min_common``. DataError here where a key comes twice.
    """
    with party.step("align"):
        own = OrderedKeys.of(party.role, keys, order_coin)
        sizes = agree_on_sizes(party, len(keys), limits)
        most: Counts = {(Reveal.COMMON_MEMBERS, "both"): min(sizes)}
        with party.ledger.announced(most):
            is_common = common_keys(party, own, sizes, limits, store, progress)
            common = int(is_common.sum())
            party.ledger.record(Reveal.COMMON_MEMBERS, "both", common)
    return Intersection(common, own.rows[is_common])


@protocol(
    opens="which of its own keys the other side has too",
    source="Raghuraman, Rindal, CCS 2022; docs/alignment.md",
    ideal=None,
    cost=lambda own, sizes, *_: intersection_cost(sizes),
)
def common_keys(
    party: Party,
    own: OrderedKeys,
    sizes: public.Sizes,
    limits: Limits,
    store: Store | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.bool_]:
    """Which of this side's keys the other one has too, once both know how many there are."""
    run = _Run(party, own, sizes, store)
    total = len(run.records)
    for done, number in enumerate(run.unfinished):
        with party.step("bucket", number):
            run.finish(number)
        if progress is not None:
            progress(total - len(run.unfinished) + done + 1, total)
    return run.answers(limits)


@dataclass(frozen=True, repr=False)
class _Record:
    """A finished bucket. ``coin``: of the run that finished it, equal at both sides. ``bits``: at
    the receiver ones for its own common keys, then for the sender's places; ``places``: at the
    sender which of its keys stands where in the list of hashes.
    """

    coin: bytes
    fingerprint: bytes
    content: bytes

    def packed(self) -> bytes:
        return self.coin + self.fingerprint + self.content

    @classmethod
    def unpacked(cls, kept: bytes) -> _Record:
        ends = 8 * _COIN_WORDS, 8 * _COIN_WORDS + _FINGERPRINT
        return cls(kept[: ends[0]], kept[ends[0] : ends[1]], kept[ends[1] :])


class _Run:
    """One alignment at one side, bucket by bucket."""

    def __init__(
        self, party: Party, own: OrderedKeys, sizes: public.Sizes, store: Store | None
    ) -> None:
        self._party, self._store = party, store
        self._sizes = public.bucket(sizes)
        self._receiver = public.receiver(sizes)
        ends = pairwise(own.starts(public.buckets(sizes)))
        self._digests = [own.digests[start:end] for start, end in ends]
        self._marks = [fingerprint(part, *sizes, self._receiver) for part in self._digests]
        # A key of its own, so that a second alignment in a session shares nothing with the first.
        self._private = Prg(party.private.words(2).tobytes())
        self._products = FieldProducts(party, 1 - self._receiver, self._private.derive("field"))
        self.records: list[_Record | None] = [self._kept(i) for i in range(len(self._digests))]
        self._compare()
        self.unfinished = [i for i, record in enumerate(self.records) if record is None]

    @property
    def _is_receiver(self) -> bool:
        return self._party.rank == self._receiver

    def _kept(self, number: int) -> _Record | None:
        """What was saved for these very keys."""
        kept = None if self._store is None else self._store.load(number)
        record = None if kept is None else _Record.unpacked(kept)
        return record if record and record.fingerprint == self._marks[number] else None

    def _compare(self) -> None:
        """Buckets that only one side has finished, or in another run, are done again."""
        most = self._sizes.own if self._is_receiver else self._sizes.theirs
        fits = all(len(part) <= most for part in self._digests)
        nothing = bytes(8 * _COIN_WORDS)
        coins = [record.coin if record else nothing for record in self.records]
        message = np.frombuffer(b"".join(coins) + int(fits).to_bytes(8, "little"), "<u8")
        with self._party.step("ready"):
            theirs = self._party.exchange(message)
        if not (fits and theirs[-1]):
            raise SecureXGBError(
                f"{self._party.role} party: a bucket of keys is fuller than its bound, which "
                "happens once in 2^44 orders: forget the order coin, so that a new one is drawn"
            )
        other = theirs.tobytes()
        for number, coin in enumerate(coins):
            start = number * len(nothing)
            if coin != other[start : start + len(nothing)]:
                self.records[number] = None

    def finish(self, number: int) -> None:
        """Do one bucket, and save it."""
        work = self._receive if self._is_receiver else self._send
        coin = self._coin(number)
        while (content := work(number, coin)) is None:
            coin = self._coin(number)
        record = _Record(coin[: 8 * _COIN_WORDS], self._marks[number], content)
        self.records[number] = record
        if self._store is not None:
            self._store.save(number, record.packed())

    def _coin(self, number: int) -> bytes:
        """Public and new, drawn when both sides' keys are fixed."""
        nonce = self._private.words(_NONCE_WORDS)
        with self._party.step("coin"):
            nonces = (nonce, self._party.exchange(nonce))[:: 1 - 2 * self._party.rank]
        text = b"securexgb bucket %d: " % number
        return hashlib.sha256(text + b"".join(part.tobytes() for part in nonces)).digest()

    def _receive(self, number: int, coin: bytes) -> bytes | None:
        """The receiver's part: bits for its own keys, then for the sender's places."""
        party, sizes, digests = self._party, self._sizes, self._digests[number]
        made = self._products.take(sizes.columns, coin)
        free = self._private.words(2).tobytes()
        coins = _coins(coin)
        encoded = _kernels.okvs_encode(coins, digests, sizes.columns, free)
        held = np.ascontiguousarray(made[:, 2:])
        # Where the rows are dependent the receiver says so; there is nothing to be sent.
        masked = np.zeros_like(held) if encoded is None else made[:, :2] ^ encoded
        flag = np.array([encoded is not None], np.uint64)
        message = np.concatenate((flag, masked.reshape(-1)))
        with party.step("encoding"):
            party.pass_words(self._receiver, message, message.size)
        if encoded is None:
            return None
        del made, encoded, masked, message
        own = _kernels.okvs_evaluate(coins, digests, held, np.zeros(2, np.uint64), sizes.bits)
        order = _kernels.psi_order(own, sizes.bits).astype(np.int64)
        with party.step("hashes"):
            words = _kernels.psi_code_words(sizes.theirs, sizes.bits)
            code = party.pass_words(1 - self._receiver, np.zeros(0, np.uint64), words)
        try:
            theirs = _kernels.psi_unpack(code, sizes.theirs, sizes.bits)
        except ValueError as error:
            raise ProtocolDesync(f"the other side's list of hashes is malformed: {error}") from None
        found, places = _kernels.psi_matches(own[order], theirs)
        mine = np.empty_like(found)
        mine[order] = found
        return np.packbits(mine).tobytes() + _kernels.pack_bits(places).tobytes()

    def _send(self, number: int, coin: bytes) -> bytes | None:
        """The sender's part: which of its keys stands where in its list of hashes."""
        party, sizes, digests = self._party, self._sizes, self._digests[number]
        made = self._products.take(sizes.columns, coin)
        with party.step("encoding"):
            count = 2 * sizes.columns + 1
            message = party.pass_words(self._receiver, np.zeros(0, np.uint64), count)
        if not message[0]:
            return None
        delta = self._products.delta
        held = _kernels.field_add_multiples(made, message[1:].reshape(-1, 2), delta)
        hashes = _kernels.okvs_evaluate(_coins(coin), digests, held, delta, sizes.bits)
        missing = sizes.theirs - len(hashes)
        if missing:
            hashes = np.concatenate((hashes, self._random_hashes(missing)))
        order = _kernels.psi_order(hashes, sizes.bits)
        code = _kernels.psi_pack(hashes[order.astype(np.int64)], sizes.bits)
        with party.step("hashes"):
            party.pass_words(party.rank, code, code.size)
        return order.astype("<u4").tobytes()

    def _random_hashes(self, count: int) -> Words:
        """In place of keys that a bucket lacks to its bound."""
        words = self._private.words(2 * count).reshape(-1, 2)
        kept = (1 << self._sizes.bits) - 1
        return words & np.array([kept & (2**64 - 1), kept >> 64], np.uint64)

    def answers(self, limits: Limits) -> NDArray[np.bool_]:
        """Which of this side's keys are common, all buckets together; DataError for too few."""
        party, count = self._party, self._sizes.words
        contents = [record.content for record in self.records if record]
        if self._is_receiver:
            lengths = [-(-len(part) // 8) for part in self._digests]
            mine = [
                np.unpackbits(np.frombuffer(content[:length], np.uint8), count=len(part))
                for content, length, part in zip(contents, lengths, self._digests, strict=True)
            ]
            enough = sum(int(bits.sum()) for bits in mine) >= limits.min_common
            self._verdict(np.array([enough], np.uint64), limits)
            for content, length in zip(contents, lengths, strict=True):
                with party.step("answer"):
                    words = np.frombuffer(content[length:], "<u8")
                    party.pass_words(self._receiver, words, count)
            return np.concatenate(mine).astype(np.bool_)
        self._verdict(np.zeros(0, np.uint64), limits)
        found = []
        for content, part in zip(contents, self._digests, strict=True):
            with party.step("answer"):
                words = party.pass_words(self._receiver, np.zeros(0, np.uint64), count)
            order = np.frombuffer(content, "<u4")
            bits = np.zeros(self._sizes.theirs, np.bool_)
            bits[order] = _kernels.unpack_bits(words, self._sizes.theirs).astype(np.bool_)
            found.append(bits[: len(part)])
        return np.concatenate(found)

    def _verdict(self, enough: Words, limits: Limits) -> None:
        """The receiver says whether it goes on; the sender learns nothing else if not."""
        with self._party.step("verdict"):
            said = self._party.pass_words(self._receiver, enough, 1)
        if not said[0]:
            raise DataError(
                f"{self._party.role} party: fewer than {limits.min_common} keys are in common, "
                "the least that the terms allow (min_common): compare how both sides write their "
                "keys, and whether the files are the right ones"
            )


def _coins(coin: bytes) -> Words:
    """Public keys of an encoding and of its hash, (4, 2)."""
    digest = hashlib.shake_256(b"securexgb encoding of " + coin).digest(16 * _COINS)
    return np.frombuffer(digest, dtype="<u8").reshape(_COINS, 2)
