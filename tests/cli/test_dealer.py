"""``securexgb dealer`` and what else commands say about evidence, without a second process."""

import os
from pathlib import Path

import pytest

from securexgb.attestation.verdict import Verdict
from securexgb.report.text import short_verdict, verdict_text
from securexgb.terms.job import JobTerms

TEMPLATE = Path(__file__).resolve().parents[2] / "parties" / "dealer" / "policy.toml"
POLICY = 'version = 1\naccept = ["dev"]\n[[dev]]\nkey = "' + "ab" * 32 + '"\n'
JOB = ("job", "new", "--name", "n", "--label-party", "bank", "--feature-party", "bureau")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.toml").write_text(POLICY)
    return tmp_path


def test_a_policy_s_hash_goes_into_the_terms(securexgb, folder):
    told = securexgb("dealer", "policy", "--format", "json").json
    assert told["accept"] == ["dev"]
    assert securexgb(*JOB, "--dealer-policy", "policy.toml").code == 0
    dealer = JobTerms.from_file(folder / "job.toml").dealer
    assert dealer.evidence == ("dev",)
    assert dealer.policy_sha256 == told["policy_sha256"]
    (folder / "policy.toml").write_text("# the same\n" + POLICY)
    assert securexgb("dealer", "policy", "--format", "json").json == told


def test_the_policy_with_placeholders_is_refused_everywhere(securexgb, folder):
    for command in (("dealer", "policy", TEMPLATE), (*JOB, "--dealer-policy", TEMPLATE)):
        done = securexgb(*command)
        assert done.code == 5
        assert "is still the placeholder" in done.stderr
    assert not (folder / "job.toml").exists()


def test_verify_needs_an_address_and_a_policy(securexgb, folder):
    securexgb("init", "--role", "label", "--name", "bank")
    done = securexgb("dealer", "verify")
    assert done.code == 2
    assert "--policy" in done.stderr


def test_the_end_of_a_run_states_the_assurance():
    verdict = Verdict(
        "hardware", "tdx-dcap", measurement="ab" * 48, tcb_status="UpToDate",
        policy_sha256="cd" * 32, checked=("This was.",), not_checked=("That was not.",),
    )  # fmt: skip
    short = short_verdict(verdict)
    assert "assurance: hardware, evidence: tdx-dcap" in short
    for text in ("ab" * 48, "cd" * 32, "That was not."):
        assert text in short
        assert text in verdict_text(verdict)
    assert "UpToDate" in verdict_text(verdict)
    assert "This was." in verdict_text(verdict)
    assert "assurance: none" in short_verdict(Verdict.unattested())
    assert short_verdict(None) == "no dealer"


@pytest.mark.skipif(
    os.path.exists("/dev/attestation") or os.path.exists("/sys/kernel/config/tsm/report"),  # noqa: PTH110
    reason="this machine makes evidence",
)
def test_a_type_that_this_machine_lacks_is_refused(securexgb, folder):
    securexgb("init", "--role", "dealer")
    for kind in ("sgx-dcap", "tdx-dcap", "sev-snp"):
        done = securexgb("dealer", "serve", "--evidence", kind)
        assert done.code == 2
        assert f"makes no evidence of type {kind}" in done.stderr
    assert securexgb("dealer", "serve", "--evidence", "epid").code == 2
