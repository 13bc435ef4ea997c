"""The bits that a job's gradients have, in words: check, simulate, train and report print them."""

from __future__ import annotations

from securexgb.arith.fixedpoint import NumberFormat

__all__ = ["FEW_BITS", "bits_facts", "bits_line", "bits_warnings"]

FEW_BITS = 12
"""Rows with fewer bits are worth a warning: predictions of rare events differ from xgboost's."""


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
