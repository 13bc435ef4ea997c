"""HPKE once more, from RFC 9180's text and on primitives alone: base mode, DHKEM(X25519,
HKDF-SHA256), HKDF-SHA256, AES-GCM. The product uses another implementation; each opens what the
other seals."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEM_ID, KDF_ID, HASH_BYTES, NONCE_BYTES = 0x0020, 0x0001, 32, 12
KEM_SUITE = b"KEM" + KEM_ID.to_bytes(2, "big")


def _hmac(key: bytes, content: bytes) -> bytes:
    made = hmac.HMAC(key, hashes.SHA256())
    made.update(content)
    return made.finalize()


def _extract(suite: bytes, salt: bytes, label: bytes, secret: bytes) -> bytes:
    return _hmac(salt or bytes(HASH_BYTES), b"HPKE-v1" + suite + label + secret)


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, size: int) -> bytes:
    labelled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    block, made, number = b"", b"", 1
    while len(made) < size:
        block = _hmac(key, block + labelled + bytes([number]))
        made, number = made + block, number + 1
    return made[:size]


@dataclass(frozen=True)
class Aead:
    number: int
    key_bytes: int


AES_128, AES_256 = Aead(1, 16), Aead(2, 32)


def shared_secret(exchanged: bytes, encapsulated: bytes, recipient: bytes) -> bytes:
    """4.1: ExtractAndExpand."""
    prk = _extract(KEM_SUITE, b"", b"eae_prk", exchanged)
    return _expand(KEM_SUITE, prk, b"shared_secret", encapsulated + recipient, HASH_BYTES)


def schedule(aead: Aead, secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """5.1: KeySchedule in base mode; key and base nonce."""
    suite = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (KEM_ID, KDF_ID, aead.number))
    context = (
        b"\0" + _extract(suite, b"", b"psk_id_hash", b"") + _extract(suite, b"", b"info_hash", info)
    )
    key = _extract(suite, secret, b"secret", b"")
    return (
        _expand(suite, key, b"key", context, aead.key_bytes),
        _expand(suite, key, b"base_nonce", context, NONCE_BYTES),
    )


def open_sealed(sealed: bytes, private: X25519PrivateKey, info: bytes) -> bytes:
    encapsulated, ciphertext = sealed[:32], sealed[32:]
    exchanged = private.exchange(X25519PublicKey.from_public_bytes(encapsulated))
    secret = shared_secret(exchanged, encapsulated, private.public_key().public_bytes_raw())
    key, nonce = schedule(AES_256, secret, info)
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


def seal(content: bytes, public: bytes, info: bytes) -> bytes:
    ephemeral = X25519PrivateKey.generate()
    encapsulated = ephemeral.public_key().public_bytes_raw()
    exchanged = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
    key, nonce = schedule(AES_256, shared_secret(exchanged, encapsulated, public), info)
    return encapsulated + AESGCM(key).encrypt(nonce, content, b"")
