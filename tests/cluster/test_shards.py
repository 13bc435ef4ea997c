"""Rows in shards give the trees that they give in one place, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.continued.going_on import going_on
from securexgb.boost.costs.trees import row_parts, tree_parts
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.grower import grow_trees
from securexgb.boost.params import TrainingParams
from securexgb.cluster.local import LocalShards
from securexgb.cluster.parts import check_shards, shard_rows
from securexgb.cluster.rows import RowCounts, ShardedRows
from securexgb.cluster.shard import Shard
from securexgb.correlations.counting import CountingSource
from securexgb.correlations.prices import DEALT
from securexgb.correlations.transfers import Transfers
from securexgb.errors import DataError, SecureXGBError, UsageError
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.resuming.checkpoint import CheckpointStore
from securexgb.jobs.simulation import simulate_parties
from securexgb.jobs.training import begin, train
from securexgb.model.digest import trees_sha256
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.reveals import Reveal
from securexgb.offline.method import Method
from tests.boost.data import jobs, same_model, sides, table

ROWS = 467
SMALL = TrainingParams(n_estimators=2, max_depth=2, max_bin=8)
FEATURES, LABELS = table(ROWS, missing=0.1)
WEIGHTS = np.random.default_rng(0).uniform(0, 1, ROWS)
SEEN, SEEN_LABELS = table(70, missing=0.1, seed=4)
TEST = sides(SEEN, SEEN_LABELS, 2)
Both = Sequence[TrainingJob]
Halves = tuple[ModelHalf, ModelHalf]


def in_shards(
    given: Both,
    shards: int | None,
    method: Method | None = None,
    stores: Sequence[Sequence[CheckpointStore]] | None = None,
    seed: int = 0,
) -> Halves:
    """Both halves, of rows in so many shards, or in the two parties' own processes."""
    workers = None if shards is None else LocalShards(given, shards, seed, method, stores)

    def program(party: Party, job: TrainingJob) -> ModelHalf:
        if workers is None:
            return train(party, job)
        with workers.rows(party) as rows:
            return train(party, replace(job, row_side=lambda _: rows))

    return simulate_parties(program, given, seed, method, workers).results


def weighted(params: TrainingParams = SMALL, labels: np.ndarray = LABELS) -> Both:
    return jobs(params, sides(FEATURES, labels, 2, WEIGHTS), {"test": TEST})


def with_categories() -> Both:
    """The first column of each side holds categories."""
    params = replace(SMALL, enable_categorical=True)
    features = FEATURES.copy()
    features[:, [0, 2]] = np.random.default_rng(1).integers(0, 5, (ROWS, 2))
    names = {"x0": tuple("abcde")}, {"x2": tuple("vwxyz")}
    label, feature = sides(features, LABELS, 2)
    data = replace(label, categories=names[0]), replace(feature, categories=names[1])
    return jobs(params, data)


def three_classes() -> Both:
    labels = LABELS + (FEATURES[:, 1] > 0.5)
    params = replace(SMALL, objective="multi:softprob", num_class=3)
    return jobs(params, sides(FEATURES, labels, 2, WEIGHTS))


def numbers_to_learn() -> Both:
    """From margins that rows begin with."""
    params = replace(
        SMALL, objective="reg:squarederror", target_exponent=2, base_margin_bound=4.0
    )  # fmt: skip
    targets = LABELS * 3 - np.nan_to_num(FEATURES[:, 1]).clip(-1, 1)
    label, feature = sides(FEATURES, targets, 2)
    own = replace(label, base_margin=WEIGHTS - 2), feature
    test = replace(TEST[0], base_margin=SEEN_LABELS), TEST[1]
    return jobs(params, own, {"test": test})


@cache
def whole_trees(splits: Any = "owner", trees: int = 2) -> str:
    """The digest of what grows where rows are in one place."""
    given = weighted(replace(SMALL, splits=splits, n_estimators=trees))
    return trees_sha256(in_shards(given, None))


CASES = {
    "sampled": lambda: weighted(replace(SMALL, subsample=0.6, colsample_bynode=0.7)),
    "hidden": lambda: weighted(replace(SMALL, splits="hidden", importance="gain")),
    "categories": with_categories,
    "classes": three_classes,
    "regression": numbers_to_learn,
}


@pytest.mark.parametrize("case", CASES)
def test_trees_are_the_same_for_any_number_of_shards(case: str) -> None:
    given = CASES[case]()
    whole = in_shards(given, None)
    for shards in (1, 2, 4, 7) if case == "sampled" else (3,):
        found = in_shards(given, shards)
        assert same_model(found, whole)
        assert trees_sha256(found) == trees_sha256(whole)
        assert found[0].history == whole[0].history


@pytest.mark.parametrize("splits", ["owner", "hidden"])
@pytest.mark.parametrize("offline", ["two-party", "dealt"])
def test_however_correlations_are_made(splits: str, offline: Any) -> None:
    """Pads have noise, of which nothing is left in trees; products are made once, by the heads."""
    given = weighted(replace(SMALL, splits=splits))
    assert trees_sha256(in_shards(given, 2, Method(offline=offline))) == whole_trees(splits)


