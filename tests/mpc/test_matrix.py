"""Sums of shared vectors equal plain sums, exactly once their noise is gone, whoever makes pads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from securexgb.boost.executor import LocalExecutor
from securexgb.correlations.counting import Budget, CountingSource
from securexgb.errors import UsageError
from securexgb.mpc.matrix import Buckets, MatrixShape, histograms, register, sums_cost
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from securexgb.testing.harness import run_both
from tests.mpc.kit import Integers, on_both, parties_with_pads, shared

BINS = 5


def plain(buckets: Buckets, vectors: Integers, bins: int) -> Integers:
    """Sums of vectors (v, 2, rows)."""
    one_hot = np.eye(bins, dtype=np.int64)[buckets]
    sums: Integers = np.einsum("vwn,nfb->vwfb", vectors, one_hot)
    return sums


def example(
    rows: int, features: tuple[int, int], bits: tuple[int, int], counts: tuple[int, ...]
) -> tuple[tuple[Buckets, Buckets], list[Integers]]:
    """Bins of both sides, and batches of vectors, as large as the sums may be."""
    draw = np.random.default_rng(rows)
    label, feature = (draw.integers(0, BINS, (rows, f)).astype(np.uint8) for f in features)
    most_g, most_h = ((1 << bits[0] - 1) - 1) // rows, ((1 << bits[1]) - 1) // rows
    batches = [
        np.stack(
            [
                draw.integers(-most_g, most_g + 1, (count, rows)),
                draw.integers(0, most_h + 1, (count, rows)),
            ],
            axis=1,
        )
        for count in counts
    ]
    return (label, feature), batches


def centred(words: NDArray[np.uint64], bits: int) -> Integers:
    """Numbers modulo 2^bits nearest to 0."""
    return (words << np.uint64(64 - bits)).view(np.int64) >> np.int64(64 - bits)


def own_rows(party: Party, own: Buckets) -> tuple[LocalExecutor | None, LocalExecutor | None]:
    rows = LocalExecutor(own, BINS, BINS)
    return (rows, None) if party.rank == 0 else (None, rows)


@pytest.mark.parametrize("features", [(2, 3), (0, 2), (3, 0)])
@pytest.mark.parametrize(("rows", "bits"), [(1, (30, 30)), (70, (40, 24)), (70, (9, 13))])
def test_histograms(rows: int, bits: tuple[int, int], features: tuple[int, int]) -> None:
    shape = MatrixShape(rows, features, BINS, bits)
    sides, batches = example(rows, features, bits, (1, 3))

    def program(party: Party, own: Buckets, *vectors: Shared) -> tuple[Shared, ...]:
        assert register(party, shape, own) == shape
        found = [histograms(party, shape, *own_rows(party, own), batch) for batch in vectors]
        high = [np.uint64(64 - width) for width in bits]
        # What stands above the bits of a sum is rubbish: shifted out before backends compare.
        return tuple(
            Shared(np.stack([f.words[:, w] << high[w] for w in (0, 1)], axis=1)) for f in found
        )

    pairs = [shared(batch) for batch in batches]
    for result, batch in zip(on_both(program, sides, *pairs), batches, strict=True):
        expected = np.concatenate([plain(buckets, batch, BINS) for buckets in sides], axis=2)
        for word, width in enumerate(bits):
            np.testing.assert_array_equal(
                result[:, word], expected[:, word] << np.int64(64 - width)
            )


@pytest.mark.parametrize(
    ("rows", "features", "bits"),
    [
        (1, (1, 2), (10, 9)),
        (700, (2, 1), (25, 20)),
        (5000, (2, 0), (36, 31)),
        (4096, (0, 1), (30, 46)),
        (20_000, (2, 2), (42, 38)),
    ],
)
def test_histograms_with_pads_are_right_up_to_noise_and_cost_what_is_declared(
    rows: int, features: tuple[int, int], bits: tuple[int, int]
) -> None:
    sides, batches = example(rows, features, bits, (1, 2, 4, 4))
    pairs = [shared(batch) for batch in batches]

    def program(
        party: Party, given: tuple[Buckets, list[Shared]]
    ) -> tuple[list[Shared], list[tuple[int, int, Budget]], MatrixShape]:
        own, vectors = given
        shape = register(party, MatrixShape(rows, features, BINS, bits, chain=3), own)
        results, costs = [], []
        made = party.source
        for batch in vectors:
            counting = CountingSource(made)
            party.source = counting
            before = party.rounds, party.channel.traffic.bytes_sent - made.account.channel_bytes
            results.append(histograms(party, shape, *own_rows(party, own), batch))
            sent = party.channel.traffic.bytes_sent - made.account.channel_bytes
            costs.append((party.rounds - before[0], sent - before[1], counting.budget))
        return results, costs, shape

    inputs = [(sides[rank], [pair[rank] for pair in pairs]) for rank in (0, 1)]
    (mine, of_label, shape), (theirs, of_feature, _) = run_both(
        program, parties_with_pads(3), inputs
    )
    assert shape.noise_bits >= 4
    assert shape.ring_bits == (bits[0] + shape.noise_bits, bits[1] + shape.noise_bits)
    noise: list[Integers] = []
    for first, second, batch in zip(mine, theirs, batches, strict=True):
        expected = np.concatenate([plain(buckets, batch, BINS) for buckets in sides], axis=2)
        scaled = expected.view(np.uint64) << np.uint64(shape.noise_bits)
        off = first.words + second.words - scaled
        noise += [centred(off[:, w], shape.ring_bits[w]).reshape(-1) for w in (0, 1)]
    together = np.concatenate(noise)
    # Bounded as promised for running sums of chains of three, so each alone is well below.
    assert 0 < np.abs(together).max() < 2 ** (shape.noise_bits - 1) / 3**0.5
    for cost, other, batch in zip(of_label, of_feature, batches, strict=True):
        declared = sums_cost(shape, len(batch))
        assert cost[:2] == (declared.rounds, 8 * declared.label_words)
        assert other[:2] == (declared.rounds, 8 * declared.feature_words)
        assert cost[2] == other[2]


def test_sums_that_pads_cannot_hide_are_refused() -> None:
    (party, _) = parties_with_pads(1)
    shape = MatrixShape(10**6, (1, 1), 32, (50, 46), chain=5)
    with pytest.raises(UsageError, match="64 bits"):
        party.source.products.noise_bits(shape.matrix(0))
    fits = replace(shape, sum_bits=(43, 39))
    assert party.source.products.noise_bits(fits.matrix(0)) == 18
