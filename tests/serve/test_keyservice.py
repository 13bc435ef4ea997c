"""The key service: who gets a key, who does not, and where no key is ever found."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from securexgb._pb import keyservice_pb2 as pb
from securexgb.attestation.collateral import FileCollateral
from securexgb.attestation.policy import Policy
from securexgb.attestation.trust import AttestationRequirement
from securexgb.channel.keys import Credentials, create_keys
from securexgb.cli.app import main
from securexgb.dealer.attesters.dev import DevAttester
from securexgb.dealer.claims import attest
from securexgb.dealer.evidence import Attester, Evidence, Unattested
from securexgb.dealer.identity import key_hash
from securexgb.errors import (
    DataError,
    EvidenceRefused,
    PeerError,
    UnknownModel,
    UsageError,
)
from securexgb.federation.session import Federation
from securexgb.serve.release import service
from securexgb.serve.release.client import key_for, released_key
from securexgb.serve.release.kept import KeptKeys
from securexgb.serve.release.service import KeyService, Refusal, serving
from securexgb.serve.release.wrapping import Asking, Wanted, unwrap
from securexgb.storage.sealed import ModelKey
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from securexgb.terms.serving import ServeSettings, ServeTerms
from tests.attestation import recorded
from tests.attestation.examples import LaboratoryAttester, policy, roots
from tests.attestation.laboratory import NOW, Laboratory

JOB = JobTerms(name="job", label_party="bank", feature_party="shop", serve=ServeTerms())
KEY = bytes(range(100, 132))
ROOT = ModelKey(b"r" * 32)
WANTED = Wanted(JOB.full_digest, "model-1")
DEV = DevAttester.fresh()


def rehearsal(key: DevAttester = DEV) -> AttestationRequirement:
    text = f'version = 1\naccept = ["dev"]\n[[dev]]\nkey = "{key.key_hash}"\n'
    return AttestationRequirement(Policy.from_toml(text))


@dataclass(frozen=True)
class Company:
    """A folder with the keys of a replica and of its key service."""

    folder: Path

    def credentials(self, own: str, peer: str) -> Credentials:
        folder = self.folder
        return Credentials.load(
            folder / f"{own}.key", folder / f"{own}.pem", folder / f"{peer}.pem"
        )

    def kept(self) -> KeptKeys:
        return KeptKeys(self.folder / "kept", ROOT)

    def settings(self, port: int, **more: Any) -> ServeSettings:
        return ServeSettings(
            key_service=f"127.0.0.1:{port}",
            key_service_certificate=self.folder / "keyservice.pem",
            **more,
        )

    def ask(self, port: int, attester: Attester = DEV, wanted: Wanted = WANTED) -> bytes:
        own = self.credentials("bank", "keyservice")
        return released_key(self.settings(port), own, wanted, attester, 10.0)

    @contextmanager
    def serving(self, requirement: AttestationRequirement) -> Iterator[int]:
        own = self.credentials("keyservice", "bank")
        with serving("127.0.0.1:0", own, self.kept(), requirement) as port:
            yield port


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    folder = tmp_path_factory.mktemp("company")
    for name in ("bank", "keyservice", "stranger"):
        create_keys(name, folder / f"{name}.key", folder / f"{name}.pem")
    made = Company(folder)
    made.kept().keep(WANTED.job, KEY)
    return made


@pytest.fixture(scope="module")
def port(company: Company) -> Iterator[int]:
    with company.serving(rehearsal()) as found:
        yield found


def test_a_replica_that_proves_itself_gets_the_key(company: Company, port: int) -> None:
    assert company.ask(port) == KEY
    assert company.ask(port, wanted=replace(WANTED, model="model-2")) == KEY


class Shown:
    """Shows evidence of another question, whatever is asked."""

    def evidence(self, report_data: bytes) -> Evidence:
        return DEV.evidence(bytes(64))


@pytest.mark.parametrize(
    ("attester", "code"),
    [
        (Unattested(), "type_not_allowed"),
        (DevAttester.fresh(), "measurement"),
        (Shown(), "report_data"),
    ],
)
def test_other_evidence_gets_none(
    company: Company, port: int, attester: Attester, code: str
) -> None:
    with pytest.raises(EvidenceRefused, match=rf"refuses this replica's evidence \({code}\)"):
        company.ask(port, attester)


def test_a_job_of_which_no_key_is_kept(company: Company, port: int) -> None:
    for job in ("B" * 52, "../kept/x", ""):
        with pytest.raises(UnknownModel, match="keeps no key for the job"):
            company.ask(port, wanted=Wanted(job, "model-1"))


def test_a_stranger_s_certificate_and_a_stranger_s_service(company: Company, port: int) -> None:
    stranger = company.credentials("stranger", "keyservice")
    with pytest.raises(PeerError, match="cannot be reached, or one of the two certificates"):
        released_key(company.settings(port), stranger, WANTED, DEV, 10.0)
    settings = company.settings(port).model_copy(
        update={"key_service_certificate": company.folder / "stranger.pem"}
    )
    with pytest.raises(PeerError, match="cannot be reached, or one of the two certificates"):
        released_key(settings, company.credentials("bank", "keyservice"), WANTED, DEV, 10.0)


@pytest.mark.parametrize("tee", ["sgx", "tdx"])
def test_a_quote_through_the_real_verifier(company: Company, tmp_path: Path, tee: str) -> None:
    laboratory = Laboratory()
    path = tmp_path / "collateral.json"
    path.write_bytes(laboratory.collateral(tee))
    accepted = AttestationRequirement(
        policy(tee), FileCollateral(path), roots(laboratory), lambda: NOW
    )
    with company.serving(accepted) as found:
        assert company.ask(found, LaboratoryAttester(laboratory, tee)) == KEY
        with pytest.raises(EvidenceRefused, match="signature"):
            company.ask(found, LaboratoryAttester(Laboratory(), tee))
    with (
        company.serving(AttestationRequirement(policy(tee), FileCollateral(path))) as found,
        pytest.raises(EvidenceRefused, match="untrusted_root"),
    ):
        company.ask(found, LaboratoryAttester(laboratory, tee))


@recorded.needs_recordings
@pytest.mark.parametrize("row", recorded.quotes("verifies")[:2])
def test_evidence_of_a_real_machine_that_was_recorded_earlier(
    company: Company, row: dict[str, Any]
) -> None:
    """Genuine and of the program that the policy names, yet about another question."""
    evidence, at, collateral = recorded.intel_inputs(row)

    class Recorded:
        def evidence(self, report_data: bytes) -> Evidence:
            return evidence

        def collateral(self, evidence: Evidence) -> bytes:
            return collateral

    requirement = AttestationRequirement(recorded.intel_policy(row), Recorded(), now=lambda: at)
    with (
        company.serving(requirement) as found,
        pytest.raises(EvidenceRefused, match="report_data"),
    ):
        company.ask(found, Recorded())


class Bench:
    """Both ends without a network, so that a proof can be changed on its way."""

    def __init__(self, company: Company) -> None:
        hashes = (
            key_hash((company.folder / f"{n}.pem").read_bytes()) for n in ("keyservice", "bank")
        )
        self.own, self.party = hashes
        self.service = KeyService(company.kept(), rehearsal(), self.own, self.party)
        self.private = X25519PrivateKey.generate()
        self.question = self.service.challenge(pb.Ask(job=WANTED.job, model=WANTED.model))
        self.asking = self.about(WANTED)

    def about(self, wanted: Wanted, **changes: bytes) -> Asking:
        asking = Asking(
            wanted, self.question.nonce, self.question.policy_sha256, self.own, self.party
        )
        return replace(asking, **changes)

    def proof(self, asking: Asking | None = None) -> pb.Proof:
        asking = asking or self.asking
        public = self.private.public_key().public_bytes_raw()
        made = attest(DEV, asking.binding(public))
        return pb.Proof(
            nonce=self.question.nonce, public_key=public, type=made.type, body=made.body,
            claims=made.claims,
        )  # fmt: skip

    def code(self, proof: pb.Proof) -> str:
        with pytest.raises(Refusal) as caught:
            self.service.release(proof)
        return str(caught.value)


def test_a_proof_is_good_once(company: Company) -> None:
    bench = Bench(company)
    proof = bench.proof()
    assert unwrap(bench.service.release(proof).sealed, bench.private, bench.asking) == KEY
    assert bench.code(proof) == "nonce"


def test_a_proof_that_failed_is_not_tried_again(company: Company) -> None:
    bench = Bench(company)
    good, bad = bench.proof(), bench.proof()
    bad.body = bad.body[:-1] + bytes([bad.body[-1] ^ 1])
    assert bench.code(bad) == "signature"
    assert bench.code(good) == "nonce"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda bench: bench.about(replace(WANTED, model="model-2")), "roster"),
        (lambda bench: bench.about(replace(WANTED, job="B" * 52)), "roster"),
        (lambda bench: bench.about(WANTED, service=b"s" * 32), "roster"),
        (lambda bench: bench.about(WANTED, policy_sha256=b"p" * 32), "roster"),
        (lambda bench: bench.about(WANTED, nonce=b"n" * 32), "roster"),
    ],
)
def test_evidence_about_another_request(company: Company, change: Any, code: str) -> None:
    bench = Bench(company)
    assert bench.code(bench.proof(change(bench))) == code


def test_evidence_about_another_key_pair(company: Company) -> None:
    bench = Bench(company)
    proof = bench.proof()
    proof.public_key = X25519PrivateKey.generate().public_key().public_bytes_raw()
    assert bench.code(proof) == "key"
    bench = Bench(company)
    proof = bench.proof()
    proof.public_key = b"short"
    assert bench.code(proof) == "malformed"


def test_questions_are_bounded(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "QUESTIONS", 3)
    bench = Bench(company)
    proof = bench.proof()
    for _ in range(3):
        bench.service.challenge(pb.Ask(job=WANTED.job, model=WANTED.model))
    assert len(bench.service._open) == 3
    assert bench.code(proof) == "nonce"
    monkeypatch.setattr(service, "_OPEN_SECONDS", -1.0)
    assert Bench(company).code(pb.Proof()) == "nonce"
    late = Bench(company)
    assert late.code(late.proof()) == "nonce"


def test_no_key_lies_on_a_disk_in_the_clear(company: Company, port: int) -> None:
    assert company.ask(port) == KEY
    for path in company.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes().lower()
            assert KEY not in content, path
            assert KEY.hex().encode() not in content, path
    (kept,) = (company.folder / "kept").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_kept_key_in_another_job_s_place(tmp_path: Path) -> None:
    kept = KeptKeys(tmp_path / "kept", ROOT)
    path = kept.keep("A" * 52, KEY)
    with pytest.raises(UsageError, match="exists already"):
        kept.keep("A" * 52, KEY)
    path.rename(path.with_name("B" * 52 + ".key"))
    assert kept.key("A" * 52) is None
    with pytest.raises(DataError, match="the key of another job"):
        kept.key("B" * 52)
    with pytest.raises(DataError, match="cannot be opened"):
        KeptKeys(tmp_path / "kept", ModelKey(b"x" * 32)).key("B" * 52)


def federation(company: Company, serve: ServeSettings | None, **more: Any) -> Federation:
    folder = company.folder
    config = PartyConfig(
        role="label", name="bank", key=folder / "bank.key", certificate=folder / "bank.pem",
        peer_certificate=folder / "stranger.pem", listen="127.0.0.1:0", serve=serve, **more,
    )  # fmt: skip
    return Federation(config, JOB)


def test_a_half_is_opened_by_what_the_settings_say(
    company: Company, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half, plain = tmp_path / "label.npz", tmp_path / "plain.npz"
    half.write_bytes(ModelKey(KEY).seal(b"a half", {"model_id": "model-1", "role": "label"}))
    plain.write_bytes(b"a half")
    evidence_key = tmp_path / "evidence.key"
    key_file = tmp_path / "model.key"
    key_file.write_text(KEY.hex())
    key_file.chmod(0o600)
    named = company.settings(port, evidence="dev", evidence_key=evidence_key)
    with pytest.raises(EvidenceRefused, match="measurement"):  # a key that was made just now
        key_for(federation(company, named, model_key=key_file), half)
    with company.serving(
        rehearsal(DevAttester.from_pem(evidence_key.read_bytes(), "its key"))
    ) as found:
        named = company.settings(found, evidence="dev", evidence_key=evidence_key)
        key = key_for(federation(company, named), half)
        assert key is not None
        assert key.open(half.read_bytes(), "half")[1] == b"a half"
        with pytest.raises(UsageError, match="is not encrypted"):
            key_for(federation(company, named), plain)
    with pytest.raises(PeerError):
        key_for(federation(company, named), half)  # it has ended
    file_alone = key_for(federation(company, ServeSettings(), model_key=key_file), half)
    assert file_alone is not None
    assert key_for(federation(company, None), plain) is None


def test_the_command_keeps_a_key_and_gives_it_to_a_replica(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECUREXGB_KEYSERVICE_KEY", "ab" * 32)
    create_keys("bank", tmp_path / "bank.key", tmp_path / "bank.pem")
    (tmp_path / "keyservice.toml").write_text(
        'listen = "127.0.0.1:0"\nkey = "keyservice.key"\ncertificate = "keyservice.pem"\n'
        'party_certificate = "bank.pem"\n'
    )
    (tmp_path / "policy.toml").write_text(
        f'version = 1\naccept = ["dev"]\n[[dev]]\nkey = "{DEV.key_hash}"\n'
    )
    (tmp_path / "job.toml").write_text(JOB.to_toml())
    (tmp_path / "model.key").write_text(KEY.hex())
    (tmp_path / "model.key").chmod(0o600)
    settings = f"--config={tmp_path / 'keyservice.toml'}"
    assert main(["keyservice", "create", settings]) == 0
    keeping = [f"--key={tmp_path / 'model.key'}", f"--job={tmp_path / 'job.toml'}"]
    assert main(["keyservice", "keep", settings, *keeping]) == 0
    assert "it holds the same key in the clear" in capsys.readouterr().out
    command = [sys.executable, "-m", "securexgb", "keyservice", "serve", settings, "--format=json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        started = json.loads(process.stdout.readline())
        assert Company(tmp_path).ask(started["port"]) == KEY
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read().decode() if process.stderr else ""
        assert process.wait() == 0
    assert "released the key of job" in said
    assert KEY.hex() not in said
