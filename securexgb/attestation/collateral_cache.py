"""A collateral service behind a folder: fewer requests, and a day when the service is down.

What the folder holds is as unverified as what the service sends: ``verify`` judges both
alike. The dates are read here only to know when a file is of no more use.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509

from securexgb.attestation.collateral import CollateralSource, FolderCollateral
from securexgb.dealer.evidence import Evidence
from securexgb.dealer.refusal import AttestationError
from securexgb.errors import UsageError

BEFORE_EXPIRY = timedelta(minutes=10)
"""So long before collateral runs out it is fetched anew."""
_DAY_SECONDS = 86_400


def utc_now() -> datetime:
    """The clock of this machine."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class ServiceCollateral:
    """A folder's file for a day, as long as it is valid; then the service.

    Where the service fails, an older file serves until it runs out.
    """

    folder: FolderCollateral
    service: CollateralSource
    now: Callable[[], datetime] = utc_now

    def collateral(self, evidence: Evidence) -> bytes | None:
        """Bytes for ``verify``; the service's error where there is no valid file either."""
        kept, now = self._kept(evidence), self.now()
        end = valid_until(kept or b"")
        if kept is not None and now + BEFORE_EXPIRY < end:
            age_seconds = time.time() - self.folder.path(evidence).stat().st_mtime
            if age_seconds < _DAY_SECONDS:
                return kept
        try:
            content = self.service.collateral(evidence)
            if content is not None:
                self.folder.keep(evidence, content)
        except (UsageError, AttestationError):
            if kept is None or now >= end:
                raise
            return kept
        return content

    def _kept(self, evidence: Evidence) -> bytes | None:
        """What the folder holds, of any age; None where it holds nothing that can be read."""
        try:
            return self.folder.collateral(evidence)
        except (UsageError, AttestationError):
            return None


def valid_until(content: bytes) -> datetime:
    """When the first of Intel's statements runs out; long ago for what cannot be read."""
    long_ago = datetime.min.replace(tzinfo=UTC)
    try:
        whole = json.loads(content)
        texts = [json.loads(whole[name])["nextUpdate"] for name in ("tcb_info", "qe_identity")]
        lists = [bytes.fromhex(whole[name]) for name in ("root_ca_crl", "pck_crl")]
        ends = [datetime.fromisoformat(text).astimezone(UTC) for text in texts]
        ends += [x509.load_der_x509_crl(der).next_update_utc or long_ago for der in lists]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return long_ago
    return min(ends)
