"""A laboratory that plays Intel: its own root, certificates, collateral and quotes.

Everything has the form of the real thing, so that dcap-qvl verifies it with the real
code under this root. For tests only: nothing in the package imports it, and production
trusts Intel's root alone.

Layouts: "Intel SGX PCK Certificate and CRL Profile Specification" (extension
1.2.840.113741.1.13.1), "Intel SGX ECDSA Quote Library Reference" (quotes of version 3),
"Intel TDX DCAP Quoting Library API" (version 4).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MRENCLAVE, MRSIGNER = bytes(range(32)), bytes(range(32, 64))
MRTD, RTMR = bytes(range(48)), [bytes([number]) * 48 for number in range(4)]
TD_ATTRIBUTES, XFAM = bytes.fromhex("0000001000000000"), bytes.fromhex("e702060000000000")
_QE_SIGNER = b"Q" * 32
_FMSPC = bytes.fromhex("ABCDEF012345")
_CPU_SVN, _PCE_SVN = bytes([5] * 16), 11
_SGX_OID = "1.2.840.113741.1.13.1"

Key = ec.EllipticCurvePrivateKey


def _new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def raw_signature(key: Key, content: bytes) -> bytes:
    """ECDSA with SHA-256 as r and s, 32 bytes each, big-endian: Intel's form."""
    r, s = decode_dss_signature(key.sign(content, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def raw_point(key: Key) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )[1:]


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def _oid(text: str) -> bytes:
    first, second, *rest = (int(part) for part in text.split("."))
    content = bytes([40 * first + second])
    for part in rest:
        digits = [part & 127]
        while part := part >> 7:
            digits.append(part & 127 | 128)
        content += bytes(reversed(digits))
    return _der(6, content)


@dataclass(frozen=True)
class Machine:
    """What the PCK certificate says of the laboratory's machine."""

    fmspc: bytes = _FMSPC
    cpu_svn: bytes = _CPU_SVN
    pce_svn: int = _PCE_SVN
    flags: tuple[bool, bool, bool] = (True, True, True)  # dynamic, cached keys, SMT

    def extension(self) -> bytes:
        def pair(path: str, value: bytes) -> bytes:
            return _der(0x30, _oid(f"{_SGX_OID}.{path}") + value)

        levels = [
            pair(f"2.{i + 1}", _der(2, b"\0" + bytes([v]))) for i, v in enumerate(self.cpu_svn)
        ]
        levels += [
            pair("2.17", _der(2, bytes([self.pce_svn]))),
            pair("2.18", _der(4, self.cpu_svn)),
        ]
        flags = [
            pair(f"7.{i + 1}", _der(1, b"\xff" if is_set else b"\0"))
            for i, is_set in enumerate(self.flags)
        ]
        return _der(
            0x30,
            pair("1", _der(4, b"P" * 16))
            + pair("2", _der(0x30, b"".join(levels)))
            + pair("3", _der(4, bytes(2)))
            + pair("4", _der(4, self.fmspc))
            + pair("5", _der(0x0A, b"\1"))
            + pair("6", _der(4, b"I" * 16))
            + pair("7", _der(0x30, b"".join(flags))),
        )


@dataclass(frozen=True)
class Level:
    """What the collateral says about the machine."""

    status: str = "UpToDate"
    advisories: tuple[str, ...] = ()
    date: str = "2026-03-01T00:00:00Z"
    evaluation: int = 21
    least_svn: int = 1
    qe_status: str = "UpToDate"
    fmspc: bytes = _FMSPC


@dataclass(frozen=True)
class Window:
    """When each part of the collateral is valid."""

    issued: datetime = NOW - timedelta(days=2)
    until: datetime = NOW + timedelta(days=28)


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Laboratory:
    """Keys and certificates for one machine; ``revoked`` names a revoked certificate."""

    machine: Machine = field(default_factory=Machine)
    revoked: str = ""

    def __post_init__(self) -> None:
        names = ("root", "ca", "pck", "signer")
        self.keys = {name: _new_key() for name in names}
        self.attestation_key = _new_key()
        self.certificates: dict[str, x509.Certificate] = {}
        for name, key, issuer in (
            ("Laboratory Root CA", "root", "root"),
            ("Laboratory PCK Platform CA", "ca", "root"),
            ("Laboratory TCB Signing", "signer", "root"),
            ("Laboratory PCK Certificate", "pck", "ca"),
        ):
            self.certificates[key] = self._certificate(name, key, issuer)

    @property
    def root(self) -> bytes:
        """The root certificate, DER."""
        return self.certificates["root"].public_bytes(serialization.Encoding.DER)

    def _certificate(self, name: str, key: str, issuer: str) -> x509.Certificate:
        is_ca = key in ("root", "ca")

        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        public, parent = self.keys[key].public_key(), self.keys[issuer].public_key()
        issuer_name = named(name) if key == issuer else self.certificates[issuer].subject
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(parent)
        usage = x509.KeyUsage(not is_ca, not is_ca, False, False, False, is_ca, is_ca, False, False)
        point = x509.DistributionPoint(
            [x509.UniformResourceIdentifier("https://laboratory.invalid/crl")], None, None, None
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(issuer_name)
            .public_key(public)
            .serial_number(secrets.randbits(120) + 1)
            .not_valid_before(NOW - timedelta(days=1000))
            .not_valid_after(NOW + timedelta(days=1000))
            .add_extension(identifier, critical=False)
            .add_extension(x509.CRLDistributionPoints([point]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(usage, critical=True)
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        )
        if key == "pck":
            oid = x509.ObjectIdentifier(_SGX_OID)
            extension = x509.UnrecognizedExtension(oid, self.machine.extension())
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self.keys[issuer], hashes.SHA256())

    def _pem(self, *names: str) -> str:
        parts = (self.certificates[name].public_bytes(serialization.Encoding.PEM) for name in names)
        return b"".join(parts).decode()

    def _revocations(self, issuer: str, window: Window) -> bytes:
        key = self.keys[issuer]
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificates[issuer].subject)
            .last_update(window.issued)
            .next_update(window.until)
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
            )
        )
        found = self.certificates.get(self.revoked)
        if found is not None and found.issuer == self.certificates[issuer].subject:
            entry = x509.RevokedCertificateBuilder().serial_number(found.serial_number)
            entry = entry.revocation_date(window.issued)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def collateral(
        self,
        tee: str,
        level: Level | None = None,
        window: Window | None = None,
        crl_window: Window | None = None,
    ) -> bytes:
        """Signed collateral for "sgx" or "tdx" in the layout of QuoteCollateralV3."""
        level, window = level or Level(), window or Window()
        crls = crl_window or window
        tcb_info = json.dumps(_tcb_info(tee, level, window), separators=(",", ":"))
        identity = json.dumps(_qe_identity(tee, level, window), separators=(",", ":"))
        content = {
            "pck_crl_issuer_chain": self._pem("ca", "root"),
            "root_ca_crl": self._revocations("root", crls).hex(),
            "pck_crl": self._revocations("ca", crls).hex(),
            "tcb_info_issuer_chain": self._pem("signer", "root"),
            "tcb_info": tcb_info,
            "tcb_info_signature": raw_signature(self.keys["signer"], tcb_info.encode()).hex(),
            "qe_identity_issuer_chain": self._pem("signer", "root"),
            "qe_identity": identity,
            "qe_identity_signature": raw_signature(self.keys["signer"], identity.encode()).hex(),
        }
        return json.dumps(content).encode()

    def sgx(self, report_data: bytes, **fields: Any) -> bytes:
        """A quote of version 3; fields of ``enclave_report``."""
        header = _header(3, 0)
        return self._signed(header + enclave_report(report_data, **fields), "sgx")

    def tdx(self, report_data: bytes, **fields: Any) -> bytes:
        """A quote of version 4; fields of ``guest_report``."""
        return self._signed(_header(4, 0x81) + guest_report(report_data, **fields), "tdx")

    def _signed(self, content: bytes, tee: str) -> bytes:
        point, data = raw_point(self.attestation_key), bytes(range(32))
        bound = hashlib.sha256(point + data).digest().ljust(64, b"\0")
        report = enclave_report(
            bound, mrsigner=_QE_SIGNER, isv_prod_id=1 if tee == "sgx" else 2, isv_svn=8
        )
        chain = self._pem("pck", "ca", "root").encode()
        certified = (5).to_bytes(2, "little") + len(chain).to_bytes(4, "little") + chain
        by_qe = report + raw_signature(self.keys["pck"], report)
        by_qe += len(data).to_bytes(2, "little") + data + certified
        if tee == "tdx":
            by_qe = (6).to_bytes(2, "little") + len(by_qe).to_bytes(4, "little") + by_qe
        own = raw_signature(self.attestation_key, content) + point + by_qe
        return content + len(own).to_bytes(4, "little") + own

    def changed(self, **fields: Any) -> Laboratory:
        """Another laboratory with other settings (and other keys)."""
        return replace(self, **fields)


