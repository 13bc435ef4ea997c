"""Quotes of SGX and TDX: signatures by dcap-qvl, decisions by the policy.

dcap-qvl 0.7 checks the chain quote - attestation key - quoting enclave - PCK certificate
- Intel's root, the collateral's signatures and dates, and finds the platform's level. It
accepts every level but Revoked, and a revocation list dated in the future; both are
decided here. The report is read from what it verified, never from a second parse.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import dcap_qvl

from securexgb.attestation.appraisal import COLLATERAL_BYTES, Appraisal, Roots
from securexgb.attestation.policy import Intel, Policy, Sgx, Tdx
from securexgb.dealer.evidence import Evidence
from securexgb.dealer.refusal import AttestationError, Code

T = TypeVar("T")
_OUT_OF_DATE = ("OutOfDate", "OutOfDateConfigurationNeeded")
_ADVISORY_NAMES = 64

# The first fragment that occurs in dcap-qvl's text decides; the order matters, since a
# text holds the whole chain of causes. Unknown texts are "malformed".
_REASONS: dict[Code, tuple[str, ...]] = {
    "debug": ("Debug mode is enabled", "TD profiling is enabled"),
    "migratable": ("TD migration is enabled",),
    "tcb_status": ("TCB status is invalid: Revoked",),
    "revoked": ("CertRevoked", "certificate is revoked"),
    "collateral_expired": ("TCBInfo expired", "QE Identity expired", "CertExpired", "CrlExpired"),
    "collateral_future": ("issue date is in the future", "CertNotValidYet"),
    "collateral_mismatch": (
        "Fmspc mismatch",
        "non-TDX TCB info",
        "non-SGX TCB info",
        "Unsupported QE Identity id/version",
        "UnknownRevocationStatus",
    ),
    "tcb_unknown": ("No matching TCB level", "below minimum required", "No TDX module identity"),
    "untrusted_root": ("UnknownIssuer", "root CA CRL Caused by: InvalidCrlSignature"),
    "signature": (
        "InvalidSignatureForPublicKey",
        "InvalidCrlSignatureForPublicKey",
        "ignature is invalid",
        "QE report hash mismatch",
    ),
    "platform": ("TDX module", "QE report", "MRSIGNER"),
    "measurement": (
        "MR service TD",
        "SERVTD_EXT",
        "SEPT_VE_DISABLE",
        "Reserved bits in TD attributes",
    ),
    "unsupported": ("Unsupported",),
}


def appraise(
    evidence: Evidence, policy: Policy, now: datetime, collateral: bytes | None, roots: Roots
) -> Appraisal:
    """Check a quote; AttestationError with the reason's code. See ``verify.appraise``."""
    quote = _guarded(lambda: dcap_qvl.parse_quote(evidence.body), "the quote does not parse")
    if not (quote.is_sgx() if evidence.type == "sgx-dcap" else quote.is_tdx()):
        raise AttestationError("malformed", f"this quote is not {evidence.type}")
    claims = _genuine(evidence.body, _collateral(collateral), now, roots)
    if claims["latest_issue_date"] > now.timestamp():
        raise AttestationError("collateral_future", "a part of the collateral is not valid yet")
    if policy.intel is None:
        raise AttestationError("policy", "it has no section for Intel's platforms")
    advisories = _check_platform(claims, policy.intel, now)
    if evidence.type == "sgx-dcap":
        report = claims["report"]["SgxEnclave"]
        measurement, signer = _check_enclave(report, policy.sgx), report["mr_signer"]
    else:
        report = _td_report(claims["report"])
        measurement, signer = _check_guest(report, policy.tdx), ""
    pck = claims["platform"]["pck"]
    return Appraisal(
        report_data=bytes.fromhex(report["report_data"]),
        measurement=measurement,
        signer=signer,
        tcb_status=claims["tcb"]["status"],
        advisories=advisories,
        platform_id=bytes(pck["ppid"]).hex(),
        until=datetime.fromtimestamp(claims["earliest_expiration_date"], UTC),
        checked=(
            "The quote is signed under Intel's root; none of its certificates is revoked.",
            "Collateral: signatures, dates, and that it is for this platform.",
            "The platform's level, its advisories and its properties satisfy the policy.",
            "The measurement is one that the policy names; debugging is off.",
        ),
        not_checked=(
            "Whether Intel has published newer collateral since.",
            "Which build of Intel's quoting enclave and TDX module, beyond level and signer.",
        ),
    )


def _guarded(parse: Callable[[], T], what: str) -> T:
    """Call into dcap-qvl; a panic there is a BaseException and means malformed input."""
    try:
        return parse()
    except (ValueError, TypeError, OverflowError) as error:
        raise AttestationError("malformed", f"{what}: {error}") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise AttestationError("malformed", what) from None


def _collateral(content: bytes | None) -> dcap_qvl.QuoteCollateralV3:
    if content is None:
        raise AttestationError("collateral_mismatch", "there is no collateral for this platform")
    if len(content) > COLLATERAL_BYTES:
        raise AttestationError("malformed", f"collateral has at most {COLLATERAL_BYTES} bytes")
    what = "the collateral does not parse"
    return _guarded(lambda: dcap_qvl.QuoteCollateralV3.from_json(content.decode()), what)


