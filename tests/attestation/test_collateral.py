"""Sources of collateral: a file, a folder, a configured service; never a default one."""

from __future__ import annotations

import inspect
import json
import os
import urllib.parse
from email.message import Message
from pathlib import Path

import pytest

from securexgb.attestation import collateral as module
from securexgb.attestation.appraisal import COLLATERAL_BYTES
from securexgb.attestation.collateral import (
    FileCollateral,
    FolderCollateral,
    UrlCollateral,
    signed_text,
)
from securexgb.attestation.collateral_cache import ServiceCollateral
from securexgb.attestation.verify import verify
from securexgb.dealer.evidence import Evidence
from securexgb.dealer.refusal import AttestationError
from securexgb.errors import UsageError
from tests.attestation.examples import binding, evidence, policy, roots
from tests.attestation.laboratory import NOW, Laboratory

LABORATORY = Laboratory()
QUOTE = Evidence("tdx-dcap", LABORATORY.tdx(bytes(64)))
BASE = "https://collateral.invalid"


class Service:
    """Answers as Intel's PCS does: exact texts in a JSON body, chains in headers."""

    def __init__(self, tee: str, *, is_hexadecimal: bool = False) -> None:
        self.content = json.loads(LABORATORY.collateral(tee))
        self.asked: list[str] = []
        self.is_hexadecimal = is_hexadecimal

    def __call__(self, address: str, seconds: float) -> tuple[bytes, Message]:
        assert 0 < seconds <= 20
        self.asked.append(address.removeprefix(BASE))
        own, headers = self.content, Message()
        if "crl" in address:
            name = "pck_crl" if "pckcrl" in address else "root_ca_crl"
            chain = urllib.parse.quote(own["pck_crl_issuer_chain"])
            headers["SGX-PCK-CRL-Issuer-Chain"] = chain
            text = own[name]
            return (text.encode() if self.is_hexadecimal else bytes.fromhex(text)), headers
        member, key, header = (
            ("tcbInfo", "tcb_info", "TCB-Info-Issuer-Chain")
            if "/tcb?" in address
            else ("enclaveIdentity", "qe_identity", "SGX-Enclave-Identity-Issuer-Chain")
        )
        headers[header] = urllib.parse.quote(own[f"{key}_issuer_chain"])
        body = f'{{"{member}": {own[key]}, "signature": "{own[f"{key}_signature"]}"}}'
        return body.encode(), headers


@pytest.mark.parametrize("is_hexadecimal", [False, True])
@pytest.mark.parametrize("tee", ["sgx", "tdx"])
def test_a_service_gives_collateral_that_verifies(tee: str, is_hexadecimal: bool) -> None:
    service = Service(tee, is_hexadecimal=is_hexadecimal)
    accepted = policy(tee)
    bound = binding(accepted)
    own = evidence(LABORATORY, bound, tee)
    content = UrlCollateral(BASE, fetch=service).collateral(own)
    verify(own, bound, accepted, NOW, content, roots(LABORATORY))
    assert service.asked == [
        "/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
        "/sgx/certification/v4/rootcacrl",
        f"/{tee}/certification/v4/tcb?fmspc=ABCDEF012345",
        f"/{tee}/certification/v4/qe/identity",
    ]


def test_addresses_are_configured_and_https() -> None:
    for address in ("http://collateral.invalid", "file:///etc/passwd", "collateral.invalid", ""):
        with pytest.raises(UsageError):
            UrlCollateral(address)
    with pytest.raises(UsageError):
        UrlCollateral(BASE, root_crl="http://collateral.invalid/root.crl")
    parameters = inspect.signature(UrlCollateral).parameters
    assert parameters["base"].default is inspect.Parameter.empty
    source = inspect.getsource(module)
    assert "intel.com" not in source
    assert "phala" not in source.lower()
    assert "get_collateral" not in source


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"tcbInfo": {}}', b'{"signature": 1, "tcbInfo": {}}', b"\xff",
             b'{"signature": "00", "other": {}}', b"[" * 100_000],
)  # fmt: skip
def test_answers_of_another_form(body: bytes) -> None:
    with pytest.raises(AttestationError) as caught:
        signed_text(body, "tcbInfo")
    assert caught.value.code == "malformed"


def test_the_signed_text_is_kept_as_it_is() -> None:
    text = '{ "a" :1,  "b":[ ] }'
    body = f'{{"signature":"ab" ,"tcbInfo" :  {text} }}'.encode()
    assert signed_text(body, "tcbInfo") == (text, "ab")


def test_a_service_that_cannot_be_reached() -> None:
    with pytest.raises(UsageError, match="cannot be fetched"):
        UrlCollateral("https://127.0.0.1:1").collateral(QUOTE)


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "collateral.json"
    with pytest.raises(UsageError):
        FileCollateral(path).collateral(QUOTE)
    path.write_bytes(b"{}")
    assert FileCollateral(path).collateral(QUOTE) == b"{}"
    assert FileCollateral(path).collateral(Evidence("dev")) is None
    path.write_bytes(bytes(COLLATERAL_BYTES + 1))
    with pytest.raises(UsageError):
        FileCollateral(path).collateral(QUOTE)


def test_a_folder_in_front_of_a_source(tmp_path: Path) -> None:
    service = Service("tdx")
    folder = FolderCollateral(tmp_path / "cache")
    source = ServiceCollateral(folder, UrlCollateral(BASE, fetch=service), lambda: NOW)
    first = source.collateral(QUOTE)
    assert source.collateral(QUOTE) == first
    assert len(service.asked) == 4
    assert source.collateral(Evidence("none")) is None
    (cached,) = (tmp_path / "cache").iterdir()
    assert cached.name == "tdx-ABCDEF012345-platform.collateral"
    os.utime(cached, (0, 0))
    source.collateral(QUOTE)
    assert len(service.asked) == 8
    os.utime(cached, (0, 0))
    assert folder.collateral(QUOTE) == first
    with pytest.raises(AttestationError) as caught:
        folder.collateral(Evidence("sgx-dcap", LABORATORY.sgx(bytes(64))))
    assert caught.value.code == "collateral_mismatch"


def test_a_quote_that_names_no_platform(tmp_path: Path) -> None:
    for source in (UrlCollateral(BASE), FolderCollateral(tmp_path)):
        with pytest.raises(AttestationError) as caught:
            source.collateral(Evidence("sgx-dcap", b"nothing"))
        assert caught.value.code == "malformed"


def test_half_a_hexadecimal_digit_is_malformed() -> None:
    with pytest.raises(AttestationError) as caught:
        module._der(b"30820")
    assert caught.value.code == "malformed"
