"""A verdict on the dealer, as commands print it."""

from __future__ import annotations

from securexgb.attestation.verdict import Verdict
from securexgb.cli.output import table

__all__ = ["short_verdict", "verdict_line", "verdict_text"]

SHOWN = (
    "assurance", "type", "measurement", "signer", "tcb_status", "platform_id",
    "collateral_until", "policy_sha256",
)  # fmt: skip


def verdict_text(verdict: Verdict) -> str:
    """All of a verdict: what it says, what was checked, what was not."""
    shown = verdict.to_dict()
    rows = [(name, shown[name]) for name in SHOWN if shown[name]]
    rows += [("advisory", name) for name in verdict.advisories]
    lines = [table(rows)]
    for head, sentences in (("checked:", verdict.checked), ("not checked:", verdict.not_checked)):
        lines += [head, *(f"  - {sentence}" for sentence in sentences)]
    return "\n".join(lines)


def verdict_line(verdict: Verdict | None) -> str:
    """The assurance and the type, in one line."""
    if verdict is None:
        return "no dealer"
    return f"the dealer's assurance: {verdict.assurance}, evidence: {verdict.type}"


def short_verdict(verdict: Verdict | None) -> str:
    """A verdict in a few lines, for the end of a run."""
    lines = [verdict_line(verdict)]
    if verdict is not None:
        if verdict.measurement:
            lines.append(f"  measurement {verdict.measurement}")
            lines.append(f"  policy {verdict.policy_sha256}")
        lines += [f"  not checked: {sentence}" for sentence in verdict.not_checked]
    return "\n".join(lines)
