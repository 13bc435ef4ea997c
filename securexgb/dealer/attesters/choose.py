"""Which attester a dealer uses: the one it is told, or the one this machine has."""

from __future__ import annotations

from collections.abc import Callable

from securexgb.dealer.attesters.configfs import ConfigfsAttester
from securexgb.dealer.attesters.files import Files
from securexgb.dealer.attesters.gramine import GramineAttester
from securexgb.dealer.evidence import REPORT_DATA_BYTES, Attester, Unattested
from securexgb.dealer.refusal import AttestationError
from securexgb.errors import UsageError

CHOICES = ("auto", "sgx-dcap", "tdx-dcap", "sev-snp", "dev", "none")


def attester_for(
    choice: str,
    software: Callable[[], Attester] | None = None,
    files: Files | None = None,
) -> Attester:
    """The attester by name; a named hardware attester must work now, or UsageError.

    ``auto`` takes Gramine, then configfs-tsm, then none. ``dev`` is never found, only
    named, and only where the caller brings it (``software``); a measured image does not.
    """
    if choice not in CHOICES:
        raise UsageError(f"evidence = {choice!r}: choose from {', '.join(CHOICES)}")
    if choice == "none":
        return Unattested()
    if choice == "dev":
        if software is None:
            raise UsageError("this dealer makes no development evidence")
        return software()
    for attester in (GramineAttester(files), ConfigfsAttester(files)):
        try:
            found = attester.evidence(bytes(REPORT_DATA_BYTES)).type
        except AttestationError:
            continue
        if choice in ("auto", found):
            return attester
    if choice == "auto":
        return Unattested()
    raise UsageError(f"this machine makes no evidence of type {choice}")
