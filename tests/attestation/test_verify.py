"""Fresh evidence end to end through the real verifier, under a laboratory's root."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, get_args

import pytest

from securexgb.attestation import intel
from securexgb.attestation.policy import Policy
from securexgb.attestation.verdict import Verdict
from securexgb.attestation.verify import Challenge, verify
from securexgb.dealer.attesters.dev import DevAttester
from securexgb.dealer.claims import Binding, attest
from securexgb.dealer.evidence import Evidence
from securexgb.dealer.refusal import AttestationError, Code
from tests.attestation.examples import (
    INTEL,
    SIGNED,
    TDX,
    LaboratoryAttester,
    binding,
    evidence,
    policy,
    roots,
)
from tests.attestation.laboratory import (
    MRENCLAVE,
    MRTD,
    NOW,
    Laboratory,
    Level,
    Machine,
    Window,
)
from tests.attestation.recorded import intel_inputs, needs_recordings, quote_named

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def laboratory() -> Laboratory:
    return Laboratory()


def refusal(check: Callable[[], object]) -> str:
    with pytest.raises(AttestationError) as caught:
        check()
    assert caught.value.exit_code == 5
    assert caught.value.code in get_args(Code)
    return caught.value.code


def judged(
    laboratory: Laboratory,
    tee: str = "sgx",
    accepted: Policy | None = None,
    collateral: bytes | None = None,
    **report: Any,
) -> Verdict:
    """The verdict on fresh evidence with this report; raises where it is refused."""
    accepted = accepted or policy(tee)
    bound = binding(accepted)
    content = collateral or laboratory.collateral(tee)
    own = evidence(laboratory, bound, tee, **report)
    return verify(own, bound, accepted, NOW, content, roots(laboratory))


@pytest.mark.parametrize(("tee", "measurement"), [("sgx", MRENCLAVE), ("tdx", MRTD)])
def test_fresh_evidence_is_accepted(laboratory: Laboratory, tee: str, measurement: bytes) -> None:
    found = judged(laboratory, tee)
    assert (found.type, found.measurement) == (f"{tee}-dcap", measurement.hex())
    assert found.tcb_status == "UpToDate"
    assert found.policy_sha256 == policy(tee).sha256.hex()
    assert found.collateral_until == NOW + 28 * DAY
    assert found.checked
    assert found.not_checked
    # A laboratory's word is never called hardware.
    assert found.assurance == "dev"
    json.dumps(found.to_dict())


def test_a_challenge_is_answered_once(laboratory: Laboratory) -> None:
    accepted = policy()
    challenge = Challenge.fresh(accepted, b"k" * 32, b"session", (b"0" * 32, b"1" * 32))
    other = Challenge.fresh(accepted, b"k" * 32, b"session", (b"0" * 32, b"1" * 32))
    answer, content = evidence(laboratory, challenge.binding), laboratory.collateral("sgx")
    trusted = roots(laboratory)
    assert refusal(lambda: other.accept(answer, NOW, content, trusted)) == "nonce"
    challenge.accept(answer, NOW, content, trusted)
    assert refusal(lambda: challenge.accept(answer, NOW, content, trusted)) == "nonce"


def test_production_never_trusts_a_laboratory(laboratory: Laboratory) -> None:
    accepted = policy()
    bound = binding(accepted)
    answer, content = evidence(laboratory, bound), laboratory.collateral("sgx")
    assert refusal(lambda: verify(answer, bound, accepted, NOW, content)) == "untrusted_root"
    other = roots(Laboratory())
    assert refusal(lambda: verify(answer, bound, accepted, NOW, content, other)) == "untrusted_root"


def test_one_laboratorys_evidence_with_anothers_collateral(laboratory: Laboratory) -> None:
    content = Laboratory().collateral("sgx")
    assert refusal(lambda: judged(laboratory, collateral=content)) == "untrusted_root"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key_hash": b"x" * 32}, "key"),
        ({"nonce": b"x" * 32}, "nonce"),
        ({"session": b"session-0002"}, "roster"),
        ({"role": "label party"}, "roster"),
        ({"roster": (bytes([4]) * 32, bytes([3]) * 32)}, "roster"),
        ({"roster": (bytes([3]) * 32, bytes([9]) * 32)}, "roster"),
    ],
)
def test_evidence_about_something_else_is_refused(
    laboratory: Laboratory, change: dict[str, Any], code: str
) -> None:
    accepted = policy()
    bound, content = binding(accepted), laboratory.collateral("sgx")
    trusted = roots(laboratory)
    foreign = evidence(laboratory, replace(bound, **change))
    assert refusal(lambda: verify(foreign, bound, accepted, NOW, content, trusted)) == code
    # The right claims beside evidence about the other ones do not help.
    forged = replace(foreign, claims=bound.claims())
    assert refusal(lambda: verify(forged, bound, accepted, NOW, content, trusted)) == "report_data"


def test_every_field_of_a_binding_counts() -> None:
    accepted = policy()
    bound = binding(accepted)
    changes: dict[str, object] = {
        "key_hash": b"x" * 32, "nonce": b"x" * 32, "session": b"other", "role": "other",
        "roster": (bound.roster[0], b"x" * 32), "policy_sha256": b"x" * 32,
    }  # fmt: skip
    assert set(changes) == {entry.name for entry in fields(Binding)}
    datas = {replace(bound, **{name: value}).report_data() for name, value in changes.items()}  # type: ignore[arg-type]
    assert len(datas | {bound.report_data()}) == len(changes) + 1


def test_lengths_keep_the_parts_of_a_context_apart() -> None:
    bound = binding(policy())
    shifted = replace(bound, role=bound.role + "s", session=bound.session[1:])
    assert shifted.context() != bound.context()


@needs_recordings
def test_a_recorded_quote_does_not_answer_our_challenge() -> None:
    from tests.attestation.recorded import intel_policy

    row = quote_named("tdx_v4_phala")
    own, now, content = intel_inputs(row)
    accepted = intel_policy(row)
    bound = binding(accepted)
    stolen = replace(own, claims=bound.claims())
    assert refusal(lambda: verify(stolen, bound, accepted, now, content)) == "report_data"
    assert refusal(lambda: verify(own, bound, accepted, now, content)) == "malformed"


@pytest.mark.parametrize(
    ("level", "code"),
    [
        (Level(status="OutOfDate"), "tcb_status"),
        (Level(status="OutOfDateConfigurationNeeded"), "tcb_status"),
        (Level(status="ConfigurationNeeded"), "tcb_status"),
        (Level(status="Revoked"), "tcb_status"),
        (Level(qe_status="OutOfDate"), "tcb_status"),
        (Level(qe_status="Revoked"), "tcb_status"),
        (Level(least_svn=6), "tcb_unknown"),
        (Level(status="SWHardeningNeeded", advisories=("INTEL-SA-00999",)), "advisory"),
        (Level(evaluation=19), "eval_number"),
        (Level(fmspc=b"FMSPC0"), "collateral_mismatch"),
    ],
)
@pytest.mark.parametrize("tee", ["sgx", "tdx"])
def test_what_the_vendor_says_of_the_platform(
    laboratory: Laboratory, tee: str, level: Level, code: str
) -> None:
    content = laboratory.collateral(tee, level)
    assert refusal(lambda: judged(laboratory, tee, collateral=content)) == code


def test_an_accepted_advisory_is_in_the_verdict(laboratory: Laboratory) -> None:
    level = Level(status="SWHardeningNeeded", advisories=("INTEL-SA-00615",))
    found = judged(laboratory, collateral=laboratory.collateral("sgx", level))
    assert (found.tcb_status, found.advisories) == ("SWHardeningNeeded", ("INTEL-SA-00615",))


def test_days_of_grace_count_from_the_levels_date(laboratory: Laboratory) -> None:
    graceful = policy(intel=INTEL.replace("grace_days = 0", "grace_days = 30"))

    def at(days: int) -> Verdict:
        date = (NOW - days * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")
        content = laboratory.collateral("sgx", Level(status="OutOfDate", date=date))
        return judged(laboratory, accepted=graceful, collateral=content)

    assert at(30).tcb_status == "OutOfDate"
    assert refusal(lambda: at(31)) == "tcb_status"


@pytest.mark.parametrize("place", range(3))
def test_properties_of_the_machine_need_permission(place: int) -> None:
    name = ("dynamic_platform", "cached_keys", "smt")[place]
    flags = tuple(other == place for other in range(3))
    laboratory = Laboratory(Machine(flags=(flags[0], flags[1], flags[2])))
    assert judged(laboratory).tcb_status == "UpToDate"
    forbidding = policy(intel=INTEL.replace(f"{name} = true", f"{name} = false"))
    assert refusal(lambda: judged(laboratory, accepted=forbidding)) == "platform"


@pytest.mark.parametrize("name", ["ca", "pck", "signer"])
def test_a_revoked_certificate_is_refused(name: str) -> None:
    laboratory = Laboratory(revoked=name)
    assert refusal(lambda: judged(laboratory)) == "revoked"


@pytest.mark.parametrize("tee", ["sgx", "tdx"])
def test_collateral_that_is_not_valid_now(laboratory: Laboratory, tee: str) -> None:
    def code(window: Window, crl_window: Window | None = None) -> str:
        content = laboratory.collateral(tee, None, window, crl_window)
        return refusal(lambda: judged(laboratory, tee, collateral=content))

    past, future = Window(NOW - 40 * DAY, NOW - DAY), Window(NOW + DAY, NOW + 30 * DAY)
    assert code(past) == "collateral_expired"
    assert code(Window(), crl_window=past) == "collateral_expired"
    assert code(future) == "collateral_future"
    # dcap-qvl lets a revocation list from the future pass; we do not.
    assert code(Window(), crl_window=future) == "collateral_future"


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({"mrenclave": b"\xee" * 32}, "measurement"),
        ({"attributes": "0700000000000000e700000000000000"}, "debug"),
    ],
)
def test_enclaves_that_the_policy_does_not_name(
    laboratory: Laboratory, report: dict[str, Any], code: str
) -> None:
    assert refusal(lambda: judged(laboratory, **report)) == code


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({"mrtd": b"\xee" * 48}, "measurement"),
        ({"rtmr": [b"\xee" * 48] * 4}, "measurement"),
        ({"xfam": bytes.fromhex("e702060000000001")}, "measurement"),
        ({"config": b"\xee" * 48}, "measurement"),
        ({"attributes": bytes.fromhex("0000001040000000")}, "measurement"),
        ({"attributes": bytes(8)}, "measurement"),
        ({"attributes": bytes.fromhex("0100001000000000")}, "debug"),
        ({"attributes": bytes.fromhex("0000003000000000")}, "migratable"),
    ],
)
def test_guests_that_the_policy_does_not_name(
    laboratory: Laboratory, report: dict[str, Any], code: str
) -> None:
    assert refusal(lambda: judged(laboratory, "tdx", **report)) == code


def test_owners_that_the_policy_does_not_name(laboratory: Laboratory) -> None:
    for name in ("mrconfigid", "mrowner", "mrownerconfig"):
        accepted = policy("tdx", entries=f'{TDX}{name} = "{"ee" * 48}"\n')
        assert (
            refusal(lambda accepted=accepted: judged(laboratory, "tdx", accepted)) == "measurement"
        )  # type: ignore[misc]


def test_attributes_are_looked_at_twice() -> None:
    """dcap-qvl refuses debugging and migration; so do we, whatever it may do one day."""
    entry = policy("tdx").tdx
    assert refusal(lambda: intel._check_enclave({"attributes": "07" + "00" * 15}, [])) == "debug"
    assert refusal(lambda: intel._check_guest({"td_attributes": "01" + "00" * 7}, entry)) == "debug"
    migratable = {"td_attributes": "0000002000000000"}
    assert refusal(lambda: intel._check_guest(migratable, entry)) == "migratable"


def test_an_enclave_by_its_signer(laboratory: Laboratory) -> None:
    accepted = policy(entries=SIGNED)
    assert judged(laboratory, accepted=accepted, mrenclave=b"\xee" * 32).measurement == "ee" * 32
    newer = judged(laboratory, accepted=accepted, isv_svn=8)
    assert newer.measurement == MRENCLAVE.hex()
    assert refusal(lambda: judged(laboratory, accepted=accepted, isv_svn=6)) == "svn"
    assert refusal(lambda: judged(laboratory, accepted=accepted, isv_prod_id=4)) == "measurement"
    other = {"mrsigner": b"\xee" * 32}
    assert refusal(lambda: judged(laboratory, accepted=accepted, **other)) == "measurement"


def test_types_that_the_policy_does_not_accept(laboratory: Laboratory) -> None:
    accepted = policy("tdx", entries=TDX)
    bound = binding(accepted)
    own = evidence(laboratory, bound)
    assert refusal(lambda: verify(own, bound, accepted, NOW, None)) == "type_not_allowed"
    nothing = Evidence("none")
    assert refusal(lambda: verify(nothing, bound, accepted, NOW, None)) == "type_not_allowed"
    signed = attest(DevAttester.fresh(), bound)
    assert refusal(lambda: verify(signed, bound, accepted, NOW, None)) == "type_not_allowed"


def test_a_binding_for_another_policy(laboratory: Laboratory) -> None:
    accepted = policy()
    bound = binding(accepted, policy_sha256=b"p" * 32)
    own = evidence(laboratory, bound)
    assert refusal(lambda: verify(own, bound, accepted, NOW, None)) == "policy"


def test_development_evidence() -> None:
    key = DevAttester.new_key()
    attester = DevAttester.from_pem(key, "dev.pem")
    assert DevAttester.from_pem(key, "dev.pem").key_hash == attester.key_hash
    assert refusal(lambda: DevAttester.from_pem(b"", "dev.pem")) == "malformed"
    text = f'version = 1\naccept = ["dev"]\n[[dev]]\nkey = "{attester.key_hash}"\n'
    accepted = Policy.from_toml(text)
    bound = binding(accepted)
    own = attest(attester, bound)
    found = verify(own, bound, accepted, NOW, None)
    assert (found.assurance, found.type, found.measurement) == ("dev", "dev", attester.key_hash)
    stranger = attest(DevAttester.fresh(), bound)
    assert refusal(lambda: verify(stranger, bound, accepted, NOW, None)) == "measurement"
    for at in range(len(own.body)):
        body = bytearray(own.body)
        body[at] ^= 1
        changed = replace(own, body=bytes(body))
        code = refusal(lambda changed=changed: verify(changed, bound, accepted, NOW, None))  # type: ignore[misc]
        assert code in ("malformed", "signature")
    other = replace(own, body=attester.evidence(bytes(64)).body)
    assert refusal(lambda: verify(other, bound, accepted, NOW, None)) == "report_data"


def test_two_genuine_dealers_have_two_digests(laboratory: Laboratory) -> None:
    found = judged(laboratory)
    digests = {
        found.dealer_digest(key, instance) for key in (b"k", b"l") for instance in (b"i", b"j")
    }
    assert len(digests) == 4
    other = replace(found, measurement="00")
    assert other.dealer_digest(b"k", b"i") != found.dealer_digest(b"k", b"i")


def test_an_unattested_dealer_is_called_that() -> None:
    assert Verdict.unattested().assurance == "none"


def test_the_attester_of_the_tests_is_like_the_others(laboratory: Laboratory) -> None:
    bound = binding(policy())
    own = attest(LaboratoryAttester(laboratory), bound)
    assert own.claims == bound.claims()
