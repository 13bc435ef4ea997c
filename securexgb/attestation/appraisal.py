"""What the verifier of one technology hands to ``verify``, and the roots it trusts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

COLLATERAL_BYTES = 1 << 19
"""Most bytes of collateral that anybody parses."""

# SHA-256 of the public key (SPKI) of AMD's root of each product line, as served by
# https://kdsintf.amd.com/vcek/v1/{product}/cert_chain and built into google/go-sev-guest.
_AMD_ROOTS = {
    "Milan": "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9",
    "Genoa": "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831",
    "Turin": "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08",
}


@dataclass(frozen=True)
class Roots:
    """Whom signatures must lead to. The default is the vendors; no file can change it.

    ``intel``: a root certificate (DER), None for the one built into dcap-qvl. ``amd``:
    hash of the root's public key by product.
    """

    intel: bytes | None = None
    amd: dict[str, str] = field(default_factory=lambda: dict(_AMD_ROOTS))


@dataclass(frozen=True)
class Appraisal:
    """Genuine evidence that a policy accepts; fields as in Verdict."""

    report_data: bytes
    measurement: str = ""
    signer: str = ""
    tcb_status: str = ""
    advisories: tuple[str, ...] = ()
    platform_id: str = ""
    until: datetime | None = None
    checked: tuple[str, ...] = ()
    not_checked: tuple[str, ...] = ()
