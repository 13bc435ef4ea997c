"""What ``estimate`` and ``check`` foresee: exact where they say so, and made of the shapes that
training uses."""

from __future__ import annotations

import math
import re
from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from securexgb import _kernels
from securexgb.align.intersect import Limits, intersect
from securexgb.arith.prg import Prg
from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.continued.going_on import going_on
from securexgb.boost.costs.metrics import MeasuredSet, metric_cost, metrics_cost
from securexgb.boost.layout import Layout
from securexgb.boost.metrics.auc import EvaluationTargets
from securexgb.boost.metrics.evaluation import metric_value
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request
from securexgb.channel.memory import MemoryChannel, memory_pair
from securexgb.correlations.counting import CountingSource
from securexgb.correlations.kinds import KINDS
from securexgb.correlations.source import BucketMatrix
from securexgb.errors import MalformedFrame, UsageError
from securexgb.jobs.data.expected import gradients_cost
from securexgb.jobs.estimating.correlations import DryRun
from securexgb.jobs.estimating.estimate import PREDICTED_ROWS, estimate
from securexgb.jobs.estimating.job import Job
from securexgb.jobs.estimating.link import Link, measured, measuring_cost
from securexgb.jobs.estimating.machine import Machine, price
from securexgb.jobs.estimating.memory import memory_of, session_bytes
from securexgb.jobs.estimating.online import (
    closing_cost,
    measuring_a_model_cost,
    setup_cost,
    tree_cost,
)
from securexgb.jobs.estimating.words import auc_line, evaluation_warning
from securexgb.jobs.evaluation import measure
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.prediction import Predictor
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import side_data, simulate_parties
from securexgb.jobs.training import train
from securexgb.mpc.shared import Shared
from securexgb.offline.matrix_products import BfvMatrixProducts, matrix_bytes, stock_bytes
from securexgb.offline.method import Method
from securexgb.terms.job import JobTerms
from securexgb.testing.harness import run_both
from tests.cli.test_setup import Companies

PARAMS = TrainingParams(n_estimators=3, max_depth=2, max_bin=5, base_score=0.5, splits="owner")
TWO_PARTY, DEALT = Method(), Method(algorithm="ss", offline="dealt")
MACHINE = Machine()
WEIGHTED = {"weight_exponent": 0}
CLASSES = {"objective": "multi:softprob", "num_class": 5}
REGRESSION = {
    "objective": "reg:squarederror", "target_exponent": 0, "base_score": None,
    "eval_metric": ("rmse",), "metric_exponent": -9,
}  # fmt: skip


def job(method=TWO_PARTY, rows=4096, columns=(2, 1), evaluation_rows=(), **changes):
    params = replace(PARAMS, **changes)
    is_weighted = params.weight_exponent is not None
    layout = Layout.of(params, rows, columns, is_weighted)
    sets = [MeasuredSet(f"s{n}", count, is_weighted) for n, count in enumerate(evaluation_rows)]
    return Job(params, layout, method, tuple(sets), by_command=False, measures_link=False)


class Watch(TrainingCallback):
    """What a party has sent, and its rounds, before each tree and at the end."""

    def __init__(self, party):
        self.party, self.seen = party, []

    def look(self):
        account = self.party.source.account
        sent = self.party.channel.traffic.bytes_sent - account.channel_bytes
        self.seen.append((self.party.rounds, sent, account.channel_bytes))

    def before_iteration(self, model, epoch, evals_log):
        self.look()
        return False

    def after_training(self, model):
        self.look()
        return model


def table_of(of, rows):
    draws = np.random.default_rng(4)
    table = draws.normal(size=(rows, of.layout.total_columns))
    labels = (draws.random(rows) < 0.3).astype(float)
    weights = draws.random(rows) if of.layout.weights else None
    return Rows(table, tuple(f"c{i}" for i in range(table.shape[1])), labels, weights)


def sets_of(of):
    """The training set and those that are evaluated, each as both sides hold it."""
    whole, columns = table_of(of, of.all_rows), np.arange(of.layout.total_columns)
    sides = columns[: of.layout.label_columns], columns[of.layout.label_columns :]
    ends = np.cumsum([of.layout.rows, *(one.rows for one in of.sets)])
    parts = [whole.take(rows) for rows in np.split(np.arange(of.all_rows), ends)[:-1]]
    return [side_data(part, sides) for part in parts]


