"""Chains of bits and their ends, through masks multiplied beforehand; ands as trees of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from securexgb.arith.bits import words_per
from securexgb.correlations.counting import CountingSource
from securexgb.errors import SecureXGBError, UsageError
from securexgb.mpc.circuits.chains import (
    Chain,
    Preparation,
    all_ahead,
    all_cost,
    all_wanted,
    and_levels,
    and_of,
    chains_at_once,
    chains_cost,
    masks_cost,
    opened_at_once,
)
from securexgb.mpc.party import Party
from securexgb.mpc.shared import SharedBits
from tests.mpc.kit import evaluate, shared_bits

COUNT = 130


@pytest.mark.parametrize("levels", [(1,), (1, 1), (2,), (3,), (1, 2), (1, 2, 2), (3, 1, 2, 3)])
def test_ends_go_through_their_part_of_the_chain(levels: tuple[int, ...]) -> None:
    chain = Chain(levels)
    flags = np.random.default_rng(1).integers(0, 2, (chain.bits, COUNT))

    def program(party: Party, bits: SharedBits) -> SharedBits:
        wanted = [(chain, words_per(COUNT))]
        (masks,) = Preparation(party, wanted).ready()
        (ends,) = chains_at_once(party, [(masks, bits.words)], COUNT)
        return SharedBits(ends, COUNT)

    found = evaluate(program, shared_bits(flags))
    bits, ends = flags[: chain.length], flags[chain.length :]
    for end, level, got in zip(ends, levels, found, strict=True):
        np.testing.assert_array_equal(got, end & bits[:level].all(axis=0))


def test_any_of_the_chains_bits_go_through_each_other() -> None:
    chain = Chain((3, 2))
    flags = np.random.default_rng(2).integers(0, 2, (chain.bits, COUNT))
    subsets = [(0,), (2,), (4,), (0, 1), (1, 2), (2, 3), (1, 4), (0, 1, 2), (0, 1, 2, 3), (0, 1, 4)]

    def program(party: Party, bits: SharedBits) -> SharedBits:
        (masks,) = Preparation(party, [(chain, words_per(COUNT))]).ready()
        (opened,) = opened_at_once(party, [(masks, bits.words)], COUNT)
        found = [masks.product(opened, party.rank, subset) for subset in subsets]
        return SharedBits(np.stack(found), COUNT)

    found = evaluate(program, shared_bits(flags))
    for subset, got in zip(subsets, found, strict=True):
        np.testing.assert_array_equal(got, flags[list(subset)].all(axis=0))


@pytest.mark.parametrize("leading", [*range(1, 12), 38, 60, 64, 65])
def test_an_and_of_many(leading: int) -> None:
    draw = np.random.default_rng(leading)
    flags = (draw.random((leading, COUNT)) < 0.5 ** (1 / leading)).astype(np.int64)
    wanted, costs = all_wanted(leading, words_per(COUNT)), all_cost(leading, words_per(COUNT))

    def program(party: Party, bits: SharedBits) -> tuple[SharedBits, Any]:
        masks = iter(Preparation(party, wanted).ready())
        assert party.rounds == max((chain.length - 1 for chain, _ in wanted), default=0)
        before = party.rounds
        found = all_ahead(party, bits, masks)
        return found, party.rounds - before

    found, rounds = evaluate(program, shared_bits(flags))
    np.testing.assert_array_equal(found, flags.all(axis=0))
    assert rounds == costs.rounds == len(and_levels(leading))


def test_a_chain_takes_as_many_gates_as_ands_one_after_the_other() -> None:
    for size in (2, 3, 4):
        kinds = masks_cost([(and_of(size), 5)]).correlations.counts
        assert sum(kinds.values()) == 5 * (size - 1)


def test_costs_are_what_is_sent_and_drawn() -> None:
    wanted = [(Chain((1, 2, 2)), 3), (Chain((3,)), 6), (Chain((1, 1)), 3)]

    def program(party: Party, _: Any) -> tuple[int, int, Any, int]:
        counting = CountingSource(party.source)
        party.source = counting
        ahead = Preparation(party, wanted)
        sent = 0
        for _ in range(2):
            words = ahead.outgoing()
            sent += words.size
            ahead.incoming(party.exchange(words))
        jobs = [
            (masks, np.zeros((chain.bits, words), np.uint64))
            for masks, (chain, words) in zip(ahead.masks, wanted, strict=True)
        ]
        ends = chains_at_once(party, jobs, 64 * 3)
        return sent, chains_cost(wanted).label_words, counting.budget, sum(e.size for e in ends)

    sent, opened, budget, ends = evaluate(program, (None, None))
    assert sent == masks_cost(wanted).label_words == masks_cost(wanted).feature_words
    assert opened == sum(chain.bits * words for chain, words in wanted)
    assert budget == masks_cost(wanted).correlations
    assert ends == 3 * 3 + 6 + 2 * 3


def test_masks_serve_once() -> None:
    def program(party: Party, bits: SharedBits) -> SharedBits:
        (masks,) = Preparation(party, [(Chain((1,)), words_per(COUNT))]).ready()
        chains_at_once(party, [(masks, bits.words)], COUNT)
        with pytest.raises(SecureXGBError, match="serve once"):
            chains_at_once(party, [(masks, bits.words)], COUNT)
        return bits

    evaluate(program, shared_bits(np.zeros((2, COUNT), np.int64)))


@pytest.mark.parametrize("levels", [(), (0,), (4,), (1, 4)])
def test_chains_of_other_lengths_are_refused(levels: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="1 to 3 bits of a chain"):
        Chain(levels)
