"""Evidence by a key in a file: exercises every step, proves nothing about a machine.

A measured image has no such key. How a party checks it: ``attestation.dev``.
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from securexgb.dealer.evidence import REPORT_DATA_BYTES, Evidence
from securexgb.dealer.refusal import AttestationError

LABEL = b"securexgb development evidence, no hardware\0"


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
    def new_key() -> bytes:
        """A new key as PEM, for ``from_pem``; whoever keeps it keeps it secret."""
        return ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @staticmethod
    def from_pem(content: bytes, name: str) -> DevAttester:
        """With the key in a PEM file's content; ``name`` is for the message."""
        try:
            loaded = serialization.load_pem_private_key(content, None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise AttestationError("malformed", f"{name} holds no key: {error}") from None
        if not (isinstance(loaded, ec.EllipticCurvePrivateKey) and loaded.key_size == 256):
            raise AttestationError("malformed", f"{name} holds no P-256 key")
        return DevAttester(loaded)

    def evidence(self, report_data: bytes) -> Evidence:
        """Report data, public key and signature."""
        if len(report_data) != REPORT_DATA_BYTES:
            raise AttestationError("malformed", f"report data have {REPORT_DATA_BYTES} bytes")
        signature = self._key.sign(LABEL + report_data, ec.ECDSA(hashes.SHA256()))
        return Evidence("dev", report_data + self._point + signature)