def run(of, then=lambda party, half, own: None):
    """Train; each side's half and what its ``Watch`` saw; and what ``then`` says of it."""
    data, *evals = sets_of(of)
    names = [one.name for one in of.sets]

    def program(party, own):
        watch, rank = Watch(party), party.rank
        sets = tuple((name, both[rank]) for name, both in zip(names, evals, strict=True))
        half = train(party, TrainingJob(of.params, own, sets, callbacks=(watch,)))
        return watch.seen, then(party, half, own)

    return simulate_parties(program, data, 1, of.method)


@pytest.mark.parametrize("splits", ["owner", "hidden"])
@pytest.mark.parametrize(
    ("method", "settings"),
    [
        (
            TWO_PARTY,
            {"missing_values": "refused", "max_bin": 16, "columns": (5, 5), "max_depth": 3},
        ),
        (DEALT, {"evaluation_rows": (700, 300), "eval_metric": ("logloss", "error", "auc")}),
        (DEALT, {"evaluation_rows": (500,), "missing_values": "refused", **REGRESSION}),
        (DEALT, {"evaluation_rows": (200,), "eval_metric": ("error", "logloss"), **WEIGHTED}),
        (
            DEALT,
            {"evaluation_rows": (200,), "eval_metric": ("auc",), "eval_every": 2, "auc_rows": 70},
        ),
        (TWO_PARTY, {"evaluation_rows": (300, 90), "evaluation_scores_to": "label"}),
    ],
)
def test_a_training_costs_what_is_foreseen(method, settings, splits):
    """Rounds to one, bytes to 1.5 hundredths (of so few rows that is a portion of a pool): before
    each tree and at the end, at both sides."""
    of = job(method, rows=1024, splits=splits, **settings)
    done = run(of)
    for rank, (seen, _) in enumerate(done.results):
        found, trees = estimate(of, rank, machine=MACHINE), of.params.n_estimators
        expected = [found.setup + found.grown(0, count) for count in range(trees + 1)]
        expected[-1] += found.closing
        assert [rounds for rounds, *_ in seen] == [phase.rounds for phase in expected]
        if method == TWO_PARTY:
            _, online, offline = seen[-1]
            assert online + offline == pytest.approx(expected[-1].sent, rel=0.015)
    words = [tree_cost(of, is_first=first) for first in (True, False, False)]
    assert found.trees == len(words) == 3
    online = sum(seen[-1][1] for seen, _ in done.results)
    metrics = 8 * (of_metrics(of).label_words + of_metrics(of).feature_words)
    end = closing_cost(of)
    grown = 8 * (end.label_words + end.feature_words)
    grown += sum(8 * (one.label_words + one.feature_words) for one in words)
    measured = -(-3 // of.params.eval_every)
    assert online == pytest.approx(grown + measured * metrics, rel=0.01, abs=4000)


@pytest.mark.parametrize(("round_words", "trees"), [(31_250, 2), (0, 1)])
def test_what_the_first_trees_take_is_ordered_before_them(round_words, trees):
    """On a slow link all that two take, else of what finding the first one's splits takes."""
    of = job(TWO_PARTY, rows=600, splits="hidden", max_depth=3)

    def program(party, own):
        party.round_words = round_words
        source, seen = party.source, []
        begin = source.begin_tree

        def look(remaining):
            used = source._supplies
            seen.append(
                {k: (q.requested, q.taken - used[k].left) for k, q in source._queues.items()}
            )
            begin(remaining)

        source.begin_tree = look
        train(party, TrainingJob(of.params, own))
        return seen

    (data,) = sets_of(of)
    for seen in simulate_parties(program, data, 1, of.method).results:
        assert trees == 1 or seen[0].keys() == seen[2].keys()
        for kind, (ordered, _) in seen[0].items():
            _, taken = seen[trees][kind]
            assert taken <= ordered or not round_words, kind
            assert ordered <= 1.5 * taken + 512, kind
        assert len(seen[0]) > 15


def test_messages_that_wait_for_each_other_are_foreseen(monkeypatch):
    """On the stream of transfers: each message is stamped with the length of the chain it ends."""
    chains, stamps = {0: 0, 1: 0}, {0: deque(), 1: deque()}
    send, receive = MemoryChannel.send, MemoryChannel.receive

    def sent(self, tag, *given):
        if "/transfers/" in tag:
            stamps[self._rank].append(chains[self._rank] + 1)
        send(self, tag, *given)

    def received(self, tag, at_most):
        payload = receive(self, tag, at_most)
        if "/transfers/" in tag:
            chains[self._rank] = max(chains[self._rank], stamps[1 - self._rank].popleft())
        return payload

    monkeypatch.setattr(MemoryChannel, "send", sent)
    monkeypatch.setattr(MemoryChannel, "receive", received)
    of = job(TWO_PARTY, rows=600, splits="owner")
    run(of)
    dry, trees = DryRun(of, MACHINE), of.params.n_estimators
    for tree in range(trees):
        dry.round(tree_cost(of, is_first=tree == 0).correlations, trees - tree)
    assert dry.sent.messages == pytest.approx(max(chains.values()), rel=0.15)


def of_metrics(of):
    return metrics_cost(of.params, of.sets)


def test_importance_costs_what_is_foreseen():
    of = job(DEALT, rows=200, splits="hidden", importance="gain")
    (seen, _), _ = run(of).results
    assert seen[-1][0] == estimate(of, 0, machine=MACHINE).training().rounds


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_going_on_from_a_model_costs_its_scores(splits):
    of = job(DEALT, rows=300, evaluation_rows=(100,), splits=splits, eval_metric=("error",))

    def then(party, half, own):
        params = going_on(replace(of.params, n_estimators=1), half)
        watch, sets = Watch(party), (("s0", own.take(np.arange(100))),)
        watch.look()
        train(party, TrainingJob(params, own, sets, callbacks=(watch,), old=half))
        (began, sent, _), (rounds, sent_then, _), *_, (ended, _, _) = watch.seen
        return rounds - began, sent_then - sent, ended - began, params

    for rank, (_, (rounds, sent, all_rounds, params)) in enumerate(run(of, then).results):
        more = replace(of, params=params)
        expected = setup_cost(more)
        assert rounds == expected.rounds
        words = expected.feature_words if rank else expected.label_words
        assert sent == pytest.approx(8 * words, rel=0.05, abs=3000)
        assert all_rounds == estimate(more, rank, machine=MACHINE).training().rounds


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_scores_and_metrics_of_a_model_cost_what_is_foreseen(splits):
    """Of hidden splits too, whose tables go before the first row."""
    of = job(rows=300, splits=splits, eval_metric=("auc", "logloss"))

    def then(party, half, own):
        watch = Watch(party)
        watch.look()
        rows = own.take(np.arange(PREDICTED_ROWS) % own.count)
        Predictor(party, half, Request()).margins(rows)
        watch.look()
        measure(party, half, "more", own, of.params.metrics)
        watch.look()
        return [[b - a for a, b in zip(*two, strict=True)]
                for two in zip(watch.seen, watch.seen[1:], strict=False)]  # fmt: skip

    for rank, (_, (scores, metrics)) in enumerate(run(of, then).results):
        found = estimate(of, rank, machine=MACHINE).prediction
        assert scores[0] == found.rounds
        rest = measuring_a_model_cost(of, of.layout.rows)
        assert metrics[0] == rest.rounds
        words = rest.feature_words if rank else rest.label_words
        assert metrics[1] == pytest.approx(8 * words, rel=0.01)
    of = replace(of, request=Request("both", 2))
    assert estimate(of, 0, machine=MACHINE).prediction.rounds == found.rounds


@pytest.mark.parametrize("rows", [1, 63, 1000])
@pytest.mark.parametrize("metric", ["logloss", "error", "rmse", "auc", "mlogloss", "merror"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_metrics_take_what_they_declare(metric, rows, is_weighted):
    """Words of either side, rounds, and correlations of each kind."""
    if metric == "auc" and is_weighted:
        return
    settings = REGRESSION if metric == "rmse" else CLASSES if metric.startswith("m") else {}
    params = replace(PARAMS, **settings)
    labels = np.arange(rows) % 2.0
    weights = np.arange(1.0, rows + 1) if is_weighted else None

    def program(party, _):
        counting = party.source = CountingSource(party.source)
        label = party.rank == 0
        truth = EvaluationTargets(
            rows, is_weighted, labels if label else None, weights if label else None
        )
        outputs = objective_of(params).outputs
        metric_value(party, metric, Shared.zeros(outputs, rows), truth, params)
        return party.rounds, party.channel.traffic.bytes_sent // 8, counting.budget

    if metric == "auc" and rows == 1:
        return
    (rounds, label, used), (_, feature, _) = simulate_parties(program, [None, None], 0).results
    declared = metric_cost(metric, MeasuredSet("s", rows, is_weighted), params)
    assert (rounds, label, feature) == (
        declared.rounds, declared.label_words, declared.feature_words,
    )  # fmt: skip
    assert used == declared.correlations


def test_rounds_of_gradients_are_those_of_blocks():
    few, many = (job(rows=rows) for rows in (2 << 17, 3 << 17))
    rounds = [gradients_cost(of.params, of.layout, of.rows).rounds for of in (few, many)]
    assert 2 * rounds[1] == 3 * rounds[0]


def test_seconds_follow_from_the_link_and_the_machine():
    of = job(evaluation_rows=(100,))
    near, far = (estimate(of, 0, Link(1e9, latency), MACHINE) for latency in (0.0, 0.02))
    assert far.tree.rounds == near.tree.rounds
    assert far.tree.seconds - near.tree.seconds == pytest.approx(0.02 * near.tree.rounds)
    assert far.first_tree.seconds - near.first_tree.seconds > 0.02 * near.first_tree.rounds
    slow = estimate(of, 0, Link(1e9, 0.02), replace(MACHINE, rounds=2.0, megabytes=2.0))
    assert slow.tree.seconds > far.tree.seconds
    assert slow.to_mapping()["training"]["rounds"] == far.training().rounds
    names = [line.name for line in far.largest]
    assert len(names) == 3
    assert [line.seconds for line in far.largest] == sorted(
        (line.seconds for line in far.largest), reverse=True
    )
    assert all(line.advice for line in far.largest)
    resumed = far.training(3, before=1)
    assert resumed.rounds == far.setup.rounds + 2 * (far.tree.rounds + far.evaluation.rounds)


def test_an_alignment_costs_what_is_foreseen():
    of = replace(job(rows=300), aligns=True)
    assert estimate(job(rows=300), 0, machine=MACHINE).align is None

    def program(party, _):
        keys = [b"%d" % number for number in range(300)]
        intersect(party, keys, Limits(min_common=1, max_keys=1000), bytes(16))
        return party.rounds, party.channel.traffic.bytes_sent

    for rank, (rounds, sent) in enumerate(simulate_parties(program, [None, None], 0).results):
        found = estimate(of, rank, machine=MACHINE).align
        assert (found.rounds, found.sent) == (rounds, sent)


def test_links_are_read():
    assert Link.parse("100Mbit/20ms") == Link(100e6, 0.02)
    assert Link.parse("1 Gbit/s / 0.5 ms") == Link(1e9, 0.0005)
    for wrong in ("100/20", "0Mbit/20ms", "1..2Mbit/3ms", "fast", ""):
        with pytest.raises(UsageError, match="is no link"):
            Link.parse(wrong)


def test_a_link_is_measured_alike_at_both_sides():
    def program(party, _):
        found = measured(party)
        return found, party.rounds, party.channel.traffic.bytes_sent

    label, feature = simulate_parties(program, [None, None], 0).results
    assert label[0] == feature[0]
    cost = measuring_cost()
    assert label[1:] == feature[1:] == (cost.rounds, 8 * cost.label_words)
    assert 0.0 <= label[0].latency < math.inf


@pytest.mark.parametrize("said", [b"", bytes(15), b"\xff" * 16])
def test_a_malformed_link_is_refused(said, monkeypatch):
    def program(party, _):
        exchange = party.exchange_bytes
        if party.rank:

            def wrong(payload):
                return exchange(said if len(payload) == 16 else payload)

            monkeypatch.setattr(party, "exchange_bytes", wrong)
            measured(party)
            return
        with pytest.raises(MalformedFrame, match="of the link is malformed"):
            measured(party)
        return

    simulate_parties(program, [None, None], 0)


def test_a_session_of_predictions_is_foreseen():
    """Tables of up to 8,192 nodes at a time, eight secrets: see docs/homomorphic.md, "Row bits"."""
    of = job(n_estimators=800, splits="hidden")
    found, bins = [session_bytes(of, rank) for rank in (0, 1)], PARAMS.max_bin + 1
    assert 800 * 3 <= 8 * 1024
    assert [held for held, _ in found] == [9 * 2048 * columns * bins for columns in (2, 1)]
    assert found[0][1] == 8 * 2048 * (3 * bins + 2)
    assert session_bytes(job(n_estimators=800), 0) == (0, 0)


def test_memory_of_the_products_matrix_is_that_of_the_arrays():
    rows, features, bins = 50, 3, 4
    matrix = np.random.default_rng(0).integers(0, bins, (rows, features)).astype(np.uint8)
    channels = memory_pair(30.0)
    ends = [
        BfvMatrixProducts(rank, channel, Prg(bytes(15) + bytes([rank])), 10_000)
        for rank, channel in enumerate(channels)
    ]

    of = BucketMatrix(0, rows, features * bins, bins, 35, 31)

    class End:
        def __init__(self, rank):
            self.rank, self.channel, self.ideal = rank, channels[rank], None

    def program(end, products):
        own = matrix if end.rank == 0 else None
        products.register_matrix(of, own)
        products.begin()
        made = products.vector_products(0, 8).products
        part = products._matrices[0].part
        return made, part.matrix if end.rank == 0 else None

    (made, held), _ = run_both(program, [End(0), End(1)], ends)
    noise = ends[0].noise_bits(of)
    assert held.nbytes == matrix_bytes(of, noise) == features * bins * 512 * (66 + 2 * noise)
    assert made.nbytes == stock_bytes(features * bins, 8)


def test_memory_grows_with_own_columns_times_bins():
    narrow, wide = (memory_of(job(columns=(own, 5)), 0) for own in (5, 105))
    bins = PARAMS.max_bin + 1
    grown = wide.matrix - narrow.matrix
    assert grown == 20 * narrow.matrix > 100 * bins * 4096 * 6
    assert wide.total - narrow.total > grown
    assert memory_of(job(columns=(5, 105)), 0).matrix == narrow.matrix
    masked = memory_of(job(DEALT, rows=1000, columns=(5, 7)), 0)
    assert masked.matrix == 8 * 1000 * 7 * bins


def test_every_kind_has_a_price_and_paillier_has_none():
    assert all(price(kind) > 0 for kind in KINDS)
    assert "Paillier" in estimate(job(Method(he="paillier")), 1, machine=MACHINE).lacks
    assert not estimate(job(rows=100), 1, machine=MACHINE).lacks


@pytest.mark.parametrize("newest", ["avx512", "avx512-ifma", "of a processor to come"])
def test_products_have_a_price_on_every_processor(monkeypatch, newest):
    monkeypatch.setattr(_kernels, "simd_paths", lambda: ["portable", "avx2", newest])
    assert MACHINE.products(100, 1, 100) > 0


def test_hidden_splits_take_row_correlations():
    owned, hidden = (
        estimate(job(rows=10_000, splits=splits), 0, machine=MACHINE).training()
        for splits in ("owner", "hidden")
    )
    # Owned splits are opened in a round a level, hidden ones look bins up in one; the last opening
    # goes beside the leaves.
    assert hidden.rounds == owned.rounds + 3
    assert hidden.bytes > owned.bytes
    assert hidden.seconds > owned.seconds


def test_own_columns_may_be_none_and_columns_may_be_sampled():
    assert memory_of(job(columns=(0, 3)), 0).matrix == 0
    half = tree_cost(job(columns=(4, 4), colsample_bytree=0.5))
    assert half.label_words < tree_cost(job(columns=(4, 4))).label_words


def row_columns(facts):
    """How many columns the data has, by the line that says so."""
    (row,) = [row for row in facts["checks"] if row["check"] == "data"]
    return int(re.search(r"(\d+) columns", row["detail"])[1])


def test_check_refuses_bins_that_hidden_splits_have_no_room_for(securexgb, tmp_path, monkeypatch):
    Companies(tmp_path, method={})
    monkeypatch.chdir(tmp_path / "bank")
    monkeypatch.setattr("securexgb.he.row_bits.MOST_BUCKETS", 10)
    done = securexgb("check", "--local", "--format", "json")
    assert done.code == 2
    failed = {row["check"]: row["detail"] for row in done.json["checks"] if row["status"] != "ok"}
    assert "more than the 10 that fit: use fewer bins" in failed["hidden splits"]


def test_check_says_it(securexgb, tmp_path, monkeypatch):
    Companies(tmp_path, method={})
    monkeypatch.chdir(tmp_path / "bank")
    done = securexgb("check", "--local", "--format", "json")
    assert done.code == 0
    (row,) = [row for row in done.json["checks"] if row["check"] == "cost"]
    assert row["status"] == "ok"
    assert "as many columns at the other side as here" in row["detail"]
    found = done.json["estimate"]
    assert found["tree"]["rounds"] > 0
    # Rows have no weights here, and are not reckoned as if they had.
    terms, columns = JobTerms.from_file(Path("job.toml")), row_columns(done.json)
    of = Job.of(terms, 60, (columns, columns), [], is_weighted=False)
    assert found["tree"]["rounds"] == tree_cost(of).rounds
    memory = found["memory"]
    needed = memory.pop("total")
    assert needed == sum(memory.values())
    limit = tmp_path / "memory.max"
    monkeypatch.setattr("securexgb.jobs.checks.CONTROL_GROUP", limit)
    for there, code, status, words in [
        ("max", 0, "ok", "this machine has"),
        (str(int(1.5 * needed)), 0, "warning", "more than half"),
        (str(int(0.9 * needed)), 2, "FAILED", "use fewer bins, columns, levels or rows"),
    ]:
        limit.write_text(there, encoding="ascii")
        done = securexgb("check", "--local", "--format", "json")
        (row,) = [row for row in done.json["checks"] if row["check"] == "cost"]
        assert (done.code, row["status"]) == (code, status)
        assert words in row["detail"]
    assert (
        f"some {needed / 1e9:.1f} GB, and this machine has {0.9 * needed / 1e9:.1f} GB"
        in (row["detail"])
    )


def test_estimate_says_it_without_the_other_side(securexgb, tmp_path, monkeypatch):
    Companies(tmp_path, method={})
    monkeypatch.chdir(tmp_path / "bank")
    text = securexgb("estimate", "--link", "100Mbit/20ms", "--rows", "5000", "--peer-columns", "7")
    assert text.code == 0
    for words in (
        "5,000 rows",
        "7 at the other side",
        "100 Mbit/s each way",
        "set-up",
        "changed by",
    ):
        assert words in text.stdout
    done = securexgb("estimate", "--rows", "5000", "--peer-columns", "7", "--format", "json").json
    assert (done["rows"], done["peer_columns"]) == (5000, 7)
    # The first tree has no sigmoid to wait for.
    assert done["training"]["rounds"] > (done["trees"] - 1) * done["tree"]["rounds"]
    refused = securexgb("estimate", "--link", "100Mbit/20ms", "--measure")
    assert (refused.code, securexgb("estimate", "--link", "near").code) == (2, 2)
    assert "give one of them" in refused.stderr


def test_metrics_that_take_more_than_the_tree_are_warned_of() -> None:
    def said(rows: int, **changes) -> str | None:
        of = job(evaluation_rows=(rows,), **changes)
        return evaluation_warning(estimate(of, 0, machine=MACHINE), of.params)

    assert "auc_rows = 2048" in str(said(20_000, eval_metric=("auc",)))
    assert said(50, eval_metric=("auc",), max_depth=4) is None


def test_terms_with_auc_come_with_its_figures() -> None:
    asked = replace(PARAMS, n_estimators=50, eval_metric=("auc",))
    assert "281 rounds" in str(auc_line(asked))
    assert auc_line(replace(asked, auc_rows=2048)) is None
    assert auc_line(PARAMS) is None