def _header(version: int, tee: int) -> bytes:
    vendor = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
    return (
        version.to_bytes(2, "little") + (2).to_bytes(2, "little") + tee.to_bytes(4, "little")
        + bytes(4) + vendor + bytes(20)
    )  # fmt: skip


def enclave_report(
    report_data: bytes,
    mrenclave: bytes = MRENCLAVE,
    mrsigner: bytes = MRSIGNER,
    isv_prod_id: int = 3,
    isv_svn: int = 7,
    attributes: str = "0500000000000000e700000000000000",
) -> bytes:
    """384 bytes: REPORT_BODY of an enclave."""
    return (
        _CPU_SVN + bytes(4) + bytes(28) + bytes.fromhex(attributes) + mrenclave + bytes(32)
        + mrsigner + bytes(96) + isv_prod_id.to_bytes(2, "little")
        + isv_svn.to_bytes(2, "little") + bytes(60) + report_data
    )  # fmt: skip


def guest_report(
    report_data: bytes,
    mrtd: bytes = MRTD,
    rtmr: list[bytes] | None = None,
    attributes: bytes = TD_ATTRIBUTES,
    xfam: bytes = XFAM,
    config: bytes = bytes(48),
) -> bytes:
    """584 bytes: TDREPORT 1.0 as a quote carries it."""
    svn = bytes([5, 1]) + bytes([5] * 14)
    return (
        svn + bytes(48) + bytes(48) + bytes(8) + attributes + xfam + mrtd + config + bytes(96)
        + b"".join(rtmr or RTMR) + report_data
    )  # fmt: skip


