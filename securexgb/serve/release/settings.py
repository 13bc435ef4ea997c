"""``keyservice.toml``: where a key service listens, whom it serves, what it demands."""

from __future__ import annotations

from pathlib import Path

from securexgb.terms.toml import Address, Name, Place, TomlFile, read_toml, rebased, validate

VARIABLE = "SECUREXGB_KEYSERVICE_KEY"


class KeyServiceSettings(TomlFile):
    """The settings of `securexgb keyservice`; relative paths count from the file's folder."""

    listen: Address = "0.0.0.0:7500"
    """Where replicas of this company reach it, host:port."""
    name: Name = "keyservice"
    """The name in its certificate."""
    key: Path = Path("keys/keyservice.key")
    """Its private key: stays on this machine, mode 600."""
    certificate: Path = Path("keys/keyservice.pem")
    """Its certificate, which replicas pin."""
    party_certificate: Path = Path("keys/own.pem")
    """The certificate of this company's replicas: nobody else may ask."""
    policy: Path = Path("policy.toml")
    """The policy that a replica's evidence must meet."""
    collateral: Place | None = None
    """Intel's or AMD's statements for the evidence: a file, a folder of files, or the https
    address of a service that you choose."""
    collateral_cache: Path = Path("collateral")
    """A folder for what that address answers."""
    kept: Path = Path("kept")
    """Where the keys of models lie, each encrypted under the root key."""
    root_key: Path | None = None
    """A file with the root key, 64 hex digits, in memory and on no disk, such as a credential of
    systemd. The environment variable SECUREXGB_KEYSERVICE_KEY may hold the digits instead."""

    @staticmethod
    def from_file(path: Path) -> KeyServiceSettings:
        """Read the file; UsageError for what it cannot hold."""
        read = validate(KeyServiceSettings, read_toml(path), str(path))
        return rebased(read, path.parent)
