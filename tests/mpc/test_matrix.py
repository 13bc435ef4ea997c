"""Histograms of shared pairs equal plain sums, exactly, whoever makes the pads."""

from __future__ import annotations

import numpy as np
import pytest

from securexgb.boost.executor import LocalExecutor
from securexgb.errors import UsageError
from securexgb.mpc.matrix import Buckets, MatrixShape, histograms, register, sums_cost
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared
from securexgb.offline.budget import Budget, CountingSource
from securexgb.testing.harness import run_both
from tests.mpc.kit import Integers, on_both, parties_with_pads, shared

BINS = 5


def plain(buckets: Buckets, vectors: Integers, bins: int) -> Integers:
    one_hot = np.eye(bins, dtype=np.int64)[buckets]
    sums: Integers = np.einsum("vn,nfb->vfb", vectors, one_hot)
    return sums


def example(
    rows: int, features: tuple[int, int], widths: tuple[int, int], counts: tuple[int, ...]
) -> tuple[tuple[Buckets, Buckets], list[tuple[Integers, Integers]]]:
    """Bins of both sides, and G and H of batches of vectors, as large as the sums may be."""
    draw = np.random.default_rng(rows)
    label, feature = (draw.integers(0, BINS, (rows, f)).astype(np.uint8) for f in features)
    most_g, most_h = ((1 << widths[0] - 1) - 1) // rows, ((1 << widths[1]) - 1) // rows
    batches = [
        (
            draw.integers(-most_g, most_g + 1, (count, rows)),
            draw.integers(0, most_h + 1, (count, rows)),
        )
        for count in counts
    ]
    return (label, feature), batches


@pytest.mark.parametrize("features", [(2, 3), (0, 2), (3, 0)])
@pytest.mark.parametrize(("rows", "widths"), [(1, (30, 30)), (70, (40, 24)), (70, (9, 13))])
def test_histograms(rows: int, widths: tuple[int, int], features: tuple[int, int]) -> None:
    shape = MatrixShape(rows, features, BINS, sum(widths))
    sides, batches = example(rows, features, widths, (1, 3))
    pairs = [shared(g + (h << widths[0])) for g, h in batches]

    def program(party: Party, own: Buckets, *pairs: Shared) -> tuple[tuple[Shared, Shared], ...]:
        register(party, shape, own)
        rows_of = LocalExecutor(own, BINS, BINS)
        label, feature = (rows_of, None) if party.rank == 0 else (None, rows_of)
        return tuple(histograms(party, shape, label, feature, batch, widths[0]) for batch in pairs)

    for result, batch in zip(on_both(program, sides, *pairs), batches, strict=True):
        for found, values in zip(result, batch, strict=True):
            expected = [plain(buckets, values, BINS) for buckets in sides]
            np.testing.assert_array_equal(found, np.concatenate(expected, axis=1))


@pytest.mark.parametrize(
    ("rows", "features", "widths"),
    [
        (1, (1, 2), (10, 9)),
        (700, (2, 1), (25, 20)),
        (5000, (2, 0), (31, 29)),
        (4096, (0, 1), (30, 26)),
        (20_000, (2, 2), (31, 30)),
    ],
)
def test_histograms_with_pads_are_exact_and_cost_what_is_declared(
    rows: int, features: tuple[int, int], widths: tuple[int, int]
) -> None:
    sides, batches = example(rows, features, widths, (1, 2, 4, 4))
    pairs = [shared(g + (h << widths[0])) for g, h in batches]

    def program(
        party: Party, given: tuple[Buckets, list[Shared]]
    ) -> tuple[list[tuple[Shared, Shared]], list[tuple[int, int, Budget]], MatrixShape]:
        own, pairs = given
        noise_bits = party.source.noise_bits(rows, sum(widths))
        shape = MatrixShape(rows, features, BINS, sum(widths), noise_bits)
        register(party, shape, own)
        rows_of = LocalExecutor(own, BINS, BINS)
        label, feature = (rows_of, None) if party.rank == 0 else (None, rows_of)
        results, costs = [], []
        made = party.source
        for batch in pairs:
            counting = CountingSource(party.rank, made)
            party.source = counting
            before = party.rounds, party.channel.traffic.bytes_sent - made.offline_channel_bytes
            results.append(histograms(party, shape, label, feature, batch, widths[0]))
            sent = party.channel.traffic.bytes_sent - made.offline_channel_bytes
            costs.append((party.rounds - before[0], sent - before[1], counting.budget))
        return results, costs, shape

    inputs = [(sides[rank], [pair[rank] for pair in pairs]) for rank in (0, 1)]
    (mine, of_label, shape), (theirs, of_feature, _) = run_both(
        program, parties_with_pads(3), inputs
    )
    assert shape.noise_bits >= 4
    for zero, one, batch in zip(mine, theirs, batches, strict=True):
        for first, second, values in zip(zero, one, batch, strict=True):
            expected = [plain(buckets, values, BINS) for buckets in sides]
            found = (first.words + second.words).view(np.int64)
            np.testing.assert_array_equal(found, np.concatenate(expected, axis=1))
    for cost, other, (g, _) in zip(of_label, of_feature, batches, strict=True):
        declared = sums_cost(shape, len(g), widths[0])
        assert cost[:2] == (declared.rounds, 8 * declared.label_words)
        assert other[:2] == (declared.rounds, 8 * declared.feature_words)
        assert cost[2] == other[2]


def test_sums_that_pads_cannot_hide_are_refused() -> None:
    (party, _) = parties_with_pads(1)
    with pytest.raises(UsageError, match="79 bits"):
        party.source.noise_bits(10**6, 64)
