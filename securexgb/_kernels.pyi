"""The hot loops, written in Rust (kernels/): words are elements of Z_2^64.

Arrays are C-contiguous; a wrong dtype or shape raises ValueError. Results are new arrays,
but where a docstring fills one in. The GIL is released meanwhile. See kernels/src for the how.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]

def simd_paths() -> list[str]:
    """The instruction sets that this machine can run; the last is in use."""

def prg_words(key: bytes, start: int, count: int) -> Words:
    """Words start..start + count of the AES-128-CTR stream, shape (count,)."""

def pack_bits(bits: Bytes) -> Words:
    """Lowest bit of each byte, shape (ceil(n / 64),); bit i of word w is element 64 w + i."""

def unpack_bits(words: Words, count: int) -> Bytes:
    """The first count bits as bytes 0 or 1; words has shape (ceil(count / 64),)."""

def to_slices(words: Words, width: int) -> Words:
    """Bit j of element i at bit i % 64 of [j, i // 64]; shape (width, ceil(n / 64)), tail zero."""

def from_slices(slices: Words, count: int) -> Words:
    """Undoes to_slices: (width, ceil(count / 64)) to (count,), upper bits zero."""

def pack_words(words: Words, bits: int) -> Bytes:
    """The low bits of each word as a little-endian bit stream of ceil(n bits / 8) bytes."""

def unpack_words(data: bytes | bytearray | memoryview | Bytes, count: int, bits: int) -> Words:
    """Undoes pack_words; data has exactly ceil(count bits / 8) bytes."""

def psi_digests(coin: bytes, data: bytes, ends: Words) -> Words:
    """The first half of SHA-256(coin || key) of each key, (n, 2); key i ends at byte ends[i]."""

def psi_order(numbers: Words, bits: int) -> Words:
    """Which row of numbers (n, 2) below 2^bits is the lowest, the next one, ...; (n,)."""

def psi_matches(own: Words, theirs: Words) -> tuple[Bytes, Bytes]:
    """For each place of two rising lists (n, 2) and (m, 2) a one if the other has its number."""

def psi_pack(numbers: Words, bits: int) -> Words:
    """A rising list (n, 2) below 2^bits in psi_code_words(n, bits) words."""

def psi_unpack(code: Words, count: int, bits: int) -> Words:
    """Undoes psi_pack; ValueError where the words are no such code."""

def psi_code_words(count: int, bits: int) -> int:
    """Words of a code, whatever is in it."""

def psi_blind(digests: Words, tag: bytes, scalar: bytes) -> Bytes:
    """The points (n, 32) of digests (n, 2) times a scalar of 64 bytes."""

def psi_blind_again(given: Bytes, scalar: bytes) -> Bytes:
    """Given points (n, 32) times a scalar; ValueError where one is no point."""

def okvs_encode(coins: Words, digests: Words, columns: int, free: bytes) -> Words | None:
    """A store (columns, 2) of digests (n, 2) under coins (4, 2), or None; free: a key."""

def okvs_evaluate(coins: Words, digests: Words, held: Words, delta: Words, bits: int) -> Words:
    """Outputs (n, 2) of so many bits from what a store holds, less delta (2,) times values."""

def field_add_multiples(sums: Words, multiplied: Words, factor: Words) -> Words:
    """sums + factor multiplied over the field of 2^128 elements; (n, 2), (n, 2), (2,)."""

def vole_combine_sent(sent: Words) -> Words:
    """Elements b (n, 2) from the rows (128 n, 2) of the sender of correlated transfers."""

def vole_combine_received(received: Words) -> Words:
    """Elements a, c (n, 4) from the receiver's rows (128 n, 2)."""

def vole_send(
    tags: Words, levels: int, elements: Words, transfers: Words, delta: Words, roots: Words
) -> tuple[Words, Words]:
    """The message (trees (levels + 1), 2) and new elements b (trees 2^levels, 2) of a stage.

    tags: (4, 2); elements: (2^i + trees, 2); transfers: (trees levels, 2); roots: (trees, 2).
    """

def vole_receive(
    tags: Words, levels: int, elements: Words, transfers: Words, message: Words
) -> Words:
    """The other side's new elements a, c, (trees 2^levels, 4), from its own, (2^i + trees, 4)."""

def multiplex_send(
    words: Words, zero: Words, one: Words, shift: int, share: Words, masked: Words
) -> None:
    """Fills in what the sender of words sends, masked, and its share of choice times word."""

def multiplex_give(words: Words, flips: Bytes, share: Words) -> None:
    """Makes share, of choice times word, that of bit times word: flips are bit ^ choice, (n,)."""

def multiplex_take(
    chosen: Words, shift: int, received: Words, choices: Bytes, bits: Bytes, share: Words
) -> None:
    """Adds the receiver's share of bit times word to share; all (n,)."""

def halves_offer(
    gaps: Words,
    strings: Words,
    own: Bytes,
    choices: Words,
    filling: int,
    zero: Words,
    one: Words,
    key: Words,
    ring_bits: int,
) -> tuple[Words, Words, Words]:
    """The message: flips of own bits (n,), filled up, strings (lines, words) and gaps (lanes, n)
    masked modulo 2^ring_bits, by messages (1 or 2, n) stretched under the key; and shares of choice
    times gap and choice times string."""

def halves_accept(
    came: Words,
    gaps: Words,
    strings: Words,
    own: Bytes,
    choices: Words,
    chosen: Words,
    key: Words,
    shares: Words,
    kept: Words,
    ring_bits: int,
) -> tuple[Words, Words]:
    """Shares of bit times gap and bit times string, of both parties', from the other party's
    message, which is under its key."""

def multiplex_apart_send(
    bits: Bytes, choices: Words, filling: int, words: Words, zero: Words, one: Words, ring_bits: int
) -> tuple[Words, Words]:
    """The message: flips of the bits (n,), filled up, and words (m,) masked modulo 2^ring_bits; and
    the share (m,) of choice times word."""

def multiplex_apart_take(
    came: Words,
    bits: Bytes,
    choices: Words,
    chosen: Words,
    kept: Words,
    words: Words,
    share: Words,
    ring_bits: int,
) -> tuple[Words, Words]:
    """Shares of bits times both parties' words (n,), of which own ones are kept, and of the words
    (m,) times the other party's bits, from its message."""

def lift_send(zero: Words, one: Words, bits: Words, out: Words) -> None:
    """one - zero - bits put into out, flat: messages in slices (width, n), packed bits (n,)."""

def lift_give(zero: Words, bits: Words, flips: Words, out: Words) -> None:
    """Minus the sender's share of the products of its bits with the other party's, in slices."""

def lift_take(chosen: Words, received: Words, choices: Words, flips: Words, out: Words) -> None:
    """Minus the receiver's share of these products; received is what lift_send made, flat."""

def lift_sums(
    products: Words,
    bits: Words,
    lengths: Sequence[int],
    weights: Words,
    runs: Sequence[int],
    widths: Sequence[int],
) -> Words:
    """Sums of weight (bit - 2 product) over runs of so many rows, modulo 2^width of each run.

    Bits (rows, words); of each row so many slices of minus the product, flat. Result (runs, 64
    words).
    """

def histogram(bins: Bytes, values: Words, n_bins: int) -> Words:
    """Wrapping sums per bin: bins (n, features), values (v, n), result (v, features, n_bins)."""

def mask_bucket_matrix(bins: Bytes, n_bins: int, key: bytes, start: int) -> Words:
    """M - U, shape (n, features n_bins); U[r, c] is word start + r columns + c of the stream."""

def xor_marked(marks: Words, selections: Words, runs: Sequence[int]) -> Words:
    """Elements in runs of so many each, marks (m, words), 64 elements to a word.

    Row o holds the xor of the marks whose bits are set in row o of the run's selection, (runs, o,
    ceil(m / 64)); zero past the last run.
    """

def matrix_product(matrix: Words, vectors: Words) -> Words:
    """vectors @ matrix: matrix (n, c), vectors (v, n), result (v, c)."""

def prg_matrix_product(key: bytes, start: int, rows: int, columns: int, vectors: Words) -> Words:
    """vectors @ U without holding U, laid out as in mask_bucket_matrix; result (v, columns)."""

def triple_open(x: Words, y: Words, a: Words, b: Words) -> Words:
    """(x - a, y - b), shape (2, n)."""

def triple_close(opened: Words, a: Words, b: Words, c: Words, rank: int) -> Words:
    """c + d b + e a, plus d e at rank 0, opened being (d, e); shape (n,)."""

def gates_open(gate: Words, bits: Words, a: Words, b: Words, out: Words) -> None:
    """gate ^ a (n,), then bits ^ b (w, n), put into ``out``; lines of (w, n) may lie apart."""

def gates_close(opened: Words, a: Words, b: Words, c: Words, rank: int, out: Words) -> None:
    """c ^ d & b ^ e & a, plus d & e at rank 0, (w, n), put into ``out``; ``opened``: d, then e."""

def digit_answer(messages: Words, flips: Words, own: Words, free: Bytes, width: int) -> Words:
    """The sender's share, row 0, and its answers, the others: (16, width, n).

    ``messages``: (16, width, n); ``flips``, ``own``: (4, n); ``free``: (n,), the bits of the
    receiver's digits that count as ones whatever they are. ``width`` 2: carry out of the sum of
    both digits, and whether a carry would go through; 7: also the carries into bits 1, 2, 3, and
    whether one would reach bits 2 and 3. See kernels/src/ot/digits.rs.
    """

def digit_take(answers: Words, chosen: Words, own: Words) -> Words:
    """The receiver's share (width, n): answers (15, width, n), chosen (width, n), own (4, n)."""

def digit_pads(zero: Words, one: Words) -> Words:
    """All pads (16, width, n) from a sender's keys (8 width, 4 n); see offline/two_party.py."""

def digit_pad(keys: Words, choices: Words) -> Words:
    """The pads (width, n) of choices (4, n) from a receiver's keys (8 width, 4 n)."""

def ot_offer(secret: bytes) -> bytes:
    """The base sender's message (32 bytes) for 64 random bytes; see kernels/src/ot/base.rs."""

def ot_choose(session: bytes, offer: bytes, choices: Words, random: bytes) -> tuple[bytes, Words]:
    """The base receiver's reply and chosen keys (128, 2), for 128 choices packed in (2,).

    ``random``: 128 * 128 bytes. ValueError where the offer is no point.
    """

def ot_finish(session: bytes, secret: bytes, reply: bytes) -> Words:
    """The base sender's keys, (128, 2, 2). ValueError where a reply is no point."""

def ot_grow(depth: int, roots: Words, pads: Words) -> tuple[Words, Words]:
    """All leaves (g, 2^depth, 2) of the roots (g, 2), g = 128 / depth, and what to send.

    ``pads`` and the result's second part: (128, 2, 2), transfer g depth + level.
    """

def ot_puncture(depth: int, places: Words, pads: Words, sums: Words) -> Words:
    """All leaves but those at the places, (g, 2^depth, 2), number x at x ^ place.

    ``places``: (2,), 128 bits; ``pads`` (128, 2): keys chosen by their complements;
    ``sums``: as sent by the other side.
    """

def ot_receive(
    leaves: Words, tag: Words, position: int, words: int, width: int
) -> tuple[Words, Words, Words]:
    """64 * words random transfers: corrections (g - 1) * words to send, choices, chosen messages.

    ``width``: bits of a message. 64: a word each; fewer: in slices (width, words), flat;
    128: all first words, then all second ones; 0: rows of a pool, two words each.
    ``position`` counts words and must never be used twice; ``tag``: (2,), public.
    """

def ot_send(
    leaves: Words, tag: Words, places: Words, position: int, corrections: Words, width: int
) -> tuple[Words, Words]:
    """Both messages of each transfer, for corrections (g - 1, words); else as in ot_receive.

    Of rows the second part is empty.
    """

def ot_silent_send(
    rows: Words, tags: Words, first: int, position: int, places: Words, roots: Words, width: int
) -> tuple[Words, Words, Words]:
    """The pool's trees first..first + t for roots (t, 2): 16 t words to send, both messages.

    ``rows``: (2^16 + 8 trees, 2); ``tags``: (3, 2), public, new for each pool;
    ``places``: (2,), odd. 256 transfers a tree; see kernels/src/ot/silent.rs.
    """

def ot_silent_receive(
    rows: Words, tags: Words, first: int, position: int, message: Words, width: int
) -> tuple[Words, Words]:
    """The receiver's end of ot_silent_send: packed choices and chosen messages."""

def ot_expand(keys: Words, first: int, count: int, ring_bits: int) -> Words:
    """Streams of keys (2, n), ``count`` words each: (n / ring_bits, count, ring_bits), flat.

    For ot_products_…: ``count`` factors with the same choices. Key i begins at word ``first`` +
    i times ``count`` rounded up to an even number.
    """

def ot_products_send(
    zero: Words, one: Words, factors: Words, ring_bits: int
) -> tuple[Words, Words]:
    """Message and shares (n,) of factors (n,) times the receiver's mod 2^ring_bits.

    Takes ring_bits transfers a factor. The message has words of ``ring_bits`` bits:
    ceil(ring_bits / 2) a factor, and one for two factors where ring_bits is even.
    """

def ot_products_receive(chosen: Words, choices: Words, ring_bits: int, message: Words) -> Words:
    """The receiver's shares (n,), for words whose low bits are its choices (n,)."""

class BfvRing:
    """Z_q[X] / (X^N + 1) with its tables; holds no key. See kernels/src/lattice and he/bfv.py.

    Keys and seeds are 16 bytes. Ciphertexts are (2, 3, N) words: part, prime, coefficient or
    transformed word. Fractions of q take ``width`` bytes each, lowest first. ValueError for
    anything that does not fit the ring.
    """

    def __init__(self, degree: int, primes: list[int]) -> None:
        """The three primes of q, all 1 mod 2 N, between 2^49 and 2^50."""

    def path(self) -> str:
        """The instruction set in use."""

    def transform(self, values: Words, prime: int, back: bool) -> Words:
        """The transform of (count, N) words modulo one of the primes, or back."""

    def encode(self, values: Words) -> Words:
        """round(q a / 2^64) of words (count, N) modulo each prime of q: (count, 3, N)."""

    def expand(self, public: bytes, first: int, wire: Bytes) -> Words:
        """Transformed ciphertexts (count, 2, 3, N) of what ``BfvSecretKey.encrypt`` returned."""

    def prepare(self, ciphertexts: Words, layout: tuple[int, int], length: int) -> Words:
        """Transformed ciphertexts (groups, 2, 3, N) of short secrets, ready for ``products``.

        ``layout``: the secrets, and how many columns lie side by side.
        """

    def products(
        self,
        prepared: Words,
        layout: tuple[int, int],
        matrix: Words,
        bits: int,
        halvings: int,
        keys: list[Words],
    ) -> Words:
        """Summands of what ``prepare`` gave times columns of a matrix (columns, length) modulo
        2^bits; times 2^-halvings mod q, without the last prime. Each 2^keys of them packed:
        (results, 2, 2, N).
        """

    def galois_key(self, public: bytes, number: int, sent: Words) -> Words:
        """The Galois key, (2, 3, N)."""

    def pack(self, keys: list[Words], spacing: int, summands: Words) -> Words:
        """Summands (<= 2^keys, 2, 2, N) packed into one; key i is that of spacing / 2^i."""

class BfvSecretKey:
    """A secret key with the streams of its ciphertexts: of public halves, and of errors.

    Keys are 16 bytes. Each polynomial of the streams serves once: they are counted here.
    """

    def __init__(self, ring: BfvRing, secret: bytes, public: bytes, errors: bytes) -> None: ...
    @property
    def used(self) -> int:
        """Ciphertexts and Galois keys that were made: the number of the next one."""

    def encrypt(self, values: Words, width: int) -> Bytes:
        """c0 of encryptions of (count, <= N) words, (count, N width)."""

    def encrypt_ternary(
        self,
        secrets: bytes,
        vectors: tuple[int, int],
        numbers: tuple[int, int],
        bits: int,
        width: int,
    ) -> Bytes:
        """Encryptions modulo 2^bits of ternary secrets (first, count) of the stream ``secrets``,
        laid out as in he/layout.py: (ciphertexts, N width). ``numbers``: of a secret, and how many
        of each lie in a ciphertext.
        """

    def galois_key_half(self, spacing: int) -> Words:
        """The sent half of the Galois key for coefficients ``spacing`` apart, (3, N)."""

    def decrypt(self, c1: Bytes, c0: Bytes, indices: NDArray[np.uint32], bits: int) -> Words:
        """The key holder's share modulo 2^bits, (indices,)."""

class BfvMasker:
    """What makes results fit to leave: the other side's public key (2, 3, N), transformed, and
    the streams of encryptions of zero and of masks, of which each polynomial serves once.
    """

    def __init__(self, ring: BfvRing, public_key: Words, errors: bytes, masks: bytes) -> None: ...
    @property
    def used(self) -> int:
        """Results that were made fit to leave: the number of the next one."""

    def rerandomise_and_switch(
        self, result: Words, indices: NDArray[np.uint32], width: int, bits: int
    ) -> tuple[Bytes, Bytes, Words]:
        """A result (2, 3, N), or (2, 2, N) of packing, rerandomised, switched to 2^(8 width), then
        masked: c1 (N width), c0 (indices width), own share modulo 2^bits (indices,), bits at most
        64.
        """

class RlwePads:
    """Public A of a matrix of so many rows, and products: see kernels/src/lattice/masks.rs."""

    def __init__(
        self, degree: int, primes: tuple[int, int], bits: int, coins: bytes, rows: int
    ) -> None: ...
    def masked(
        self, secrets: bytes, errors: bytes, first: int, vectors: Words, shift: int
    ) -> Words:
        """2^shift y - a modulo 2^bits of vectors y (v, rows); pads first, first + 1, ... of the
        streams of secrets and errors: each serves once.
        """

class RlweMatrix:
    """Public A of several pads, and W of each: see kernels/src/lattice/masks/matrix.rs."""

    def __init__(
        self, degree: int, prime: int, bits: list[int], coins: list[bytes], rows: int
    ) -> None: ...
    def of(self, bins: Bytes, n_bins: int, first: int, count: int) -> Words:
        """W of pads first.. first + count: (count, features n_bins, degree)."""

def bit_lines(bits: Words, rows: int, nodes: int) -> Words:
    """Bits of rows, ``nodes`` each without a gap, as whole words a row: (rows, ceil(nodes / 64)).

    ``bits`` has ceil(rows nodes / 64) words; what is past the last bit is dropped.
    """

class RowBitsKey:
    """The small secrets of who owns bits b; opens what ``RowBitsSums`` sends. See he/row_bits.py.

    Layouts are (nodes, groups, rows of a result); bits of rows have no gap: row r's bit of node v
    is bit r nodes + v.
    """

    @staticmethod
    def encrypt(
        layout: tuple[int, int, int], coins: bytes, secrets: bytes, errors: bytes, bits: Words
    ) -> tuple[RowBitsKey, NDArray[np.uint16]]:
        """The key, and ciphertexts (groups, buckets + 1, 1024) of bits (buckets, nodes / 64).

        ``secrets``, ``errors``: keys of 16 bytes for this alone; ``coins``: of both sides, public.
        """

    def read(self, sent: Bytes, rows: int) -> tuple[Words, Words]:
        """Readings of so many rows' results (results, 1280), where P's low bit is zero and one."""

class RowBitsSums:
    """What the owner of a one-hot matrix adds up with; counts what it draws as long as it lives."""

    def __init__(
        self,
        layout: tuple[int, int, int],
        coins: bytes,
        received: NDArray[np.uint16],
        private: bytes,
    ) -> None:
        """``received``: (groups, buckets + 1, 1024); ``private``: a key for this object alone."""

    @property
    def used(self) -> int:
        """Results that were made: the number of the next one."""
    def add_up(self, bins: Bytes, n_bins: int) -> tuple[Bytes, Words, Words]:
        """For bins (rows, columns): what leaves, (results, 1280), the upper and the lower bit of
        the grid of what stays. Past the last row the lower bits are random.
        """

class FixedWordsKey:
    """The small secret of who owns fixed words; opens what ``FixedSums`` sends.

    See he/fixed_sums.py. Layouts are (trees, words of a tree, bits of a word, bits that leave).
    """

    @staticmethod
    def encrypt(
        layout: tuple[int, int, int, int],
        prime: int,
        coins: bytes,
        secrets: bytes,
        errors: bytes,
        words: Words,
    ) -> tuple[FixedWordsKey, Bytes]:
        """The key, and what is sent once of words (trees, words of a tree).

        ``secrets``, ``errors``: keys of 16 bytes for this alone; ``coins``: of both sides, public.
        """

    def read(self, sent: Bytes, rows: int) -> Words:
        """Shares (trees rows,) of so many rows' results (results, bytes of one)."""

class FixedSums:
    """What the owner of bits adds words up with; counts what it draws as long as it lives."""

    def __init__(
        self,
        layout: tuple[int, int, int, int],
        prime: int,
        coins: bytes,
        received: Bytes,
        private: bytes,
    ) -> None:
        """``received``: as it was sent; ``private``: a key for this object alone."""

    @property
    def used(self) -> int:
        """Results that were made: the number of the next one."""
    def add_up(self, bits: Words, own: Words, rows: int) -> tuple[Bytes, Words]:
        """For bits (words of a tree, ceil(trees rows / 64)): what leaves, and shares (trees rows,).

        ``own``: this side's words, (trees, words of a tree), which are added up too.
        """

LinkMessage = tuple[str | None, Bytes]
"""The tag, None of a hello, and the payload."""

class LinkEnded(Exception):
    """(reason, detail): why a link is not there (any more), in one word, and more in bytes.

    Of a link that was open: "closed" (by this side), "bye", "failed" (detail: a Failure),
    "malformed", "too long", "denied", "broken", "forked". Of one that could not be opened:
    "unknown", "nobody", "closes", "silent", "no tls", "stranger" (detail: its certificate, DER),
    "dates", "refused", "own".
    """

    args: tuple[str, bytes]

class LinkIdentity:
    """What one side brings to TLS, PEM, and the dates of the peer's certificate, Unix seconds."""

    def __init__(
        self, certificate: bytes, key: bytes, peer: bytes, peer_from: int, peer_until: int
    ) -> None: ...
    def listen(self, host: str, port: int, beat_seconds: float, most_unknown: int) -> LinkListener:
        """OSError where the port cannot be had; LinkEnded. Few are open without a certificate."""
    def dial(
        self, address: tuple[str, int], name: str, within_seconds: float, beat_seconds: float
    ) -> Link:
        """Tries until the deadline; LinkEnded."""

class LinkListener:
    """The side that listens, until its caller is in."""

    port: int
    def accept(self, within_seconds: float) -> Link | None:
        """The link with the first caller that has the pinned key."""
    def unfit(self) -> tuple[int, bytes, int]:
        """Callers with another certificate, and those that refused this side's."""
    def stop(self) -> None: ...

class LinkRelay:
    """Passes TLS streams on by the server name, and does not end them; see channel/relay.py."""

    port: int
    def __init__(
        self, host: str, port: int, targets: list[tuple[str, str, int]], most_unknown: int
    ) -> None: ...
    def passed(self) -> list[tuple[str, int, int, int, int, int]]: ...
    def strangers(self) -> int: ...
    def stop(self) -> None: ...

class Link:
    """One side of an open link. One thread a stream; LinkEnded where there is no more."""

    def greet(self, hello: bytes) -> None: ...
    def send(
        self, stream: int, tag: str, content: Bytes, awaits: int | None, within_seconds: float
    ) -> bool:
        """Queues a copy; False where nothing was read in time. ``awaits``: length of the next."""
    def receive(self, stream: int, most_bytes: int, within_seconds: float) -> LinkMessage | None:
        """The next message; None where none comes in time, LinkEnded for a longer one."""
    def quiet_seconds(self) -> float:
        """Since anything came."""
    def stalled_seconds(self, stream: int) -> float:
        """Since a piece of a message of this stream came; infinite where none ever did."""
    def close(self, failure: bytes | None, over_seconds: float, gone_seconds: float) -> None:
        """Says the last word, waits for the other's and for the connection's end, and hangs up."""

class Forest:
    """One side's half of all owned trees of a model. See kernels/src/words/forest.rs."""

    def __init__(
        self,
        own: Bytes,
        features: NDArray[np.uint32],
        thresholds: NDArray[np.float64],
        sides: Bytes,
        leaves: Words,
        outputs: int,
    ) -> None:
        """``own`` (nodes, trees): 1 for this side's nodes; of these features, thresholds (n,) and
        ``sides`` (2, n): where a missing value goes left, and where one value alone goes right;
        leaves (nodes + 1, trees), trees sorted by output."""

    def marks(self, values: NDArray[np.float64]) -> tuple[Bytes, Words, Words]:
        """Of rows (n, columns): bits (own nodes, n), offered words (others' nodes, n) and own sums
        (outputs, n)."""

class Rounder:
    """How numbers are rounded to one party, and the messages. See kernels/src/words/rounding.rs."""

    def __init__(
        self, ring_bits: int, bits: int, factor: int, result_bits: int, entry_bits: int
    ) -> None: ...
    def random_words(self, count: int) -> int:
        """What ``answer`` needs for so many numbers."""

    def ask(self, own: Words, choices: Words, filling: int) -> Words:
        """The receiver's message: flips of its bits, filled up."""

    def open(self, own: Words, chosen: Words, sent: Words) -> Words:
        """What the receiver opens, (n,): of its shares and the sender's message."""

    def answer(self, own: Words, zero: Words, one: Words, flips: Words, random: Words) -> Words:
        """The sender's message."""

class GarbledCircuit:
    """A circuit that both sides know, garbled for many instances at once.

    gates (n, 3), uint32: what a gate does (0 xor, 1 and, 2 not) and its two wires, which are the
    garbler's inputs, the evaluator's, then one for each gate; outputs: wires.
    """

    def __init__(
        self, inputs: int, gates: NDArray[np.uint32], outputs: NDArray[np.uint32]
    ) -> None: ...
    def sent_words(self, instances: int) -> int:
        """Words that the garbler sends at once."""

    def garble(
        self, key: bytes, bits: Bytes, zero: Words, one: Words
    ) -> tuple[Words, Words, Words, Bytes]:
        """The garbler's part for own bits (inputs, n), with messages (2, inputs n) of transfers.

        What it sends at once; its labels for 0 of d, flat, two words each; what the label for 1
        differs by, (2,); its shares of what comes out, flat (outputs n,).
        """

    def evaluate(self, sent: Words, choices: Bytes, chosen: Words, given: Words) -> Bytes:
        """The evaluator's shares, flat (outputs n,): of choices (inputs, n) and chosen messages
        (2, inputs n) of transfers, what came at once, and the labels of d."""
