"""Training parameters: the one declaration of every parameter, its meaning and its bounds.

Names, meanings and defaults are xgboost's, but for three defaults that fit secure
training (``n_estimators`` 50, ``max_depth`` 4, ``max_bin`` 32). The estimator, the
command line, ``job.toml`` and the documentation derive from this class; a name or value
that is not here is refused with a sentence, never ignored.

All of them are public terms of a job: both parties hold the same values.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from securexgb.boost.monotone import plain_directions, read_directions
from securexgb.boost.objective.traits import TRAITS, Traits
from securexgb.errors import UsageError

SIGMOIDS = ("table", "ckks")
IMPORTANCES = ("none", "gain", "cover")
_MOST_BASE = 100.0
"""Of a base_score that is a margin."""


@dataclass(frozen=True)
class Declaration:
    """What is said of one parameter: its sentence, and the values that it takes.

    ``low`` and ``high`` bound a number, inclusively; with ``excludes_low`` the low end itself
    is excluded. ``is_ours``: the parameter does not exist in xgboost. ``read``: checks a value
    of a form of its own, and brings it to the declared type.
    """

    help: str
    low: float | None = None
    high: float | None = None
    excludes_low: bool = False
    choices: tuple[str, ...] = ()
    is_ours: bool = False
    read: Callable[[Any], Any] | None = None


def _parameter(
    default: Any, text: str, bounds: tuple[float | None, float | None] = (None, None), **more: Any
) -> Any:
    return field(default=default, metadata={"declaration": Declaration(text, *bounds, **more)})


@dataclass(frozen=True, kw_only=True)
class TrainingParams:
    """The terms of a training; frozen, checked when it is made (``UsageError``)."""

    objective: str = _parameter(
        "binary:logistic", "What is learnt from the labels.", choices=tuple(TRAITS)
    )
    num_class: int | None = _parameter(
        None,
        "Classes of multi:softprob and multi:softmax: labels are 0 to num_class - 1, and a round "
        "has a tree for each.",
        (2, 64),
    )
    n_estimators: int = _parameter(50, "Number of trees.", (1, 10_000))
    learning_rate: float = _parameter(
        0.3, "Factor on every leaf value.", (0.0, 1.0), excludes_low=True
    )
    max_depth: int = _parameter(
        4, "Depth of every tree; trees are complete, with dummy splits.", (1, 10)
    )
    min_child_weight: float = _parameter(1.0, "Least sum of hessians in a child.", (0.0, 1e9))
    max_delta_step: float = _parameter(
        0.0, "Greatest absolute leaf value before the learning rate; 0: no bound.", (0.0, 1e12)
    )
    gamma: float = _parameter(0.0, "Least gain of a split.", (0.0, 1e9))
    monotone_constraints: tuple[int, ...] | tuple[tuple[str, int], ...] = _parameter(
        (),
        "Columns in which predictions must not fall, 1, or not rise, -1: a table by their names, "
        "or a number for each, the label party's columns first.",
        read=read_directions,
    )
    reg_lambda: float = _parameter(1.0, "L2 penalty on leaf values.", (0.0, 1e6))
    reg_alpha: float = _parameter(0.0, "L1 penalty on leaf values.", (0.0, 1e6))
    subsample: float = _parameter(
        1.0, "Share of the rows that a tree is fitted on.", (0.0, 1.0), excludes_low=True
    )
    colsample_bytree: float = _parameter(
        1.0, "Share of the columns that a tree may use.", (0.0, 1.0), excludes_low=True
    )
    scale_pos_weight: float = _parameter(
        1.0, "Factor on the weight of positive rows.", (0.0, 1e4), excludes_low=True
    )
    base_score: float | None = _parameter(
        None,
        "Prediction before the first tree: a public number, or none to fit it to the "
        "labels, in which case the feature party does not learn it.",
        (-1e15, 1e15),
    )
    max_bin: int = _parameter(32, "Bins a column is divided into.", (2, 255))
    random_state: int = _parameter(
        0, "Seed of the public coins: row and column samples.", (0, 2**63 - 1)
    )
    eval_metric: tuple[str, ...] = _parameter(
        (), "Metrics of the evaluation sets; none: the objective's default."
    )
    eval_every: int = _parameter(
        1,
        "Metrics of evaluation sets after every so-many-th tree, and after the last one.",
        (1, 10_000),
        is_ours=True,
    )
    auc_rows: int = _parameter(
        0,
        "auc during a training: of a public sample of so many rows of an evaluation set; 0: of "
        "all. `evaluate` always takes all.",
        (0, 10_000_000),
        is_ours=True,
    )
    evaluation_scores_to: str = _parameter(
        "none",
        "Who is given the scores of evaluation rows after each evaluation: none: nobody, metrics "
        "are computed in shares; label: the label party, which computes the metrics, and there are "
        "more of them.",
        choices=("none", "label"),
        is_ours=True,
    )
    early_stopping_rounds: int | None = _parameter(
        None,
        "Stop when the last metric has not improved for so many trees, whichever of them are "
        "evaluated.",
        (1, 10_000),
    )
    missing_values: str = _parameter(
        "allowed",
        "Whether values may be missing (NaN); refusing them makes training cheaper.",
        choices=("allowed", "refused"),
        is_ours=True,
    )
    gradient_bits: int | None = _parameter(
        None,
        "Most fraction bits of gradients and their sums; none: as many as fit, and more for "
        "rows than for sums.",
        (4, 20),
        is_ours=True,
    )
    sigmoid: str = _parameter(
        "table",
        "How a classification's gradients are computed: from a table, the same in every "
        "run, or by a Fourier series under CKKS, needs TenSEAL at both sides.",
        choices=SIGMOIDS,
        is_ours=True,
    )
    splits: str | None = _parameter(
        None,
        "Who learns a split: hidden: nobody, the model lies in shares; owner: both sides learn "
        "whose column it is, and that side which one; none: hidden, but owner with paillier, "
        "or with predictions under ckks.",
        choices=("hidden", "owner"),
        is_ours=True,
    )
    importance: str = _parameter(
        "none",
        "What is opened of hidden splits when the training ends: none: nothing; gain or cover: "
        "each column's share of the gain of all splits, or of the hessians of the nodes that "
        "they part, in whole per cents, to both sides.",
        choices=IMPORTANCES,
        is_ours=True,
    )
    weight_exponent: int | None = _parameter(
        None,
        "Rows' weights, times scale_pos_weight, are divided by 2^weight_exponent, so that "
        "their mean is at most 1; none: 0. `check` proposes it at the label party.",
        (-60, 60),
        is_ours=True,
    )
    target_exponent: int | None = _parameter(
        None,
        "A regression's targets, centred, are divided by 2^target_exponent, so that their "
        "root mean square is at most 1. `check` proposes it at the label party.",
        (-60, 60),
        is_ours=True,
    )
    metric_exponent: int | None = _parameter(
        None,
        "Metrics are opened in steps of at most 10^metric_exponent; none: 4 decimals, "
        "of a regression 4 digits of 2^target_exponent; auc and error always have 4 decimals. "
        "`check` proposes it at the label party.",
        (-30, 30),
        is_ours=True,
    )
    weight_bound: float | None = _parameter(
        None,
        "Refuse rows' weights above this; none: no bound.",
        (0.0, 1e12),
        excludes_low=True,
        is_ours=True,
    )
    target_bound: float | None = _parameter(
        None,
        "Refuse a regression's targets of a greater absolute value; none: no bound.",
        (0.0, 1e15),
        excludes_low=True,
        is_ours=True,
    )

    def __post_init__(self) -> None:
        kinds = get_type_hints(type(self))
        for name, declaration in declarations().items():
            value = _checked(name, getattr(self, name), kinds[name], declaration)
            object.__setattr__(self, name, value)
        self._check_together()

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TrainingParams:
        """From a table of names and values, say of ``job.toml``; unknown names are refused."""
        known = declarations()
        for name in values:
            if name not in known:
                names = ", ".join(known)
                raise UsageError(f"there is no training parameter {name!r}; there are {names}")
        return cls(**values)

    def to_mapping(self) -> dict[str, Any]:
        """Every name and value; tuples as lists, for TOML and JSON. None means not set."""
        values = {name: getattr(self, name) for name in declarations()}
        plain = plain_directions(self.monotone_constraints)
        return values | {"eval_metric": list(self.eval_metric), "monotone_constraints": plain}

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics to evaluate, never empty."""
        return self.eval_metric or self.traits.metrics[:1]

    @property
    def opens_scores(self) -> bool:
        """Whether the label party gets the scores of evaluation rows, and computes the metrics."""
        return self.evaluation_scores_to == "label"

    @property
    def is_hidden(self) -> bool:
        """Whether nobody learns a split; UsageError before it is ``decided``."""
        if self.splits is None:
            raise UsageError('splits is neither "hidden" nor "owner": choose one of them')
        return self.splits == "hidden"

    def decided(self, *, can_hide: bool) -> TrainingParams:
        """The same with ``splits`` set: hidden where it was not and that can be."""
        if self.splits is not None:
            return self
        return dataclasses.replace(self, splits="hidden" if can_hide else "owner")

    @property
    def opens_importance(self) -> bool:
        """Whether columns' shares of gain or cover are opened when the training ends."""
        return self.importance != "none"

    @property
    def is_monotone(self) -> bool:
        """Whether predictions must not fall, or rise, in some column."""
        return bool(self.monotone_constraints)

    @property
    def traits(self) -> Traits:
        """What is said of the objective."""
        return TRAITS[self.objective]

    @property
    def target_scale(self) -> float:
        """What centred targets are divided by: 2^target_exponent of a regression, else 1."""
        if self.traits.classifies:
            return 1.0
        if self.target_exponent is None:
            raise UsageError(
                f"objective {self.objective!r} needs target_exponent, the order of magnitude of "
                "the targets' spread: `securexgb check` at the label party proposes the line to "
                "add to the terms"
            )
        return 2.0**self.target_exponent

    @property
    def weight_scale(self) -> float:
        """What rows' weights, times scale_pos_weight, are divided by."""
        return 2.0 ** (self.weight_exponent or 0)

    def _check_together(self) -> None:
        if self.opens_importance and self.splits == "owner":
            raise UsageError(
                f'importance = "{self.importance}" is for hidden splits: with splits = "owner" no '
                f"{self.importance} is known, and each side counts its own splits, so leave "
                "importance out, or choose "
                'splits = "hidden"'
            )
        self._check_metrics()
        if self.traits.is_multi or self.num_class is not None:
            self._check_classes()
        elif self.traits.classifies:
            if self.base_score is not None and not 0.0 < self.base_score < 1.0:
                raise UsageError(
                    f"base_score must lie between 0 and 1 for objective {self.objective!r}, "
                    f"it is {self.base_score}"
                )
        elif self.base_score is not None and abs(self.base_score) > (self.target_bound or math.inf):
            raise UsageError(
                f"base_score {self.base_score:g} is beyond target_bound {self.target_bound:g}: "
                "targets cannot be there; correct one of them"
            )
        if self.objective != "binary:logistic":
            for name, usual in (("scale_pos_weight", 1.0), ("sigmoid", SIGMOIDS[0])):
                if getattr(self, name) != usual:
                    raise UsageError(f"{name} is for objective 'binary:logistic' only")

    def _check_classes(self) -> None:
        """Of an objective of several classes, or where the terms count them."""
        if not self.traits.is_multi:
            raise UsageError(
                f"num_class is for objectives 'multi:softprob' and 'multi:softmax', not for "
                f"{self.objective!r}"
            )
        if self.num_class is None:
            raise UsageError(f"objective {self.objective!r} needs num_class, the number of classes")
        if self.base_score is not None and abs(self.base_score) > _MOST_BASE:
            raise UsageError(
                f"base_score must lie between -{_MOST_BASE:g} and {_MOST_BASE:g} for objective "
                f"{self.objective!r}, where it is the margin of every class: it is "
                f"{self.base_score:g}"
            )

    def _check_metrics(self) -> None:
        known, more = self.traits.metrics, self.traits.opened_metrics
        for metric in self.eval_metric:
            if metric in known or (self.opens_scores and _is_one_of(metric, more)):
                continue
            if _is_one_of(metric, more):
                raise UsageError(
                    f"eval_metric {metric!r} is not computed in shares: choose among "
                    f'{", ".join(known)}, or agree on evaluation_scores_to = "label", which gives '
                    "the label party the scores of evaluation rows"
                )
            raise UsageError(
                f"eval_metric {metric!r} does not exist for objective {self.objective!r}; "
                f"choose among {', '.join(known + more * self.opens_scores)}"
            )
        if self.auc_rows and self.opens_scores:
            raise UsageError(
                'auc_rows is for an auc in shares: with evaluation_scores_to = "label" it is of '
                "all rows, so leave auc_rows out"
            )


