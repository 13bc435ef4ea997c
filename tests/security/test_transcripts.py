"""What goes over the wire says nothing of the data: same tags and sizes, uniform content."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.boost.case import Case, Tree, combined, stopped
from tests.boost.cases import random_case
from tests.mpc.kit import Recording, assert_uniform, recorded

Shape = list[tuple[str, str, int]]


def train(case: Case, seed: int = 0) -> tuple[Tree, tuple[Recording, Recording]]:
    """Grow one tree with everything recorded that either side sends."""
    grown, channels, _ = recorded(lambda party, _: case.program(party), [None, None], seed)
    return combined(grown, case.label_columns), channels


def shapes(channels: tuple[Recording, Recording]) -> tuple[Shape, Shape]:
    return channels[0].shape, channels[1].shape


def variants(case: Case) -> dict[str, Case]:
    """Wholly different data of the same shape; one side has all columns."""
    draw = np.random.default_rng(5)
    rows, bins = case.bins.shape[0], case.params.max_bin
    unit = 1 << case.numbers.gradient_bits
    none, other = np.zeros(rows, np.int64), draw.integers(0, bins, case.bins.shape)
    return {
        "other columns": replace(case, bins=other),
        "other labels": replace(case, gradient=-case.gradient),
        "all missing": replace(case, bins=np.full_like(case.bins, bins)),
        "half missing": replace(case, bins=np.where(draw.random(other.shape) < 0.5, bins, other)),
        "constant columns: nodes without rows": replace(case, bins=np.zeros_like(case.bins)),
        "one class": replace(case, gradient=np.full(rows, unit // 2)),
        "no gradient at all": replace(case, gradient=none, hessian=none),
    }


@pytest.mark.parametrize("columns", [(0, 3), (3, 0)])
def test_tags_and_sizes_do_not_depend_on_the_data(columns: tuple[int, int]) -> None:
    """With all columns at one side the owners are the same, whatever the data."""
    case = random_case(1, rows=70, columns=columns)
    tree, channels = train(case)
    assert not stopped(tree, 0)
    for name, other in variants(case).items():
        other_tree, other_channels = train(other)
        assert shapes(other_channels) == shapes(channels), name
        if name.startswith(("all", "constant", "no")):
            assert stopped(other_tree, 0), name


def test_tags_and_sizes_depend_on_the_opened_owners_alone() -> None:
    """Both sides have columns: other labels, rows in another order, every node stopped."""
    case = random_case(2, rows=70, columns=(2, 2), holes=0.1)
    order = np.random.default_rng(0).permutation(70)
    changed = {
        "other labels": replace(case, gradient=-case.gradient),
        "other order": replace(
            case,
            bins=case.bins[order],
            gradient=case.gradient[order],
            hessian=case.hessian[order],
        ),
        "stopped": replace(case, params=replace(case.params, gamma=1000.0)),
    }
    tree, channels = train(case)
    assert 0 < tree.owners.sum() < tree.owners.size
    for name, other in changed.items():
        other_tree, other_channels = train(other)
        np.testing.assert_array_equal(other_tree.owners, tree.owners, name)
        assert shapes(other_channels) == shapes(channels), name
        assert stopped(other_tree, 0) == (name == "stopped")


def test_no_word_is_sent_in_the_clear() -> None:
    """The same data under another seed: no masked word is the same at its place."""
    case = random_case(3, rows=40)
    for ours, theirs in zip(*(train(case, seed)[1] for seed in (1, 2)), strict=True):
        first, second = masked_words(ours.sent), masked_words(theirs.sent)
        common = min(first.size, second.size)
        assert common > 10_000
        assert not (first[:common] == second[:common]).any()


def masked_words(sent: list[tuple[str, bytes]]) -> NDArray[np.uint64]:
    """The payload of all messages that open nothing."""
    payload = b"".join(payload for tag, payload in sent if "/_open" not in tag)
    return np.frombuffer(payload, "<u8")


@pytest.mark.parametrize("name", ["plain", "no gradient at all", "constant columns"])
def test_what_a_party_receives_in_a_training_is_uniform(name: str) -> None:
    """Chi-square over the bytes of all messages, for data that is anything but random."""
    case = random_case(4, rows=60, columns=(2, 2))
    zeros = np.zeros_like(case.gradient)
    if name == "no gradient at all":
        case = replace(case, gradient=zeros, hessian=zeros)
    if name == "constant columns":
        case = replace(case, bins=np.zeros_like(case.bins))
    for channel in train(case)[1]:
        assert_uniform(masked_words(channel.sent).tobytes())
