"""A finished run's half: what is in its place must be this side's, under its key."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from securexgb.attestation.verdict import Verdict
from securexgb.boost.leak import after_training
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, TermsDiffer, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.runs import RunDirectory, RunRecord, finished_run
from securexgb.model.files import save_half
from securexgb.report.record import Costs
from securexgb.storage.sealed import ModelKey
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from tests.boost.data import sides, table, train_both

PARAMS = TrainingParams(n_estimators=1, max_depth=2, max_bin=4)


def test_a_half_in_another_s_place(tmp_path):
    text = secrets.token_hex(32)
    (tmp_path / "model.key").write_text(text)
    (tmp_path / "model.key").chmod(0o600)
    (tmp_path / "party.toml").write_text('role = "label"\nname = "bank"\nmodel_key = "model.key"\n')
    terms = JobTerms(name="n", label_party="bank", feature_party="bureau")
    config = PartyConfig.from_file(tmp_path / "party.toml", environment={})
    federation = Federation(config, terms)
    halves = train_both(PARAMS, sides(*table(40), 2))
    run = tmp_path / "run"
    (run / "model").mkdir(parents=True)
    costs = Costs(0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0)
    record = RunRecord(
        ledger=[],
        costs=costs,
        offline_source="none",
        dealer_evidence="none",
        dealer=replace(Verdict.unattested(), collateral_until=datetime(2026, 1, 2, tzinfo=UTC)),
        missing_rates={},
        classes=(0, 1),
        leaks=after_training(halves[0]),
    )
    record.write(RunDirectory(run))
    path, key = run / "model" / "label.npz", ModelKey.from_text(text, "test")
    for half in halves:
        half.job_digest = terms.full_digest
    save_half(halves[0], path, key)
    found = finished_run(federation, run)
    assert found.half.role == "label"
    assert found.record == replace(record, classes=[0, 1])
    (run / "run.json").write_text("{}")
    with pytest.raises(DataError, match=r"run.json has format None"):
        finished_run(federation, run)
    record.write(RunDirectory(run))
    save_half(halves[1], path, key)
    with pytest.raises(TermsDiffer, match="the feature party's half"):
        finished_run(federation, run)
    save_half(halves[0], path)
    with pytest.raises(DataError, match="not encrypted"):
        finished_run(federation, run)
    save_half(halves[0], path, key)
    plain = Federation(config.model_copy(update={"model_key": None}), terms)
    with pytest.raises(UsageError, match="is encrypted"):
        finished_run(plain, run)
