"""securexgb: gradient-boosted trees over the columns of two parties, neither seeing the other's.

    from securexgb import Federation, SecureXGBClassifier

Everything public is in ``__all__``; the classes are imported when they are first used, so
that a process that needs little of the package, such as the dealer, loads little of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from securexgb import errors

if TYPE_CHECKING:
    from securexgb.estimator import SecureXGBClassifier, SecureXGBRegressor, load_model
    from securexgb.federation.session import Federation

__version__ = "0.1.0"

__all__ = [
    "Federation",
    "SecureXGBClassifier",
    "SecureXGBRegressor",
    "__version__",
    "errors",
    "load_model",
]


_HOMES = {
    "Federation": "securexgb.federation.session",
    "SecureXGBClassifier": "securexgb.estimator",
    "SecureXGBRegressor": "securexgb.estimator",
    "load_model": "securexgb.estimator",
}


def __getattr__(name: str) -> Any:
    """A public name, on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'securexgb' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
