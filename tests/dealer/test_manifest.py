"""The Gramine manifest: rendered, and searched for everything that would open the enclave."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TEMPLATE = Path(__file__).resolve().parents[2] / "parties" / "dealer" / "dealer.manifest.template"
VALUES = {
    "gramine.libos": "/usr/lib/gramine/libsysdb.so",
    "gramine.runtimedir()": "/usr/lib/gramine/runtime",
    "arch_libdir": "/lib/x86_64-linux-gnu",
    "python": "/usr/local",
    "dealer": "/dealer",
}


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    text = TEMPLATE.read_text(encoding="utf-8")
    rendered = re.sub(r"\{\{ (.+?) \}\}", lambda found: VALUES[found[1]], text)
    assert "{%" not in rendered
    return tomllib.loads(rendered)


def keys(table: object) -> Iterator[str]:
    """Every key at every depth."""
    if isinstance(table, dict):
        for key, value in table.items():
            yield key
            yield from keys(value)
    elif isinstance(table, list):
        for value in table:
            yield from keys(value)


def test_no_key_opens_the_enclave(manifest: dict[str, Any]) -> None:
    found = set(keys(manifest))
    assert not [name for name in found if re.search("insecure|debug__|experimental", name)]
    assert not {"passthrough", "argv_src_file", "env_src_file", "protected_files"} & found


def test_what_is_fixed(manifest: dict[str, Any]) -> None:
    sgx, loader = manifest["sgx"], manifest["loader"]
    assert sgx["debug"] is False
    assert sgx["remote_attestation"] == "dcap"
    assert sgx["allowed_files"] == []
    assert manifest["sys"] == {"disallow_subprocesses": True}
    assert loader["argv"] == [
        "python3.11", "-I", "-B", "/dealer/main.py", "/dealer/party.toml",
    ]  # fmt: skip
    assert loader["log_level"] == "error"
    assert all(isinstance(value, str) for value in loader["env"].values())
    assert not {"LD_PRELOAD", "PYTHONPATH", "PYTHONSTARTUP"} & set(loader["env"])


def test_everything_that_is_mounted_is_measured(manifest: dict[str, Any]) -> None:
    trusted = set(manifest["sgx"]["trusted_files"])
    for mount in manifest["fs"]["mounts"]:
        if mount.get("type") == "tmpfs":
            assert "uri" not in mount
        else:
            assert f"{mount['uri']}/" in trusted
    assert "tmpfs" in {mount.get("type") for mount in manifest["fs"]["mounts"]}
    assert "type" not in manifest["fs"].get("root", {})
