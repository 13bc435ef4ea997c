"""Two parties' keys and endpoints on loopback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from securexgb.channel.endpoint import Endpoint
from securexgb.channel.handshake import Hello
from securexgb.channel.keys import Credentials, create_keys

NAMES = {"label": "bank", "feature": "bureau"}


@dataclass(frozen=True)
class Sides:
    """A folder with key pairs and pins of both parties, by role."""

    folder: Path

    def credentials(self, role: str) -> Credentials:
        return Credentials.load(
            self.folder / f"{role}.key",
            self.folder / f"{role}.pem",
            self.folder / f"{role}.peer.pem",
        )

    def endpoint(self, role: str, port: int, timeout_seconds: float = 5.0) -> Endpoint:
        """The label party listens, the feature party dials."""
        address = f"127.0.0.1:{port}"
        listen, dial = (address, None) if role == "label" else (None, address)
        credentials = self.credentials(role)
        return Endpoint(credentials, other(role), listen, dial, timeout_seconds)


def other(role: str) -> str:
    return NAMES["feature" if role == "label" else "label"]


def hello(role: str, **changes: str) -> Hello:
    values = {"job_digest": "A" * 52, "purpose": "train", "package_version": "1"} | changes
    return Hello(role=role, name=NAMES[role], peer_name=other(role), **values)


@pytest.fixture
def make_sides(tmp_path: Path) -> Callable[[], Sides]:
    def make() -> Sides:
        for role, name in NAMES.items():
            create_keys(name, tmp_path / f"{role}.key", tmp_path / f"{role}.pem")
        (tmp_path / "label.peer.pem").write_bytes((tmp_path / "feature.pem").read_bytes())
        (tmp_path / "feature.peer.pem").write_bytes((tmp_path / "label.pem").read_bytes())
        return Sides(tmp_path)

    return make


@pytest.fixture
def sides(make_sides: Callable[[], Sides]) -> Sides:
    return make_sides()
