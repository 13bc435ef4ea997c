"""Key pairs and pinned certificates: who a party is on the wire, without any authority.

Each party makes one key pair and one self-signed certificate that bears its name.
The two companies exchange certificates once and compare fingerprints by telephone;
from then on TLS accepts exactly that certificate from the other side and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from securexgb.dealer.identity import NAME
from securexgb.errors import CertificateRefused, UsageError
from securexgb.storage.trouble import refuse_machine
from securexgb.storage.whole import make_directory, remove, write_new, write_whole

VALID_DAYS = 825


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate. ``fingerprint``: SHA-256 of its DER form, 64 hex digits."""

    pem: bytes
    name: str
    fingerprint: str
    not_before: datetime
    not_after: datetime

    @property
    def readable(self) -> str:
        """The fingerprint in groups of four, to be read over the telephone."""
        return " ".join(self.fingerprint[i : i + 4] for i in range(0, 64, 4))

    @staticmethod
    def parse(content: bytes, source: str) -> Certificate:
        """Read one PEM certificate; UsageError, naming ``source``, where there is not one."""
        try:
            (found,) = x509.load_pem_x509_certificates(content)
            (name,) = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            found.public_key()
            return Certificate(
                pem=found.public_bytes(serialization.Encoding.PEM),
                name=str(name.value),
                fingerprint=found.fingerprint(hashes.SHA256()).hex(),
                not_before=found.not_valid_before_utc,
                not_after=found.not_valid_after_utc,
            )
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
            raise UsageError(
                f"{source} does not hold exactly one PEM certificate with a party's name in it: "
                "make one with `securexgb keys create`"
            ) from None

    def check(self, name: str, whose: str, now: datetime | None = None) -> None:
        """CertificateRefused unless it bears ``name`` and is valid now.

        ``whose``: for the message, such as "this side's own certificate".
        """
        now = now or datetime.now(UTC)
        if self.name != name:
            raise CertificateRefused(
                f"{whose} bears the name {self.name!r}, the terms and settings say {name!r}: "
                "correct the name, or exchange the right certificate"
            )
        if now > self.not_after:
            raise CertificateRefused(
                f"{whose} ({name}) expired on {self.not_after:%Y-%m-%d %H:%M} UTC: make a new one "
                "with `securexgb keys create` and let the other side trust it"
            )
        if now < self.not_before:
            raise CertificateRefused(
                f"{whose} ({name}) is valid only from {self.not_before:%Y-%m-%d %H:%M} UTC; here "
                f"it is {now:%Y-%m-%d %H:%M} UTC: check the clocks of both machines"
            )


@dataclass(frozen=True, repr=False)
class Credentials:
    """What one side brings to TLS: its own certificate and key, and the pinned peer's."""

    own: Certificate
    key_path: Path
    certificate_path: Path
    peer: Certificate

    @property
    def key(self) -> bytes:
        """The private key, PEM."""
        return _read(self.key_path, "the private key")

    def lasting_secret(self, size: int) -> bytes:
        """A secret that stays the same from run to run, as long as this side keeps its key.

        HKDF-SHA256 (RFC 5869) of the private key in its one DER form, so that it does not
        depend on how the file is written. TLS signs with the key and never hashes it so.
        """
        key = serialization.load_pem_private_key(self.key, None)
        content = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        kdf = HKDF(hashes.SHA256(), size, salt=b"securexgb", info=b"lasting secret")
        return kdf.derive(content)

    @staticmethod
    def load(key_path: Path, certificate_path: Path, peer_path: Path) -> Credentials:
        """From files; UsageError where one is missing, unreadable or does not fit."""
        own = read_certificate(certificate_path)
        _check_key(key_path, own)
        return Credentials(own, key_path, certificate_path, read_certificate(peer_path))


def check_name(name: str) -> str:
    """The name, if TLS can carry it as a host name; else UsageError."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a party's name: lower-case letters, digits and inner hyphens, "
            "at most 63"
        )
    return name


def create_keys(
    name: str, key_path: Path, certificate_path: Path, days: int = VALID_DAYS
) -> Certificate:
    """Make a P-256 key (mode 0600) and its certificate; refuses to overwrite either."""
    check_name(name)
    for path in (key_path, certificate_path):
        if path.exists():
            raise UsageError(f"{path} exists already: move it away if it is to be replaced")
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    make_directory(key_path.parent)
    make_directory(certificate_path.parent)
    write_new(key_path, secret)
    try:
        write_new(certificate_path, certificate.public_bytes(serialization.Encoding.PEM))
    except UsageError:
        remove(key_path)  # a key alone is of no use, and would be in the way of the next attempt
        raise
    return read_certificate(certificate_path)


def trust(
    received: Path, pinned_path: Path, name: str | None = None, others: Mapping[str, Path] = {}
) -> Certificate:
    """Pin a certificate that the other side has sent; returns it for its fingerprint.

    Only the certificate is copied. Replaces an older pin. ``name``: what it must bear. ``others``:
    certificates by whose they are, this side's own among them, none of which it may be.
    """
    content = _read(received, "the received certificate")
    if b"PRIVATE KEY" in content:
        raise UsageError(
            f"{received} holds a private key: the other side must never send that; ask for the "
            "certificate alone, and for a new key pair"
        )
    certificate = Certificate.parse(content, str(received))
    certificate.check(name or certificate.name, "the received certificate")
    for whose, path in others.items():
        if read_certificate(path).fingerprint == certificate.fingerprint:
            held = "this side's own" if whose == "own" else f"pinned for {whose}"
            raise UsageError(
                f"{received} holds the certificate in {path}, which is {held}: each side has a key "
                "of its own, so pin the one that you were sent"
            )
    make_directory(pinned_path.parent)
    write_whole(pinned_path, certificate.pem)
    return certificate


def read_certificate(path: Path) -> Certificate:
    """The certificate in a file; UsageError if there is none."""
    return Certificate.parse(_read(path, "a certificate"), str(path))


def _check_key(path: Path, certificate: Certificate) -> None:
    """The key file is private to its owner and belongs to the certificate."""
    content = _read(path, "the private key")
    if path.stat().st_mode & 0o077:
        raise UsageError(f"{path} can be read by other users of this machine: chmod 600 {path}")
    try:
        key = serialization.load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(f"{path} does not hold an unencrypted PEM private key") from None
    public = x509.load_pem_x509_certificate(certificate.pem).public_key()
    if key.public_key() != public:
        raise UsageError(f"the private key in {path} does not belong to {certificate.name}'s own "
                         "certificate: make both anew with `securexgb keys create`")  # fmt: skip


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        refuse_machine("read", path, error)
        raise UsageError(
            f"{what} cannot be read from {path}: {error.strerror}; see `securexgb keys`"
        ) from None
