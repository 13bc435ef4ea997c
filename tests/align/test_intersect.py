"""Private set intersection: right on every kind of two sets, and errors at both sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from securexgb import _kernels
from securexgb.align import sizes as public
from securexgb.align.cost import intersection_cost
from securexgb.align.count import count_common
from securexgb.align.intersect import Intersection, Limits, intersect
from securexgb.errors import DataError, SecureXGBError, UsageError
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.testing.harness import insecure_parties, run_both, run_parties
from tests.mpc.kit import ENOUGH, Recording, assert_uniform, recorded

COIN = b"\7" * 32
LIMITS = Limits(min_common=1, max_keys=1 << 20)
Keys = list[bytes]


def keys(numbers: Sequence[int]) -> Keys:
    return [b"customer %d" % number for number in numbers]


def aligned(
    label: Keys, feature: Keys, limits: Limits = LIMITS, seed: int = 0
) -> list[Intersection]:
    return run_parties(
        lambda party, own: intersect(party, own, limits, COIN), [label, feature], seed=seed
    )


def assert_common(label: Keys, feature: Keys, found: list[Intersection]) -> None:
    """Both sides name the same keys in the same order, and they are the common ones."""
    rows = [
        [own[row] for row in side.rows] for own, side in zip((label, feature), found, strict=True)
    ]
    assert rows[0] == rows[1]
    assert len(rows[0]) == found[0].common == found[1].common
    assert set(rows[0]) == set(label) & set(feature)


@pytest.mark.parametrize(
    ("label", "feature"),
    [
        (range(100), range(50, 200)),
        (range(150), range(99, 200)),
        (range(300), range(300)),
        ([5], range(1000)),
        (range(1000), [999]),
        (range(50), range(25, 20_000)),
        ([3], [3]),
        (range(20_000), range(10_000, 31_000)),
    ],
)
def test_common_keys_are_found(label: Sequence[int], feature: Sequence[int]) -> None:
    draw = np.random.default_rng(1)
    both = keys(list(draw.permutation(label))), keys(list(draw.permutation(feature)))
    assert_common(*both, aligned(*both))


def test_keys_are_any_bytes() -> None:
    label = [b"", b"\xff\xfe", b"x" * 1000, "Müller".encode(), b"007"]
    feature = ["Müller".encode(), b"7", b"x" * 1000, b"\0", b"\xff\xfe"]
    assert_common(label, feature, aligned(label, feature))


def test_the_order_follows_from_the_keys_and_the_coin_alone() -> None:
    first = aligned(keys(range(100)), keys(range(50, 200)), seed=1)
    again = aligned(keys(range(99, -1, -1)), keys(range(50, 200)), seed=2)
    assert (99 - again[0].rows == first[0].rows).all()
    assert (again[1].rows == first[1].rows).all()


def failures(
    label: Keys, feature: Keys, limits: Limits = LIMITS
) -> list[tuple[SecureXGBError | Intersection, int]]:
    """What each side ends with, after how many rounds."""

    def run(party: Party, own: Keys) -> Any:
        try:
            found: Any = intersect(party, own, limits, COIN)
        except SecureXGBError as error:
            found = error
        return found, party.rounds

    return run_both(run, insecure_parties(0), [label, feature])


@pytest.mark.parametrize(
    ("label", "feature", "limits", "kind", "says"),
    [
        (range(10), range(10, 30), LIMITS, DataError, "fewer than 1 keys are in common"),
        (range(30), range(25, 40), Limits(6, 100), DataError, "fewer than 6 keys are in common"),
        (range(10), range(101), Limits(1, 100), UsageError, "the feature party has 101 keys"),
        (range(3), range(100), Limits(4, 100), DataError, "the label party has 3 keys"),
        ([], range(100), LIMITS, DataError, "the label party has 0 keys"),
    ],
)
def test_both_sides_stop(
    label: Sequence[int], feature: Sequence[int], limits: Limits, kind: type, says: str
) -> None:
    """Where the counts alone say so, nothing else was sent."""
    for rank, (error, rounds) in enumerate(failures(keys(label), keys(feature), limits)):
        assert (rounds == 1) == ("party has" in says)
        assert type(error) is kind
        assert says in str(error)
        assert str(error).startswith(("label party:", "feature party:")[rank])


def test_equal_keys_are_refused_before_anything_is_sent() -> None:
    party, _ = insecure_parties(0)
    with pytest.raises(DataError, match="label party: rows 2 and 4 have the same key"):
        intersect(party, [b"a", b"b", b"c", b"b"], LIMITS, COIN)
    assert party.channel.traffic.bytes_sent == 0


def small_buckets(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(public, "BUCKET", size)


class Dictionary:
    """A store that remembers, and may break down."""

    def __init__(self, fails_after: int = 1 << 30) -> None:
        self.kept: dict[int, bytes] = {}
        self.saved: list[int] = []
        self._left = fails_after

    def load(self, bucket: int) -> bytes | None:
        return self.kept.get(bucket)

    def save(self, bucket: int, bits: bytes) -> None:
        self._left -= 1
        if self._left < 0:
            raise InterruptedError
        self.kept[bucket] = bits
        self.saved.append(bucket)


def test_buckets_give_the_same_and_tell_how_far_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    label, feature = keys(range(3000)), keys(range(1000, 8000))
    whole = aligned(label, feature)
    small_buckets(monkeypatch, 1000)
    told: list[tuple[int, int]] = []

    def run(party: Party, own: Keys) -> Intersection:
        progress = (lambda done, of: told.append((done, of))) if party.rank == 0 else None
        return intersect(party, own, LIMITS, COIN, progress=progress)

    found = run_parties(run, [label, feature])
    assert told == [(i + 1, 7) for i in range(7)]
    for side, other in zip(whole, found, strict=True):
        assert (side.rows == other.rows).all()


@pytest.mark.parametrize("failing", [0, 1])
def test_finished_buckets_are_not_done_again(monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    small_buckets(monkeypatch, 500)
    both = keys(range(2000)), keys(range(1000, 3000))
    stores = [Dictionary(2), Dictionary(2)]
    stores[1 - failing] = Dictionary()

    def run(party: Party, own: Keys) -> Intersection:
        return intersect(party, own, LIMITS, COIN, store=stores[party.rank])

    with pytest.raises(InterruptedError):
        run_parties(run, both)
    finished = set(stores[failing].saved)
    again = [Dictionary(), Dictionary()]
    for old, new in zip(stores, again, strict=True):
        new.kept = dict(old.kept)
    stores[:] = again
    found = run_parties(run, both, seed=1)
    assert_common(*both, found)
    assert [set(store.saved) for store in stores] == [set(range(4)) - finished] * 2
    # Another run with other keys takes nothing of it.
    stores[:] = [Dictionary(), Dictionary()]
    for old, new in zip(again, stores, strict=True):
        new.kept = dict(old.kept)
    others = keys(range(1000, 3000)), both[1]
    assert_common(*others, run_parties(run, others, seed=2))
    assert stores[0].saved == stores[1].saved == [0, 1, 2, 3]


def test_buckets_of_two_runs_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    """One side kept a bucket of a run whose other side did not: it is done again."""
    small_buckets(monkeypatch, 500)
    both = keys(range(1000)), keys(range(500, 1500))
    runs = []
    for seed in (1, 2):
        stores = [Dictionary(), Dictionary()]
        runs.append(stores)
        run_parties(
            lambda party, own: intersect(party, own, LIMITS, COIN, store=stores[party.rank]),  # noqa: B023
            both,
            seed=seed,
        )
    mixed = [runs[0][0], runs[1][1]]
    for store in mixed:
        store.saved.clear()
    found = run_parties(
        lambda party, own: intersect(party, own, LIMITS, COIN, store=mixed[party.rank]),
        both,
        seed=3,
    )
    assert_common(*both, found)
    assert mixed[0].saved == mixed[1].saved == [0, 1]


def test_dependent_rows_are_a_new_try(monkeypatch: pytest.MonkeyPatch) -> None:
    encode, tries = _kernels.okvs_encode, []

    def fails_once(*arguments: Any) -> Any:
        tries.append(arguments)
        return None if len(tries) == 1 else encode(*arguments)

    monkeypatch.setattr(_kernels, "okvs_encode", fails_once)
    both = keys(range(100)), keys(range(50, 200))
    assert_common(*both, aligned(*both))
    assert len(tries) == 2
    assert (tries[0][0] != tries[1][0]).any()


def test_the_ledger_has_what_was_shown() -> None:
    parties = insecure_parties(0)
    both = keys(range(100)), keys(range(50, 200))
    run_both(lambda party, own: intersect(party, own, LIMITS, COIN), parties, both)
    for party in parties:
        assert party.ledger.entries == {(Reveal.COMMON_MEMBERS, "both"): 50}


@pytest.mark.parametrize(("sample", "expected"), [(False, 100), (True, 100)])
def test_only_the_size_is_counted(sample: bool, expected: int) -> None:
    parties = insecure_parties(0)
    both = keys(range(200)), keys(range(100, 400))
    found = run_both(
        lambda party, own: count_common(party, own, LIMITS, sample=sample), parties, both
    )
    assert [(size.common, size.one_in) for size in found] == [(expected, 1)] * 2
    for party in parties:
        assert party.ledger.entries == {(Reveal.COMMON_SIZE, "both"): 1}


def test_a_sample_is_near_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("securexgb.align.count.SAMPLE", 500)
    both = keys(range(4000)), keys(range(2000, 6000))
    found = run_parties(lambda party, own: count_common(party, own, LIMITS), both)
    assert found[0] == found[1]
    assert found[0].one_in == 8
    assert abs(found[0].common - 2000) < 4 * found[0].deviation


def transcript(
    label: Keys, feature: Keys, seed: int = 0, sample: bool | None = None
) -> tuple[Recording, Recording]:
    """What both ends sent; a count where ``sample`` is given."""

    def run(party: Party, own: Keys) -> Any:
        if sample is None:
            return intersect(party, own, LIMITS, COIN)
        return count_common(party, own, LIMITS, sample=sample)

    return recorded(run, [label, feature], seed)[1]


@pytest.mark.parametrize("sample", [None, True])
def test_tags_and_sizes_follow_from_the_counts_alone(
    monkeypatch: pytest.MonkeyPatch, sample: bool | None
) -> None:
    small_buckets(monkeypatch, 1000)
    monkeypatch.setattr("securexgb.align.count.SAMPLE", 100)
    pairs = [
        (keys(range(700)), keys(range(600, 1900))),
        (keys(range(700)), keys(range(1300))),
        ([b"\0" * i for i in range(700)], [b"\0" * i for i in range(699, 1999)]),
    ]
    shapes = [[end.shape for end in transcript(*pair, i, sample)] for i, pair in enumerate(pairs)]
    assert shapes[0] == shapes[1] == shapes[2]


@pytest.mark.parametrize(
    ("label", "feature", "bucket"),
    [(1, 1, 1000), (700, 1300, 1000), (9000, 9000, 1 << 20), (30_000, 20_000, 8_000)],
)
def test_costs_are_as_declared(
    monkeypatch: pytest.MonkeyPatch, label: int, feature: int, bucket: int
) -> None:
    """Direct elements, one stage, pools and pools made of pools; the counts are a round before."""
    small_buckets(monkeypatch, bucket)
    parties = insecure_parties(0)
    both = keys(range(label)), keys(range(feature))
    run_both(lambda party, own: intersect(party, own, LIMITS, COIN), parties, both)
    cost = intersection_cost((label, feature))
    sent = [party.channel.traffic.bytes_sent for party in parties]
    assert sent == [8 * (cost.label_words + 1), 8 * (cost.feature_words + 1)]
    assert {party.rounds for party in parties} == {cost.rounds + 1}


def test_messages_are_uniform_but_for_the_matches() -> None:
    """A + E at the receiver, the sums of trees and the corrections of transfers at either side."""
    label, feature = transcript(keys(range(15_000)), keys(range(14_000, 30_000)))
    for end in (label, feature):
        for tag, payload in end.sent:
            if len(payload) > ENOUGH and "hashes" not in tag and "reply" not in tag:
                assert_uniform(payload)
    assert any("encoding" in tag for tag, _ in label.sent)
    (answer,) = (payload for tag, payload in label.sent if "answer" in tag)
    assert int(np.unpackbits(np.frombuffer(answer, np.uint8)).sum()) == 1000


def test_messages_are_other_ones_in_every_run() -> None:
    """The same keys and the same order coin: nothing of a run comes again but counts."""
    both = keys(range(300)), keys(range(100, 400))
    runs = [transcript(*both, seed) for seed in (1, 2)]
    for ends in zip(*runs, strict=True):
        first, second = ({payload for _, payload in end.sent if len(payload) > 64} for end in ends)
        assert first
        assert not first & second
