"""Secret inputs for two parties, a program on them, and the result in the clear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.arith.bits import words_per
from securexgb.arith.prg import Prg
from securexgb.channel.channel import Channel
from securexgb.channel.memory import memory_pair
from securexgb.mpc.convert import plain_values
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from securexgb.offline.local import InsecureLocalSource
from securexgb.offline.matrix_products import BfvMatrixProducts
from securexgb.testing.harness import Backend, insecure_parties, join_parties, run_both
from tests.profiles import moments
from tests.recorded import RecordedChannel

ENOUGH = 256 * moments(8, 20)
"""Bytes whose distribution is looked at, at least: so many of each value are expected."""
Pair = tuple[Any, Any]
Integers = NDArray[np.int64]


def parties_with_pads(seed: int, batch: int = 8) -> tuple[Party, Party]:
    """Two parties that make the pads of histograms themselves, and all else insecurely."""
    parties = insecure_parties(seed)
    for party in parties:
        private = Prg(bytes([seed, party.rank] * 8))
        products = BfvMatrixProducts(party.rank, party.channel, private, 1 << 28, batch)
        party.source = InsecureLocalSource(party.rank, party.channel, seed, products)
    return parties


def shared(values: Any, seed: int = 0) -> Pair:
    """Uniform shares of signed integers, one for each party."""
    words = np.asarray(values).astype(np.int64).view(np.uint64)
    mask = np.random.default_rng(seed).integers(0, 2**64, words.shape, np.uint64)
    return Shared(mask), Shared(words - mask)


def shared_bits(flags: Any, seed: int = 0) -> Pair:
    """Uniform shares of bits (..., count); the bits past ``count`` are random too."""
    flags = np.asarray(flags).astype(np.uint8)
    count = flags.shape[-1]
    rows = [_kernels.pack_bits(row) for row in flags.reshape(-1, count)]
    words = np.array(rows, np.uint64).reshape(*flags.shape[:-1], words_per(count))
    draw = np.random.default_rng(seed)
    mask, rubbish = (draw.integers(0, 2**64, words.shape, np.uint64) for _ in range(2))
    if count % 64:
        words[..., -1] ^= rubbish[..., -1] << np.uint64(count % 64)
    return SharedBits(mask, count), SharedBits(words ^ mask, count)


def public(value: Any) -> Pair:
    """The same argument at both parties."""
    return value, value


def revealed(first: Any, second: Any) -> Any:
    """Both parties' results put together: signed integers, 0/1, or what both have anyway."""
    if isinstance(first, tuple | list):
        return tuple(revealed(a, b) for a, b in zip(first, second, strict=True))
    if isinstance(first, Shared):
        return (first.words + second.words).view(np.int64)
    if isinstance(first, SharedBits):
        joined = SharedBits(first.words ^ second.words, first.count)
        return plain_values(joined).view(np.int64)
    return first


def evaluate(
    program: Callable[..., Any], *inputs: Pair, backend: Backend = "shared", seed: int = 0
) -> Any:
    """The result of ``program(party, *inputs)`` in the clear."""
    pairs = memory_pair(20.0)
    parties = join_parties(pairs, seed, backend, 20.0)
    sides = [[pair[rank] for pair in inputs] for rank in (0, 1)]
    return revealed(*run_both(lambda party, given: program(party, *given), parties, sides))


def on_both(program: Callable[..., Any], *inputs: Pair, seed: int = 0) -> Any:
    """The result in the clear, after checking that both backends agree bit for bit."""
    plain = evaluate(program, *inputs, backend="plaintext", seed=seed)
    secure = evaluate(program, *inputs, backend="shared", seed=seed)
    _assert_equal(plain, secure)
    return secure


def _assert_equal(plain: Any, secure: Any) -> None:
    if isinstance(plain, tuple):
        for one, other in zip(plain, secure, strict=True):
            _assert_equal(one, other)
    else:
        np.testing.assert_array_equal(plain, secure)


class Recording(RecordedChannel):
    """Keeps all that this end sends, in order."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel, keeps_payloads=True)

    @property
    def sent(self) -> list[tuple[str, bytes]]:
        """Tag and payload of every message from this end."""
        return [(e.tag, e.payload or b"") for e in self.transcript if e.direction == "sent"]


def recorded(
    program: Callable[[Party, Any], Any], inputs: Sequence[Any], seed: int = 0
) -> tuple[list[Any], tuple[Recording, Recording], tuple[Party, Party]]:
    """A run on shares: results, both ends with all that they sent, both parties."""
    first, second = (Recording(channel) for channel in memory_pair(20.0))
    parties = join_parties((first, second), seed, "shared", 20.0)
    return run_both(program, parties, inputs), (first, second), parties


def assert_uniform(payload: bytes) -> None:
    """Chi-square over bytes: 255 degrees of freedom, within 5 standard deviations."""
    assert len(payload) >= ENOUGH
    counts = np.bincount(np.frombuffer(payload, np.uint8), minlength=256)
    expected = len(payload) / 256
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert abs(chi_square - 255) < 5 * np.sqrt(2 * 255), chi_square
