"""Evidence by a key in a file: exercises every step, proves nothing about a machine.

Verifies only where a policy accepts ``dev`` and names the key; the verdict's assurance
is ``dev`` whatever else holds.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from securexgb.dealer.attestation.evidence import REPORT_DATA_BYTES, Evidence
from securexgb.dealer.attestation.refusal import AttestationError

_LABEL = b"securexgb development evidence, no hardware\0"
_POINT_BYTES = 65


class DevAttester:
    """Signs the report data. ``key_hash``: what a policy's ``[[dev]] key`` holds."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._point = key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        self.key_hash = hashlib.sha256(self._point).hexdigest()

    @staticmethod
    def fresh() -> DevAttester:
        """With a new P-256 key."""
        return DevAttester(ec.generate_private_key(ec.SECP256R1()))

    @staticmethod
    def from_file(path: Path) -> DevAttester:
        """With the key in a PEM file, which is made (mode 0600) where there is none."""
        if not path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            text = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            with os.fdopen(
                os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
            ) as file:
                file.write(text)
        try:
            loaded = serialization.load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise AttestationError("malformed", f"{path} holds no key: {error}") from None
        if not (isinstance(loaded, ec.EllipticCurvePrivateKey) and loaded.key_size == 256):
            raise AttestationError("malformed", f"{path} holds no P-256 key")
        return DevAttester(loaded)

    def evidence(self, report_data: bytes) -> Evidence:
        """Report data, public key and signature."""
        if len(report_data) != REPORT_DATA_BYTES:
            raise AttestationError("malformed", f"report data have {REPORT_DATA_BYTES} bytes")
        signature = self._key.sign(_LABEL + report_data, ec.ECDSA(hashes.SHA256()))
        return Evidence("dev", report_data + self._point + signature)


def verify_dev(body: bytes) -> tuple[bytes, str]:
    """Report data and the hash of the key (hex) of well-signed development evidence."""
    end = REPORT_DATA_BYTES + _POINT_BYTES
    data, point, signature = body[:REPORT_DATA_BYTES], body[REPORT_DATA_BYTES:end], body[end:]
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise AttestationError("malformed", "the body holds no public key") from None
    try:
        key.verify(signature, _LABEL + data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise AttestationError("signature", "the development key has not signed this") from None
    return data, hashlib.sha256(point).hexdigest()
