"""Both roles of the scheme: exactness, what each side sees, order of the last steps."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb import _kernels
from securexgb.arith.prg import Prg
from securexgb.errors import ProtocolDesync
from securexgb.he.bfv import BfvEvaluator, BfvKeyHolder
from securexgb.he.layout import Layout, Shape, layout_of
from securexgb.he.noise import DEGREE

Words = NDArray[np.uint64]


def key(number: int) -> Prg:
    return Prg(bytes([number]) * 16)


class Pair:
    """A key holder and an evaluator that has its keys."""

    def __init__(self, layout: Layout, holder: int = 1, evaluator: int = 2) -> None:
        self.layout = layout
        self.holder = BfvKeyHolder(key(holder))
        self.evaluator = BfvEvaluator(key(evaluator), self.holder.announcement())
        for gap in layout.gaps:
            self.evaluator.add_merging_key(gap, self.holder.merging_key(gap))

    def run(self, vectors: Words, bins: NDArray[np.uint8]) -> tuple[Words, Words, list[bytes]]:
        """Both shares, and the evaluator's messages."""
        sent = self.holder.encrypted(self.layout, vectors)
        held = self.evaluator.expanded(self.layout, sent)
        share = np.zeros((len(vectors), self.layout.shape.columns), np.uint64)
        messages = []
        for message, part, number in self.evaluator.products(self.layout, held, bins):
            _, owners, columns = self.layout.places(number)
            share[owners, columns] = part
            messages.append(message)
        return share, self.holder.opened(self.layout, messages), messages


def inputs(rows: int, features: int, bins: int, vectors: int) -> tuple[Words, NDArray[np.uint8]]:
    rng = np.random.default_rng(rows)
    return (
        rng.integers(0, 1 << 64, (vectors, rows), dtype=np.uint64),
        rng.integers(0, bins, (rows, features), dtype=np.uint8),
    )


@pytest.mark.parametrize("levels", [0, 2, 5, 8])
@pytest.mark.parametrize("width", [2, 16])
def test_shares_to_homomorphic_to_shares_is_the_sum(levels: int, width: int) -> None:
    layout = layout_of(Shape(3000, 2, 5, 1000), 3, width, levels)
    vectors, bins = inputs(3000, 2, 5, 3)
    pair = Pair(layout)
    expected = _kernels.histogram(bins, vectors, 5).reshape(3, -1)
    for _ in range(2):
        mine, theirs, _ = pair.run(vectors, bins)
        np.testing.assert_array_equal(mine + theirs, expected)


def test_a_round_trip_without_a_matrix_is_the_identity() -> None:
    """One row a block and one column: what was encrypted comes back in shares."""
    layout = layout_of(Shape(1, 1, 1, 10), 4, 1, 0)
    vectors, bins = inputs(1, 1, 1, 4)
    mine, theirs, _ = Pair(layout).run(vectors, bins)
    np.testing.assert_array_equal(mine + theirs, vectors)


def test_what_leaves_the_evaluator_is_fresh_each_time() -> None:
    """Same vectors, same keys, same matrix: c1 and c0 are new, or c1 would give the matrix."""
    layout = layout_of(Shape(500, 1, 4, 100), 1, 4, 0)
    vectors, bins = inputs(500, 1, 4, 1)
    first, second = (Pair(layout, evaluator=number).run(vectors, bins)[2][0] for number in (2, 3))
    a, b = (
        np.frombuffer(m, np.uint8).reshape(-1, layout.noise.result_bytes) for m in (first, second)
    )
    # Of 17 bytes the top eight or so would agree if only rounding or small noise were new.
    assert not np.any((a[:, -8:] == b[:, -8:]).all(axis=1))


def test_only_wanted_coefficients_are_sent() -> None:
    layout = layout_of(Shape(500, 1, 3, 100), 2, 4, 1)
    vectors, bins = inputs(500, 1, 3, 2)
    _, _, messages = Pair(layout).run(vectors, bins)
    assert [len(m) for m in messages] == [(DEGREE + 6) * layout.noise.result_bytes]


