"""Evidence from inside an SGX enclave under Gramine: the files below /dev/attestation.

Gramine's interface (its manual, "Attestation and Secret Provisioning"): write 64 bytes to
``user_report_data``, then read ``quote``. Both belong to the process, hence one lock. A
missing file means no evidence; nothing here falls back to anything.
"""

from __future__ import annotations

import threading

from securexgb.dealer.attesters.files import Files, SystemFiles
from securexgb.dealer.evidence import BODY_BYTES, REPORT_DATA_BYTES, Evidence
from securexgb.dealer.refusal import AttestationError

FOLDER = "/dev/attestation"
# Intel's quote format: a header of 48 bytes, then the enclave's report, of which the
# last 64 bytes are the report data.
_VERSION, _QUOTE_REPORT_DATA, _LEAST = 3, slice(48 + 320, 48 + 384), 48 + 384 + 4


class GramineAttester:
    """Makes ``sgx-dcap`` evidence; safe to call from several threads."""

    def __init__(self, files: Files | None = None, folder: str = FOLDER) -> None:
        self._files: Files = files or SystemFiles()
        self._folder = folder
        self._lock = threading.Lock()

    def evidence(self, report_data: bytes) -> Evidence:
        """A quote with exactly these 64 bytes; AttestationError where there is none."""
        if len(report_data) != REPORT_DATA_BYTES:
            raise AttestationError("malformed", f"report data have {REPORT_DATA_BYTES} bytes")
        try:
            with self._lock:
                kind = self._files.read(f"{self._folder}/attestation_type", 64)
                if kind.strip(b"\0\n ") != b"dcap":
                    raise AttestationError("unsupported", f"Gramine attests by {kind[:32]!r}")
                self._files.write(f"{self._folder}/user_report_data", report_data)
                quote = self._files.read(f"{self._folder}/quote", BODY_BYTES)
        except OSError as error:
            raise AttestationError("unsupported", f"Gramine gives no quote: {error}") from None
        if len(quote) < _LEAST or int.from_bytes(quote[:2], "little") != _VERSION:
            raise AttestationError("malformed", "Gramine's quote is cut, or of another version")
        if quote[_QUOTE_REPORT_DATA] != report_data:
            raise AttestationError("report_data", "Gramine's quote carries other report data")
        return Evidence("sgx-dcap", quote)