def _genuine(
    body: bytes, collateral: dcap_qvl.QuoteCollateralV3, now: datetime, roots: Roots
) -> dict[str, Any]:
    """dcap-qvl's claims about a quote whose signatures, dates and attributes are right."""
    seconds = int(now.timestamp())

    def claims() -> dict[str, Any]:
        verifier = dcap_qvl.QuoteVerifier(roots.intel)
        policy = dcap_qvl.QuotePolicy.claims_only(seconds)
        found = verifier.verify_with_policy(body, collateral, seconds, policy)
        content: dict[str, Any] = json.loads(found.to_json())
        return content

    def detailed() -> None:
        if roots.intel is None:
            dcap_qvl.verify(body, collateral, seconds)
        else:
            dcap_qvl.verify_with_root_ca(body, collateral, roots.intel, seconds)

    try:
        return _guarded(claims, "the quote is not genuine")
    except AttestationError as refused:
        text = refused.detail
    try:  # the same again, for a text with all causes
        _guarded(detailed, "the quote is not genuine")
    except AttestationError as refused:
        text = refused.detail
    line = " ".join(text.split()).replace("Verification failed: ", "")
    for code, fragments in _REASONS.items():
        if any(fragment in line for fragment in fragments):
            raise AttestationError(code, line[:300])
    raise AttestationError("malformed", line[:300])


def _check_platform(claims: dict[str, Any], policy: Intel, now: datetime) -> tuple[str, ...]:
    """Level, advisories (returned), evaluation and properties of the machine."""
    tcb, platform, qe = claims["tcb"], claims["platform"], claims["qe"]
    _check_status(claims, policy, now)
    levels = (platform["tcb_level"], platform["current_tcb_level"] or {}, qe["tcb_level"])
    names = set(tcb["advisory_ids"]).union(*(level.get("advisoryIDs", ()) for level in levels))
    open_ones = sorted(names - set(policy.advisories_accepted))
    if open_ones:
        raise AttestationError(
            "advisory", f"not accepted: {', '.join(open_ones[:_ADVISORY_NAMES])}"
        )
    number, least = tcb["eval_data_number"], policy.min_tcb_eval_data_number
    if number < least:
        raise AttestationError("eval_number", f"evaluation {number}, the policy wants {least}")
    flags = (
        ("smt_enabled", policy.allow.smt),
        ("dynamic_platform", policy.allow.dynamic_platform),
        ("cached_keys", policy.allow.cached_keys),
    )
    for name, is_allowed in flags:
        if platform["pck"][name] == "True" and not is_allowed:
            raise AttestationError("platform", f"the policy does not allow {name}")
    return tuple(sorted(names))


def _check_status(claims: dict[str, Any], policy: Intel, now: datetime) -> None:
    status = claims["tcb"]["status"]
    if status in policy.tcb_status:
        return
    is_configured = status == "OutOfDate" or "ConfigurationNeeded" in policy.tcb_status
    if status not in _OUT_OF_DATE or not is_configured:
        raise AttestationError("tcb_status", f"{status} is not accepted")
    levels = (claims["platform"]["tcb_level"], claims["qe"]["tcb_level"])
    dates = [
        datetime.fromisoformat(level["tcbDate"])
        for level in levels
        if level["tcbStatus"] in _OUT_OF_DATE
    ]
    grace = timedelta(days=policy.out_of_date_grace_days)
    if not dates or now > min(dates) + grace:
        raise AttestationError("tcb_status", f"{status}, and past the days of grace")


def _check_enclave(report: dict[str, Any], accepted: list[Sgx]) -> str:
    """MRENCLAVE, once an entry of the policy fits."""
    if int(report["attributes"][:2], 16) & 2:
        raise AttestationError("debug", "the enclave can be debugged")
    measurement, outdated = str(report["mr_enclave"]), ""
    for entry in accepted:
        if entry.mrenclave is not None:
            if measurement in entry.mrenclave:
                return measurement
        elif (report["mr_signer"], report["isv_prod_id"]) == (entry.mrsigner, entry.isv_prod_id):
            assert entry.min_isv_svn is not None
            if report["isv_svn"] >= entry.min_isv_svn:
                return measurement
            outdated = f"version {report['isv_svn']}, the policy wants {entry.min_isv_svn}"
    if outdated:
        raise AttestationError("svn", outdated)
    raise AttestationError("measurement", f"the policy does not name the enclave {measurement}")


def _td_report(report: dict[str, Any]) -> dict[str, Any]:
    """The fields of TD report 1.0, which the newer kinds hold inside them."""
    (content,) = report.values()
    while "base" in content:
        content = content["base"]
    found: dict[str, Any] = content
    return found


def _check_guest(report: dict[str, Any], accepted: list[Tdx]) -> str:
    """MRTD, once an entry of the policy fits in every field."""
    attributes = int.from_bytes(bytes.fromhex(report["td_attributes"]), "little")
    if attributes & 0xFF:
        raise AttestationError("debug", "the guest can be debugged or profiled")
    if attributes >> 29 & 1:
        raise AttestationError("migratable", "the guest can be migrated")
    refusals = [_difference(report, entry) for entry in accepted]
    if "" in refusals:
        return str(report["mr_td"])
    raise AttestationError("measurement", f"the policy does not name this guest: {refusals[0]}")


def _difference(report: dict[str, Any], entry: Tdx) -> str:
    """The first field in which a guest differs from an entry; "" where none does."""
    fields = {
        "mr_td": entry.mrtd,
        "rt_mr0": entry.rtmr.r0,
        "rt_mr1": entry.rtmr.r1,
        "rt_mr2": entry.rtmr.r2,
        "rt_mr3": entry.rtmr.r3,
        "td_attributes": entry.td_attributes,
        "xfam": entry.xfam,
        "mr_config_id": entry.mrconfigid,
        "mr_owner": entry.mrowner,
        "mr_owner_config": entry.mrownerconfig,
    }
    for name, wanted in fields.items():
        if report[name] != wanted:
            return f"{name} is {report[name]}"
    return ""