@pytest.mark.parametrize("bin_of_all", [0, 3])
def test_the_decryptor_sees_uniform_words(bin_of_all: int) -> None:
    """Sums of nothing and of everything look alike: bytes of c0, c1 and shares are uniform."""
    layout = layout_of(Shape(100, 64, 32, 10**4), 1, 64, 3)
    vectors, _ = inputs(100, 64, 32, 1)
    bins = np.full((100, 64), bin_of_all, np.uint8)
    _, opened, messages = Pair(layout).run(vectors, bins)
    width = layout.noise.result_bytes
    views = {"share": opened.view(np.uint8)}
    for name, part in (("c1", slice(0, DEGREE * width)), ("c0", slice(DEGREE * width, None))):
        views[name] = np.frombuffer(b"".join(m[part] for m in messages), np.uint8)
    for name, view in views.items():
        counts = np.bincount(view.reshape(-1), minlength=256)
        expected = counts.sum() / 256
        statistic = ((counts - expected) ** 2 / expected).sum()
        # 255 degrees of freedom: mean 255, deviation 22.6.
        assert 255 - 6 * 22.6 < statistic < 255 + 6 * 22.6, name


def test_the_evaluator_sees_uniform_bytes() -> None:
    layout = layout_of(Shape(100, 1, 4, 100), 1, 4, 0)
    (message,) = BfvKeyHolder(key(1)).encrypted(layout, np.zeros((1, 100), np.uint64))
    counts = np.bincount(np.frombuffer(message, np.uint8), minlength=256)
    expected = counts.sum() / 256
    assert abs(((counts - expected) ** 2 / expected).sum() - 255) < 6 * 22.6


def test_measured_noise_stays_within_its_bound() -> None:
    """Decrypted with the masks taken off again: the deviation that the parameters state."""
    layout = layout_of(Shape(4000, 2, 4, 1000), 8, 4, 5)
    vectors, bins = inputs(4000, 2, 4, 8)
    pair = Pair(layout)
    width = layout.noise.result_bytes
    held = pair.evaluator.expanded(layout, pair.holder.encrypted(layout, vectors))
    secret = key(1).derive("secret").key
    s = np.array([(int(w) * 3 >> 64) - 1 for w in _kernels.prg_words(secret, 0, DEGREE)])
    masks = key(2).derive("masks").key
    noise = []
    exact = _kernels.histogram(bins, vectors, 4).reshape(8, -1)
    for message, _, number in pair.evaluator.products(layout, held, bins):
        places, owners, columns = layout.places(number)
        data = [
            int.from_bytes(message[i : i + width], "little") for i in range(0, len(message), width)
        ]
        c1, c0 = data[:DEGREE], data[DEGREE:]
        for i, place in enumerate(places.tolist()):
            drawn = _kernels.prg_words(masks, 3 * (number * DEGREE + i), 3).tobytes()[:width]
            turned = [int(x) for x in np.concatenate([s[place::-1], -s[:place:-1]])]
            phase = c0[i] - int.from_bytes(drawn, "little")
            phase += sum(x * y for x, y in zip(c1, turned, strict=True))
            phase -= int(exact[owners[i], columns[i]]) << 8 * width - 64
            half = 1 << 8 * width - 1
            noise.append((phase + half) % (2 * half) - half)
    measured = np.sqrt(np.mean(np.square(np.array(noise, float))))
    assert layout.noise.deviation / 4 < measured < 1.2 * layout.noise.deviation


def test_a_message_of_another_size_is_a_desync() -> None:
    layout = layout_of(Shape(10, 1, 2, 10), 1, 2, 0)
    pair = Pair(layout)
    with pytest.raises(ProtocolDesync, match="different terms"):
        pair.holder.opened(layout, [b"short"])
    with pytest.raises(ProtocolDesync, match="different terms"):
        pair.evaluator.expanded(layout, iter([b"short"]))
    with pytest.raises(ProtocolDesync, match="different terms"):
        BfvEvaluator(key(1), b"short")


def test_secrets_are_neither_shown_nor_pickled() -> None:
    pair = Pair(layout_of(Shape(10, 1, 2, 10), 1, 2, 0))
    assert repr(pair.holder) == "BfvKeyHolder(0 ciphertexts)"
    assert repr(pair.evaluator) == "BfvEvaluator(0 results)"
    for role in (pair.holder, pair.evaluator):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(role)
