"""A binding, and policies for the laboratory's programs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from securexgb.attestation.appraisal import Roots
from securexgb.attestation.policy import Policy
from securexgb.dealer.claims import Binding, attest
from securexgb.dealer.evidence import Evidence
from tests.attestation.laboratory import (
    MRENCLAVE,
    MRSIGNER,
    MRTD,
    RTMR,
    TD_ATTRIBUTES,
    XFAM,
    Laboratory,
)

INTEL = """[intel]
tcb_status = ["UpToDate", "SWHardeningNeeded"]
min_tcb_eval_data_number = 20
advisories_accepted = ["INTEL-SA-00615"]
out_of_date_grace_days = 0
allow = { smt = true, dynamic_platform = true, cached_keys = true }
"""
SGX = f'[[sgx]]\nmrenclave = ["{MRENCLAVE.hex()}"]\n'
SIGNED = f'[[sgx]]\nmrsigner = "{MRSIGNER.hex()}"\nisv_prod_id = 3\nmin_isv_svn = 7\n'
TDX = (
    f'[[tdx]]\nmrtd = "{MRTD.hex()}"\ntd_attributes = "{TD_ATTRIBUTES.hex()}"\n'
    f'xfam = "{XFAM.hex()}"\nrtmr = {{ '
    + ", ".join(f'{place} = "{value.hex()}"' for place, value in enumerate(RTMR))
    + " }\n"
)


def policy(tee: str = "sgx", *, intel: str = INTEL, entries: str = "") -> Policy:
    """A policy for one of the laboratory's two programs."""
    entries = entries or (SGX if tee == "sgx" else TDX)
    return Policy.from_toml(f'version = 1\naccept = ["{tee}-dcap"]\n{intel}{entries}')


def binding(accepted: Policy, **fields: Any) -> Binding:
    """What a party would expect; ``fields`` replace the binding's."""
    hashes = [bytes([number]) * 32 for number in range(1, 5)]
    own = Binding(hashes[0], hashes[1], b"session-0001", (hashes[2], hashes[3]), accepted.sha256)
    return replace(own, **fields)


class LaboratoryAttester:
    """Evidence by the laboratory's machine, through the interface of the real ones."""

    def __init__(self, laboratory: Laboratory, tee: str = "sgx", **fields: Any) -> None:
        self._laboratory, self._tee, self._fields = laboratory, tee, fields

    def evidence(self, report_data: bytes) -> Evidence:
        quote = getattr(self._laboratory, self._tee)(report_data, **self._fields)
        return Evidence(f"{self._tee}-dcap", quote)


def evidence(laboratory: Laboratory, bound: Binding, tee: str = "sgx", **fields: Any) -> Evidence:
    """Evidence about this binding; ``fields`` of the report."""
    return attest(LaboratoryAttester(laboratory, tee, **fields), bound)


def roots(laboratory: Laboratory) -> Roots:
    """Trust in this laboratory."""
    return Roots(intel=laboratory.root)