def _is_one_of(metric: str, known: tuple[str, ...]) -> bool:
    """Whether it is one of these names, of which "error@t" stands for any t between 0 and 1."""
    name, is_cut, text = metric.partition("@")
    if not is_cut:
        return metric in known
    try:
        return f"{name}@t" in known and 0.0 < float(text) < 1.0
    except ValueError:
        return False


def declarations() -> dict[str, Declaration]:
    """Every parameter's declaration by name, in the order of the class."""
    return {f.name: f.metadata["declaration"] for f in dataclasses.fields(TrainingParams)}


def _checked(name: str, value: Any, kind: Any, declaration: Declaration) -> Any:
    """The value in its declared type, or a UsageError."""
    text = str(kind)
    if declaration.read is not None:
        return declaration.read(value)
    if value is None:
        if "None" in text:
            return None
        raise UsageError(f"{name} must be given, it is None")
    if declaration.choices:
        return _checked_choice(name, value, declaration)
    if "tuple" in text:
        if isinstance(value, str):
            value = (value,)
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
            raise UsageError(f"{name} must be a name or a list of names, it is {value!r}")
        return tuple(value)
    number = _whole(name, value) if "int" in text else _real(name, value)
    _check_bounds(name, number, declaration)
    return number


def _checked_choice(name: str, value: Any, declaration: Declaration) -> str:
    if value not in declaration.choices:
        raise UsageError(
            f"{name} {value!r} is not supported; choose among {', '.join(declaration.choices)}"
        )
    return str(value)


def _whole(name: str, value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise UsageError(f"{name} must be a whole number, it is {value!r}") from None


def _real(name: str, value: Any) -> float:
    try:
        if isinstance(value, (bool, str)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name} must be a number, it is {value!r}") from None
    if not math.isfinite(number):
        raise UsageError(f"{name} must be a finite number, it is {value!r}")
    return number


def _check_bounds(name: str, number: float, declaration: Declaration) -> None:
    low, high = declaration.low, declaration.high
    too_low = low is not None and (number < low or (declaration.excludes_low and number == low))
    if too_low or (high is not None and number > high):
        relation = "above" if declaration.excludes_low else "at least"
        raise UsageError(f"{name} must be {relation} {low:g} and at most {high:g}, it is {number}")
