"""``securexgb audit``: exit codes, and what is printed."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from securexgb.channel.keys import create_keys
from securexgb.cli.app import main
from securexgb.federation.session import Federation
from securexgb.serve.gate.budgets import open_gate
from securexgb.serve.parts import Asked
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from securexgb.terms.serving import ServeTerms


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A side that has scored three rows of two batches, and was asked for one too many."""
    for name in ("bank", "shop"):
        create_keys(name, tmp_path / f"{name}.key", tmp_path / f"{name}.pem")
    path = tmp_path / "party.toml"
    path.write_text(
        'role = "label"\nname = "bank"\nkey = "bank.key"\ncertificate = "bank.pem"\n'
        'peer_certificate = "shop.pem"\n[serve]\naudit = "state/audit.sqlite"\n'
        "[serve.budgets]\nrows_a_day = 3\n"
    )
    terms = JobTerms(name="job", label_party="bank", feature_party="shop", serve=ServeTerms())
    gate = open_gate(Federation(PartyConfig.from_file(path, environment={}), terms))
    gate.admit(Asked("m1", ("a", "b"), ("app", "app"), reasons=False, batch=b"1"))
    refused = gate.admit(Asked("m1", ("a", "b"), ("app", "web"), reasons=False, batch=b"2"))
    gate.close()
    assert [why is not None for why in refused] == [False, True]
    return f"--config={path}"


def test_it_is_verified_and_summed_up(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", config, "--format=json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["entries"], found["rows"], found["earlier_secrets"]) == (2, 4, 0)
    assert main(["audit", "verify", config, f"--noted={found['head']}"]) == 0
    assert "2 entries of 4 rows, all as they were written" in capsys.readouterr().out
    assert main(["audit", "show", config, "--format=json"]) == 0
    (day,) = json.loads(capsys.readouterr().out)["totals"]
    assert (day["batches"], day["rows"], day["refused"]) == (2, 3, 1)
    assert main(["audit", "show", config, f"--day={datetime.now(UTC):%Y-%m-%d}"]) == 0
    assert "hour" in capsys.readouterr().out


def test_what_was_edited_has_exit_code_4(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(config.removeprefix("--config=")).parent / "state" / "audit.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER entries_remain")
    connection.execute("UPDATE entries SET outcomes = x'0000' WHERE number = 2")
    connection.commit()
    connection.close()
    assert main(["audit", "verify", config]) == 4
    assert "entry 2 is not as it was written" in capsys.readouterr().err
    assert main(["audit", "verify", config, "--noted=nonsense"]) == 2
