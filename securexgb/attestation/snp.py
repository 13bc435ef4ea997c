"""Reports of AMD SEV-SNP guests: signature, certificates and policy, on ``cryptography``.

Layouts: "SEV Secure Nested Paging Firmware ABI Specification" (56860), tables of
ATTESTATION_REPORT, TCB_VERSION and GUEST_POLICY; "Versioned Chip Endorsement Key
Certificate and KDS Interface Specification" (57230) for the certificates' extensions;
the GHCB specification (56421) for the certificate table that a host leaves for a guest.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
import warnings
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from securexgb.attestation.appraisal import COLLATERAL_BYTES, Appraisal, Roots
from securexgb.attestation.policy import Policy, Snp
from securexgb.dealer.evidence import Evidence
from securexgb.dealer.refusal import AttestationError

REPORT_BYTES, _SIGNED = 0x4A0, 0x2A0
_DEBUG, _MIGRATION_AGENT, _RESERVED_ONE = 1 << 19, 1 << 18, 1 << 17
_ECDSA_P384, _VCEK, _VLEK = 1, 0, 1
_OID = "1.3.6.1.4.1.3704.1."
_CERTIFICATES = 8
_TABLE_KEYS = (
    "63da758d-e664-4564-adc5-f4b93be8accd",  # VCEK
    "a8074bc2-a25a-483e-aae6-39c045a0b8a1",  # VLEK
    "4ab7b379-bbac-4fe4-a02f-05aef327c782",  # ASK
    "c0b406a4-a803-4952-9743-3fb6014cd0ae",  # ARK
)


class Report:
    """The fields that are used here; numbers are little-endian in the report.

    Of version 2 or later; AttestationError (malformed, unsupported) for anything else.
    """

    def __init__(self, body: bytes) -> None:
        if len(body) != REPORT_BYTES:
            raise AttestationError("malformed", f"a report has {REPORT_BYTES} bytes")

        def number(at: int, size: int = 4) -> int:
            return int.from_bytes(body[at : at + size], "little")

        if not 2 <= number(0) <= 5:
            raise AttestationError("unsupported", f"report version {number(0)}")
        if number(0x34) != _ECDSA_P384:
            raise AttestationError("unsupported", f"signature algorithm {number(0x34)}")
        self.version = number(0)
        self.policy = number(0x08, 8)
        self.vmpl = number(0x30)
        self.signing_key = number(0x48) >> 2 & 7
        self.report_data = body[0x50:0x90]
        self.measurement = body[0x90:0xC0].hex()
        self.host_data = body[0xC0:0xE0].hex()
        self.reported_tcb = body[0x180:0x188]
        self.chip_id = body[0x1A0:0x1E0]
        self.signed = body[:_SIGNED]
        self.signature = encode_dss_signature(number(0x2A0, 72), number(0x2E8, 72))


def appraise(
    evidence: Evidence, policy: Policy, now: datetime, collateral: bytes | None, roots: Roots
) -> Appraisal:
    """Check a report; AttestationError with the reason's code. See ``verify.appraise``."""
    report = Report(evidence.body)
    content = collateral if collateral is not None else evidence.endorsements
    try:
        chain = _certificates(content)
        product = _check_chain(chain, now, roots)
        _check_signature(report, chain[0])
        tcb = _check_endorsement(report, chain[0], product)
        until = min(certificate.not_valid_after_utc for certificate in chain)
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        # Certificates are parsed field by field, as the fields are asked for; a kind of text that
        # does not exist is a KeyError of cryptography before version 47.
        raise AttestationError("malformed", f"a certificate does not parse: {error}") from None
    if report.policy & _DEBUG:
        raise AttestationError("debug", "the guest's policy allows debugging")
    if report.policy & _MIGRATION_AGENT:
        raise AttestationError("migratable", "the guest's policy allows a migration agent")
    if not report.policy & _RESERVED_ONE:
        raise AttestationError("malformed", "bit 17 of the guest's policy is always one")
    _check_entries(report, product, tcb, policy.snp)
    return Appraisal(
        report_data=report.report_data,
        measurement=report.measurement,
        tcb_status=",".join(f"{name}={value}" for name, value in tcb.items()),
        platform_id=report.chip_id.hex() if report.signing_key == _VCEK else "",
        until=until,
        checked=(
            f"The report is signed by a chip's key under AMD's root for {product}.",
            "The certificates' dates; that the key is for this chip and firmware.",
            "The measurement is one that the policy names; no debugging, no migration.",
        ),
        not_checked=(
            "AMD's revocation lists; simultaneous multithreading and other platform settings.",
            "Identity blocks (id_key_digest, author_key_digest), family and image id.",
        ),
    )


def _certificates(content: bytes) -> list[x509.Certificate]:
    """Leaf, intermediate and root, from a PEM chain or a host's certificate table."""
    if not content:
        raise AttestationError("collateral_mismatch", "there are no certificates for this chip")
    if len(content) > COLLATERAL_BYTES:
        raise AttestationError("malformed", f"collateral has at most {COLLATERAL_BYTES} bytes")
    with warnings.catch_warnings():
        # AMD's leaf certificates have the serial number 0, which RFC 5280 forbids.
        warnings.simplefilter("ignore")
        if b"-----BEGIN" in content:
            found = x509.load_pem_x509_certificates(content)
        else:
            found = [x509.load_der_x509_certificate(part) for part in _table(content)]
    if not 3 <= len(found) <= _CERTIFICATES:
        raise AttestationError("malformed", "a chain is leaf, ASK (or ASVK) and ARK")
    return found[:3]


