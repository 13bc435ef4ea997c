"""Where a party gets collateral: a file, a cache folder, or a service that it configured.

There is no default service. Nothing here decides anything: whatever comes back is bytes
for ``verify``, which checks every signature and date in them.

Collateral for Intel is one JSON object in the layout of dcap-qvl's QuoteCollateralV3. It
holds the exact texts of ``tcb_info`` and ``qe_identity``, since those are what Intel
signed. For AMD it is a PEM file: the chip's certificate, ASK (or ASVK), ARK.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Protocol

import dcap_qvl

from securexgb.attestation.appraisal import COLLATERAL_BYTES
from securexgb.dealer.evidence import Evidence
from securexgb.dealer.refusal import AttestationError
from securexgb.errors import UsageError
from securexgb.storage.whole import make_directory, write_whole

_SECONDS_A_REQUEST, _SECONDS_IN_ALL = 20.0, 60.0


class CollateralSource(Protocol):
    """Finds collateral for evidence that nobody has verified yet."""

    def collateral(self, evidence: Evidence) -> bytes | None:
        """Bytes for ``verify``; None where the evidence needs none.

        UsageError or AttestationError (collateral_mismatch) where there is none to get.
        """


@dataclass(frozen=True)
class FileCollateral:
    """One file, for the one platform that the dealer runs on."""

    path: Path

    def collateral(self, evidence: Evidence) -> bytes | None:
        if evidence.type in ("dev", "none"):
            return None
        return _read(self.path)


@dataclass(frozen=True)
class FolderCollateral:
    """A folder with a file for each platform."""

    folder: Path

    def collateral(self, evidence: Evidence) -> bytes | None:
        if evidence.type in ("dev", "none"):
            return None
        path = self.path(evidence)
        if not path.exists():
            raise AttestationError("collateral_mismatch", f"{self.folder} has no {path.name}")
        return _read(path)

    def path(self, evidence: Evidence) -> Path:
        """The file of the platform that evidence claims to come from."""
        if evidence.type == "sev-snp":
            name = f"snp-{hashlib.sha256(evidence.body[0x1A0:0x1E0]).hexdigest()[:16]}"
        else:
            name = "-".join((evidence.type[:3], *_intel_platform(evidence)))
        return self.folder / f"{name}.collateral"

    def keep(self, evidence: Evidence, content: bytes) -> None:
        """Two programs may share the folder: the file is replaced whole."""
        try:
            make_directory(self.folder)
            write_whole(self.path(evidence), content)
        except UsageError as error:
            raise UsageError(
                f"collateral cannot be kept in {self.folder}: {error}; set dealer_collateral_cache"
            ) from None


Fetch = Callable[[str, float], tuple[bytes, Message]]
"""Body and headers at an address, within so many seconds."""


class UrlCollateral:
    """A service with the interface of Intel's PCS, version 4: Intel's own or a PCCS.

    ``base``: https, for instance ``https://pccs.example.org:8081``. ``root_crl``: where
    Intel's root revocation list is, which a PCCS serves itself (None) and Intel's PCS
    does not. Only for Intel; AMD's certificates come with the evidence or from a file.
    """

    def __init__(self, base: str, root_crl: str | None = None, fetch: Fetch | None = None) -> None:
        for address in (base, root_crl or base):
            if urllib.parse.urlsplit(address).scheme != "https":
                raise UsageError(f"collateral comes from an https address, not {address!r}")
        self._base = base.rstrip("/")
        self._root_crl = root_crl or f"{self._base}/sgx/certification/v4/rootcacrl"
        self._fetch = fetch or _fetch

    def collateral(self, evidence: Evidence) -> bytes | None:
        if evidence.type not in ("sgx-dcap", "tdx-dcap"):
            return None
        fmspc, authority = _intel_platform(evidence)
        tee = evidence.type[:3]
        end = time.monotonic() + _SECONDS_IN_ALL

        def get(address: str) -> tuple[bytes, Message]:
            remaining_seconds = min(_SECONDS_A_REQUEST, end - time.monotonic())
            if remaining_seconds <= 0:
                raise UsageError("fetching collateral takes too long")
            return self._fetch(address, remaining_seconds)

        sgx, own = (f"{self._base}/{name}/certification/v4" for name in ("sgx", tee))
        pck_crl, pck_headers = get(f"{sgx}/pckcrl?ca={authority}&encoding=der")
        root_crl, _ = get(self._root_crl)
        tcb, tcb_headers = get(f"{own}/tcb?fmspc={fmspc}")
        identity, identity_headers = get(f"{own}/qe/identity")
        tcb_info, tcb_signature = signed_text(tcb, "tcbInfo")
        qe_identity, qe_signature = signed_text(identity, "enclaveIdentity")
        tcb_chain = tcb_headers.get("TCB-Info-Issuer-Chain")
        content = {
            "pck_crl_issuer_chain": _chain(pck_headers.get("SGX-PCK-CRL-Issuer-Chain")),
            "root_ca_crl": _der(root_crl).hex(),
            "pck_crl": _der(pck_crl).hex(),
            "tcb_info_issuer_chain": _chain(
                tcb_chain or tcb_headers.get("SGX-TCB-Info-Issuer-Chain")
            ),
            "tcb_info": tcb_info,
            "tcb_info_signature": tcb_signature,
            "qe_identity_issuer_chain": _chain(
                identity_headers.get("SGX-Enclave-Identity-Issuer-Chain")
            ),
            "qe_identity": qe_identity,
            "qe_identity_signature": qe_signature,
        }
        return json.dumps(content).encode()


def signed_text(body: bytes, name: str) -> tuple[str, str]:
    """The exact text of a member of a JSON object, and the ``signature`` beside it."""
    try:
        text = body.decode("utf-8")
        signature = json.loads(text)["signature"]
        start = re.search(rf'"{name}"\s*:\s*', text)
        if start is None or not isinstance(signature, str):
            raise KeyError(name)
        _, end = json.JSONDecoder().raw_decode(text, start.end())
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise AttestationError("malformed", f"the service's {name} is malformed: {error}") from None
    return text[start.end() : end], signature


def _intel_platform(evidence: Evidence) -> tuple[str, str]:
    """FMSPC and issuing authority as the unverified quote names them."""
    try:
        quote = dcap_qvl.parse_quote(evidence.body)
        fmspc, authority = str(quote.fmspc()), str(quote.ca())
    except ValueError as error:
        raise AttestationError("malformed", f"the quote names no platform: {error}") from None
    if re.fullmatch("[0-9A-Fa-f]{12}", fmspc) is None or authority not in ("processor", "platform"):
        raise AttestationError("malformed", "the quote names no platform")
    return fmspc.upper(), authority


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(COLLATERAL_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the collateral {path} cannot be read: {error}") from None
    if len(content) > COLLATERAL_BYTES:
        raise UsageError(f"the collateral {path} has more than {COLLATERAL_BYTES} bytes")
    return content


def _chain(header: str | None) -> str:
    if header is None:
        raise AttestationError("malformed", "the service sent no issuer chain")
    return urllib.parse.unquote(header)


def _der(body: bytes) -> bytes:
    """A revocation list; some services spell it in hexadecimal."""
    if body[:2] == b"30" and re.fullmatch(rb"[0-9A-Fa-f\s]+", body):
        try:
            return bytes.fromhex(body.decode())
        except ValueError:
            raise AttestationError("malformed", "a revocation list is no hexadecimal") from None
    return body


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """An answer from elsewhere is no answer of the configured service."""


def _fetch(address: str, seconds: float) -> tuple[bytes, Message]:
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=ssl.create_default_context()), _NoRedirect()
    )
    try:
        with opener.open(address, timeout=seconds) as answer:
            headers: Message = answer.headers
            body, end = b"", time.monotonic() + seconds
            # The timeout counts from one read to the next; this ends an endless trickle.
            while (part := answer.read1(1 << 16)) and len(body) <= COLLATERAL_BYTES:
                body += part
                if time.monotonic() > end:
                    raise TimeoutError("the answer takes too long")
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise UsageError(f"collateral cannot be fetched from {address}: {error}") from None
    if len(body) > COLLATERAL_BYTES:
        raise UsageError(f"{address} answers with more than {COLLATERAL_BYTES} bytes")
    return body, headers
