"""An estimate in words: one sentence for ``check``, the table of ``estimate``."""

from __future__ import annotations

from securexgb.jobs.estimating.estimate import Estimate, Phase
from securexgb.jobs.estimating.link import FAST
from securexgb.report.text import duration, figure, table

_HEAD = (
    "phase", "seconds", "rounds", "MB sent", "MB received", "MB of memory", "MB on disk",
    "dealer's CPU s",
)  # fmt: skip


def estimate_sentence(found: Estimate) -> str:
    """One line for people."""
    tree, first, whole = found.tree, found.first_tree, found.training()
    link = "a fast link" if found.link == FAST else str(found.link)
    parts = [
        f"a tree: some {figure(tree.seconds)} s, {_costs(tree)} (the first one "
        f"{first.rounds:,.0f} rounds)"
    ]
    if found.evaluation.rounds:
        seconds = figure(found.evaluation.seconds)
        parts.append(f"its evaluation: some {seconds} s, {_costs(found.evaluation)}")
    took = duration(whole.seconds)
    parts.append(f"the training of {found.trees:,} trees: some {took}, {_costs(whole)}")
    text = f"on {link}, both directions together: {'; '.join(parts)}"
    if found.lacks:
        text += f"; without {found.lacks}, which are not foreseen"
    text += f"; memory: {found.memory.text()}"
    if found.session_bytes or found.upload_bytes:
        text += (
            f"; a session of predictions: {found.upload_bytes / 1e6:,.0f} MB before the first "
            f"row, and tables of {found.session_bytes / 1e6:,.0f} MB here while it lasts"
        )
    return text


def estimate_text(found: Estimate) -> str:
    """The table of phases, and what changes the largest parts of a tree."""
    link = "a fast link (give --link, or --measure it)" if found.link == FAST else str(found.link)
    rows = [(name, *_cells(phase)) for name, phase in found.phases.items()]
    lines = [
        (line.name, figure(line.seconds), f"{line.rounds:,}", figure(line.bytes / 1e6), line.advice)
        for line in found.largest
    ]
    parts = [
        f"link: {link}",
        table(rows, _HEAD),
        "what a tree takes most seconds for:\n"
        + table(lines, ("part", "seconds", "rounds", "MB, both ways", "changed by")),
        found.memory.text(),
    ]
    if found.lacks:
        parts.append(f"without {found.lacks}, which are not foreseen")
    return "\n\n".join(parts)


def _costs(phase: Phase) -> str:
    return f"{phase.bytes / 1e6:,.0f} MB, {phase.rounds:,.0f} rounds"


def _cells(phase: Phase) -> tuple[str, ...]:
    sizes = (phase.sent, phase.received, phase.memory, phase.disk)
    return (
        figure(phase.seconds),
        f"{int(phase.rounds):,}",
        *(figure(size / 1e6) for size in sizes),
        figure(phase.dealer_seconds),
    )
