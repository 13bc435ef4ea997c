"""Both roles of the scheme: exactness, what each side sees, order of the last steps."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.errors import ProtocolDesync
from securexgb.he.bfv import BfvEvaluator, BfvKeyHolder
from securexgb.he.layout import Layout
from securexgb.he.noise import (
    DEGREE,
    MOST_LEVELS,
    SHORT,
    Sums,
    packing_variance,
    product_squares,
    result_spread,
    sums_precision,
    words_precision,
)

Words = NDArray[np.uint64]
SECRETS = bytes([9]) * 16
PRECISION = replace(sums_precision(Sums(4000, 44, 8, 3, 1 << 28)), result_bytes=7)
"""Results are shorter than they should be, so that their noise is seen behind the rounding."""


def key(number: int) -> Prg:
    return Prg(bytes([number]) * 16)


def secrets(first: int, count: int) -> Words:
    """The ternary secrets of the stream, (count, 4096), modulo 2^64."""
    words = _kernels.prg_words(SECRETS, first * SHORT, count * SHORT)
    thirds = [-(-(third << 64) // 3) for third in (1, 2)]  # 3 w / 2^64 is 1 from here, and 2
    ternary = sum((words >= np.uint64(third)).astype(np.uint64) for third in thirds)
    return (ternary - np.uint64(1)).reshape(count, SHORT)


def matrix(columns: int, seed: int = 0, fill: int | None = None) -> Words:
    """(columns, 4096), uniform modulo 2^kappa or the same everywhere."""
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << PRECISION.word_bits, (columns, SHORT), dtype=np.uint64)
    return words if fill is None else np.full_like(words, fill)


class Pair:
    """A key holder and an evaluator that has its keys."""

    def __init__(self, layout: Layout, holder: int = 1, evaluator: int = 2) -> None:
        self.layout = layout
        self.holder = BfvKeyHolder(key(holder))
        self.evaluator = BfvEvaluator(key(evaluator), self.holder.announcement())
        for spacing in layout.spacings:
            self.evaluator.add_galois_key(spacing, self.holder.galois_key(spacing))

    def run(self, of: Words, first: int = 0) -> tuple[Words, Words, list[bytes]]:
        """Both shares (v, columns), and the evaluator's messages."""
        layout = self.layout
        sent = self.holder.encrypted_ternary(layout, SECRETS, first)
        held = self.evaluator.expanded(layout.groups, sent, layout.precision)
        share = np.zeros((layout.vectors, layout.columns), np.uint64)
        messages = []
        for message, part, number in self.evaluator.products(layout, held, of):
            _, owners, columns = layout.indices(number)
            share[owners, columns] = part
            messages.append(message)
        return share, self.holder.opened(layout, messages), messages

    def noise(self, of: Words, first: int = 0) -> NDArray[np.int64]:
        """What the shares are off by, modulo 2^kappa."""
        mine, theirs, _ = self.run(of, first)
        unused = 64 - self.layout.precision.word_bits
        off = mine + theirs - secrets(first, self.layout.vectors) @ of.T
        return (off << np.uint64(unused)).view(np.int64) >> unused


@pytest.mark.parametrize(("columns", "vectors"), [(1, 16), (5, 8), (300, 8), (70, 128), (130, 16)])
def test_shares_add_up_to_the_products_and_little_noise(columns: int, vectors: int) -> None:
    pair = Pair(Layout(columns, vectors, PRECISION))
    of = matrix(columns)
    word_bits, fresh, result = PRECISION.word_bits, PRECISION.fresh_bytes, PRECISION.result_bytes
    squares, packing = product_squares(word_bits), packing_variance(MOST_LEVELS)
    spread = result_spread(squares, packing, word_bits, fresh, result)
    assert spread * 8 < 2 ** (PRECISION.noise_bits - 1)
    for first in (0, vectors):
        noise = pair.noise(of, first).astype(float)
        # Reckoned with the largest numbers, every one: the deviation of uniform ones is smaller.
        # An estimate from n values deviates by 1 / sqrt(2 n) of it.
        estimate = np.sqrt(np.mean(noise**2))
        assert spread / 8 < estimate < spread * (1 + 4 / np.sqrt(2 * noise.size))
        assert np.abs(noise).max() < 2 ** (PRECISION.noise_bits - 1)


