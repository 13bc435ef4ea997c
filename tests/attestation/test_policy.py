"""Policies: what is read, what is refused, what the hash is over."""

from __future__ import annotations

from pathlib import Path

import pytest

from securexgb.attestation.policy import POLICY_BYTES, Policy
from securexgb.dealer.refusal import AttestationError
from tests.attestation.examples import INTEL, SGX, SIGNED, TDX, policy

GOOD = f'version = 1\naccept = ["sgx-dcap", "tdx-dcap"]\n{INTEL}{SGX}{SIGNED}{TDX}'
TEMPLATE = Path(__file__).resolve().parents[2] / "parties" / "dealer" / "policy.toml"


def refusal(text: str) -> str:
    with pytest.raises(AttestationError) as caught:
        Policy.from_toml(text)
    assert caught.value.code == "policy"
    assert caught.value.exit_code == 5
    return caught.value.detail


def test_a_whole_policy() -> None:
    found = Policy.from_toml(GOOD)
    assert found.accept == ["sgx-dcap", "tdx-dcap"]
    assert found.reattest_seconds == 3600
    assert (len(found.sgx), len(found.tdx), found.snp, found.dev) == (2, 1, [], [])
    assert found.tdx[0].mrowner == "00" * 48


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("version = 1", "version = 2", "version"),
        ("version = 1", "", "version"),
        ("version = 1", "version = 1\nextra = 1", "extra"),
        ("smt = true", "smt = true, hyper = true", "intel.allow.hyper"),
        ('accept = ["sgx-dcap", "tdx-dcap"]', "accept = []", "accept"),
        ('accept = ["sgx-dcap", "tdx-dcap"]', 'accept = ["sgx-dcap"]', "tdx"),
        ('accept = ["sgx-dcap", "tdx-dcap"]', 'accept = ["sgx-dcap", "none"]', "accept.1"),
        ('accept = ["sgx-dcap", "tdx-dcap"]', 'accept = ["sgx-dcap", "tdx-dcap", "dev"]', "dev"),
        ('tcb_status = ["UpToDate", "SWHardeningNeeded"]', "tcb_status = []", "tcb_status"),
        ('"UpToDate", ', '"OutOfDate", ', "tcb_status.0"),
        ('"UpToDate", ', '"Revoked", ', "tcb_status.0"),
        ("INTEL-SA-00615", "anything", "advisories_accepted.0"),
        ("= 20", '= "20"', "min_tcb_eval_data_number"),
        ("grace_days = 0", "grace_days = -1", "out_of_date_grace_days"),
        (SGX, "[[sgx]]\nmrenclave = []\n", "sgx.0.mrenclave"),
        (SGX, "[[sgx]]\n", "mrsigner"),
        ("min_isv_svn = 7", "", "min_isv_svn"),
        (SGX, SGX + "isv_prod_id = 3\n", "mrenclave"),
        (SGX, '[[sgx]]\nmrenclave = ["<64 hex>"]\n', "placeholder <64 hex>"),
        (SGX, '[[sgx]]\nmrenclave = ["…"]\n', "placeholder"),
        (SGX, '[[sgx]]\nmrenclave = ["00"]\n', "sgx.0.mrenclave.0"),
        ("mrtd", "mrtdx", "mrtd"),
        ('3 = "', '4 = "', "rtmr"),
        (INTEL, "", "[intel]"),
    ],
)
def test_what_is_refused_and_named(old: str, new: str, named: str) -> None:
    assert old in GOOD
    assert named in refusal(GOOD.replace(old, new))


def test_text_that_is_no_policy(tmp_path: Path) -> None:
    refusal("accept = [")
    refusal("")
    refusal("#" * (POLICY_BYTES + 1))
    with pytest.raises(AttestationError):
        Policy.from_file(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(AttestationError):
        Policy.from_file(tmp_path / "bytes.toml")


def test_the_hash_is_over_the_meaning() -> None:
    same = "# a comment\n" + GOOD.replace("version = 1", "version  =  1\nreattest_seconds = 3600")
    assert Policy.from_toml(same).sha256 == Policy.from_toml(GOOD).sha256
    upper = GOOD.replace("e702060000000000", "E702060000000000")
    assert upper != GOOD
    assert Policy.from_toml(upper).sha256 == Policy.from_toml(GOOD).sha256
    others = [
        GOOD.replace("min_isv_svn = 7", "min_isv_svn = 6"),
        GOOD.replace("smt = true", "smt = false"),
        GOOD.replace("version = 1", "version = 1\nreattest_seconds = 60"),
        GOOD.replace('"INTEL-SA-00615"', ""),
    ]
    hashes = {Policy.from_toml(text).sha256 for text in (GOOD, *others)}
    assert len(hashes) == 5
    assert len(policy().sha256) == 32


def test_no_key_of_a_policy_names_a_root() -> None:
    schema = str(Policy.model_json_schema()).lower()
    assert "root" not in schema
    assert "laborator" not in schema


def test_the_template_is_refused_until_it_is_filled_in() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    assert "placeholder" in refusal(text)
    filled = text
    while True:
        try:
            found = Policy.from_toml(filled)
            break
        except AttestationError as error:
            given = error.detail.split("placeholder ")[1].split(": fill")[0]
            digits = int(given.strip("<>").split()[0])
            filled = filled.replace(f'"{given}"', f'"{"ab" * (digits // 2)}"', 1)
    assert found.accept
