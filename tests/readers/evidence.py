"""What a dealer and a vendor's service show: evidence and collateral."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from securexgb.attestation.appraisal import Roots
from securexgb.attestation.collateral import _intel_platform, signed_text
from securexgb.attestation.collateral_cache import valid_until
from securexgb.attestation.policy import Policy
from securexgb.attestation.snp import _TABLE_KEYS
from securexgb.attestation.verify import appraise
from securexgb.dealer.evidence import Evidence
from tests.attestation import laboratory_amd
from tests.attestation.examples import policy, roots
from tests.attestation.laboratory import NOW, Laboratory
from tests.readers.table import Prepared, Row


@cache
def intel() -> Laboratory:
    return Laboratory()


@cache
def amd() -> laboratory_amd.AmdLaboratory:
    return laboratory_amd.AmdLaboratory()


def quote(tee: str) -> Callable[[Path], Prepared]:
    def prepare(_: Path) -> Prepared:
        collateral = intel().collateral(tee)

        def read(content: bytes) -> object:
            shown = Evidence(f"{tee}-dcap", content)
            _intel_platform(shown)
            return appraise(shown, policy(tee), NOW, collateral, roots(intel()))

        return getattr(intel(), tee)(bytes(64)), read

    return prepare


def collateral(_: Path) -> Prepared:
    shown = Evidence("tdx-dcap", intel().tdx(bytes(64)))

    def read(content: bytes) -> object:
        valid_until(content)
        return appraise(shown, policy("tdx"), NOW, content, roots(intel()))

    return intel().collateral("tdx"), read


def answer(_: Path) -> Prepared:
    good = b'{"tcbInfo": {"version": 3, "tcbLevels": []}, "signature": "00"}'
    return good, lambda content: signed_text(content, "tcbInfo")


def report(_: Path) -> Prepared:
    chain, accepted, known = amd().chain(), _amd_policy(), amd().roots()
    return amd().report(bytes(64)), lambda content: _judged(content, chain, accepted, known)


def chain(_: Path) -> Prepared:
    shown, accepted, known = amd().report(bytes(64)), _amd_policy(), amd().roots()
    return amd().chain(), lambda content: _judged(shown, content, accepted, known)


def certificates(_: Path) -> Prepared:
    """The chain as a host's table: DER, by UUID, offset and length."""
    shown, accepted, known = amd().report(bytes(64)), _amd_policy(), amd().roots()
    parts = [
        certificate.public_bytes(Encoding.DER)
        for certificate in x509.load_pem_x509_certificates(amd().chain())
    ]
    head, at = b"", 24 * (len(parts) + 1)
    for name, part in zip(_TABLE_KEYS, parts, strict=False):
        head += UUID(name).bytes + struct.pack("<II", at, len(part))
        at += len(part)
    content = head + bytes(24) + b"".join(parts)
    return content, lambda given: _judged(shown, given, accepted, known)


def _judged(body: bytes, shown: bytes, accepted: Policy, known: Roots) -> object:
    return appraise(Evidence("sev-snp", body), accepted, laboratory_amd.NOW, shown, known)


def _amd_policy() -> Policy:
    measured = laboratory_amd.MEASUREMENT.hex()
    return Policy.from_toml(
        f'version = 1\naccept = ["sev-snp"]\n[[snp]]\nmeasurement = "{measured}"\n'
    )


ROWS = (
    Row("quote of an enclave", quote("sgx")),
    Row("quote of a guest", quote("tdx")),
    Row("collateral", collateral),
    Row("answer of a collateral service", answer),
    Row("report of an AMD guest", report),
    Row("AMD's chain", chain),
    Row("AMD's certificates in a table", certificates),
)
