"""What people write: settings, terms, policies, keys and certificates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from securexgb.attestation.policy import Policy
from securexgb.channel.keys import Credentials, create_keys, read_certificate, trust
from securexgb.channel.probe import split_address
from securexgb.cli.init import DEALER_TEMPLATE
from securexgb.cli.options import toml_value
from securexgb.dealer.attesters.dev import DevAttester
from securexgb.dealer.identity import fingerprint, key_hash
from securexgb.dealer.server import DealerSettings, _read
from securexgb.offline.dealer_link import check_certificate
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from tests.attestation.examples import INTEL, SGX
from tests.readers.table import Prepared, Row, at


def party(folder: Path) -> Prepared:
    path = folder / "party.toml"
    content = PartyConfig.template("label", "bank").encode()

    def read() -> object:
        found = PartyConfig.from_file(path, environment={})
        return split_address(found.listen or "a:1"), found.key.is_file(), found.model_key

    return at(path, content, read)


def job(folder: Path) -> Prepared:
    path = folder / "job.toml"
    content = JobTerms(name="churn", label_party="bank", feature_party="bureau").to_toml().encode()

    def read() -> object:
        found = JobTerms.from_file(path)
        return found.digest, found.to_toml()

    return at(path, content, read)


def dealer(folder: Path) -> Prepared:
    path = folder / "party.toml"
    content = DEALER_TEMPLATE.format(name="dealer").encode()
    return at(path, content, lambda: DealerSettings.from_file(path))


def policy(folder: Path) -> Prepared:
    path = folder / "policy.toml"
    content = f'version = 1\naccept = ["sgx-dcap"]\n{INTEL}{SGX}'.encode()
    return at(path, content, lambda: Policy.from_file(path).sha256)


def flag(_: Path) -> Prepared:
    return b"[1, 2.5]", lambda content: toml_value(content.decode("utf-8", "surrogateescape"))


def address(_: Path) -> Prepared:
    return b"bank.example:7300", lambda content: split_address(content.decode("latin-1"))


def certificate(folder: Path) -> Prepared:
    create_keys("bank", folder / "own.key", folder / "own.pem")
    path = folder / "other.pem"
    content = (folder / "own.pem").read_bytes()

    def read() -> object:
        found = read_certificate(path)
        trust(path, folder / "pinned.pem")
        check_certificate(found.pem, found.name)
        return key_hash(found.pem), fingerprint(found.pem), _read(path)

    return at(path, content, read)


def private_key(folder: Path) -> Prepared:
    create_keys("bank", folder / "own.key", folder / "own.pem")
    path = folder / "own.key"

    def read() -> object:
        found = Credentials.load(path, folder / "own.pem", folder / "own.pem")
        return found.lasting_secret(16)

    return at(path, path.read_bytes(), read)


def dev_key(folder: Path) -> Prepared:
    key = ec.generate_private_key(ec.SECP256R1())
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "dev.key"
    return at(path, content, lambda: DevAttester.from_pem(path.read_bytes(), path.name))


_PREPARE: dict[str, Callable[[Path], Prepared]] = {
    "party.toml": party,
    "job.toml": job,
    "a dealer's party.toml": dealer,
    "policy.toml": policy,
    "value of a flag": flag,
    "address": address,
    "certificate": certificate,
    "private key": private_key,
    "key of a rehearsal": dev_key,
}
ROWS = tuple(Row(name, prepare) for name, prepare in _PREPARE.items())
