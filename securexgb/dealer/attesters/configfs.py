"""Evidence from inside a confidential virtual machine: Linux's configfs-tsm.

The kernel's interface (Documentation/ABI/testing/configfs-tsm, since 6.7): a folder a
request; ``provider`` names the technology; 64 bytes go to ``inblob`` in one write; then
``outblob`` is the quote or report. ``generation`` counts the writes: it must be 1, else
somebody else wrote into our folder and the answer may be to another question.
"""

from __future__ import annotations

import secrets

from securexgb.dealer.attesters.files import Files, SystemFiles
from securexgb.dealer.evidence import (
    BODY_BYTES,
    ENDORSEMENT_BYTES,
    REPORT_DATA_BYTES,
    Evidence,
)
from securexgb.dealer.refusal import AttestationError

FOLDER = "/sys/kernel/config/tsm/report"
_PROVIDERS = {b"tdx_guest": "tdx-dcap", b"sev_guest": "sev-snp"}
# Where the report data lie: in an SNP report; in a TDX quote of version 4 (the TD report
# follows the header) and of version 5 (after 6 bytes of type and size).
_SNP = slice(0x50, 0x90)
_TDX = {4: slice(48 + 520, 48 + 584), 5: slice(54 + 520, 54 + 584)}


class ConfigfsAttester:
    """Makes ``tdx-dcap`` or ``sev-snp`` evidence, a fresh folder each time."""

    def __init__(self, files: Files | None = None, folder: str = FOLDER) -> None:
        self._files: Files = files or SystemFiles()
        self._folder = folder

    def evidence(self, report_data: bytes) -> Evidence:
        """A quote or report with exactly these 64 bytes; AttestationError if there is none."""
        if len(report_data) != REPORT_DATA_BYTES:
            raise AttestationError("malformed", f"report data have {REPORT_DATA_BYTES} bytes")
        entry = f"{self._folder}/securexgb-{secrets.token_hex(8)}"
        try:
            self._files.make_folder(entry)
            try:
                return self._ask(entry, report_data)
            finally:
                self._files.remove_folder(entry)
        except OSError as error:
            raise AttestationError(
                "unsupported", f"configfs-tsm gives no report: {error}"
            ) from None

    def _ask(self, entry: str, report_data: bytes) -> Evidence:
        provider = self._files.read(f"{entry}/provider", 64).strip()
        kind = _PROVIDERS.get(provider)
        if kind is None:
            raise AttestationError("unsupported", f"nobody knows the provider {provider[:32]!r}")
        self._files.write(f"{entry}/inblob", report_data)
        body = self._files.read(f"{entry}/outblob", BODY_BYTES)
        endorsements = self._endorsements(entry) if kind == "sev-snp" else b""
        generation = self._files.read(f"{entry}/generation", 64).strip()
        if generation != b"1":
            raise AttestationError("report_data", f"the request was changed ({generation!r})")
        where = _SNP if kind == "sev-snp" else _TDX.get(int.from_bytes(body[:2], "little"))
        if where is None or len(body) < where.stop:
            raise AttestationError("malformed", "the report is cut, or of an unknown version")
        if body[where] != report_data:
            raise AttestationError("report_data", "the report carries other report data")
        return Evidence(kind, body, endorsements=endorsements)

    def _endorsements(self, entry: str) -> bytes:
        """The certificates that the host left for the guest; often there are none."""
        try:
            return self._files.read(f"{entry}/auxblob", ENDORSEMENT_BYTES)
        except FileNotFoundError:
            return b""
