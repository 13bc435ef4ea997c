"""``securexgb protocols``: what every protocol costs and shows, and what may be revealed."""

from __future__ import annotations

from securexgb.cli.output import Format, FormatOption, result
from securexgb.report.aligned import table
from securexgb.report.protocols import TYPICAL, protocol_rows, reveal_rows


def protocols(form: FormatOption = Format.text) -> None:
    """List the protocols, their costs and sources, and what a job may reveal."""
    rows, reveals = protocol_rows(), reveal_rows()
    heads = ("protocol", "correlations from", "rounds", "bytes sent", "what its messages show")
    text = (
        f"{table([[row[head] for head in heads] for row in rows], heads)}\n\n"
        f"figures for {TYPICAL}\n\n"
        f"{table([list(row.values()) for row in reveals], list(reveals[0]))}"
    )
    result({"protocols": rows, "typical_shapes": TYPICAL, "reveals": reveals}, text, form)
