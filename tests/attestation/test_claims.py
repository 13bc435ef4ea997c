"""Claims: one form, the form that RA-TLS asks for, everything else refused."""

from __future__ import annotations

import hashlib
import re

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securexgb.attestation.verify import check_claims
from securexgb.dealer.claims import Binding, report_data
from securexgb.dealer.evidence import BODY_BYTES, CLAIMS_BYTES, ENDORSEMENT_BYTES, Evidence
from securexgb.dealer.refusal import AttestationError
from tests.attestation.examples import binding, policy
from tests.attestation.recorded import FOLDER, INDEX, needs_recordings

BOUND = binding(policy())
CONTENT = {
    "pubkey-hash": cbor2.dumps([1, BOUND.key_hash]),
    "nonce": BOUND.nonce,
    "ctx": BOUND.context(),
}


def code(claims: bytes) -> str:
    with pytest.raises(AttestationError) as caught:
        check_claims(claims, BOUND)
    return caught.value.code


def test_the_claims_are_canonical_cbor() -> None:
    assert BOUND.claims() == cbor2.dumps(CONTENT, canonical=True)
    assert cbor2.loads(BOUND.claims()) == CONTENT
    check_claims(BOUND.claims(), BOUND)
    assert BOUND.report_data() == hashlib.sha256(BOUND.claims()).digest() + bytes(32)


def test_the_context_is_what_it_says() -> None:
    parts = (
        b"securexgb dealer attestation", b"\x01", b"dealer", BOUND.session, *BOUND.roster,
        b"Z_2^64", BOUND.policy_sha256,
    )  # fmt: skip
    prefixed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    assert BOUND.context() == hashlib.sha256(prefixed).digest()


def test_other_spellings_of_the_same_claims_are_refused() -> None:
    backwards = dict(sorted(CONTENT.items(), reverse=True))
    assert cbor2.loads(cbor2.dumps(backwards)) == CONTENT
    assert code(cbor2.dumps(backwards)) == "malformed"
    assert code(BOUND.claims() + b"\0") == "malformed"
    assert code(cbor2.dumps(cbor2.CBORTag(55799, CONTENT))) == "malformed"
    indefinite = b"\xbf" + BOUND.claims()[1:] + b"\xff"
    assert cbor2.loads(indefinite) == CONTENT
    assert code(indefinite) == "malformed"
    assert code(cbor2.dumps({**CONTENT, "more": 1}, canonical=True)) == "malformed"


def test_duplicate_keys_are_refused() -> None:
    twice = b"\xa4" + BOUND.claims()[1:] + b"\x65nonce\x58\x20" + bytes(32)
    assert len(cbor2.loads(twice)) == 3
    assert code(twice) == "malformed"
    instead = BOUND.claims().replace(b"\x63ctx", b"\x65nonce")
    assert code(instead) == "malformed"


@settings(deadline=None)
@given(st.binary(max_size=CLAIMS_BYTES))
def test_any_bytes_are_refused(claims: bytes) -> None:
    assert code(claims) == "malformed"


@settings(deadline=None)
@given(st.integers(0, len(BOUND.claims()) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(at: int, mask: int) -> None:
    changed = bytearray(BOUND.claims())
    changed[at] ^= mask
    assert code(bytes(changed)) in ("malformed", "key", "nonce", "roster")


def test_sizes() -> None:
    Evidence("dev", bytes(BODY_BYTES), bytes(CLAIMS_BYTES), bytes(ENDORSEMENT_BYTES))
    too_large = [
        (bytes(BODY_BYTES + 1), b"", b""),
        (b"", bytes(CLAIMS_BYTES + 1), b""),
        (b"", b"", bytes(ENDORSEMENT_BYTES + 1)),
    ]
    for parts in too_large:
        with pytest.raises(AttestationError) as caught:
            Evidence("dev", *parts)
        assert caught.value.code == "malformed"
    with pytest.raises(AttestationError) as caught:
        Evidence("nitro")
    assert caught.value.code == "unsupported"
    with pytest.raises(AttestationError):
        Binding(b"short", bytes(32), b"s", (bytes(32), bytes(32)), bytes(32))


@needs_recordings
@pytest.mark.parametrize(
    "row", INDEX.get("ra_tls", ()), ids=[row["file"] for row in INDEX.get("ra_tls", ())]
)
def test_report_data_are_those_of_interoperable_ra_tls(row: dict[str, str]) -> None:
    """The claims in certificates of Gramine, Occlum and Intel's SDK hash as ours do."""
    import base64

    text = (FOLDER / row["file"]).read_text()
    body = re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END", text, re.DOTALL)[0]
    der = base64.b64decode(body)
    marker = b"\xd9\xea\x60"  # CBOR tag 60000
    _, claims = cbor2.loads(der[der.index(marker) :][: 1 << 16]).value
    assert report_data(claims).hex() == row["report_data"]
    key_hash = cbor2.loads(claims)["pubkey-hash"]
    assert len(key_hash) == len(CONTENT["pubkey-hash"])
    assert key_hash[:4] == CONTENT["pubkey-hash"][:4]
