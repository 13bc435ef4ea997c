"""What ``check`` foresees: exact where it says so, and made of the shapes that training uses."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from securexgb.arith.prg import Prg
from securexgb.boost.layout import Layout
from securexgb.boost.params import TrainingParams
from securexgb.channel.memory import memory_pair
from securexgb.correlations.kinds import KINDS
from securexgb.correlations.source import BucketMatrix
from securexgb.jobs.forecast import (
    Job,
    auc_line,
    auc_warning,
    forecast,
    gradients_cost,
    memory_of,
    price,
    whole_round_cost,
)
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import train_alone
from securexgb.offline.matrix_products import BfvMatrixProducts, matrix_bytes, stock_bytes
from securexgb.offline.method import Method
from securexgb.terms.job import JobTerms
from securexgb.testing.harness import run_both
from tests.cli.test_setup import Companies

PARAMS = TrainingParams(n_estimators=3, max_depth=2, max_bin=5, base_score=0.5, splits="owner")
TWO_PARTY, DEALT = Method(), Method(algorithm="ss", offline="dealt")


def job(method=TWO_PARTY, rows=4096, columns=(2, 1), evaluation_rows=0, **changes):
    params = replace(PARAMS, **changes)
    return Job(params, Layout.of(params, rows, columns, False), method, evaluation_rows)


def trained(of, trees):
    draws = np.random.default_rng(4)
    table = draws.normal(size=(of.all_rows, of.layout.total_columns))
    labels = (draws.random(of.all_rows) < 0.3).astype(float)
    whole = Rows(table, tuple(f"c{i}" for i in range(table.shape[1])), labels)
    sides = (np.arange(of.layout.label_columns), np.arange(of.layout.label_columns, table.shape[1]))
    rows, evals = np.arange(of.all_rows), []
    if of.evaluation_rows:
        evals = [("valid", whole.take(rows[of.layout.rows :]))]
    params, train = replace(of.params, n_estimators=trees), whole.take(rows[: of.layout.rows])
    return train_alone(params, train, sides, 1, evals, method=of.method)


@pytest.mark.parametrize("splits", ["owner", "hidden"])
@pytest.mark.parametrize(
    ("method", "missing"), [(TWO_PARTY, "refused"), (DEALT, "refused"), (DEALT, "allowed")]
)
def test_a_tree_more_costs_what_is_foreseen(method, missing, splits):
    """The third tree of three: what a job costs once falls out. (With two or three trees margins
    have the same number of bits.)"""
    of = job(method, rows=1024, missing_values=missing, splits=splits)
    two, three = (trained(of, trees).costs for trees in (2, 3))
    found = forecast(of, 0)
    assert three.online_bytes - two.online_bytes == pytest.approx(found.online_bytes, rel=0.01)
    assert three.rounds - two.rounds == pytest.approx(found.rounds, abs=3)
    # Gradients of the base are the label party's own: what is left of a tree is its growth.
    growth = whole_round_cost(of, is_first=True)
    assert (found.first_rounds, found.first_online_bytes) == (
        growth.rounds,
        8 * (growth.label_words + growth.feature_words),
    )
    assert 0 < two.online_bytes - found.online_bytes - found.first_online_bytes < 4000


def test_rounds_of_gradients_are_those_of_blocks():
    few, many = (job(rows=rows) for rows in (1 << 17, 3 << 17))
    rounds = [gradients_cost(of.params, of.layout).rounds for of in (few, many)]
    assert rounds[1] == 3 * rounds[0]


@pytest.mark.parametrize("splits", ["owner", "hidden"])
def test_evaluation_rows_cost_what_is_foreseen(splits, monkeypatch):
    """All but their metrics, which are apart."""
    monkeypatch.setattr("securexgb.boost.booster.metric_value", lambda *_: 0.5)
    of = job(DEALT, rows=1024, evaluation_rows=8192, splits=splits)
    two, three = (trained(of, trees).costs for trees in (2, 3))
    found, without = forecast(of, 0), forecast(replace(of, evaluation_rows=0), 0)
    assert three.online_bytes - two.online_bytes == pytest.approx(found.online_bytes, rel=0.01)
    assert found.online_bytes > 1.1 * without.online_bytes
    assert found.memory.total > without.memory.total
    if splits == "hidden":
        assert found.offline_bytes > without.offline_bytes


def test_a_session_of_predictions_is_foreseen():
    """Tables of 1,024 nodes at a time, one secret each: see docs/homomorphic.md, "Row bits"."""
    of = job(n_estimators=800, splits="hidden")
    found, bins = [forecast(of, rank) for rank in (0, 1)], PARAMS.max_bin + 1
    parts = -(-800 * 3 // 1024)
    assert [one.session_bytes for one in found] == [
        parts * 2 * 2048 * columns * bins for columns in (2, 1)
    ]
    assert found[0].upload_bytes == parts * 2048 * (3 * bins + 2)
    assert "before the first row" in found[0].text()
    owned = forecast(job(n_estimators=800), 0)
    assert (owned.session_bytes, owned.upload_bytes) == (0, 0)
    assert "session" not in owned.text()


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
    assert all(min(price(kind)) > 0 for kind in KINDS)
    found = forecast(job(Method(he="paillier")), 1)
    assert (found.offline_bytes, found.seconds) == (None, None)
    assert "Paillier" in found.text()


def test_hidden_splits_take_row_correlations():
    owned, hidden = (forecast(job(rows=10_000, splits=splits), 0) for splits in ("owner", "hidden"))
    # Owned splits are opened in a round a level, hidden ones look bins up in one; the last opening
    # goes beside the leaves.
    assert hidden.rounds == owned.rounds + 1
    assert hidden.offline_bytes > owned.offline_bytes
    assert hidden.seconds > owned.seconds


def test_own_columns_may_be_none_and_columns_may_be_sampled():
    assert memory_of(job(columns=(0, 3)), 0).matrix == 0
    half = whole_round_cost(job(columns=(4, 4), colsample_bytree=0.5))
    assert half.label_words < whole_round_cost(job(columns=(4, 4))).label_words


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
    assert done.json["forecast"]["rounds"] > 0
    # Rows have no weights here, and are not reckoned as if they had.
    terms, columns = JobTerms.from_file(Path("job.toml")), row_columns(done.json)
    layout = Layout.of(terms.training, 60, (columns, columns), False)
    plain = whole_round_cost(Job(terms.training, layout, terms.method))
    words = plain.label_words + plain.feature_words
    assert done.json["forecast"]["online_bytes"] == 8 * words
    memory = done.json["forecast"]["memory"]
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


def test_auc_is_warned_of_where_it_takes_more_than_the_tree() -> None:
    dear, few = job(evaluation_rows=20_000, eval_metric=("auc",)), job(eval_metric=("auc",))
    said = auc_warning(dear, [20_000], forecast(dear, 0))
    assert said is not None
    assert "auc_rows = 2048" in said
    assert auc_warning(few, [], forecast(few, 0)) is None
    small = job(evaluation_rows=50, eval_metric=("auc",), max_depth=4)
    assert auc_warning(small, [50], forecast(small, 0)) is None
    other = job(evaluation_rows=20_000, eval_metric=("logloss",))
    assert auc_warning(other, [20_000], forecast(other, 0)) is None


def test_terms_with_auc_come_with_its_figures() -> None:
    assert "281 rounds" in str(
        auc_line(replace(PARAMS, n_estimators=50, eval_metric="auc"), TWO_PARTY)
    )
    assert auc_line(replace(PARAMS, eval_metric="auc", auc_rows=2048), TWO_PARTY) is None
    assert auc_line(PARAMS, TWO_PARTY) is None
