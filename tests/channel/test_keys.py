"""Key pairs, pins and what is refused of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from securexgb.channel.keys import (
    Credentials,
    check_name,
    create_keys,
    read_certificate,
    trust,
)
from securexgb.errors import CertificateRefused, UsageError


def test_a_key_pair_bears_the_name_and_the_key_is_private(tmp_path: Path) -> None:
    made = create_keys("bank", tmp_path / "keys/own.key", tmp_path / "keys/own.pem")
    assert made.name == "bank"
    assert (tmp_path / "keys/own.key").stat().st_mode & 0o777 == 0o600
    assert made == read_certificate(tmp_path / "keys/own.pem")
    assert made.readable.replace(" ", "") == made.fingerprint
    assert len(made.readable.split()) == 16
    made.check("bank", "it")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    create_keys("bank", tmp_path / "own.key", tmp_path / "own.pem")
    with pytest.raises(UsageError, match="exists already"):
        create_keys("bank", tmp_path / "own.key", tmp_path / "other.pem")
    with pytest.raises(UsageError, match="exists already"):
        create_keys("bank", tmp_path / "other.key", tmp_path / "own.pem")
    assert not (tmp_path / "other.key").exists()


@pytest.mark.parametrize("name", ["", "Bank", "a b", "-a", "a-", "ä", "a.b", "x" * 64, "a\nb"])
def test_names_that_tls_cannot_carry_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a party's name"):
        check_name(name)


def test_a_certificate_is_checked_for_name_and_dates(tmp_path: Path) -> None:
    made = create_keys("bank", tmp_path / "own.key", tmp_path / "own.pem", days=10)
    with pytest.raises(CertificateRefused, match=r"bears the name 'bank', .* say 'bureau'"):
        made.check("bureau", "the certificate")
    with pytest.raises(CertificateRefused, match="expired on"):
        made.check("bank", "the certificate", made.not_after + timedelta(seconds=1))
    with pytest.raises(CertificateRefused, match="check the clocks"):
        made.check("bank", "the certificate", made.not_before - timedelta(seconds=1))


def test_trust_pins_the_certificate_alone(tmp_path: Path) -> None:
    made = create_keys("bank", tmp_path / "own.key", tmp_path / "own.pem")
    received = tmp_path / "received.pem"
    received.write_bytes(b"From: the bank\n" + made.pem + b"regards\n")
    pinned = tmp_path / "keys/peer.pem"
    assert trust(received, pinned, "bank") == made
    assert pinned.read_bytes() == made.pem
    with pytest.raises(CertificateRefused):
        trust(received, pinned, "bureau")


def test_what_is_no_certificate_is_refused(tmp_path: Path) -> None:
    made = create_keys("bank", tmp_path / "own.key", tmp_path / "own.pem")
    received = tmp_path / "received.pem"
    for content in (b"", b"nonsense", made.pem * 2, made.pem[:100]):
        received.write_bytes(content)
        with pytest.raises(UsageError, match="exactly one PEM certificate"):
            trust(received, tmp_path / "peer.pem")
    received.write_bytes(made.pem + (tmp_path / "own.key").read_bytes())
    with pytest.raises(UsageError, match="private key"):
        trust(received, tmp_path / "peer.pem")
    with pytest.raises(UsageError, match="cannot be read"):
        trust(tmp_path / "nothing.pem", tmp_path / "peer.pem")
    assert not (tmp_path / "peer.pem").exists()


def test_the_lasting_secret_is_the_key_s_and_no_file_s(tmp_path: Path) -> None:
    for name in ("bank", "bureau"):
        create_keys(name, tmp_path / f"{name}.key", tmp_path / f"{name}.pem")

    def secret(name: str) -> bytes:
        path, other = tmp_path / f"{name}.key", tmp_path / "bureau.pem"
        return Credentials.load(path, tmp_path / f"{name}.pem", other).lasting_secret(16)

    first = secret("bank")
    assert first == secret("bank")
    assert len(first) == 16
    assert first != secret("bureau")
    path = tmp_path / "bank.key"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    sec1 = serialization.PrivateFormat.TraditionalOpenSSL
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    path.write_bytes(key.private_bytes(pem, sec1, plain))
    assert secret("bank") == first


def test_credentials_must_belong_together_and_be_private(tmp_path: Path) -> None:
    for name in ("bank", "bureau"):
        create_keys(name, tmp_path / f"{name}.key", tmp_path / f"{name}.pem")
    bank, bureau = tmp_path / "bank.pem", tmp_path / "bureau.pem"
    loaded = Credentials.load(tmp_path / "bank.key", bank, bureau)
    assert (loaded.own.name, loaded.peer.name) == ("bank", "bureau")
    assert "PRIVATE" not in repr(loaded)
    with pytest.raises(UsageError, match="does not belong"):
        Credentials.load(tmp_path / "bureau.key", bank, bureau)
    (tmp_path / "bank.key").chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        Credentials.load(tmp_path / "bank.key", bank, bureau)
    (tmp_path / "empty.key").touch(0o600)
    with pytest.raises(UsageError, match="PEM private key"):
        Credentials.load(tmp_path / "empty.key", bank, bureau)
