"""Wrapped keys: by RFC 9180, as a second implementation and its published vector say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from securexgb.errors import TrustError
from securexgb.serve.release.wrapping import Asking, Wanted, unwrap, wrap
from tests.serve import hpke

ASKING = Asking(Wanted("A" * 52, "model-1"), b"n" * 32, b"p" * 32, b"s" * 32, b"c" * 32)
KEY = bytes(range(32))


def test_the_second_implementation_fits_the_published_vector() -> None:
    """RFC 9180, A.1.1: base mode with AES-128-GCM, first message."""
    recipient = bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    encapsulated = bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
    private = X25519PrivateKey.from_private_bytes(recipient)
    exchanged = private.exchange(X25519PublicKey.from_public_bytes(encapsulated))
    public = private.public_key().public_bytes_raw()
    secret = hpke.shared_secret(exchanged, encapsulated, public)
    assert secret.hex() == "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc"
    key, nonce = hpke.schedule(hpke.AES_128, secret, b"Ode on a Grecian Urn")
    assert key.hex() == "4531685d41d65f03dc48f6b8302c05b0"
    assert nonce.hex() == "56d890e5accaaf011cff4b7d"
    sent = AESGCM(key).encrypt(nonce, b"Beauty is truth, truth beauty", b"Count-0")
    assert sent.hex() == (
        "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
    )


def test_each_opens_what_the_other_seals() -> None:
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    sealed = wrap(KEY, public, ASKING)
    assert hpke.open_sealed(sealed, private, ASKING.info()) == KEY
    assert unwrap(hpke.seal(KEY, public, ASKING.info()), private, ASKING) == KEY
    assert len(sealed) == 32 + len(KEY) + 16


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKING, wanted=Wanted("A" * 52, "model-2")),
        replace(ASKING, wanted=Wanted("B" * 52, "model-1")),
        replace(ASKING, nonce=b"m" * 32),
        replace(ASKING, policy_sha256=b"q" * 32),
    ],
)
def test_a_wrapped_key_opens_for_nothing_else(other: Asking) -> None:
    private = X25519PrivateKey.generate()
    sealed = wrap(KEY, private.public_key().public_bytes_raw(), ASKING)
    with pytest.raises(TrustError, match="not wrapped for this"):
        unwrap(sealed, private, other)


@pytest.mark.parametrize("change", ["flip", "cut", "empty", "short key"])
def test_what_was_changed_on_its_way_opens_nothing(change: str) -> None:
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    sealed = wrap(KEY, public, ASKING)
    broken = {
        "flip": sealed[:-1] + bytes([sealed[-1] ^ 1]),
        "cut": sealed[:40],
        "empty": b"",
        "short key": wrap(KEY[:16], public, ASKING),
    }[change]
    with pytest.raises(TrustError, match="not wrapped for this"):
        unwrap(broken, private, ASKING)
