"""The training parameters as a table, from their one declaration in ``boost.params``."""

from __future__ import annotations

from securexgb.boost.declaration import Declaration
from securexgb.boost.params import TrainingParams, declarations


def parameter_rows() -> list[dict[str, str | int]]:
    """One row a parameter: name, default, the values it takes, what it means."""
    defaults = TrainingParams()
    return [
        {
            "parameter": f"`{name}`",
            "default": _shown(getattr(defaults, name)),
            "values": _values(declaration, getattr(defaults, name)),
            "meaning": declaration.help + (" Not in xgboost." if declaration.is_ours else ""),
        }
        for name, declaration in declarations().items()
    ]


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None or value == () else str(value)


def _values(declaration: Declaration, default: object) -> str:
    if isinstance(default, bool):
        return "true or false"
    if declaration.choices:
        return " or ".join(declaration.choices)
    if declaration.read is not None:
        return "names or numbers"
    if declaration.low is None or declaration.high is None:
        return "names"
    relation = "above" if declaration.excludes_low else "from"
    return f"{relation} {declaration.low:g} to {declaration.high:g}"