def _table(content: bytes) -> list[bytes]:
    """The certificates of a table: 16 bytes of name, offset and length (4 bytes each).

    The name is a UUID, in either byte order: tools disagree about it.
    """
    keys = [uuid.UUID(key) for key in _TABLE_KEYS]
    order = {name: at for at, key in enumerate(keys) for name in (key.bytes, key.bytes_le)}
    found: dict[int, bytes] = {}
    for at in range(0, min(len(content) - 23, 24 * 64), 24):
        name, offset, length = struct.unpack_from("<16sII", content, at)
        if name == bytes(16):
            break
        if name in order and offset + length <= len(content):
            found[order[name]] = content[offset : offset + length]
    return [found[place] for place in sorted(found)]


def _check_chain(chain: list[x509.Certificate], now: datetime, roots: Roots) -> str:
    """The product whose root the chain ends in, once signatures and dates are right."""
    leaf, intermediate, root = chain
    spki = root.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    products = {known: product for product, known in roots.amd.items()}
    product = products.get(hashlib.sha256(spki).hexdigest())
    if product is None:
        raise AttestationError("untrusted_root", "the chain does not end in a root of AMD's")
    for child, parent in ((root, root), (intermediate, root), (leaf, intermediate)):
        key, digest = parent.public_key(), hashes.SHA384()
        if not isinstance(key, rsa.RSAPublicKey) or child.issuer != parent.subject:
            raise AttestationError("untrusted_root", "the certificates do not form AMD's chain")
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        try:
            key.verify(child.signature, child.tbs_certificate_bytes, pss, digest)
        except InvalidSignature:
            name = child.subject.rfc4514_string().split(",")[0]
            raise AttestationError("signature", f"AMD's chain has not signed {name}") from None
        if now < child.not_valid_before_utc:
            raise AttestationError("collateral_future", "a certificate is not valid yet")
        if now > child.not_valid_after_utc:
            raise AttestationError("collateral_expired", "a certificate has expired")
    return product


def _check_signature(report: Report, leaf: x509.Certificate) -> None:
    key = leaf.public_key()
    if not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1)):
        raise AttestationError("malformed", "a chip's key is an ECDSA key on P-384")
    try:
        key.verify(report.signature, report.signed, ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        raise AttestationError("signature", "the chip's key has not signed this report") from None


def _extension(leaf: x509.Certificate, name: str) -> bytes:
    try:
        found = leaf.extensions.get_extension_for_oid(x509.ObjectIdentifier(_OID + name)).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        raise AttestationError("malformed", f"the certificate lacks extension {name}") from None
    if not isinstance(found, x509.UnrecognizedExtension):
        raise AttestationError("malformed", f"extension {name} of the certificate is another one")
    return found.value


def _version(leaf: x509.Certificate, name: str) -> int:
    """A security version: DER INTEGER of one byte, or of two where the high bit is set."""
    der = _extension(leaf, f"3.{name}")
    if der[:1] != b"\x02" or der[1:2] not in (b"\x01", b"\x02") or len(der) != 2 + der[1]:
        raise AttestationError("malformed", f"extension 3.{name} is no small number")
    return int.from_bytes(der[2:], "big")


def _check_endorsement(report: Report, leaf: x509.Certificate, product: str) -> dict[str, int]:
    """The firmware's versions, once the certificate is for them, this chip and product."""
    text = _extension(leaf, "2")[2:].decode("ascii", "replace")
    if text.split("-")[0] != product:
        raise AttestationError("collateral_mismatch", f"certificate for {text[:16]}, not {product}")
    # TCB_VERSION: byte of each component, and the extension that endorses it.
    if product == "Turin":
        places = {"fmc": (0, "9"), "bootloader": (1, "1"), "tee": (2, "2"), "snp": (3, "3")}
    else:
        places = {"bootloader": (0, "1"), "tee": (1, "2"), "snp": (6, "3")}
    places["microcode"] = (7, "8")
    tcb = {name: report.reported_tcb[at] for name, (at, _) in places.items()}
    if any(_version(leaf, oid) != tcb[name] for name, (_, oid) in places.items()):
        raise AttestationError("collateral_mismatch", "the certificate is for other firmware")
    is_vlek = "VLEK" in leaf.subject.rfc4514_string()
    if report.signing_key != (_VLEK if is_vlek else _VCEK):
        raise AttestationError("collateral_mismatch", "the report names another kind of key")
    if not is_vlek:
        chip = _extension(leaf, "4")
        if chip.ljust(len(report.chip_id), b"\0") != report.chip_id:
            raise AttestationError("collateral_mismatch", "the certificate is for another chip")
    return tcb


def _check_entries(report: Report, product: str, tcb: dict[str, int], accepted: list[Snp]) -> None:
    entries = [entry for entry in accepted if entry.measurement == report.measurement]
    if not entries:
        raise AttestationError("measurement", f"the policy does not name {report.measurement}")
    refusals = [_refusal(report, product, tcb, entry) for entry in entries]
    if None not in refusals:
        assert refusals[0] is not None
        raise refusals[0]


def _refusal(
    report: Report, product: str, tcb: dict[str, int], entry: Snp
) -> AttestationError | None:
    """Why this entry of the policy does not fit; None where it does."""
    least = entry.min_tcb.model_dump()
    if product not in entry.products:
        return AttestationError("platform", f"the policy does not accept {product}")
    if report.signing_key == _VLEK and not entry.allow_vlek:
        return AttestationError("platform", "the policy does not accept a cloud's leased key")
    if report.vmpl != entry.vmpl:
        return AttestationError("platform", f"VMPL {report.vmpl}, the policy wants {entry.vmpl}")
    if any(tcb[name] < value for name, value in least.items()):
        return AttestationError("svn", f"firmware {tcb}, the policy wants at least {least}")
    if report.host_data != entry.host_data:
        return AttestationError("measurement", f"host data are {report.host_data}")
    return None
