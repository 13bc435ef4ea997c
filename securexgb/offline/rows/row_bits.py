"""Row bits: XOR shares of M b, for one party's private rows and bits of the other.

P owns M, one-hot: a row has a one in the bucket of each column's bin. Q has b, T bits (nodes) for
each of P's D buckets. Nobody learns what the other has; afterwards

    Q has b (D, T) and z_Q (rows, T),     P has z_P (rows, T),     z_P ^ z_Q = M b over GF(2).

In training b is uniform and serves once a node: whoever shares a level's table of bits with P then
sends only its share of the table, masked by b. A key lives as long as an object here: a batch in
training, a session in prediction, where b is Q's share of the table itself.

    coins     16 fresh bytes of each side; with direction and number they make, hashed, the seed of
              all public polynomials, before either side has drawn a key
    upload    Q -> P: b, encrypted under small secrets, and a public key
    results   P -> Q: C1 of every rho rows, after the sums of *all* rows of the request are done,
              because their time follows P's bins; and for each value f = l ^ c
    answers   Q -> P: for each value t = T[0] ^ T[1] ^ m0 ^ m1

``he.row_bits`` has parameters, ``kernels/src/lattice/row_bits.rs`` the ring. After the sums P holds
a grid of quarters 2 h + l for every value and Q two readings T[0], T[1], with M b = h ^ T[l]: P may
not send l, because l follows the noise, and the noise is a function of M. So each value takes one
random transfer: Q has m0, m1, P a choice c and m_c. From f = l ^ c, a coin to Q, it keeps z_Q =
T[0] ^ m_f; t is a coin to P, who lacks one of m0 and m1; z_P = h ^ m_c ^ l t. Both shares are
uniform, and exact except with the probability that ``he.row_bits`` states.

Both directions run at once. Sizes and steps of messages depend on layouts and rows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.arith.bits import WORD, in_turn, words_per
from securexgb.arith.joint_seed import joint_seed
from securexgb.arith.prg import KEY_BYTES, Prg
from securexgb.correlations.kind import Words
from securexgb.correlations.transfers import ReceivedTransfers, SentTransfers
from securexgb.errors import DataError
from securexgb.he.row_bits import POLYNOMIAL_BYTES, SENT_BYTES, RowBitsLayout

Layouts = tuple[RowBitsLayout | None, RowBitsLayout | None]
"""By the rank of the matrix's owner; None where it has no columns: nothing happens then."""
Swap = Callable[[str, Words, int], Words]
"""``swap(step, words, expect)``: sends words, where there are any, and receives so many, with
the step's name in the tag. ProtocolDesync where another length arrives."""
Transfers = Callable[[int, int], tuple[SentTransfers, ReceivedTransfers]]
"""``transfers(sent, received)``: 64 random transfers of one bit a word, at most 2^16 words each;
messages in slices, (1, words)."""

_TILE_BITS = 1 << 19
"""Values that cross together, about."""
_COIN_WORDS = KEY_BYTES // 8
_SENT_WORDS = SENT_BYTES // 8
_NOTHING = np.zeros(0, np.uint64)


@dataclass(frozen=True)
class _Tile:
    """Rows ``first`` to ``last`` of a request, from a result's beginning; sizes in words."""

    layout: RowBitsLayout
    first: int
    last: int

    @property
    def rows(self) -> int:
        return self.last - self.first

    @property
    def words(self) -> int:
        """Of one bit a value; so many words of transfers are taken."""
        return words_per(self.rows * self.layout.nodes)

    @property
    def sent_words(self) -> int:
        """Of all C1."""
        return _SENT_WORDS * self.layout.results(self.rows)


