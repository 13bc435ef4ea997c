"""A laboratory that plays AMD: root, intermediate, a chip's certificate, and reports.

Layouts as in ``securexgb.attestation.snp``. For tests only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from securexgb.attestation.appraisal import Roots

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MEASUREMENT, CHIP = bytes(range(48)), bytes(range(64))
_OID = "1.3.6.1.4.1.3704.1."
_PSS = padding.PSS(padding.MGF1(hashes.SHA384()), hashes.SHA384().digest_size)


@cache
def _rsa_keys() -> tuple[rsa.RSAPrivateKey, rsa.RSAPrivateKey]:
    """Root's and intermediate's: shorter than AMD's, to be quick."""
    root, intermediate = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    return root, intermediate


def _small(value: int) -> bytes:
    content = value.to_bytes(1 if value < 128 else 2, "big")
    return bytes([2, len(content)]) + content


@dataclass
class AmdLaboratory:
    """One chip of one product; ``tcb`` in the order bootloader, tee, snp, microcode (, fmc)."""

    product: str = "Genoa"
    tcb: tuple[int, ...] = (9, 0, 23, 200, 1)
    chip: bytes = CHIP
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP384R1())
    )

    def roots(self) -> Roots:
        """Trust in this laboratory as the root of its product."""
        spki = (
            _rsa_keys()[0]
            .public_key()
            .public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        return Roots(amd={self.product: hashlib.sha256(spki).hexdigest()})

    def chain(self, named: str = "") -> bytes:
        """Leaf, ASK, ARK as PEM; the leaf's product name may be another."""
        root, intermediate = _rsa_keys()
        ark, ask = f"ARK-{self.product}", f"SEV-{self.product}"
        leaf = self._builder("SEV-VCEK", ask, self.key.public_key())
        for oid, value in self._extensions(named or self.product):
            unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(_OID + oid), value)
            leaf = leaf.add_extension(unknown, critical=False)
        certificates = (
            leaf.sign(intermediate, hashes.SHA384(), rsa_padding=_PSS),
            self._builder(ask, ark, intermediate.public_key()).sign(
                root, hashes.SHA384(), rsa_padding=_PSS
            ),
            self._builder(ark, ark, root.public_key()).sign(
                root, hashes.SHA384(), rsa_padding=_PSS
            ),
        )
        return b"".join(found.public_bytes(serialization.Encoding.PEM) for found in certificates)

    def _extensions(self, product: str) -> list[tuple[str, bytes]]:
        name = f"{product}-B0".encode()
        bootloader, tee, snp, microcode, fmc = self.tcb
        chip = self.chip[:8] if self.product == "Turin" else self.chip
        return [
            ("2", bytes([0x16, len(name)]) + name),
            ("3.1", _small(bootloader)),
            ("3.2", _small(tee)),
            ("3.3", _small(snp)),
            ("3.8", _small(microcode)),
            ("3.9", _small(fmc)),
            ("4", chip),
        ]

    @staticmethod
    def _builder(
        name: str, issuer: str, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(issuer))
            .public_key(key)
            .serial_number(1)
            .not_valid_before(NOW - timedelta(days=100))
            .not_valid_after(NOW + timedelta(days=100))
        )

    def report(
        self,
        report_data: bytes,
        policy: int = 0x30000,
        tcb: tuple[int, ...] | None = None,
        chip: bytes | None = None,
        vmpl: int = 0,
        key_kind: int = 0,
    ) -> bytes:
        """A signed report of version 3."""
        bootloader, tee, snp, microcode, fmc = tcb or self.tcb
        if self.product == "Turin":
            versions = bytes([fmc, bootloader, tee, snp, 0, 0, 0, microcode])
        else:
            versions = bytes([bootloader, tee, 0, 0, 0, 0, snp, microcode])
        own = self.chip[:8].ljust(64, b"\0") if self.product == "Turin" else self.chip
        body = bytearray(0x4A0)
        for at, content in (
            (0x00, (3).to_bytes(4, "little")),
            (0x08, policy.to_bytes(8, "little")),
            (0x30, vmpl.to_bytes(4, "little")),
            (0x34, (1).to_bytes(4, "little")),
            (0x48, (key_kind << 2).to_bytes(4, "little")),
            (0x50, report_data),
            (0x90, MEASUREMENT),
            (0x180, versions),
            (0x1A0, chip if chip is not None else own),
        ):
            body[at : at + len(content)] = content
        signature = self.key.sign(bytes(body[:0x2A0]), ec.ECDSA(hashes.SHA384()))
        r, s = decode_dss_signature(signature)
        body[0x2A0:0x2E8], body[0x2E8:0x330] = r.to_bytes(72, "little"), s.to_bytes(72, "little")
        return bytes(body)
