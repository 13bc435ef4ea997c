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
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from securexgb.boost.continued.past import NO_PAST, Past
from securexgb.boost.declaration import Declaration, checked, parameter
from securexgb.boost.objective.traits import POISSON, TRAITS, TWEEDIE, Traits, check_classes
from securexgb.boost.splits.directions import plain_directions, read_directions
from securexgb.boost.splits.interactions import plain_interactions, read_interactions
from securexgb.errors import UsageError

_POISSON_STEP = 0.7
MOST_LOG_STEP = 4.0
"""Where margins are logarithms, a tree moves none by more: beyond that is no fit, but an overshoot
that the sums of the next tree had no room for."""
_MOST_POISSON_STEP = 4.0
_LEAST_LABEL = 1e-15
_MOST_LOG_BASE = 64.0
_TWEEDIE_POWER = 1.5
SIGMOIDS = ("table", "ckks")
IMPORTANCES = ("none", "gain", "cover", "weight")
MOST_LOG_ODDS = 1000.0
"""Of a base margin: margins have 10 integer bits before the first tree."""


@dataclass(frozen=True, kw_only=True)
class TrainingParams:
    """The terms of a training; frozen, checked when it is made (``UsageError``)."""

    objective: str = parameter(
        "binary:logistic", "What is learnt from the labels.", choices=tuple(TRAITS)
    )
    num_class: int | None = parameter(
        None, "Classes of multi:softprob and multi:softmax, labels 0 to num_class - 1.", (2, 64)
    )
    n_estimators: int = parameter(50, "Number of trees.", (1, 10_000))
    learning_rate: float = parameter(
        0.3, "Factor on every leaf value.", (0.0, 1.0), excludes_low=True
    )
    max_depth: int = parameter(
        4, "Depth of every tree; trees are complete, with dummy splits.", (1, 10)
    )
    min_child_weight: float = parameter(1.0, "Least sum of hessians in a child.", (0.0, 1e9))
    max_delta_step: float | None = parameter(
        None,
        "Greatest absolute leaf value before the learning rate; 0: no bound; none: 0, but 0.7 for "
        "count:poisson.",
        (0.0, 1e12),
    )
    gamma: float = parameter(0.0, "Least gain of a split.", (0.0, 1e9))
    monotone_constraints: tuple[int, ...] | tuple[tuple[str, int], ...] = parameter(
        (),
        "Columns in which predictions must not fall, 1, or not rise, -1: a table by their names, "
        "or a number for each, the label party's columns first.",
        read=read_directions,
    )
    interaction_constraints: tuple[tuple[int, ...], ...] | tuple[tuple[str, ...], ...] = parameter(
        (),
        "Groups of columns, at most 8, that a path may use together: lists of names, or of numbers "
        "from 0, the label party's columns first; a column in none is a group of its own.",
        read=read_interactions,
    )
    reg_lambda: float = parameter(1.0, "L2 penalty on leaf values.", (0.0, 1e6))
    reg_alpha: float = parameter(0.0, "L1 penalty on leaf values.", (0.0, 1e6))
    subsample: float = parameter(
        1.0, "Share of the rows that a tree is fitted on.", (0.0, 1.0), excludes_low=True
    )
    colsample_bytree: float = parameter(
        1.0, "Share of the columns that a tree may use.", (0.0, 1.0), excludes_low=True
    )
    colsample_bylevel: float = parameter(
        1.0, "Share of a tree's columns that a level may use.", (0.0, 1.0), excludes_low=True
    )
    colsample_bynode: float = parameter(
        1.0, "Share of a level's columns that a node may use.", (0.0, 1.0), excludes_low=True
    )
    scale_pos_weight: float = parameter(
        1.0, "Factor on the weight of positive rows.", (0.0, 1e4), excludes_low=True
    )
    tweedie_variance_power: float = parameter(
        1.5,
        "Of reg:tweedie: the variance is the mean to this power; 1 is poisson's, 2 is gamma's.",
        (1.05, 1.95),
    )
    base_score: float | None = parameter(
        None,
        "Prediction before the first tree: a public number, or none to fit it to the "
        "labels, in which case the feature party does not learn it.",
        (-1e15, 1e15),
    )
    base_margin_bound: float | None = parameter(
        None,
        "Rows come with a base margin of the label party's, in base_score's place, of at most this "
        "absolute value: log odds, or a regression's unit; none: they have none.",
        (0.0, 1e15),
        excludes_low=True,
        is_ours=True,
    )
    max_bin: int = parameter(32, "Bins a column is divided into.", (2, 255))
    enable_categorical: bool = parameter(
        False,
        "Whether a side may have categorical columns: a split sends one category right and all "
        "others left.",
    )
    max_cat_to_onehot: int | None = parameter(
        None,
        "A categorical column must have fewer categories; none: max_bin, which is the most.",
        (2, 255),
    )
    random_state: int = parameter(
        0, "Seed of the public coins: row and column samples.", (0, 2**63 - 1)
    )
    eval_metric: tuple[str, ...] = parameter(
        (), "Metrics of the evaluation sets; none: the objective's default."
    )
    eval_every: int = parameter(
        1,
        "Metrics of evaluation sets after every so-many-th tree, and after the last one.",
        (1, 10_000),
        is_ours=True,
    )
    auc_rows: int = parameter(
        0,
        "auc during a training: of a public sample of so many rows of an evaluation set; 0: of "
        "all. After the last tree, and by `evaluate`, it is of all in any case.",
        (0, 10_000_000),
        is_ours=True,
    )
    evaluation_scores_to: str = parameter(
        "none",
        "Who is given the scores of evaluation rows after each evaluation: none: nobody, metrics "
        "are computed in shares; label: the label party, which computes the metrics, and there are "
        "more of them.",
        choices=("none", "label"),
        is_ours=True,
    )
    early_stopping_rounds: int | None = parameter(
        None,
        "Stop when the last metric has not improved for so many trees, whichever of them are "
        "evaluated.",
        (1, 10_000),
    )
    missing_values: str = parameter(
        "allowed",
        "Whether values may be missing (NaN); refusing them makes training cheaper.",
        choices=("allowed", "refused"),
        is_ours=True,
    )
    gradient_bits: int | None = parameter(
        None,
        "Most fraction bits of gradients and their sums; none: as many as fit, and more for "
        "rows than for sums.",
        (4, 20),
        is_ours=True,
    )
    sigmoid: str = parameter(
        "table",
        "How a classification's gradients are computed: from a table, the same in every "
        "run, or by a Fourier series under CKKS, needs TenSEAL at both sides.",
        choices=SIGMOIDS,
        is_ours=True,
    )
    splits: str | None = parameter(
        None,
        "Who learns a split: hidden: nobody, the model lies in shares; owner: both sides learn "
        "whose column it is, and that side which one; none: hidden, but owner with paillier, "
        "or with predictions under ckks.",
        choices=("hidden", "owner"),
        is_ours=True,
    )
    importance: str = parameter(
        "none",
        "What is opened of hidden splits when the training ends: none: nothing; gain, cover or "
        "weight: each column's share of the gain of all splits, of the hessians of the nodes that "
        "they part, or of their number, in whole per cents, to both sides.",
        choices=IMPORTANCES,
        is_ours=True,
    )
    weight_exponent: int | None = parameter(
        None,
        "Rows' weights, times scale_pos_weight, are divided by 2^weight_exponent, so that "
        "their mean is at most 1; none: 0. `check` proposes it at the label party.",
        (-60, 60),
        is_ours=True,
    )
    target_exponent: int | None = parameter(
        None,
        "A regression's targets, centred, are divided by 2^target_exponent, so that their "
        "root mean square is at most 1; of count:poisson and reg:tweedie not centred, so that "
        "their mean is. `check` proposes it at the label party.",
        (-60, 60),
        is_ours=True,
    )
    metric_exponent: int | None = parameter(
        None,
        "Metrics are opened in steps of at most 10^metric_exponent; none: 4 decimals, "
        "of rmse 4 digits of 2^target_exponent; auc and error always have 4 decimals. "
        "`check` proposes it at the label party.",
        (-30, 30),
        is_ours=True,
    )
    weight_bound: float | None = parameter(
        None,
        "Refuse rows' weights above this; none: no bound.",
        (0.0, 1e12),
        excludes_low=True,
        is_ours=True,
    )
    target_bound: float | None = parameter(
        None,
        "Refuse a regression's targets of a greater absolute value; none: no bound.",
        (0.0, 1e15),
        excludes_low=True,
        is_ours=True,
    )

    past: Past = NO_PAST
    """What comes before the trees of these terms; no term of a job file, see
    ``boost.continued.going_on``."""

    def __post_init__(self) -> None:
        kinds = get_type_hints(type(self))
        for name, declaration in declarations().items():
            value = checked(name, getattr(self, name), kinds[name], declaration)
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

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> TrainingParams:
        """From what ``to_mapping`` made, of a model that may go on from another one."""
        past = Past(**values.get("past", {}))
        own = {name: value for name, value in values.items() if name != "past"}
        return dataclasses.replace(cls.from_mapping(own), past=past)

    def to_mapping(self) -> dict[str, Any]:
        """Every name and value; tuples as lists, for TOML and JSON. None means not set."""
        values = {name: getattr(self, name) for name in declarations()}
        past = {"past": dataclasses.asdict(self.past)} if self.past.rounds else {}
        lists = {
            "eval_metric": list(self.eval_metric),
            "monotone_constraints": plain_directions(self.monotone_constraints),
            "interaction_constraints": plain_interactions(self.interaction_constraints),
        }
        return values | lists | past

    @property
    def all_rounds(self) -> int:
        """Rounds of trees that a model has at most, with those that it goes on from."""
        return self.past.rounds + self.n_estimators

    @property
    def reach(self) -> float:
        """The learning rates of all rounds added up: times 2^11 what trees add to a margin."""
        return self.past.reach + self.n_estimators * self.learning_rate

    @property
    def most_rate(self) -> float:
        """The greatest learning rate that a tree of the model was grown with."""
        return max(self.past.most_rate, self.learning_rate)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics to evaluate, never empty."""
        return self.eval_metric or self.known_metrics[:1]

    @property
    def known_metrics(self) -> tuple[str, ...]:
        """What may be asked for, the default first."""
        power = f"{self.tweedie_variance_power:g}"
        return tuple(f"{m}{power}" if m.endswith("@") else m for m in self.traits.metrics)

    @property
    def delta_step(self) -> float:
        """max_delta_step; where none is given it is xgboost's."""
        usual = _POISSON_STEP if self.objective == POISSON.name else 0.0
        return usual if self.max_delta_step is None else self.max_delta_step

    @property
    def leaf_bound(self) -> float:
        """The greatest absolute leaf value before the learning rate; 0: none but what words hold.

        Where margins are logarithms no tree moves one by more than MOST_LOG_STEP.
        """
        given, most = self.delta_step, MOST_LOG_STEP / self.learning_rate
        if not self.traits.is_log:
            return given
        return min(given, most) if given else most

    @property
    def has_base_margin(self) -> bool:
        """Whether each row comes with a margin that it begins with."""
        return self.base_margin_bound is not None

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
    def category_limit(self) -> int:
        """A categorical column must have fewer categories."""
        return min(self.max_cat_to_onehot or self.max_bin, self.max_bin)

    @property
    def opens_importance(self) -> bool:
        """Whether columns' shares of gain, cover or weight are opened when the training ends."""
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
        """What margins times it are in the targets' unit: 2^target_exponent of squared error."""
        return 1.0 if self.traits.is_log else self.label_scale

    @property
    def label_scale(self) -> float:
        """What targets are divided by: 2^target_exponent where there is one, else 1."""
        if not self.traits.is_scaled:
            return 1.0
        if self.target_exponent is None:
            raise UsageError(
                f"objective {self.objective!r} needs target_exponent, the order of magnitude of "
                "the targets: `securexgb check` at the label party proposes the line to "
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
                f'importance = "{self.importance}" is for hidden splits: with splits = "owner" '
                "none is opened, and each side counts its own splits, so leave importance out, or "
                'choose splits = "hidden"'
            )
        if self.max_cat_to_onehot is not None and not self.enable_categorical:
            raise UsageError("max_cat_to_onehot is for categorical columns: set enable_categorical")
        sampled = min(self.colsample_bytree, self.colsample_bylevel, self.colsample_bynode) < 1.0
        if self.interaction_constraints and self.splits == "owner" and sampled:
            raise UsageError(
                'interaction_constraints with splits = "owner" does not go with a sample of '
                "columns, in which dummy splits would show themselves: leave colsample_bytree, "
                'colsample_bylevel and colsample_bynode at 1, or choose splits = "hidden"'
            )
        self._check_base_margin()
        self._check_metrics()
        if self.traits.is_multi or self.num_class is not None:
            check_classes(self.traits, self.num_class, self.base_score, self.base_margin_bound)
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
        for name, usual in (("scale_pos_weight", 1.0), ("sigmoid", SIGMOIDS[0])):
            if self.objective != "binary:logistic" and getattr(self, name) != usual:
                raise UsageError(f"{name} is for objective 'binary:logistic' only")
        self._check_log()

    def _check_log(self) -> None:
        if self.objective != TWEEDIE.name and self.tweedie_variance_power != _TWEEDIE_POWER:
            raise UsageError("tweedie_variance_power is for objective 'reg:tweedie' only")
        if not self.traits.is_log:
            return
        if self.base_score is not None and self.base_score < _LEAST_LABEL:
            raise UsageError(
                f"base_score must be above 0, {_LEAST_LABEL:g} at least, for objective "
                f"{self.objective!r}, whose margins are logarithms; it is {self.base_score:g}"
            )
        if self.objective == POISSON.name and (self.max_delta_step or 0.0) > _MOST_POISSON_STEP:
            raise UsageError(
                f"max_delta_step must be at most {_MOST_POISSON_STEP:g} for 'count:poisson': "
                "hessians are multiplied by e to its power; it is "
                f"{self.max_delta_step:g}"
            )

    def _check_base_margin(self) -> None:
        bound = self.base_margin_bound
        if bound is None:
            return
        if self.base_score is not None:
            raise UsageError(
                "base_score and base_margin_bound are both given, and a row's base margin takes "
                "the place of base_score: leave one of them out"
            )
        if self.traits.is_log and bound > _MOST_LOG_BASE:
            raise UsageError(
                f"base_margin_bound {bound:g} is too large for objective {self.objective!r}: base "
                f"margins are logarithms, at most {_MOST_LOG_BASE:g}"
            )
        if self.traits.classifies and bound > MOST_LOG_ODDS:
            raise UsageError(
                f"base_margin_bound {bound:g} is too large for objective {self.objective!r}: base "
                f"margins are log odds, at most {MOST_LOG_ODDS:g}"
            )

    def _check_metrics(self) -> None:
        known, more = self.known_metrics, self.traits.opened_metrics
        for metric in self.eval_metric:
            if metric in known or (self.opens_scores and self.traits.is_opened(metric)):
                continue
            if self.traits.is_opened(metric):
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


def declarations() -> dict[str, Declaration]:
    """Every parameter's declaration by name, in the order of the class."""
    found = dataclasses.fields(TrainingParams)
    return {f.name: f.metadata["declaration"] for f in found if "declaration" in f.metadata}
