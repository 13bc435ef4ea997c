"""Quotes from real Intel machines: accepted as they are, refused in every other way."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from securexgb.attestation.intel import dcap_qvl
from securexgb.attestation.policy import Policy
from securexgb.attestation.verify import appraise
from securexgb.dealer.evidence import Evidence
from securexgb.dealer.refusal import AttestationError
from tests.attestation.recorded import (
    INDEX,
    Intel,
    collateral,
    intel_inputs,
    intel_policy,
    needs_recordings,
    quote_named,
    quotes,
)

pytestmark = needs_recordings
GOOD, BAD = quotes("verifies"), quotes("rejected")
LENIENT = Intel(grace=365)  # one recording is out of date, by less than three years


def refusal(policy: Policy, evidence: Evidence, now: datetime, content: bytes | None) -> str:
    with pytest.raises(AttestationError) as caught:
        appraise(evidence, policy, now, content)
    assert caught.value.exit_code == 5
    return caught.value.code


@pytest.mark.parametrize("row", GOOD)
def test_good_quotes_verify_with_the_recorded_fields(row: dict[str, Any]) -> None:
    evidence, now, content = intel_inputs(row)
    if row["tcb_status"] == "OutOfDate":
        assert refusal(intel_policy(row, LENIENT), evidence, now, content) == "tcb_status"
        return
    found = appraise(evidence, intel_policy(row), now, content)
    assert found.report_data.hex() == row["report_data"]
    assert found.measurement == row.get("mrenclave", row.get("mrtd"))
    assert found.signer == row.get("mrsigner", "")
    assert found.tcb_status == row["tcb_status"]
    assert set(found.advisories) == set(row["advisory_ids"])
    assert found.platform_id == row["ppid"]
    until = INDEX["collateral"][row["collateral"].rsplit("/", 1)[1]]["valid_until"]
    assert found.until == datetime.fromisoformat(until)


@pytest.mark.parametrize("row", BAD)
def test_bad_quotes_are_refused_with_their_reason(row: dict[str, Any]) -> None:
    reasons = {
        "Debug mode is enabled": "debug",
        "No matching TCB level found": "tcb_unknown",
        "Invalid MR service TD": "measurement",
    }
    expected = reasons[row["error"].removeprefix("Verification failed: ")]
    assert refusal(intel_policy(row), *intel_inputs(row)) == expected


def signed_regions(body: bytes) -> dict[str, range]:
    """Where everything lies that a signature covers, and the signatures themselves."""
    version = int.from_bytes(body[:2], "little")
    end = {3: 48 + 384, 4: 48 + 584}.get(version) or 54 + int.from_bytes(body[50:54], "little")
    at = end + 4
    regions = {"content": range(end), "signature": range(at, at + 64)}
    regions["key"] = range(at + 64, at + 128)
    at += 128 + (0 if version == 3 else 6)
    regions["quoting enclave"] = range(at, at + 384)
    regions["its signature"] = range(at + 384, at + 448)
    regions["its data"] = range(at + 450, at + 482)
    return regions


@pytest.mark.parametrize(
    ("name", "stride"),
    [
        ("sgx_v3_phala", 1),
        ("tdx_v4_near", 2),
        ("tdx_v5_td15_google", 5),
        ("tdx_v5_td15ex_phala", 5),
    ],
)
def test_every_flipped_byte_of_a_quote_is_refused(name: str, stride: int) -> None:
    row = quote_named(name)
    evidence, now, content = intel_inputs(row)
    policy = intel_policy(row)
    appraise(evidence, policy, now, content)
    for region in signed_regions(evidence.body).values():
        for at in (*region[:8], *region[8:-8:stride], *region[-8:]):
            body = bytearray(evidence.body)
            body[at] ^= 1 << at % 8
            refusal(policy, Evidence(evidence.type, bytes(body)), now, content)


def test_every_flipped_byte_of_the_machines_certificate_is_refused() -> None:
    row = quote_named("sgx_v3_phala")
    evidence, now, content = intel_inputs(row)
    policy = intel_policy(row)
    begin, end = b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----"
    start = evidence.body.index(begin) + len(begin)
    stop = evidence.body.index(end)
    text = evidence.body[start:stop]
    der = base64.b64decode(text)
    for at in (*range(8), *range(8, len(der) - 8, 3), *range(len(der) - 8, len(der))):
        changed = bytearray(der)
        changed[at] ^= 1 << at % 8
        flat = base64.b64encode(changed)
        lines = b"".join(flat[i : i + 64] + b"\n" for i in range(0, len(flat), 64))
        assert len(lines) == len(text)
        body = evidence.body[:start] + lines + evidence.body[stop:]
        refusal(policy, Evidence(evidence.type, body), now, content)


@pytest.mark.parametrize("name", ["sgx_v3_phala", "tdx_v4_near"])
@pytest.mark.parametrize(
    "part",
    ["tcb_info", "tcb_info_signature", "qe_identity", "qe_identity_signature", "root_ca_crl",
     "pck_crl"],
)  # fmt: skip
def test_flipped_bytes_of_collateral_are_refused(name: str, part: str) -> None:
    row = quote_named(name)
    evidence, now, content = intel_inputs(row)
    policy, whole = intel_policy(row), json.loads(content)
    text: str = whole[part]
    is_hex = part not in ("tcb_info", "qe_identity")
    stride = max(1, len(text) // 150)
    for at in {*range(0, len(text), stride), *range(8), *range(len(text) - 8, len(text))}:
        flipped = format(int(text[at], 16) ^ 1, "x") if is_hex else chr(ord(text[at]) ^ 1)
        whole[part] = text[:at] + flipped + text[at + 1 :]
        refusal(policy, evidence, now, json.dumps(whole).encode())


def test_collateral_written_anew_is_refused() -> None:
    row = quote_named("tdx_v4_phala")
    evidence, now, content = intel_inputs(row)
    whole = json.loads(content)
    whole["tcb_info"] = json.dumps(json.loads(whole["tcb_info"]))
    assert refusal(intel_policy(row), evidence, now, json.dumps(whole).encode()) == "signature"


@pytest.mark.parametrize("row", GOOD)
def test_collateral_has_its_time(row: dict[str, Any]) -> None:
    evidence, _, content = intel_inputs(row)
    times = INDEX["collateral"][row["collateral"].rsplit("/", 1)[1]]
    first, last = (datetime.fromisoformat(times[key]) for key in ("valid_from", "valid_until"))
    policy = intel_policy(row, LENIENT)
    late, early = last + timedelta(seconds=2), first - timedelta(seconds=2)
    assert refusal(policy, evidence, late, content) == "collateral_expired"
    assert refusal(policy, evidence, early, content) == "collateral_future"
    assert refusal(policy, evidence, datetime(2040, 1, 1, tzinfo=UTC), content) in (
        "collateral_expired",
    )


def test_collateral_for_another_machine_or_technology_is_refused() -> None:
    row = quote_named("sgx_v3_phala")
    evidence, now, _ = intel_inputs(row)
    others = ("tdx_v4_phala", "tdx_v4_near", "sgx_v3_automata_icx")
    for other in others:
        found = quote_named(other)
        at = datetime.fromisoformat(found["verify_at"])
        assert refusal(intel_policy(row), evidence, at, collateral(found)) == "collateral_mismatch"
    assert refusal(intel_policy(row), evidence, now, None) == "collateral_mismatch"


def test_collateral_mixed_from_two_machines_is_refused() -> None:
    sgx, tdx = quote_named("sgx_v3_phala"), quote_named("tdx_v4_phala")
    evidence, now, content = intel_inputs(sgx)
    mixed = {**json.loads(content)}
    other = json.loads(collateral(tdx))
    for name in ("qe_identity", "qe_identity_signature", "qe_identity_issuer_chain"):
        mixed[name] = other[name]
    code = refusal(intel_policy(sgx), evidence, now, json.dumps(mixed).encode())
    assert code == "collateral_mismatch"


@pytest.mark.parametrize("row", GOOD)
def test_another_program_is_refused(row: dict[str, Any]) -> None:
    evidence, now, content = intel_inputs(row)
    if row["tcb_status"] == "OutOfDate":
        return  # never gets as far as its measurement
    names = (
        ["mrenclave"] if row["tee"] == "SGX" else ["mrtd", "td_attributes", "xfam", "mrconfigid"]
    )
    for name in names:
        changed = ("1" if row[name][0] == "0" else "0") + row[name][1:]
        policy = intel_policy(row, **{name: changed})
        assert refusal(policy, evidence, now, content) == "measurement"
    for place in range(4 if row["tee"] == "TDX" else 0):
        rtmr = list(row["rtmr"])
        rtmr[place] = "ab" * 48
        policy = intel_policy(row, rtmr=rtmr)
        assert refusal(policy, evidence, now, content) == "measurement"


def test_an_enclave_by_its_signer() -> None:
    row = quote_named("sgx_v3_phala")
    evidence, now, content = intel_inputs(row)

    def policy(signer: str, product: int, least: int) -> Policy:
        return Policy.from_toml(
            f'version = 1\naccept = ["sgx-dcap"]\n{Intel().toml()}[[sgx]]\nmrsigner = "{signer}"\n'
            f"isv_prod_id = {product}\nmin_isv_svn = {least}\n"
        )

    signer, product, svn = row["mrsigner"], row["isv_prod_id"], row["isv_svn"]
    assert appraise(evidence, policy(signer, product, svn), now, content).signer == signer
    assert refusal(policy(signer, product, svn + 1), evidence, now, content) == "svn"
    assert refusal(policy("00" * 32, product, svn), evidence, now, content) == "measurement"
    assert refusal(policy(signer, product + 1, svn), evidence, now, content) == "measurement"


def test_the_policy_decides_about_levels_advisories_and_machines() -> None:
    hardening = quote_named("sgx_v3_automata_icx")
    inputs = intel_inputs(hardening)
    strict = Intel(status=("UpToDate",))
    assert refusal(intel_policy(hardening, strict), *inputs) == "tcb_status"
    no_advisories = Intel(advisories=())
    assert refusal(intel_policy(hardening, no_advisories), *inputs) == "advisory"
    newer = Intel(evaluation=18)
    assert refusal(intel_policy(hardening, newer), *inputs) == "eval_number"
    dynamic = quote_named("tdx_v4_near")
    assert refusal(intel_policy(dynamic, Intel(allow=False)), *intel_inputs(dynamic)) == "platform"


def test_a_quote_is_only_what_it_says_it_is() -> None:
    sgx, tdx = quote_named("sgx_v3_phala"), quote_named("tdx_v4_near")
    _, now, content = intel_inputs(tdx)
    swapped = Evidence("tdx-dcap", intel_inputs(sgx)[0].body)
    assert refusal(intel_policy(tdx), swapped, now, content) == "malformed"


def test_bytes_after_the_signed_part_are_no_identity() -> None:
    row = quote_named("tdx_v4_near")
    evidence, now, content = intel_inputs(row)
    longer = Evidence(evidence.type, evidence.body + b"tail")
    policy = intel_policy(row)
    assert appraise(longer, policy, now, content) == appraise(evidence, policy, now, content)


def test_dcap_qvl_is_the_one_that_was_read() -> None:
    assert tuple(int(part) for part in dcap_qvl.__version__.split(".")[:2]) >= (0, 7)