def test_a_dealer_that_masks_matrices_serves_each_shard() -> None:
    found = in_shards(weighted(), 2, Method(algorithm="ss", offline="dealt"))
    assert trees_sha256(found) == whole_trees()


def test_the_best_trees_are_measured_on_all_rows_in_shards() -> None:
    """What a training stops early with is scored by the shards."""
    params = replace(
        SMALL, n_estimators=4, early_stopping_rounds=1, eval_metric="auc",
        auc_rows=50,
    )  # fmt: skip
    opposite = sides(SEEN, 1 - SEEN_LABELS, 2)
    given = jobs(params, sides(FEATURES, LABELS, 2), {"test": opposite})
    whole, found = in_shards(given, None), in_shards(given, 3)
    assert len(whole[0].best_rounds) < len(whole[0].rounds)
    assert found[0].whole_auc == whole[0].whole_auc != {}


def test_a_training_goes_on_from_an_earlier_model() -> None:
    first = in_shards(weighted(), 2)
    given = [
        replace(job, params=going_on(SMALL, old), old=old)
        for job, old in zip(weighted(), first, strict=True)
    ]
    found = in_shards(given, 4)
    assert len(found[0].trees) == 4
    assert trees_sha256(found) == whole_trees(trees=4)


class Crash(TrainingCallback):
    """Fails when a tree has been grown, before it is kept."""

    def after_iteration(self, model: ModelHalf, epoch: int, evals_log: Any) -> bool:
        if epoch == 2:
            raise RuntimeError("killed")
        return False


@pytest.mark.parametrize("lost", [False, True])
def test_shards_keep_their_margins(tmp_path: Path, lost: bool) -> None:
    """A training is resumed from them; a shard that has lost them gets them from the trees."""
    params = replace(SMALL, n_estimators=4)

    def run(*, resume: bool, crash: bool = False, seed: int = 0) -> Halves:
        given = [
            replace(
                job,
                store=CheckpointStore(tmp_path / f"head {rank}"),
                resume=resume,
                callbacks=(Crash(),) if crash and rank else (),
            )
            for rank, job in enumerate(weighted(params))
        ]
        stores = [
            [CheckpointStore(tmp_path / f"shard {rank} {number}") for number in (0, 1)]
            for rank in (0, 1)
        ]
        return in_shards(given, 2, None, stores, seed)

    with pytest.raises(RuntimeError, match="killed"):
        run(resume=False, crash=True)
    kept = sorted(path.name for path in (tmp_path / "shard 1 0").iterdir())
    assert kept == ["margins-1.npz", "margins-2.npz", "state.json"]
    assert not list((tmp_path / "head 0").glob("margins*"))
    if lost:
        for path in (tmp_path / "shard 1 0").iterdir():
            path.unlink()
    # What the coins of the first run decide goes on in the second.
    assert trees_sha256(run(resume=True, seed=5)) == whole_trees(trees=4)
    (tmp_path / "shard 0 1").rename(tmp_path / "moved")
    (tmp_path / "shard 0 0").rename(tmp_path / "shard 0 1")
    (tmp_path / "moved").rename(tmp_path / "shard 0 0")
    with pytest.raises(DataError, match="of another training, or of other rows"):
        run(resume=True)


def test_where_a_shard_fails_both_heads_hear_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    split = Shard._split

    def failing(self: Shard, said: Any) -> Any:
        if self._party.rank == 1 and self._rows.margins(slice(1)).shape[1] and said.arrays:
            raise OSError("no memory left")
        return split(self, said)

    monkeypatch.setattr(Shard, "_split", failing)
    with pytest.raises(OSError, match="no memory"):
        in_shards(weighted(), 2)


