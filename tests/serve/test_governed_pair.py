"""Two replicas with all that governs them: audits that agree, and a half that only a key service
opens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from securexgb.attestation.policy import Policy
from securexgb.attestation.trust import AttestationRequirement
from securexgb.channel.keys import Credentials, create_keys
from securexgb.dealer.attesters.dev import DevAttester
from securexgb.federation.session import Federation
from securexgb.model.files import save_half
from securexgb.serve.gate.audit import AuditSecret, totals, verify_audit
from securexgb.serve.gate.budgets import AuditedGate, Limits
from securexgb.serve.release.kept import KeptKeys
from securexgb.serve.release.service import serving
from securexgb.serve.scoring.feature import FeatureReplica
from securexgb.serve.scoring.label import LabelScorer
from securexgb.storage.sealed import ModelKey
from securexgb.terms.serving import Budgets, ServeTerms
from tests.serve.pair import Companies
from tests.serve.test_pair import ask, until

KEY, ROOT, SECRET = bytes(range(32)), ModelKey(b"r" * 32), AuditSecret(bytes(32))
RUN = "20260101T000000Z"


def test_a_sealed_half_serves_and_both_audits_tell_the_same(tmp_path: Path) -> None:
    companies = Companies(tmp_path)
    model = companies.train(RUN)
    label, feature = companies.label, companies.feature
    keys, dev = tmp_path / "keys", DevAttester.new_key()
    (keys / "evidence.key").write_bytes(dev)
    create_keys("keyservice", keys / "keyservice.key", keys / "keyservice.pem")
    half = companies.halves[RUN][0]
    sealed = tmp_path / "label" / f"{RUN}-{companies.terms.digest}" / "model" / "label.npz"
    save_half(half, sealed, ModelKey(KEY))
    kept = KeptKeys(tmp_path / "kept", ROOT)
    kept.keep(companies.terms.full_digest, KEY)
    name = DevAttester.from_pem(dev, "dev").key_hash
    policy = Policy.from_toml(f'version = 1\naccept = ["dev"]\n[[dev]]\nkey = "{name}"\n')
    own = Credentials.load(keys / "keyservice.key", keys / "keyservice.pem", keys / "label.pem")
    for one, limit in ((label, 3), (feature, 2)):
        limits = Limits.of(
            ServeTerms(), Budgets(rows_a_key_a_day=limit), one.federation.config.name
        )
        role = one.federation.role
        one.gate = AuditedGate(tmp_path / f"{role}.sqlite", limits, SECRET)  # type: ignore[assignment]
    with serving("127.0.0.1:0", own, kept, AttestationRequirement(policy)) as port:
        assert label.federation.config.serve is not None
        changes = {
            "key_service": f"127.0.0.1:{port}",
            "key_service_certificate": keys / "keyservice.pem",
            "evidence": "dev",
            "evidence_key": keys / "evidence.key",
        }
        settings = label.federation.config.serve.model_copy(update=changes)
        config = label.federation.config.model_copy(update={"serve": settings})
        label = replace(label, federation=Federation(config, companies.terms))
        listener = FeatureReplica(*feature.parts)
        listener.start()
        scorer = LabelScorer(*label.parts)
    try:
        until(scorer, lambda: scorer.is_ready)
        feature.features.place.pop("key 9")
        found = ask(scorer, ["key 1", "key 1", "key 1", "key 1", "key 9", "nobody"], caller="app")
    finally:
        scorer.drain(5.0)
        listener.drain(5.0)
    assert found.model == model
    assert found.statuses == (
        "scored", "scored", "budget there", "budget here", "unknown there", "unknown here",
    )  # fmt: skip
    here, there = (totals(tmp_path / f"{role}.sqlite") for role in ("label", "feature"))
    assert [(t.batches, t.rows, t.digest) for t in here] == [
        (t.batches, t.rows, t.digest) for t in there
    ]
    assert [(t.batches, t.rows, t.refused, t.unknown) for t in here] == [(1, 4, 1, 1)]
    assert [(t.refused, t.unknown) for t in there] == [(1, 1)]
    for role in ("label", "feature"):
        assert verify_audit(tmp_path / f"{role}.sqlite", SECRET).entries == 1
    label.gate.close()
    feature.gate.close()
