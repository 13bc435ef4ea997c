"""Three processes with evidence: a rehearsal to its end, refusals with code 5 at both sides.

The laboratory plays Intel: quotes under its own root, through the real verifier. Its root is
set in the processes' own code; no file or flag can do that.
"""

import json
import secrets
import tomllib
from datetime import UTC, datetime, timedelta

import pytest

from securexgb.attestation.policy import Policy
from securexgb.dealer.attesters.dev import DevAttester
from securexgb.dealer.identity import key_hash
from securexgb.dealer.service import DealerService
from securexgb.model.files import load_half
from securexgb.storage.sealed import find_key
from tests.attestation.examples import INTEL, SGX, LaboratoryAttester
from tests.attestation.laboratory import Laboratory, Window
from tests.dealer.running import dealer_thread
from tests.processes.companies import RUN, SIDES, finish

pytestmark = pytest.mark.timeout(180)
PARTY = (
    "from pathlib import Path; from securexgb.attestation.appraisal import Roots; "
    "from securexgb.federation.session import Federation; "
    f"Federation.roots = Roots(intel=Path('../root.der').read_bytes()); {RUN}"
)


@pytest.fixture
def rehearsal(companies):
    """A dealer with a development key that both sides' policy names; nothing is pinned."""
    companies.start_dealer("--evidence", "dev", pin=False)
    path = companies.root / "dealer" / "dev.key"
    assert path.stat().st_mode & 0o777 == 0o600
    key = DevAttester.from_pem(path.read_bytes(), path.name).key_hash
    demand(companies, f'version = 1\naccept = ["dev"]\n[[dev]]\nkey = "{key}"\n')
    return companies


def demand(companies, text, **settings):
    """Give both sides a policy, and terms that name it."""
    policy = Policy.from_toml(text)
    for name in SIDES:
        (companies.root / name / "policy.toml").write_text(text)
        companies.settings(name, dealer_policy="policy.toml", **settings)
    companies.terms(
        *SIDES, dealer={"evidence": policy.accept, "policy_sha256": policy.sha256.hex()}
    )


def codes(ended):
    return [process.code for process in ended.values()]


def test_a_rehearsal_to_its_end_with_an_encrypted_half(rehearsal):
    key = model_key(rehearsal, "bank")
    checked = rehearsal.both("check")
    assert codes(checked) == [0, 0], checked
    assert checked["bank"].json["dealer"]["assurance"] == "dev"
    trained = rehearsal.both("train")
    assert codes(trained) == [0, 0], trained
    for name, process in trained.items():
        run = rehearsal.run_directory(name)
        verdict = process.json["dealer"]
        assert (verdict["assurance"], verdict["type"]) == ("dev", "dev")
        assert verdict == json.loads((run / "ledger.json").read_text())["dealer"]
        assert verdict == json.loads((run / "report.json").read_text())["dealer"]
    assert codes(rehearsal.both("predict")) == [0, 0]
    run = rehearsal.run_directory("bank")
    half = run / "model" / "label.npz"
    for path in [half, *(run / "checkpoint").iterdir()]:
        assert path.read_bytes().startswith(b"securexgb sealed 1"), path
    assert load_half(half, find_key(key)).role == "label"
    key.write_text(secrets.token_hex(32))
    done = finish(rehearsal.start("bank", "predict"))
    assert done.code == 4
    assert "the key is another one" in done.error


def model_key(companies, name):
    """Have a side encrypt its half."""
    key = companies.root / name / "model.key"
    key.write_text(secrets.token_hex(32))
    key.chmod(0o600)
    companies.settings(name, dealer_policy="policy.toml", model_key="model.key")
    return key


def test_one_party_verifies_alone(rehearsal):
    address = f"127.0.0.1:{rehearsal.dealer_port}"
    command = ("dealer", "verify", address, "--policy", "policy.toml")
    for name in SIDES:
        done = finish(rehearsal.start(name, *command))
        assert done.code == 0
        assert done.json["assurance"] == "dev"
        assert done.json["checked"]
        assert done.json["not_checked"]
    other = (rehearsal.root / "bank" / "policy.toml").read_text()
    digits = other.split('"')[-2]
    text = other.replace(digits, "ab" * 32)
    (rehearsal.root / "bank" / "policy.toml").write_text(text)
    done = finish(rehearsal.start("bank", *command))
    assert done.code == 5
    assert (done.json["accepted"], done.json["code"]) == (False, "measurement")
    assert "(measurement)" in done.error
    (rehearsal.root / "bank" / "policy.toml").write_text(text.replace("ab" * 32, "<64 digits>"))
    done = finish(rehearsal.start("bank", *command))
    assert (done.code, done.json["code"]) == (5, "policy")
    assert "is still the placeholder" in done.error