def test_what_heads_and_shards_tell_does_not_grow_with_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor with what is sent between the heads: but for metrics and base scores."""
    told: dict[int, list[int]] = {}

    class Counting:
        def __init__(self, handle: Any, sizes: list[int]) -> None:
            self.handle, self.number, self.sizes = handle, handle.number, sizes

        def ask(self, command: bytes) -> None:
            self.sizes.append(len(command))
            self.handle.ask(command)

        def answer(self) -> bytes:
            self.sizes.append(len(answer := self.handle.answer()))
            return answer

    def run(rows: int) -> int:
        features, labels = np.tile(FEATURES, (3, 1))[:rows], np.tile(LABELS, 3)[:rows]
        given = jobs(SMALL, sides(features, labels, 2))
        workers = LocalShards(given, 2, 0, None)
        sizes = told.setdefault(rows, [])

        def program(party: Party, job: TrainingJob) -> ModelHalf:
            with workers.rows(party) as inner:
                handles = [Counting(shard, sizes) for shard in inner._shards]
                counts = RowCounts(job.data.count)
                of = ShardedRows(party, handles, counts)
                return train(party, replace(job, row_side=lambda _: of))

        return simulate_parties(program, given, 0, None, workers).costs.online_bytes

    run(300), run(1200)
    few, many = told[300], told[1200]
    assert len(few) == len(many)
    # Headers have row counts and seconds in decimal digits.
    assert abs(sum(few) - sum(many)) < 60 * len(few)


def test_a_shard_that_opens_something_ends_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def opening(self: Shard, said: Any) -> Any:
        self._party.ledger.record(Reveal.METRIC, "both", 1)
        return said

    monkeypatch.setattr(Shard, "_gradients", opening)
    with pytest.raises(SecureXGBError, match="opened something"):
        in_shards(weighted(), 2)


def test_rows_are_divided_at_multiples_of_64() -> None:
    for rows, shards in [(467, 7), (448, 7), (64, 1), (1_000_000, 13), (10, 4)]:
        parts = shard_rows(rows, shards)
        assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
        assert parts[-1].stop == rows
        assert all(part.start % 64 == 0 or part.start == rows for part in parts)
        assert max(p.stop - p.start for p in parts) - min(p.stop - p.start for p in parts) <= 128
    check_shards(467, 8)
    for rows, shards in [(467, 9), (467, 0), (1 << 20, 257)]:
        with pytest.raises(UsageError):
            check_shards(rows, shards)


def test_a_shard_with_other_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def short(self: LocalShards, party: Party) -> Any:
        yield ShardedRows(party, self._handles[party.rank], RowCounts(ROWS - 1, (70,)))

    monkeypatch.setattr(LocalShards, "rows", short)
    with pytest.raises(DataError, match="its head counts"):
        in_shards(weighted(), 2)


def test_rows_that_are_not_in_memory_need_shards() -> None:
    class Table:
        count = 5

    job = TrainingJob(SMALL, Table())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="read by shards"):
        job.rows(None)  # type: ignore[arg-type]


class Told(CountingSource):
    """``words``: of transfers that were announced."""

    words = 0

    def begin_job(self, words: int) -> None:
        self.words += words
        super().begin_job(words)


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_heads_and_pairs_of_shards_cost_what_is_predicted(splits: Any) -> None:
    """Of a tree: what heads take does not depend on rows, and a pair's is that of its own rows."""
    params = replace(SMALL, max_depth=3, splits=splits)
    given = jobs(params, sides(FEATURES, LABELS, 2), {"test": TEST})
    workers = LocalShards(given, 2, 0, None)
    pairs = [*workers.pairs]
    for party in (party for pair in pairs for party in pair):
        party.source = Told(party.source)

    def spent(pair: Sequence[Party]) -> list[Any]:
        sent = [party.channel.traffic.bytes_sent for party in pair]
        return [pair[0].rounds, *sent, pair[0].source.budget]

    def program(party: Party, job: TrainingJob) -> tuple[list[Any], list[list[Any]], Any]:
        party.source = CountingSource(party.source)
        with workers.rows(party) as rows:
            state = begin(party, replace(job, row_side=lambda _: rows))
            rows.gradients(0)
            party.exchange_bytes(b"")  # both sides' shards have ended, so they may be read
            before = spent([party]), [spent(pair) for pair in pairs]
            party.exchange_bytes(b"")
            halves = grow_trees(party, state.tree_job(0, np.arange(5)), rows)
            party.exchange_bytes(b"")
            after = spent([party]), [spent(pair) for pair in pairs]
            party.exchange_bytes(b"")
            return before, after, (halves, state.model.layout)

    results = simulate_parties(program, given, 0, None, workers).results
    before, after, (halves, layout) = results[0]
    labels = [0, 0, 0]
    if splits == "owner":
        labels = [int((halves[0].owners[(1 << k) - 1 : (2 << k) - 1] == 0).sum()) for k in range(3)]
    for number, (rows, seen) in enumerate(zip(shard_rows(ROWS, 2), shard_rows(70, 2), strict=True)):
        count = rows.stop - rows.start, seen.stop - seen.start
        parts = row_parts(params, layout, labels, 0, *count)
        expected = sum(parts.values(), Cost())
        was, now = before[1][number], after[1][number]
        assert now[0] - was[0] == expected.rounds
        assert now[1] - was[1] == 8 * expected.label_words
        assert now[2] - was[2] == 8 * expected.feature_words
        assert now[3] == was[3] + expected.correlations
        # Of so much each pair of workers has known before the first tree.
        moved = sum(count for kind, count in now[3].counts.items() if isinstance(kind, Transfers))
        source = pairs[number][0].source
        assert isinstance(source, Told)
        assert 0 < 64 * source.words <= params.n_estimators * moved
    expected = sum(tree_parts(params, layout, 5, tuple(labels), DEALT, 0).values(), Cost())
    was, now = before[0], after[0]
    assert now[0] - was[0] == expected.rounds + 2  # the two empty messages above
    assert now[1] - was[1] == 8 * expected.label_words
    assert now[2] == was[2] + expected.correlations
