"""Whatever bytes arrive: a refusal with a code, in bounded time, and nothing else."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securexgb.attestation.appraisal import COLLATERAL_BYTES
from securexgb.attestation.policy import Policy
from securexgb.attestation.verify import appraise
from securexgb.dealer.evidence import BODY_BYTES, Evidence
from securexgb.dealer.refusal import AttestationError
from tests.attestation.examples import policy, roots
from tests.attestation.laboratory import NOW, Laboratory
from tests.profiles import examples

LABORATORY = Laboratory()
QUOTES = {"sgx": LABORATORY.sgx(bytes(64)), "tdx": LABORATORY.tdx(bytes(64))}
COLLATERAL = {tee: LABORATORY.collateral(tee) for tee in QUOTES}
SNP = Policy.from_toml(f'version = 1\naccept = ["sev-snp"]\n[[snp]]\nmeasurement = "{"00" * 48}"\n')
DEV = Policy.from_toml(f'version = 1\naccept = ["dev"]\n[[dev]]\nkey = "{"00" * 32}"\n')
CASES = [("sgx-dcap", policy()), ("tdx-dcap", policy("tdx")), ("sev-snp", SNP), ("dev", DEV)]
quick = settings(
    max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def refused(kind: str, accepted: Policy, body: bytes, content: bytes | None) -> str:
    with pytest.raises(AttestationError) as caught:
        appraise(Evidence(kind, body), accepted, NOW, content, roots(LABORATORY))
    assert len(caught.value.detail) < 1000
    return caught.value.code


@quick
@given(st.sampled_from(CASES), st.binary(max_size=2000), st.none() | st.binary(max_size=500))
def test_any_evidence(case: tuple[str, Policy], body: bytes, content: bytes | None) -> None:
    refused(*case, body, content)


@quick
@given(st.sampled_from(sorted(QUOTES)), st.data())
def test_cut_and_stretched_quotes(tee: str, data: st.DataObject) -> None:
    quote = QUOTES[tee]
    at = data.draw(st.integers(0, len(quote) - 1))
    refused(f"{tee}-dcap", policy(tee), quote[:at], COLLATERAL[tee])
    filler = data.draw(st.binary(min_size=1, max_size=8))
    changed = quote[:at] + filler + quote[at:]
    try:
        appraise(
            Evidence(f"{tee}-dcap", changed), policy(tee), NOW, COLLATERAL[tee], roots(LABORATORY)
        )
    except AttestationError:
        return
    assert at > len(quote) - 4000  # only within the certificates' text, which may have blanks


@quick
@given(st.sampled_from(sorted(QUOTES)), st.data())
def test_sizes_that_lie(tee: str, data: st.DataObject) -> None:
    quote = bytearray(QUOTES[tee])
    at = data.draw(st.integers(0, len(quote) - 4))
    quote[at : at + 4] = data.draw(st.sampled_from([b"\xff" * 4, bytes(4), b"\x00\x00\x00\x80"]))
    if bytes(quote) == QUOTES[tee]:
        return
    try:
        appraise(
            Evidence(f"{tee}-dcap", bytes(quote)), policy(tee), NOW, COLLATERAL[tee],
            roots(LABORATORY),
        )  # fmt: skip
    except AttestationError:
        return
    assert at > len(quote) - 4000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


# Nobody reads pck_crl_issuer_chain: the list must fit the issuer in the quote's own chain.
MEMBERS = sorted(set(json.loads(COLLATERAL["tdx"])) - {"pck_crl_issuer_chain"})


@quick
@given(st.sampled_from(MEMBERS), json_values)
def test_members_of_collateral(name: str, value: object) -> None:
    whole = json.loads(COLLATERAL["tdx"])
    whole[name] = value
    refused("tdx-dcap", policy("tdx"), QUOTES["tdx"], json.dumps(whole).encode())


@quick
@given(json_values | st.binary(max_size=200))
def test_collateral_of_any_form(value: object) -> None:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    assert refused("sgx-dcap", policy(), QUOTES["sgx"], content) == "malformed"


@quick
@given(st.binary(min_size=0x4A0, max_size=0x4A0), st.binary(max_size=600))
def test_reports_and_certificate_tables(body: bytes, table: bytes) -> None:
    body = b"\2\0\0\0" + body[4:0x34] + b"\1\0\0\0" + body[0x38:]
    refused("sev-snp", SNP, body, table)


def test_the_largest_inputs_are_refused_quickly() -> None:
    start = time.monotonic()
    for filler in (b"\0", b"[", b"{", b"-----BEGIN CERTIFICATE-----\n"):
        large = filler * (COLLATERAL_BYTES // len(filler))
        for kind, accepted in CASES[:3]:
            refused(kind, accepted, bytes(BODY_BYTES), large)
        refused("sgx-dcap", policy(), QUOTES["sgx"], large)
        refused("sgx-dcap", policy(), QUOTES["sgx"], large + bytes(COLLATERAL_BYTES))
    assert time.monotonic() - start < 10


@quick
@given(st.text(max_size=300))
def test_any_text_is_no_policy(text: str) -> None:
    with pytest.raises(AttestationError) as caught:
        Policy.from_toml(text)
    assert caught.value.code == "policy"


def test_a_time_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        appraise(Evidence("dev"), DEV, datetime(2026, 1, 1), None)  # noqa: DTZ001
    assert datetime(2026, 1, 1, tzinfo=UTC).tzinfo
