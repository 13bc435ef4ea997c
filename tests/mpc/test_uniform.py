"""What a party receives, and its shares of what comes out, look uniform in every protocol."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from securexgb.boost.histogram import Histogram, NoisySums
from securexgb.boost.splits.leaves import Leaves, LevelSums
from securexgb.boost.splits.score import ChildSums
from securexgb.boost.splits.split import BestSplits
from securexgb.mpc.numbers.logarithm import Normalised
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared, SharedBits
from tests.costs.examples import EXAMPLES, prepare
from tests.mpc.kit import ENOUGH, assert_uniform, recorded

APART = ("align.", "hybrid.")
UNIFORM = [name for name in EXAMPLES if "._open" not in name and not name.startswith(APART)]
"""Ciphertexts are residues modulo primes, not whole words: tests/hybrid and
tests/security/test_ckks_attack.py look at those. Alignment sends points and sorted lists, and its
results are no shares: tests/align compares its transcripts."""
SILENT = "mpc.left_bits._fixed_left_bits"
"""Sends nothing itself; tests/offline/test_row_bits.py looks at what its correlations send."""
UNIFORM.remove(SILENT)
OPENED = "mpc.numbers.round_to._rounded_to"
"""Gives no shares: tests/mpc/test_round_to.py looks at what it opens."""
OWN_MARKS = "mpc.trees.leaf_sums.leaf_sums"
"""A side's shares follow from its own marks alone, and are masked before anything is sent of them:
those of ``leaf_values`` are looked at."""
SMALLER: dict[str, type[np.unsignedinteger[Any]]] = {
    "mpc.argmax.argmax": np.uint32,
    "boost.splits.split.best_splits": np.uint32,
    "boost.splits.score.scores": np.uint16,
    "mpc.trees.leaf_sums.leaf_values": np.uint32,
}
"""Results of these count modulo less than 2^64: what of each word is looked at."""


def own_words(result: Any, word: type[np.unsignedinteger[Any]]) -> Iterator[bytes]:
    """The shares within a result, of each word its lowest bits."""
    if isinstance(result, Shared):
        yield result.words.astype(word).tobytes()
    elif isinstance(result, SharedBits):
        # What lies past the elements carries no meaning.
        rows = result.words.reshape(-1, result.words.shape[-1]).view(np.uint8)
        bits = np.unpackbits(rows, axis=1, bitorder="little")[:, : result.count]
        yield np.packbits(bits).tobytes()[: bits.size // 8]
    elif isinstance(result, (tuple, BestSplits, Histogram, Leaves, NoisySums, Normalised)):
        for part in result if isinstance(result, tuple) else vars(result).values():
            yield from own_words(part, word)


def held_by(rank: int, pair: Any) -> Any:
    """The same secret in shares that are anything but uniform: one side has it, one zeros."""
    if isinstance(pair[0], (Histogram, ChildSums, LevelSums)):
        sums = [held_by(rank, [vars(part)[name] for part in pair]) for name in vars(pair[0])]
        return [type(pair[0])(*parts) for parts in zip(*sums, strict=True)]
    if isinstance(pair[0], (list, tuple)) and isinstance(pair[0][0], (LevelSums, SharedBits)):
        parts = [held_by(rank, both) for both in zip(*pair, strict=True)]
        return [tuple(side) for side in zip(*parts, strict=True)]
    if not isinstance(pair[0], (Shared, SharedBits)):
        return pair
    if isinstance(pair[0], Shared):
        holder = pair[0] + pair[1]
        other = Shared.zeros(*holder.shape)
    else:
        holder = pair[0] ^ pair[1]
        other = SharedBits(np.zeros_like(holder.words), holder.count)
    return (holder, other) if rank == 0 else (other, holder)


def run(name: str, seed: int, holder: int | None) -> list[tuple[bytes, bytes]]:
    """What each side sends, and its shares of the results."""
    module, function = name.rsplit(".", 1)
    protocol = getattr(importlib.import_module(f"securexgb.{module}"), function)
    arguments = EXAMPLES[name](np.random.default_rng(seed))
    if holder is not None:
        arguments = [held_by(holder, pair) for pair in arguments]

    def program(party: Party, given: list[Any]) -> tuple[int, bytes]:
        given = prepare(name, party, given)
        before = len(party.channel.sent)  # type: ignore[attr-defined]
        result = protocol(party, *given)
        return before, b"".join(own_words(result, SMALLER.get(name, np.uint64)))

    sides = [[pair[rank] for pair in arguments] for rank in (0, 1)]
    results, channels, _ = recorded(program, sides, seed)
    return [
        (b"".join(payload for _, payload in channel.sent[before:]), shares)
        for channel, (before, shares) in zip(channels, results, strict=True)
    ]


def collect(name: str, place: int, holder: int | None) -> tuple[bytes, bytes]:
    """For either side, enough of what it sends (0) or of its shares of results (1)."""
    label, feature = b"", b""
    for seed in range(2000):
        first, second = run(name, seed, holder)
        label, feature = label + first[place], feature + second[place]
        if min(len(label), len(feature)) >= ENOUGH:
            break
    return label, feature


@pytest.mark.parametrize("holder", [0, 1])
@pytest.mark.parametrize("name", UNIFORM)
def test_messages(name: str, holder: int) -> None:
    for payload in collect(name, 0, holder):
        assert_uniform(payload)


@pytest.mark.parametrize("name", [name for name in UNIFORM if name not in (OPENED, OWN_MARKS)])
def test_shares_of_results(name: str) -> None:
    for payload in collect(name, 1, None):
        assert_uniform(payload)


def test_the_chi_square_test_can_tell() -> None:
    with pytest.raises(AssertionError):
        assert_uniform(bytes(range(200)) * 50)
