"""The dealer's key and certificate, new at every start, and the hashes that name keys.

The private key stays in memory. Whoever restarts a dealer gets another key, so that no
session survives a restart and nothing can be rolled back.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID_DAYS = 30
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""A name in a certificate: what TLS can carry as a host name."""


@dataclass(frozen=True)
class Identity:
    """A private key and its self-signed certificate, both PEM."""

    key: bytes = field(repr=False)
    certificate: bytes


def fresh_identity(name: str) -> Identity:
    """A new P-256 key with a self-signed certificate for ``name`` (CN and DNS name)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Identity(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        certificate.public_bytes(serialization.Encoding.PEM),
    )


def key_hash(certificate: bytes) -> bytes:
    """SHA-256 of the public key (DER, SubjectPublicKeyInfo) in a PEM certificate; or ValueError."""
    try:
        public = x509.load_pem_x509_certificate(certificate).public_key()
    except (UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ValueError(f"a key or certificate of an unknown kind: {error}") from None
    spki = public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(spki).digest()


def fingerprint(certificate: bytes) -> bytes:
    """SHA-256 of a PEM certificate's DER bytes."""
    return x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256())