def _tiles(layout: RowBitsLayout | None, rows: int) -> Iterator[_Tile]:
    if layout is not None:
        step = layout.rows * max(1, _TILE_BITS // (layout.rows * layout.nodes))
        for first in range(0, rows, step):
            yield _Tile(layout, first, min(first + step, rows))


@dataclass(frozen=True)
class RowBitsTraffic:
    """What one direction takes, apart from the 16 bytes of coins that each side sends once.

    ``upload_bytes``: from the owner of the bits, once a key. Of a request: ``result_bytes`` from
    the owner of the matrix, ``answer_bytes`` back, and ``transfers`` from the owner of the bits.
    """

    upload_bytes: int
    result_bytes: int
    answer_bytes: int
    transfers: int


def row_bits_traffic(layout: RowBitsLayout, rows: int) -> RowBitsTraffic:
    """Exactly what ``RowBits`` sends for a request of so many rows. Public."""
    tiles = list(_tiles(layout, rows))
    words = sum(tile.words for tile in tiles)
    sent = sum(tile.sent_words for tile in tiles)
    return RowBitsTraffic(layout.upload_bytes, 8 * (sent + words), 8 * words, WORD * words)


@dataclass(frozen=True, eq=False, repr=False)
class RowBitsShares:
    """This party's shares of a request, packed, (rows, ceil(T / 64)); None without a direction.

    ``of_own``: of its own rows times the other side's bits; ``of_theirs``: of the other side's
    rows times its own bits. Bits past T are zero.
    """

    of_own: Words | None
    of_theirs: Words | None


@dataclass(frozen=True, eq=False, repr=False)
class _Hints:
    """What a tile's sums gave its owner: C1, and the bits of its grid."""

    sent: NDArray[np.uint8]
    high: Words
    low: Words


class RowBits:
    """One party's ends of both directions, under one pair of keys.

    ``layouts``: public, equal at both. ``number``: of the object in this session, public, equal at
    both. ``private``: this party's randomness, moved on by what is drawn here, so that no two
    objects share a key. ``bits``: packed (D, ceil(T / 64)) for the *other* side's layout, zero past
    T; None draws uniform ones. Exchanges coins and ciphertexts when it is made.
    """

    def __init__(
        self,
        rank: int,
        layouts: Layouts,
        private: Prg,
        swap: Swap,
        number: int,
        bits: Words | None = None,
    ) -> None:
        self._own, self._theirs = layouts[rank], layouts[1 - rank]
        self.nodes = max(layout.nodes for layout in layouts if layout is not None)
        self._swap = swap
        fresh = Prg(private.words(_COIN_WORDS).tobytes())
        coins = fresh.derive("coins").words(_COIN_WORDS)
        received = swap("coins", coins, _COIN_WORDS)
        both = (coins, received)[:: 1 - 2 * rank]
        own_seed, their_seed = (_seed(both, owner, number) for owner in (rank, 1 - rank))
        self._key: _kernels.RowBitsKey | None = None
        self._sums: _kernels.RowBitsSums | None = None
        upload = _NOTHING
        self.bits = None if self._theirs is None else _own_bits(self._theirs, bits, fresh)
        """b, which is this party's secret; None where the other side has no columns."""
        if self._theirs is not None and self.bits is not None:
            secrets, errors = (fresh.derive(label).key for label in ("secrets", "errors"))
            self._key, ciphertexts = _kernels.RowBitsKey.encrypt(
                self._theirs.kernel, their_seed, secrets, errors, self.bits
            )
            upload = ciphertexts.reshape(-1).view(np.uint64)
        expect = 0 if self._own is None else self._own.upload_bytes // 8
        theirs = swap("upload", upload, expect)
        if self._own is not None:
            shape = self._own.groups, self._own.buckets + 1, POLYNOMIAL_BYTES // 2
            self._sums = _kernels.RowBitsSums(
                self._own.kernel,
                own_seed,
                np.ascontiguousarray(theirs).view(np.uint16).reshape(shape),
                fresh.derive("sums").key,
            )

    def shares(
        self, rows: int, own: NDArray[np.uint8] | None, transfers: Transfers
    ) -> RowBitsShares:
        """Shares for so many rows of both sides; as often as the bits may serve.

        ``own``: this party's bins, (rows, columns) of uint8; None where it has no columns.
        """
        return shares_at_once([self], rows, own, transfers)[0]

    def request(self, rows: int, own: NDArray[np.uint8] | None) -> Request:
        """What it takes for so many rows, the sums made."""
        mine = list(_tiles(self._own, rows))
        return Request(
            self,
            mine,
            [self._add_up(tile, own) for tile in mine],
            list(_tiles(self._theirs, rows)),
            RowBitsShares(_empty(self._own, rows), _empty(self._theirs, rows)),
        )

    def swap(self, step: str, words: Words, expect: int) -> Words:
        """See ``Swap``."""
        return self._swap(step, words, expect)

    def _add_up(self, tile: _Tile, own: NDArray[np.uint8] | None) -> _Hints:
        layout = tile.layout
        if own is None or own.ndim != 2 or own.shape[1] != layout.columns or len(own) < tile.last:
            raise DataError(
                f"this side's bins for hidden splits must have {layout.columns} columns and a row "
                "for each row of the job"
            )
        assert self._sums is not None
        bins = np.ascontiguousarray(own[tile.first : tile.last])
        return _Hints(*self._sums.add_up(bins, layout.bins))

    def answer(
        self, tile: _Tile, received: Words, messages: tuple[Words, Words]
    ) -> tuple[Words, Words]:
        """z_Q and t of a tile, without a gap between rows; ``messages``: of its transfers."""
        assert self._key is not None
        results, flips = np.split(received, [tile.sent_words])
        sent = np.ascontiguousarray(results).view(np.uint8).reshape(-1, SENT_BYTES)
        zero, one = self._key.read(sent, tile.rows)
        first, second = messages
        both = first ^ second
        return zero ^ first ^ (flips & both), zero ^ one ^ both


@dataclass(eq=False, repr=False)
class Request:
    """Rows of one object that are on their way: tiles of both directions, and what came of them."""

    made: RowBits
    mine: list[_Tile]
    hints: list[_Hints]
    theirs: list[_Tile]
    shares: RowBitsShares


def shares_at_once(
    parts: Sequence[RowBits], rows: int, own: NDArray[np.uint8] | None, transfers: Transfers
) -> list[RowBitsShares]:
    """``RowBits.shares`` of several objects, whose messages go together."""
    requests = [part.request(rows, own) for part in parts]
    for number in range(max(max(len(r.mine), len(r.theirs)) for r in requests)):
        _cross([_Crossing.of(request, number) for request in requests], transfers)
    return [request.shares for request in requests]


@dataclass(frozen=True, eq=False, repr=False)
class _Crossing:
    """A tile of either direction, where there is one."""

    request: Request
    tile: _Tile | None
    hints: _Hints | None
    theirs: _Tile | None

    @staticmethod
    def of(request: Request, number: int) -> _Crossing:
        """The tiles of this number. Hints are dropped when they have served."""
        tile = request.mine[number] if number < len(request.mine) else None
        theirs = request.theirs[number] if number < len(request.theirs) else None
        return _Crossing(request, tile, request.hints.pop(0) if tile else None, theirs)

    @property
    def sent(self) -> int:
        """Words of transfers that this party sends."""
        return self.theirs.words if self.theirs is not None else 0

    @property
    def received(self) -> int:
        return self.tile.words if self.tile is not None else 0

    @property
    def result_words(self) -> int:
        """Of the other side's first message."""
        return self.sent + (self.theirs.sent_words if self.theirs is not None else 0)


def _cross(crossings: Sequence[_Crossing], transfers: Transfers) -> None:
    """Tiles of either direction: results and flips cross, then answers."""
    swap = crossings[0].request.made.swap
    sent, received = [one.sent for one in crossings], [one.received for one in crossings]
    sender, receiver = transfers(sum(sent), sum(received))
    choices = in_turn(receiver.choices, received)
    message = [_NOTHING]
    for one, chosen in zip(crossings, choices, strict=True):
        if one.hints is not None:
            message += [one.hints.sent.reshape(-1).view(np.uint64), one.hints.low ^ chosen]
    expect = [one.result_words for one in crossings]
    results = in_turn(swap("results", np.concatenate(message), sum(expect)), expect)
    ends = [in_turn(end.reshape(-1), sent) for end in (sender.zero, sender.one)]
    answers = [_NOTHING]
    for one, words, zero, other in zip(crossings, results, *ends, strict=True):
        if one.theirs is not None:
            kept, answer = one.request.made.answer(one.theirs, words, (zero, other))
            _put(one.theirs, kept, one.request.shares.of_theirs)
            answers.append(answer)
    answered = in_turn(swap("answers", np.concatenate(answers), sum(received)), received)
    taken = in_turn(receiver.chosen.reshape(-1), received)
    for one, words, chosen in zip(crossings, answered, taken, strict=True):
        if one.tile is not None and one.hints is not None:
            bits = one.hints.high ^ chosen ^ (one.hints.low & words)
            _put(one.tile, bits, one.request.shares.of_own)


def _seed(coins: tuple[Words, ...], owner: int, number: int) -> bytes:
    """The 16 bytes that a direction's public polynomials come from: both sides contribute."""
    return joint_seed(b"securexgb row bits of %d, number %d: " % (owner, number), coins)


def _own_bits(layout: RowBitsLayout, bits: Words | None, fresh: Prg) -> Words:
    """The bits to encrypt, (D, ceil(T / 64)), zero past T."""
    shape = layout.buckets, words_per(layout.nodes)
    if bits is None:
        bits = fresh.derive("bits").words(shape[0] * shape[1]).reshape(shape)
        bits[:, -1] &= np.uint64((1 << ((layout.nodes - 1) % WORD + 1)) - 1)
    if bits.shape != shape:
        raise DataError(
            f"the bits that this side encrypts for hidden splits have the shape {bits.shape}, "
            f"not {shape}"
        )
    return np.ascontiguousarray(bits)


def _empty(layout: RowBitsLayout | None, rows: int) -> Words | None:
    return None if layout is None else np.empty((rows, words_per(layout.nodes)), np.uint64)


def _put(tile: _Tile, bits: Words, out: Words | None) -> None:
    """A tile's bits into the lines of its rows."""
    assert out is not None
    out[tile.first : tile.last] = _kernels.bit_lines(bits, tile.rows, tile.layout.nodes)