def _tcb_info(tee: str, level: Level, window: Window) -> dict[str, Any]:
    components = [{"svn": level.least_svn}] * 16
    module = {
        "mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8,
    }  # fmt: skip
    tcb: dict[str, Any] = {"sgxtcbcomponents": components, "pcesvn": _PCE_SVN}
    info: dict[str, Any] = {
        "id": tee.upper(),
        "version": 3,
        "issueDate": _stamp(window.issued),
        "nextUpdate": _stamp(window.until),
        "fmspc": level.fmspc.hex().upper(),
        "pceId": "0000",
        "tcbType": 0,
        "tcbEvaluationDataNumber": level.evaluation,
    }
    if tee == "tdx":
        tcb["tdxtcbcomponents"] = components
        up_to_date = {
            "tcb": {"isvsvn": 3}, "tcbDate": level.date, "tcbStatus": "UpToDate",
        }  # fmt: skip
        info["tdxModule"] = module
        info["tdxModuleIdentities"] = [{"id": "TDX_01", **module, "tcbLevels": [up_to_date]}]
    found: dict[str, Any] = {"tcb": tcb, "tcbDate": level.date, "tcbStatus": level.status}
    if level.advisories:
        found["advisoryIDs"] = list(level.advisories)
    info["tcbLevels"] = [found]
    return info


def _qe_identity(tee: str, level: Level, window: Window) -> dict[str, Any]:
    qe_level = {"tcb": {"isvsvn": 6}, "tcbDate": level.date, "tcbStatus": level.qe_status}
    return {
        "id": "QE" if tee == "sgx" else "TD_QE",
        "version": 2,
        "issueDate": _stamp(window.issued),
        "nextUpdate": _stamp(window.until),
        "tcbEvaluationDataNumber": level.evaluation,
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "01000000000000000000000000000000",
        "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
        "mrsigner": _QE_SIGNER.hex().upper(),
        "isvprodid": 1 if tee == "sgx" else 2,
        "tcbLevels": [qe_level],
    }
