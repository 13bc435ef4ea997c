"""What a report holds: the facts of one side's run, before they are a page or a JSON file.

A report is written by a side for itself, from what that side holds anyway: its own
features' names, importance and missing rates, the metrics and predictions that the
terms give to it, the ledger and the costs. There is no field for anything of the
other side but what the terms open to both, so nothing else of it can be printed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class KolmogorovSmirnov:
    """The greatest distance between the classes' score distributions, and where it is."""

    value: float
    score: float


@dataclass(frozen=True)
class Cumulated:
    """Of each class, the share of the rows that score at least ``score``: the KS curve."""

    score: float
    positives: float
    negatives: float


@dataclass(frozen=True)
class ScoreBin:
    """Of each class, how many rows score from ``low`` to below ``high``."""

    low: float
    high: float
    positives: int
    negatives: int


@dataclass(frozen=True)
class Band:
    """One band of a lift table; band 1 holds the highest scores. ``positives``: rows of one score
    share the positives among them, so it may be a fraction. ``captured``, ``negatives_captured``:
    the share of each class that this band and those before it hold."""

    band: int
    rows: int
    positives: float
    lowest_score: float
    rate: float
    lift: float
    captured: float
    negatives_captured: float


@dataclass(frozen=True)
class CalibrationBin:
    """Rows of similar probability: what was predicted, what happened."""

    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True)
class BinaryMetrics:
    """All of a binary report's numbers; see the functions of the same names."""

    rows: int
    positives: int
    auc: float | None
    gini: float | None
    ks: float | None
    ks_score: float | None
    logloss: float
    brier: float
    error: float
    roc: list[tuple[float, float]]
    cumulated: list[Cumulated]
    distribution: list[ScoreBin]
    lift: list[Band]
    calibration: list[CalibrationBin]


@dataclass(frozen=True)
class OneClass:
    """One class of several. ``predicted``: rows of which it is the most probable class; ``mean``:
    its mean probability; ``recall``, ``precision``: shares of its rows, and of ``predicted``, that
    are both; ``auc``: of its probability, its rows against all others, as xgboost has it;
    ``taken_for``: how many of its rows are predicted as each class."""

    rows: int
    predicted: int
    mean: float
    recall: float | None
    precision: float | None
    auc: float | None
    taken_for: list[int]


@dataclass(frozen=True)
class ClassMetrics:
    """What a report says of several classes; see ``metrics.class_metrics``. ``auc``: the mean of
    the classes', weighted by their rows; None where one of them has none, or all."""

    rows: int
    classes: int
    mlogloss: float
    merror: float
    auc: float | None
    each: list[OneClass]


@dataclass(frozen=True)
class RegressionMetrics:
    """A regression report's numbers, in the target's own unit."""

    rows: int
    rmse: float
    mae: float
    r2: float | None


@dataclass(frozen=True)
class ScoredRows:
    """Rows of which this side holds predictions. ``name``: which, for people; ``metrics``: None
    where it holds no labels of theirs."""

    name: str
    rows: int
    metrics: BinaryMetrics | ClassMetrics | RegressionMetrics | None


@dataclass(frozen=True)
class StabilityBand:
    """The shares of two sets of rows that score from the band before this one up to below
    ``below`` (None: the last band, which has no end)."""

    below: float | None
    expected: float
    actual: float


@dataclass(frozen=True)
class Stability:
    """How far the scores of the rows ``actual`` lie from those of ``expected``; see
    ``metrics.stability``."""

    expected: str
    actual: str
    index: float
    bands: list[StabilityBand]


@dataclass(frozen=True)
class Costs:
    """What the protocols of one run cost at this side.

    ``bytes_sent``, ``bytes_received``: on the link to the other side, everything together.
    ``offline_bytes``: what of ``bytes_sent`` was for correlations, and all that was exchanged
    with a dealer. ``offline_seconds``: in which correlations were made, ahead of their use
    where no dealer deals them; ``waited_seconds``: in which the protocols waited for them;
    ``online_seconds``: the total without the waiting. Offline and online overlap.
    """

    rounds: int
    bytes_sent: int
    bytes_received: int
    offline_bytes: int
    offline_seconds: float
    waited_seconds: float
    online_seconds: float
    total_seconds: float
    peak_rss_mb: float


