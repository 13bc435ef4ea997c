"""What evidence a party accepts: a TOML file that both parties hold and compare by hash.

Unknown keys are refused, and so are lists that are empty and values that are still
placeholders: nothing here means "any". The hash is over the meaning, not over the text:
two files that differ in comments, order or spelled-out defaults are the same policy.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic import model_validator as after_fields

from securexgb.dealer.refusal import AttestationError

POLICY_BYTES = 1 << 16
_ZEROS_48, _ZEROS_32 = "00" * 48, "00" * 32


def _hexadecimal(count: int) -> StringConstraints:
    return StringConstraints(pattern=rf"^[0-9a-fA-F]{{{2 * count}}}$", to_lower=True, strict=True)


Hex8 = Annotated[str, _hexadecimal(8)]
Hex32 = Annotated[str, _hexadecimal(32)]
Hex48 = Annotated[str, _hexadecimal(48)]
Advisory = Annotated[str, StringConstraints(pattern=r"^INTEL-(SA|DOC)-[0-9]{5}$", strict=True)]
Type = Literal["sgx-dcap", "tdx-dcap", "sev-snp", "dev"]
# OutOfDate is accepted by days of grace only, Revoked never.
TcbStatus = Literal[
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "TDRelaunchAdvised",
    "TDRelaunchAdvisedConfigurationNeeded",
]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Allow(_Table):
    """Properties of an Intel machine that are accepted where they hold."""

    smt: bool = False
    dynamic_platform: bool = False
    cached_keys: bool = False


class Intel(_Table):
    """What an Intel platform has to be, for SGX and TDX alike."""

    tcb_status: Annotated[list[TcbStatus], Field(min_length=1)]
    min_tcb_eval_data_number: Annotated[int, Field(ge=1, le=1 << 31)]
    advisories_accepted: list[Advisory] = []
    out_of_date_grace_days: Annotated[int, Field(ge=0, le=365)] = 0
    allow: Allow = Allow()


class Sgx(_Table):
    """One accepted enclave: by its measurement, or by signer, product and least version."""

    mrenclave: Annotated[list[Hex32], Field(min_length=1)] | None = None
    mrsigner: Hex32 | None = None
    isv_prod_id: Annotated[int, Field(ge=0, lt=1 << 16)] | None = None
    min_isv_svn: Annotated[int, Field(ge=0, lt=1 << 16)] | None = None

    @after_fields(mode="after")
    def _one_way(self) -> Sgx:
        by_signer = (self.mrsigner, self.isv_prod_id, self.min_isv_svn)
        is_complete = all(part is not None for part in by_signer)
        is_absent = all(part is None for part in by_signer)
        if not (is_complete if self.mrenclave is None else is_absent):
            raise ValueError("an enclave is named by mrenclave, or by mrsigner, isv_prod_id and "
                             "min_isv_svn together")  # fmt: skip
        return self


class Rtmr(_Table):
    """The four run-time measurements of a TDX guest."""

    r0: Hex48 = Field(alias="0")
    r1: Hex48 = Field(alias="1")
    r2: Hex48 = Field(alias="2")
    r3: Hex48 = Field(alias="3")


class Tdx(_Table):
    """One accepted TDX guest; what is left out of the last three must be zero."""

    mrtd: Hex48
    rtmr: Rtmr
    td_attributes: Hex8
    xfam: Hex8
    mrconfigid: Hex48 = _ZEROS_48
    mrowner: Hex48 = _ZEROS_48
    mrownerconfig: Hex48 = _ZEROS_48


class SnpTcb(_Table):
    """Least security versions of an AMD machine's firmware."""

    bootloader: Annotated[int, Field(ge=0, le=255)] = 0
    tee: Annotated[int, Field(ge=0, le=255)] = 0
    snp: Annotated[int, Field(ge=0, le=255)] = 0
    microcode: Annotated[int, Field(ge=0, le=255)] = 0


class Snp(_Table):
    """One accepted SEV-SNP guest. Milan only where named; VLEK: the cloud's leased key."""

    measurement: Hex48
    products: Annotated[list[Literal["Milan", "Genoa", "Turin"]], Field(min_length=1)] = [
        "Genoa",
        "Turin",
    ]
    vmpl: Annotated[int, Field(ge=0, le=3)] = 0
    host_data: Hex32 = _ZEROS_32
    min_tcb: SnpTcb = SnpTcb()
    allow_vlek: bool = False


class Dev(_Table):
    """One accepted development key: the hash that the dealer prints."""

    key: Hex32


class Policy(_Table):
    """The whole file."""

    version: Literal[1]
    accept: Annotated[list[Type], Field(min_length=1)]
    reattest_seconds: Annotated[int, Field(ge=60, le=86_400)] = 3600
    intel: Intel | None = None
    sgx: list[Sgx] = []
    tdx: list[Tdx] = []
    snp: list[Snp] = []
    dev: list[Dev] = []

    @after_fields(mode="after")
    def _complete(self) -> Policy:
        named = {"sgx-dcap": self.sgx, "tdx-dcap": self.tdx, "sev-snp": self.snp, "dev": self.dev}
        for kind, entries in named.items():
            table = kind.split("-")[1] if kind == "sev-snp" else kind.split("-")[0]
            if (kind in self.accept) != bool(entries):
                raise ValueError(f'[[{table}]] is there exactly where accept names "{kind}"')
        if self.intel is None and {"sgx-dcap", "tdx-dcap"} & set(self.accept):
            raise ValueError("[intel] says which Intel platforms are accepted, and is missing")
        return self

    @staticmethod
    def from_toml(text: str) -> Policy:
        """Read a policy; AttestationError (policy) that names the first key that is wrong."""
        if len(text) > POLICY_BYTES:
            raise AttestationError("policy", f"a policy has at most {POLICY_BYTES} bytes")
        try:
            return Policy.model_validate(tomllib.loads(text))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            given = first["input"]
            if isinstance(given, str) and ("<" in given or "…" in given):
                raise AttestationError(
                    "policy", f"{where} is still the placeholder {given}: fill it in"
                ) from None
            raise AttestationError("policy", f"{where}: {first['msg']}") from None
        except (ValueError, RecursionError) as error:
            raise AttestationError("policy", f"it is not TOML: {error}") from None

    @staticmethod
    def from_file(path: Path) -> Policy:
        """Read a policy's file; AttestationError (policy) where that cannot be done."""
        try:
            return Policy.from_toml(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise AttestationError("policy", f"{path} cannot be read: {error}") from None

    @cached_property
    def sha256(self) -> bytes:
        """32 bytes that name the policy's meaning."""
        content = self.model_dump(mode="json", by_alias=True)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).digest()