def test_another_program_or_another_policy_stops_both(rehearsal):
    demand(rehearsal, f'version = 1\naccept = ["dev"]\n[[dev]]\nkey = "{"ab" * 32}"\n')
    ended = rehearsal.both("train")
    assert codes(ended) == [5, 5]
    for process in ended.values():
        assert "(measurement)" in process.error
    path = rehearsal.root / "bureau" / "policy.toml"
    path.write_text("reattest_seconds = 600\n" + path.read_text())
    ended = rehearsal.both("train")
    assert codes(ended) == [5, 5]
    assert "(policy)" in ended["bureau"].error


@pytest.fixture
def laboratory(companies):
    """A dealer whose enclave is the laboratory's; both sides demand it."""
    made = Laboratory()
    (companies.root / "root.der").write_bytes(made.root)
    write_collateral(companies, made)
    policy = f'version = 1\naccept = ["sgx-dcap"]\n{INTEL}{SGX}'
    demand(companies, policy, dealer_collateral="../collateral.json")
    with laboratory_dealer(companies, made):
        yield companies, made


def laboratory_dealer(companies, made):
    certificates = [(companies.root / name / "keys" / "own.pem").read_bytes() for name in SIDES]
    return dealer_thread(
        listen=f"127.0.0.1:{companies.dealer_port}",
        attester=LaboratoryAttester(made),
        pinned=tuple(certificates),
    )


def write_collateral(companies, made, days=20):
    now = datetime.now(UTC)
    window = Window(now - timedelta(days=2), now + timedelta(days=days))
    (companies.root / "collateral.json").write_bytes(made.collateral("sgx", window=window))


def train(companies, code=PARTY):
    sides = {name: companies.start(name, "train", code=code) for name in SIDES}
    return {name: finish(process) for name, process in sides.items()}


def test_quotes_of_a_laboratory(laboratory):
    companies, made = laboratory
    trained = train(companies)
    assert codes(trained) == [0, 0], trained
    verdict = trained["bureau"].json["dealer"]
    assert (verdict["assurance"], verdict["type"]) == ("dev", "sgx-dcap")
    assert verdict["tcb_status"] == "UpToDate"
    ended = train(companies, RUN)  # as shipped, the package trusts Intel's root alone
    assert codes(ended) == [5, 5]
    assert "(untrusted_root)" in ended["bank"].error
    write_collateral(companies, made, days=-1)
    ended = train(companies)
    assert codes(ended) == [5, 5]
    for process in ended.values():
        assert "(collateral_expired)" in process.error


def test_evidence_for_another_key_stops_both(companies, monkeypatch):
    """Somebody between shows the true dealer's evidence with a key of its own."""
    true = key_hash((companies.root / "bank" / "keys" / "own.pem").read_bytes())
    start = DealerService.__init__

    def impostor(self, *parts):
        start(self, *parts)
        self._key_hash = true

    monkeypatch.setattr(DealerService, "__init__", impostor)
    key = DevAttester.fresh()
    demand(companies, f'version = 1\naccept = ["dev"]\n[[dev]]\nkey = "{key.key_hash}"\n')
    certificates = [(companies.root / name / "keys" / "own.pem").read_bytes() for name in SIDES]
    listen = f"127.0.0.1:{companies.dealer_port}"
    with dealer_thread(listen=listen, attester=key, pinned=tuple(certificates)):
        ended = companies.both("train")
    assert codes(ended) == [5, 5]
    for process in ended.values():
        assert "(key)" in process.error


def test_a_refusal_amid_the_trees_stops_both(rehearsal):
    """One side finds the dealer wanting at the second challenge; both end with code 5."""
    rehearsal.terms(
        *SIDES,
        training={"n_estimators": 500},
        dealer=tomllib.loads((rehearsal.root / "bank" / "job.toml").read_text())["dealer"],
    )
    doubting = (
        "from securexgb.attestation.trust import Appraisals as A; "
        "from securexgb.dealer.refusal import AttestationError as E\n"
        "seen, first = [], A.renew\n"
        "def renew(self):\n"
        "    seen.append(1)\n"
        "    if len(seen) > 300: raise E('measurement', 'another program')\n"
        "A.renew = renew\n" + RUN
    )
    sides = {
        "bank": rehearsal.start("bank", "train"),
        "bureau": rehearsal.start("bureau", "train", code=doubting),
    }
    ended = {name: finish(process) for name, process in sides.items()}
    assert codes(ended) == [5, 5], ended
    assert "(measurement)" in ended["bureau"].error
    assert "refuses the dealer's evidence" in ended["bank"].error
