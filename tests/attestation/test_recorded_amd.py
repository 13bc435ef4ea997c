"""Reports from real AMD machines: accepted as they are, refused in every other way."""

from __future__ import annotations

import struct
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from securexgb.attestation.policy import Policy
from securexgb.attestation.snp import Report
from securexgb.attestation.verify import appraise
from securexgb.dealer.evidence import Evidence
from securexgb.dealer.refusal import AttestationError
from tests.attestation.recorded import (
    FOLDER,
    INDEX,
    needs_recordings,
    snp_inputs,
    snp_policy,
    snp_rows,
)

pytestmark = needs_recordings
NOW = datetime(2025, 3, 1, tzinfo=UTC)
GOOD = [
    parameter
    for parameter in snp_rows("signature verifies")
    if not dict(parameter.values[0]).get("debug")
]


def row_named(stem: str) -> dict[str, Any]:
    return next(row for row in INDEX["snp"] if stem in row["leaf"])


def refusal(policy: Policy, evidence: Evidence, chain: bytes | None, now: datetime = NOW) -> str:
    with pytest.raises(AttestationError) as caught:
        appraise(evidence, policy, now, chain)
    return caught.value.code


@pytest.mark.parametrize("row", GOOD)
def test_good_reports_verify_with_the_recorded_fields(row: dict[str, Any]) -> None:
    evidence, chain = snp_inputs(row)
    found = appraise(evidence, snp_policy(row), NOW, chain)
    assert found.report_data.hex() == row["report_data"]
    assert found.measurement == row["measurement"]
    assert found.until is not None
    assert found.until == datetime.fromisoformat(row["leaf_valid_until"])
    report = Report(evidence.body)
    assert (report.version, report.policy) == (row["report_version"], int(row["policy"], 16))
    assert int.from_bytes(report.reported_tcb, "little") == int.from_bytes(
        bytes.fromhex(row["reported_tcb"]), "little"
    )


def test_debug_and_forged_certificates_are_refused() -> None:
    debug = row_named("milan_google_vcek")
    assert refusal(snp_policy(debug), *snp_inputs(debug)) == "debug"
    forged = row_named("milan_trustee_vcek_invalid")
    assert refusal(snp_policy(forged), *snp_inputs(forged)) == "signature"


def test_every_flipped_byte_of_a_report_is_refused() -> None:
    row = row_named("milan_virtee_vcek")
    evidence, chain = snp_inputs(row)
    policy = snp_policy(row)
    for at in range(0x2A0 + 144):
        body = bytearray(evidence.body)
        body[at] ^= 1 << at % 8
        refusal(policy, Evidence("sev-snp", bytes(body)), chain)


@pytest.mark.parametrize("stem", ["milan_virtee_vcek", "milan_trustee_vlek"])
def test_flipped_bytes_of_certificates_are_refused(stem: str) -> None:
    row = row_named(stem)
    evidence, chain = snp_inputs(row)
    policy, refused = snp_policy(row), 0
    whole = appraise(evidence, policy, NOW, chain)
    for at in range(60, len(chain) - 60, 23):
        changed = bytearray(chain)
        changed[at] ^= 1 << at % 6
        try:
            found = appraise(evidence, policy, NOW, bytes(changed))
        except AttestationError:
            refused += 1
        else:  # base64 has bits that no byte keeps, and line breaks
            assert found == whole
    assert refused > 200


def test_the_policy_decides() -> None:
    row = row_named("milan_virtee_vcek")
    evidence, chain = snp_inputs(row)
    assert refusal(snp_policy(row, measurement="00" * 48), evidence, chain) == "measurement"
    assert refusal(snp_policy(row, host_data="11" * 32), evidence, chain) == "measurement"
    assert refusal(snp_policy(row, vmpl=1), evidence, chain) == "platform"
    assert refusal(snp_policy(row, products=["Genoa"]), evidence, chain) == "platform"
    text = f'version = 1\naccept = ["sev-snp"]\n[[snp]]\nmeasurement = "{row["measurement"]}"\n'
    assert refusal(Policy.from_toml(text), evidence, chain) == "platform"  # Milan is not named
    newer = Policy.from_toml(f'{text}products = ["Milan"]\nmin_tcb = {{ microcode = 200 }}\n')
    assert refusal(newer, evidence, chain) == "svn"
    leased = row_named("milan_trustee_vlek")
    assert refusal(snp_policy(leased, allow_vlek=False), *snp_inputs(leased)) == "platform"


def test_certificates_have_their_time() -> None:
    row = row_named("milan_virtee_vcek")
    evidence, chain = snp_inputs(row)
    late, early = datetime(2031, 1, 1, tzinfo=UTC), datetime(2022, 1, 1, tzinfo=UTC)
    assert refusal(snp_policy(row), evidence, chain, late) == "collateral_expired"
    assert refusal(snp_policy(row), evidence, chain, early) == "collateral_future"


def test_another_chips_certificate_or_product_is_refused() -> None:
    row, other = row_named("milan_virtee_vcek"), row_named("milan_trustee_vcek.")
    evidence, chain = snp_inputs(row)
    assert refusal(snp_policy(row), evidence, snp_inputs(other)[1]) == "signature"
    leaf = chain[: chain.index(b"-----END CERTIFICATE-----\n") + 26]
    genoa = leaf + (FOLDER / "amd/ask_ark_genoa.pem").read_bytes()
    assert refusal(snp_policy(row), evidence, genoa) == "untrusted_root"
    assert refusal(snp_policy(row), evidence, leaf) == "malformed"
    assert refusal(snp_policy(row), evidence, None) == "collateral_mismatch"


@pytest.mark.parametrize("spelling", ["bytes", "bytes_le"])
def test_certificates_from_the_hosts_table(spelling: str) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    row = row_named("milan_virtee_vcek")
    evidence, chain = snp_inputs(row)
    ask, ark = x509.load_pem_x509_certificates((FOLDER / row["chain"]).read_bytes())
    parts = [
        ("4ab7b379-bbac-4fe4-a02f-05aef327c782", ask.public_bytes(Encoding.DER)),
        ("c0b406a4-a803-4952-9743-3fb6014cd0ae", ark.public_bytes(Encoding.DER)),
        ("63da758d-e664-4564-adc5-f4b93be8accd", (FOLDER / row["leaf"]).read_bytes()),
    ]
    table, blobs, at = b"", b"", 24 * (len(parts) + 1)
    for name, der in parts:
        table += getattr(uuid.UUID(name), spelling) + struct.pack("<II", at, len(der))
        blobs, at = blobs + der, at + len(der)
    endorsed = Evidence("sev-snp", evidence.body, endorsements=table + bytes(24) + blobs)
    policy = snp_policy(row)
    assert appraise(endorsed, policy, NOW, None) == appraise(evidence, policy, NOW, chain)
