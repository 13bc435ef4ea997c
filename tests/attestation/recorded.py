"""Evidence recorded from real machines, which lies outside this repository.

Its folder is named by the environment variable SECUREXGB_TESTDATA, or is
``../shared/testdata/quotes`` beside the repository; tests skip where there is none.
"""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from securexgb.attestation.policy import Policy
from securexgb.dealer.evidence import Evidence

_REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(
    os.environ.get("SECUREXGB_TESTDATA", _REPOSITORY.parent / "shared" / "testdata" / "quotes")
)
INDEX: dict[str, Any] = (
    json.loads((FOLDER / "index.json").read_text()) if (FOLDER / "index.json").exists() else {}
)
needs_recordings = pytest.mark.skipif(
    not INDEX, reason="the recorded evidence is not here: set SECUREXGB_TESTDATA to its folder"
)
ADVISORIES = sorted(
    {name for quote in INDEX.get("quotes", ()) for name in quote.get("advisory_ids", ())}
)


def quotes(expect: str) -> list[Any]:
    """One parameter a recorded quote: those that verify, or those that are rejected."""
    rows = [row for row in INDEX.get("quotes", ()) if row["expect"] == expect]
    return [pytest.param(row, id=Path(row["file"]).stem) for row in rows] or [
        pytest.param({}, id="none")
    ]


def quote_named(stem: str) -> dict[str, Any]:
    return next(row for row in INDEX["quotes"] if Path(row["file"]).stem == stem)


@dataclass(frozen=True)
class Intel:
    """A policy's [intel], with what recordings need."""

    status: tuple[str, ...] = ("UpToDate", "SWHardeningNeeded", "ConfigurationAndSWHardeningNeeded")
    advisories: tuple[str, ...] | None = None
    evaluation: int = 15
    grace: int = 0
    allow: bool = True

    def toml(self) -> str:
        allowed = str(self.allow).lower()
        names = ADVISORIES if self.advisories is None else self.advisories
        return (
            f"[intel]\ntcb_status = {json.dumps(self.status)}\n"
            f"advisories_accepted = {json.dumps(names)}\n"
            f"min_tcb_eval_data_number = {self.evaluation}\n"
            f"out_of_date_grace_days = {self.grace}\n"
            f"[intel.allow]\nsmt = {allowed}\ndynamic_platform = {allowed}\n"
            f"cached_keys = {allowed}\n"
        )


def intel_policy(row: dict[str, Any], intel: Intel | None = None, **fields: Any) -> Policy:
    """A policy that names this recorded quote's program; ``fields`` replace the row's."""
    row = {**row, **fields}
    kind = f"{row['tee'].lower()}-dcap"
    text = f'version = 1\naccept = ["{kind}"]\n{(intel or Intel()).toml()}'
    if kind == "sgx-dcap":
        text += f'[[sgx]]\nmrenclave = ["{row["mrenclave"]}"]\n'
    else:
        rtmr = ", ".join(f'{place} = "{value}"' for place, value in enumerate(row["rtmr"]))
        text += f'[[tdx]]\nmrtd = "{row["mrtd"]}"\nrtmr = {{ {rtmr} }}\n'
        for name in ("td_attributes", "xfam", "mrconfigid"):
            text += f'{name} = "{row[name]}"\n'
    return Policy.from_toml(text)


def intel_inputs(row: dict[str, Any]) -> tuple[Evidence, datetime, bytes]:
    """Evidence, time and collateral of a recorded quote."""
    evidence = Evidence(f"{row['tee'].lower()}-dcap", (FOLDER / row["file"]).read_bytes())
    return evidence, datetime.fromisoformat(row["verify_at"]), collateral(row)


def collateral(row: dict[str, Any]) -> bytes:
    return (FOLDER / row["collateral"]).read_bytes()


def snp_rows(expect: str) -> list[Any]:
    rows = [row for row in INDEX.get("snp", ()) if row["expect"] == expect]
    return [pytest.param(row, id=Path(row["leaf"]).stem) for row in rows] or [
        pytest.param({}, id="none")
    ]


def snp_inputs(row: dict[str, Any]) -> tuple[Evidence, bytes]:
    """Evidence and the PEM chain of a recorded report."""
    leaf = base64.encodebytes((FOLDER / row["leaf"]).read_bytes())
    pem = b"-----BEGIN CERTIFICATE-----\n" + leaf + b"-----END CERTIFICATE-----\n"
    return (
        Evidence("sev-snp", (FOLDER / row["file"]).read_bytes()),
        pem + (FOLDER / row["chain"]).read_bytes(),
    )


def snp_policy(row: dict[str, Any], **fields: Any) -> Policy:
    """A policy that names this recorded guest; ``fields`` replace keys of [[snp]]."""
    keys: dict[str, Any] = {
        "products": ["Milan"],
        "measurement": row["measurement"],
        "vmpl": row["vmpl"],
        "host_data": row["host_data"],
        "allow_vlek": True,
        **fields,
    }
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in keys.items())
    return Policy.from_toml(f'version = 1\naccept = ["sev-snp"]\n[[snp]]\n{lines}')
