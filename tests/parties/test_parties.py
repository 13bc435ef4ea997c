"""The deployed parties: settings that are read, programs that hold no logic."""

from pathlib import Path

import pytest

from securexgb.dealer.server import DealerSettings
from securexgb.terms.party import PartyConfig

PARTIES = Path(__file__).resolve().parents[2] / "parties"


@pytest.mark.parametrize("role", ["label", "feature"])
def test_settings_are_the_template(role):
    path = PARTIES / role / "party.toml"
    assert PartyConfig.from_file(path, environment={}).role == role
    assert path.read_text() == PartyConfig.template(role, f"{role}-party")


def test_dealer_settings():
    assert DealerSettings.from_file(PARTIES / "dealer" / "party.toml").name == "dealer"


@pytest.mark.parametrize("role", ["label", "feature", "dealer"])
def test_programs_hold_no_logic(role):
    assert len((PARTIES / role / "main.py").read_text().splitlines()) <= 20
    assert (PARTIES / role / "Containerfile").is_file()
