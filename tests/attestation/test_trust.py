"""Where a party's collateral comes from, and how long what was kept of it serves."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from email.message import Message
from pathlib import Path

import pytest

from securexgb.attestation.collateral import FileCollateral, FolderCollateral
from securexgb.attestation.collateral_cache import ServiceCollateral, valid_until
from securexgb.attestation.trust import collateral_source
from securexgb.dealer.evidence import Evidence
from securexgb.errors import UsageError
from tests.attestation.laboratory import NOW, Laboratory
from tests.attestation.test_collateral import Service


def test_where_collateral_comes_from(tmp_path: Path) -> None:
    assert collateral_source(None) is None
    path = tmp_path / "one.json"
    path.write_bytes(b"{}")
    found = collateral_source(path)
    assert isinstance(found, FileCollateral)
    assert isinstance(collateral_source(tmp_path), FolderCollateral)
    with pytest.raises(UsageError, match="https"):
        collateral_source("http://pccs.example.org")
    intel = collateral_source("https://api.trustedservices.intel.com/")
    other = collateral_source("https://pccs.example.org:8081")
    assert "certificates.trustedservices.intel.com" in intel._root_crl  # type: ignore[union-attr]
    assert other._root_crl.startswith("https://pccs.example.org:8081/")  # type: ignore[union-attr]


def test_an_address_is_asked_once_a_day(tmp_path: Path) -> None:
    """Kept beside the settings; used while the service is down, until it runs out."""
    laboratory, service = Laboratory(), Service("tdx")
    quote = Evidence("tdx-dcap", laboratory.tdx(bytes(64)))
    source = collateral_source("https://collateral.invalid", tmp_path / "kept", service)
    assert isinstance(source, ServiceCollateral)
    source = replace(source, now=lambda: NOW)
    first = source.collateral(quote)
    assert first is not None
    assert source.collateral(quote) == first
    assert len(service.asked) == 4
    (kept,) = (tmp_path / "kept").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.name == "tdx-ABCDEF012345-platform.collateral"
    os.utime(kept, (0, 0))
    assert source.collateral(quote) == first
    assert len(service.asked) == 8, "a day is over"

    def down(address: str, seconds: float) -> tuple[bytes, Message]:
        raise UsageError(f"collateral cannot be fetched from {address}")

    lone = collateral_source("https://collateral.invalid", tmp_path / "kept", down)
    assert isinstance(lone, ServiceCollateral)
    os.utime(kept, (0, 0))
    assert replace(lone, now=lambda: NOW).collateral(quote) == first
    end = valid_until(first)
    assert NOW < end < NOW + timedelta(days=400)
    with pytest.raises(UsageError, match="cannot be fetched"):
        replace(lone, now=lambda: end).collateral(quote)
    os.utime(kept)
    replace(source, now=lambda: end - timedelta(minutes=5)).collateral(quote)
    assert len(service.asked) == 12, "it is about to run out"
    kept.write_bytes(b"{}")
    assert source.collateral(quote) == first
    with pytest.raises(UsageError, match="cannot be fetched"):
        replace(lone, folder=FolderCollateral(tmp_path / "none")).collateral(quote)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"")
    quote = Evidence("tdx-dcap", Laboratory().tdx(bytes(64)))
    source = collateral_source("https://collateral.invalid", tmp_path / "kept", Service("tdx"))
    assert source is not None
    with pytest.raises(UsageError, match="dealer_collateral_cache"):
        source.collateral(quote)
