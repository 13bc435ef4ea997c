"""Which attester a dealer uses: the one it is told, or the one this machine has."""

from __future__ import annotations

from pathlib import Path

from securexgb.dealer.attestation import configfs, gramine
from securexgb.dealer.attestation.dev import DevAttester
from securexgb.dealer.attestation.evidence import REPORT_DATA_BYTES, Attester, Unattested
from securexgb.dealer.attestation.files import Files
from securexgb.dealer.attestation.verdict import AttestationError
from securexgb.errors import UsageError

CHOICES = ("auto", "sgx-dcap", "tdx-dcap", "sev-snp", "dev", "none")


def attester_for(choice: str, dev_key: Path | None = None, files: Files | None = None) -> Attester:
    """The attester by name; a named hardware attester must work now, or UsageError.

    ``auto`` takes Gramine, then configfs-tsm, then none: never ``dev``, which has to be
    named and needs ``dev_key``, the file of its key.
    """
    if choice not in CHOICES:
        raise UsageError(f"evidence = {choice!r}: choose from {', '.join(CHOICES)}")
    if choice == "none":
        return Unattested()
    if choice == "dev":
        if dev_key is None:
            raise UsageError("development evidence needs the file of its key")
        return DevAttester.from_file(dev_key)
    attesters = (gramine.GramineAttester(files), configfs.ConfigfsAttester(files))
    for attester in attesters:
        try:
            found = attester.evidence(bytes(REPORT_DATA_BYTES)).type
        except AttestationError:
            continue
        if choice in ("auto", found):
            return attester
    if choice == "auto":
        return Unattested()
    raise UsageError(f"this machine makes no evidence of type {choice}")