def test_shares_of_products_are_multiples_of_what_a_result_has_no_bits_for() -> None:
    """docs/proof.md, "What BFV realises": kappa - t low bits of either share are zero, and those
    of P are uniform above them."""
    precision = replace(PRECISION, result_bytes=6)
    unused = precision.word_bits - 8 * precision.result_bytes
    assert unused == 9
    mine, theirs, _ = Pair(Layout(70, 64, precision)).run(matrix(70))
    for share in (mine, theirs):
        assert not (share & np.uint64((1 << unused) - 1)).any()
        assert (share >> np.uint64(unused) & np.uint64(1)).any()
    counts = np.bincount((mine >> np.uint64(unused) & np.uint64(15)).reshape(-1).view(np.int64))
    expected = mine.size / 16
    assert np.sum((counts - expected) ** 2) / expected < 55  # 15 degrees of freedom: 2e-6


def test_words_there_and_back_are_the_identity() -> None:
    precision = words_precision(1 << 20)
    holder = BfvKeyHolder(key(1))
    evaluator = BfvEvaluator(key(2), holder.announcement())
    words = np.random.default_rng(1).integers(0, 1 << 64, (2, DEGREE), dtype=np.uint64)
    held = evaluator.expanded(2, iter([holder.encrypted_words(words, precision)]), precision)
    sums = evaluator.plus(evaluator.coefficients(held), words)
    indices = np.arange(DEGREE, dtype=np.uint32)
    for row, ciphertext in zip(words, sums, strict=True):
        message, mine = evaluator.masked(ciphertext, indices, precision)
        theirs = holder.decrypted(message, indices, precision)
        np.testing.assert_array_equal(mine + theirs, row + row)


def test_what_leaves_the_evaluator_is_fresh_each_time() -> None:
    """Same secrets, same keys, same matrix: c1 and c0 are new, or c1 would give the matrix."""
    layout = Layout(4, 16, PRECISION)
    of = matrix(4)
    first, second = (Pair(layout, evaluator=number).run(of)[2][0] for number in (2, 3))
    width = PRECISION.result_bytes
    a, b = (np.frombuffer(m, np.uint8).reshape(-1, width) for m in (first, second))
    # The leading five bytes would agree if only rounding or small noise were new.
    assert (a[:, -5:] == b[:, -5:]).all(axis=1).mean() < 0.001


def test_only_wanted_coefficients_are_sent() -> None:
    layout = Layout(3, 16, PRECISION)
    _, _, messages = Pair(layout).run(matrix(3))
    assert [len(m) for m in messages] == [(DEGREE + 3 * 16) * PRECISION.result_bytes]


def assert_uniform_bytes(view: NDArray[np.uint8], name: str) -> None:
    """255 degrees of freedom: mean 255, deviation 22.6."""
    counts = np.bincount(view.reshape(-1), minlength=256)
    expected = counts.sum() / 256
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert 255 - 6 * 22.6 < statistic < 255 + 6 * 22.6, name


@pytest.mark.parametrize("fill", [0, 1])
def test_the_decryptor_sees_uniform_words(fill: int) -> None:
    """Products with nothing and with the same everywhere look alike: c0, c1, shares uniform."""
    layout = Layout(64, 128, PRECISION)
    _, opened, messages = Pair(layout).run(matrix(64, fill=fill))
    width = PRECISION.result_bytes
    # A share is a number modulo 2^(8 width), in units of 2^(8 width - kappa).
    spare = PRECISION.word_bits - 8 * width
    assert spare >= 0
    views = {"share": (opened >> np.uint64(spare)).astype(np.uint32).view(np.uint8)}
    for name, part in (("c1", slice(0, DEGREE * width)), ("c0", slice(DEGREE * width, None))):
        views[name] = np.frombuffer(b"".join(m[part] for m in messages), np.uint8)
    for name, view in views.items():
        assert_uniform_bytes(view, name)


def test_the_evaluator_sees_uniform_bytes() -> None:
    layout = Layout(1, 16, PRECISION)
    (message,) = BfvKeyHolder(key(1)).encrypted_ternary(layout, SECRETS, 0)
    # The highest byte of a fraction of q is uniform up to 2^-8; so are all that lie on the wire.
    assert_uniform_bytes(np.frombuffer(message, np.uint8), "c0")


def test_a_message_of_another_size_is_a_desync() -> None:
    layout = Layout(2, 16, PRECISION)
    pair = Pair(layout)
    with pytest.raises(ProtocolDesync, match="different terms"):
        pair.holder.opened(layout, [b"short"])
    with pytest.raises(ProtocolDesync, match="different terms"):
        pair.evaluator.expanded(layout.groups, iter([b"short"]), PRECISION)
    with pytest.raises(ProtocolDesync, match="different terms"):
        BfvEvaluator(key(1), b"short")


def test_secrets_are_neither_shown_nor_pickled() -> None:
    pair = Pair(Layout(2, 16, PRECISION))
    assert repr(pair.holder) == "BfvKeyHolder(0 ciphertexts)"
    assert repr(pair.evaluator) == "BfvEvaluator(0 results)"
    for role in (pair.holder, pair.evaluator):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(role)
