"""What notebooks type that xgboost knows and these estimators do not need.

A parameter of xgboost that changes nothing here, such as ``n_jobs``, and one that only differs
from ours in name, such as ``eta``, are taken at values that mean what is done anyway. Any other
value, and any name that nobody knows, is refused with a sentence that says what to write instead:
nothing that would change a model is ignored.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from securexgb.errors import UsageError

ALIASES = {
    "eta": "learning_rate", "seed": "random_state", "lambda": "reg_lambda", "alpha": "reg_alpha",
    "min_split_loss": "gamma", "num_boost_round": "n_estimators",
}  # fmt: skip
"""xgboost's second names; taken where they say what the first name says."""
WITHOUT_EFFECT = ("n_jobs", "nthread", "verbosity", "silent", "validate_parameters")
"""These change no model: a party works on one thread and writes to the log, and every name is
checked in any case."""
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "tree_method": ("hist", "auto"), "device": ("cpu",), "booster": ("gbtree",),
    "grow_policy": ("depthwise", 0), "predictor": ("auto", "cpu_predictor"),
    "sampling_method": ("uniform",), "multi_strategy": ("one_output_per_tree",),
    "max_leaves": (0,), "num_parallel_tree": (1,),
    "use_label_encoder": (False,), "disable_default_eval_metric": (False,),
}  # fmt: skip
"""xgboost's parameters that have one value here, and how that may be written."""
_Class = TypeVar("_Class", bound=type)
_Function = TypeVar("_Function", bound=Callable[..., Any])


def taken(owner: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Of ``given`` what is a parameter here; UsageError for what cannot be taken.

    ``known``: every parameter with the value that it has where ``given`` says nothing.
    """
    own = {name: value for name, value in given.items() if name in known}
    for name, value in given.items():
        if name not in own and value is not None:
            _check_foreign(owner, name, value, {**known, **own})
    return own


def _check_foreign(owner: str, name: str, value: Any, values: Mapping[str, Any]) -> None:
    """Refuse a parameter that is none of ours, unless it says what is done anyway."""
    if name in WITHOUT_EFFECT:
        return
    if name in ALIASES:
        first = ALIASES[name]
        if value != values[first]:
            raise UsageError(
                f"{name}={value!r}: {owner} calls it {first}, which is {values[first]!r}: write "
                f"{first}={value!r}"
            )
        return
    if name in NEUTRAL:
        if not any(value == neutral for neutral in NEUTRAL[name]):
            raise UsageError(
                f"{name}={value!r} is not supported: {owner} has {name}={NEUTRAL[name][0]!r} "
                "only; leave it out"
            )
        return
    near = difflib.get_close_matches(name, [*values, *NEUTRAL], 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(values)}"
    raise UsageError(f"{owner} has no parameter {name!r}: {hint}")


def takes_xgboost_names(kind: _Class) -> _Class:
    """A class decorator: the constructor takes parameters as ``taken`` does, by name only."""
    plain = kind.__init__  # type: ignore[misc]
    known = {
        name: entry.default
        for name, entry in inspect.signature(plain).parameters.items()
        if name != "self"
    }

    @functools.wraps(plain)
    def constructor(self: Any, *positional: Any, **given: Any) -> None:
        owner = type(self).__name__
        if positional:
            raise UsageError(
                f"{owner} takes its parameters by name, such as n_estimators=20, not "
                f"{positional[0]!r} alone"
            )
        plain(self, **taken(owner, given, known))

    kind.__init__ = constructor  # type: ignore[misc]
    return kind


def refuses_in_words(method: _Function) -> _Function:
    """A method's decorator: an argument that it does not have is refused by a sentence."""
    known = inspect.signature(method).parameters
    names = ", ".join(name for name in known if name != "self")

    @functools.wraps(method)
    def call(self: Any, *positional: Any, **given: Any) -> Any:
        for name, value in given.items():
            if name not in known and value is not None:
                raise UsageError(
                    f"{type(self).__name__}.{method.__name__} takes no {name}: it takes {names}"
                )
        return method(self, *positional, **{k: v for k, v in given.items() if k in known})

    return call  # type: ignore[return-value]