@dataclass(frozen=True)
class Ratio:
    """A figure that was estimated before, and what it came to; ``ratio``: actual / estimated."""

    actual: float
    estimated: float
    ratio: float | None

    @staticmethod
    def of(actual: float, estimated: float) -> Ratio:
        return Ratio(actual, estimated, actual / estimated if estimated else None)


@dataclass(frozen=True)
class Compared:
    """A run's last session beside its estimate, at this side; ``bytes``: of both directions."""

    link: str
    rounds: Ratio
    bytes: Ratio
    seconds: Ratio


@dataclass(frozen=True)
class SlowestShard:
    """Of a round of trees, counted from 0, whose rows are in shards: ``shard``, whose work took
    longest, its ``seconds``, and ``steps``: of each step the slowest shard's, added up, which is
    what a head waits for."""

    tree: int
    shard: int
    seconds: float
    steps: float


@dataclass(frozen=True, kw_only=True)
class AlignedSet:
    """Rows that an alignment with the other side found, and what it has shown.

    ``data_set``: as what they were aligned; ``file`` and its ``rows``; ``keys`` here and at the
    other side; ``common``: rows that both have, the rows that were taken. ``dry_runs``: of this
    set, before; ``attempts``: alignments of it that were begun, this one included.
    ``align_sha256``: of the terms' keys, normalise and duplicates; ``order_sha256``: of the common
    keys in their order; both are equal at both sides.
    """

    data_set: str
    time: str
    peer: str
    file: str
    rows: int
    keys: int
    peer_keys: int
    common: int
    dry_runs: int
    attempts: int
    align_sha256: str
    order_sha256: str


@dataclass(frozen=True)
class RunReport:
    """Everything that one side's report shows; see the module's docstring.

    ``scored``: the rows of which this side holds predictions, the training rows first, then by age;
    ``stability``: how the scores of some of them differ from those of others. ``numbers``: the bits
    that gradients had. ``learning_curve``: revealed metric values by "set metric", one an
    evaluation; ``evaluated_after``: after how many trees each was, every tree where it says
    nothing. ``whole_auc``: by evaluation set the auc of all rows, where the curve's is of a sample.
    ``dealer``: the verdict on the dealer (a dictionary of ``Verdict``), None where there is none.
    ``leaks``: what the leak meter says of the training and of its evaluation sets (dictionaries of
    ``boost.leak.Leak``). ``importance``: by column, what ``importance_is`` says, which is the
    reason where there is none. ``labels``: how many training rows each class has and which of two
    counts as 1, at the label party; ``classes``: their names there, of two that one last.
    ``estimate``: what the training took beside what was expected when it began.
    ``alignments``: by which rows both have the run's sets were found; none where these were in one
    order before. ``slowest_shards``: of the last session's trees, where rows are in shards.
    """

    title: str
    side: str
    role: str
    job: str
    digest: str
    created: str
    terms: Mapping[str, Any]
    ledger: Sequence[Mapping[str, str | int]]
    costs: Costs
    numbers: str
    offline_source: str
    dealer_evidence: str
    versions: Mapping[str, str]
    leaks: Sequence[Mapping[str, Any]] = ()
    dealer: Mapping[str, Any] | None = None
    warnings: Sequence[str] = ()
    scored: Sequence[ScoredRows] = ()
    stability: Sequence[Stability] = ()
    learning_curve: Mapping[str, Sequence[float]] = field(default_factory=dict)
    evaluated_after: Sequence[int] = ()
    whole_auc: Mapping[str, float] = field(default_factory=dict)
    importance: Mapping[str, float] = field(default_factory=dict)
    importance_is: str = ""
    missing_rates: Mapping[str, float] = field(default_factory=dict)
    labels: str = ""
    classes: Sequence[str] = ()
    estimate: Compared | None = None
    alignments: Sequence[AlignedSet] = ()
    slowest_shards: Sequence[SlowestShard] = ()


def report_json(report: RunReport) -> dict[str, Any]:
    """The report as one JSON-ready object; numbers that do not exist are null."""
    facts: dict[str, Any] = plain(asdict(report))
    return facts


def plain(value: Any) -> Any:
    """Values that strict JSON has: no NaN, no infinity, no tuples."""
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
