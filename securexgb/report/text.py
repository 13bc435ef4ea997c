"""What commands say of a job in words: tables, and sentences that several commands share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from securexgb.arith.fixedpoint import NumberFormat
from securexgb.attestation.verdict import Verdict
from securexgb.boost.leak import Leak
from securexgb.boost.params import TrainingParams
from securexgb.report.aligned import table

FEW_BITS = 12
"""Rows with fewer bits are worth a warning: predictions of rare events differ from xgboost's."""

MOST_NAMED = 10
SHOWN = (
    "assurance", "type", "measurement", "signer", "tcb_status", "platform_id",
    "collateral_until", "policy_sha256",
)  # fmt: skip


def ledger_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """What was revealed, for people."""
    shown = [(row["meaning"], row["to"], row["values"]) for row in rows]
    return table(shown, ("revealed", "to", "values"))


def splits_line(params: TrainingParams, export_to: str = "none") -> str:
    """Who learns a split of the job, and who may get the whole model, for people."""
    said = (
        "splits: hidden: no side learns one, the model lies in shares, and neither side can "
        "look into its half"
        if params.is_hidden
        else "splits: owner: both sides learn which of them has each split's column, and that side "
        "the split itself"
    )
    if export_to == "none":
        return said
    whom = "both sides" if export_to == "both" else f"the {export_to} party"
    return f"{said}; until `model export` gives {whom} the whole model, and each side its splits"


def bits_facts(numbers: NumberFormat) -> dict[str, int]:
    """For JSON."""
    return {
        "row_gradient": numbers.row_gradient_bits,
        "row_hessian": numbers.row_hessian_bits,
        "sum": numbers.gradient_bits,
    }


def bits_line(numbers: NumberFormat) -> str:
    """One line for people."""
    return (
        f"gradients: {numbers.row_gradient_bits} + {numbers.row_hessian_bits} bits a row, "
        f"{numbers.gradient_bits} a sum"
    )


def bits_warnings(numbers: NumberFormat) -> list[str]:
    """A sentence with the cure where rows have few bits."""
    least = min(numbers.row_gradient_bits, numbers.row_hessian_bits)
    if least >= FEW_BITS:
        return []
    return [
        f"gradients have {least} bits a row, fewer than {FEW_BITS}: predictions of rare events "
        "will not be xgboost's; leave gradient_bits out of the terms, and rows have more"
    ]


def leaks_text(leaks: Sequence[Leak]) -> str:
    """A line for each, and one for each warning."""
    lines = []
    for leak in leaks:
        lines.append(leak.sentence)
        if leak.warning:
            lines.append(f"warning: {leak.warning}")
    return "\n".join(lines)


def uncut_sentence(names: Sequence[str]) -> str:
    """What to know of these columns; some names stand for many."""
    if not names:
        return "every column has values to cut between"
    return (
        f"no cut in {_listed(names)}: one value or none in all rows, so they cost time and can at "
        "most part rows that have it from rows where it is missing; leave them out"
    )


def classes_sentence(
    classes: Sequence[Any] | None, shares: Sequence[float] | None, *, is_multi: bool
) -> str:
    """How many training rows each class has, by number, and which of two counts as 1; empty without
    classes."""
    if classes is None or shares is None:
        return ""
    if not is_multi:
        return (
            f"positive class: {classes[1]!r}, {100 * shares[1]:.3g} % of the training rows; "
            f"the other: {classes[0]!r}"
        )
    pairs = list(zip(classes, shares, strict=True))
    listed = ", ".join(f"{name!r} {100 * share:.3g} %" for name, share in pairs[:MOST_NAMED])
    more = f" and {len(pairs) - MOST_NAMED:,} more" if len(pairs) > MOST_NAMED else ""
    absent = [repr(name) for name, share in pairs if not share][:MOST_NAMED]
    lack = f"; no training row is of {', '.join(absent)}" if absent else ""
    return f"{len(pairs)} classes in this order, of the training rows: {listed}{more}{lack}"


def numbering_sentence(names: Sequence[str], how: str) -> str:
    """What to know of columns that number the rows; empty without one."""
    if not names:
        return ""
    return (
        f"a different whole number in each row: {_listed(names)}, as numbers of customers have "
        f"it; a model learns it by heart, and it says nothing of new rows: leave it out ({how})"
    )


def _listed(names: Sequence[str]) -> str:
    """Names in quotes; some stand for many."""
    listed = ", ".join(repr(name) for name in names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return listed + (f" and {more:,} more" if more > 0 else "")


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
