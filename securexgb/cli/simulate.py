"""``securexgb simulate``: both parties here, on bundled or on anybody's data.

Both sides run in this one process, so nothing is protected; what is measured and what
is learnt is what two companies would measure and learn. Correlations are made as by a job's
default terms, homomorphic encryption and no dealer, unless flags say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.continued.going_on import going_on
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.leak import Floors, after_training, before_training
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request
from securexgb.cli.membership import parameters
from securexgb.cli.options import AlgorithmOption, PositiveOption, SplitsOption, split_names
from securexgb.cli.output import Format, FormatOption, note, result
from securexgb.cli.progress import TrainingProgress
from securexgb.cli.simulated import closing_text
from securexgb.cluster.local import LocalShards
from securexgb.cluster.parts import check_shards
from securexgb.errors import UsageError
from securexgb.jobs.aligning.simulation import SimulatedAlignment, align_alone
from securexgb.jobs.alone.earlier import EarlierSimulation, keep_for_later
from securexgb.jobs.alone.facts import (
    WARNING,
    costs_of_training,
    facts_of_training,
    plain_models,
    quality_facts,
)
from securexgb.jobs.data.files import ColumnRoles, read_side
from securexgb.jobs.data.labels import LabelKinds, class_labels
from securexgb.jobs.export import EXPORTED, export_alone
from securexgb.jobs.ledgers import add_ledgers
from securexgb.jobs.reports import (
    TRAINING,
    Quality,
    report_path,
    report_sentence,
    write_simulation,
)
from securexgb.jobs.rows import Rows
from securexgb.jobs.runs import RunDirectory, RunRecord
from securexgb.jobs.simulation import (
    Simulation,
    Split,
    Ways,
    predict_alone,
    side_data,
    split_rows,
    train_alone,
)
from securexgb.model.digest import trees_sha256
from securexgb.mpc.party import ROLES, Party
from securexgb.offline.method import Method
from securexgb.report.text import (
    bits_line,
    bits_warnings,
    classes_sentence,
    leaks_text,
    numbering_sentence,
    splits_line,
    uncut_sentence,
)
from securexgb.terms.party import MISSING

REQUEST = Request("label", 6)
Reals = NDArray[np.float64]

DataArgument = Annotated[
    Path | None,
    typer.Argument(help="CSV or Parquet; without it, scikit-learn's breast cancer data."),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(help="Columns of the feature party, by comma; default: the second half."),
]
ParamOption = Annotated[
    list[str] | None, typer.Option(help="Any other training parameter, as NAME=VALUE.")
]
TestOption = Annotated[float, typer.Option(help="Share of the rows kept for the test.")]
OfflineOption = Annotated[
    str | None,
    typer.Option(
        help="Correlated randomness: two-party (no third side), or dealt (by a dealer, in "
        "this process too). Default: two-party, but dealt with ss."
    ),
]
CategoricalOption = Annotated[
    list[str] | None,
    typer.Option(help="A column that holds categories, as text or numbers; may be repeated."),
]
MissingOption = Annotated[
    str | None,
    typer.Option(
        help=f"What a CSV field says for no value, by comma. Default: {','.join(MISSING)}."
    ),
]
RunsOption = Annotated[
    Path, typer.Option(help="Where the run leaves its report and both halves of the model.")
]
IdOption = Annotated[
    str | None,
    typer.Option("--id", help="Column by which rows are aligned first, as between two companies."),
]
MarginOption = Annotated[
    str | None,
    typer.Option(
        "--base-margin", help="Column of the margins that rows begin with, the label party's."
    ),
]
OverlapOption = Annotated[
    float | None,
    typer.Option(help="Share of the rows that both sides have; of the others each has half."),
]
SchemeOption = Annotated[
    str | None, typer.Option(help="The scheme of hybrid: bfv (default) or paillier.")
]
ContinueOption = Annotated[
    Path | None,
    typer.Option("--continue", help="A finished simulation whose trees the new model begins with."),
]

ShardsOption = Annotated[
    int | None,
    typer.Option(help="Divide the training rows among so many workers a party, in threads here."),
]


@dataclass(frozen=True, eq=False, repr=False)
class _Plan:
    """What is simulated: ``params`` are all known, ``split`` holds the rows in common."""

    params: TrainingParams
    split: Split
    seed: int
    ways: Ways
    aligned: SimulatedAlignment | None
    earlier: EarlierSimulation | None

    def __post_init__(self) -> None:
        """Refuse what an earlier model does not go with, before there is a run."""
        if self.earlier is not None:
            self.earlier.check(self.params, self.split)

    @property
    def remarks(self) -> list[str]:
        """What is said of the rows and of the trees that came before."""
        aligned = [] if self.aligned is None else [self.aligned.sentence]
        return aligned + ([] if self.earlier is None else self.earlier.remarks(self.split.train))


def simulate(
    data: DataArgument = None,
    label: Annotated[str | None, typer.Option(help="Label column of DATA.")] = None,
    feature_party_columns: ColumnsOption = None,
    ignore: Annotated[str | None, typer.Option(help="Columns to leave out, by comma.")] = None,
    id_column: IdOption = None,
    overlap: OverlapOption = None,
    base_margin: MarginOption = None,
    missing: MissingOption = None,
    categorical: CategoricalOption = None,
    objective: Annotated[str | None, typer.Option(help="What is learnt.")] = None,
    trees: Annotated[int | None, typer.Option(help="Number of trees (n_estimators).")] = None,
    depth: Annotated[int | None, typer.Option(help="Depth of every tree (max_depth).")] = None,
    bins: Annotated[int | None, typer.Option(help="Bins of a column (max_bin).")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Factor on leaf values.")] = None,
    param: ParamOption = None,
    test_fraction: TestOption = 0.25,
    positive_label: PositiveOption = None,
    seed: Annotated[int, typer.Option(help="Seed of the split and of all randomness.")] = 0,
    splits: SplitsOption = None,
    algorithm: AlgorithmOption = "hybrid",
    offline: OfflineOption = None,
    he: SchemeOption = None,
    shards: ShardsOption = None,
    earlier: ContinueOption = None,
    run_directory: RunsOption = Path("run"),
    form: FormatOption = Format.text,
) -> None:
    """Train with both parties on this machine, and compare with plain xgboost."""
    method = _method(algorithm, offline, he)
    old = None if earlier is None else EarlierSimulation.read(earlier)
    flags = {
        "objective": objective,
        "n_estimators": trees,
        "max_depth": depth,
        "max_bin": bins,
        "learning_rate": learning_rate,
        "random_state": seed,
        "splits": splits,
        "enable_categorical": bool(categorical or (old and old.categories)) or None,
    }
    params = parameters(flags, param or [])
    roles = ColumnRoles(
        label=label,
        base_margin=base_margin,
        id=id_column,
        labels=LabelKinds.of(params, positive_label),
        missing=MISSING if missing is None else ("", *(split_names(missing) or ())),
        categorical=tuple(categorical or ()),
        categories=(old and old.categories) or None,
    )
    whole = _load(data, roles, split_names(ignore))
    split = split_rows(whole, split_names(feature_party_columns), params, test_fraction)
    params = _filled(params, param or [], split, old).decided(can_hide=method.can_hide)
    aligned = None
    if id_column is not None or overlap is not None:
        split, aligned = align_alone(split, 1.0 if overlap is None else overlap, seed)
    plan = _Plan(params, split, seed, _ways(method, shards, split), aligned, old)
    run = RunDirectory.create(run_directory, "simulation")  # it must keep the work to come
    _simulate(plan, run, form)


def _method(algorithm: str, offline: str | None, he: str | None) -> Method:
    """How correlations are made; without a dealer where nothing is said and that can be."""
    chosen = offline or ("dealt" if algorithm == "ss" else "two-party")
    method = Method.chosen(algorithm, chosen, he)
    assert method is not None  # None stands for nothing chosen
    return method


def _ways(method: Method, shards: int | None, split: Split) -> Ways:
    """Where rows are worked on: by so many workers a party, if the flag says so."""
    if shards is None:
        return Ways(method)
    check_shards(split.train.count, shards)
    return Ways(method, lambda jobs, seed, method: LocalShards(jobs, shards, seed, method))


def _filled(
    params: TrainingParams, given: Sequence[str], split: Split, old: EarlierSimulation | None
) -> TrainingParams:
    """With what follows from the rows, or from the earlier model, where it is not ``given``."""
    if "missing_values" not in [item.split("=")[0].strip() for item in given]:
        known = "allowed" if split.has_missing else "refused"
        kept = known if old is None else old.model.params.missing_values
        params = replace(params, missing_values=kept)
    return params if old is None else going_on(params, old.model)


def _train(plan: _Plan) -> Simulation[ModelHalf]:
    """The training, with its progress shown."""
    params, split, earlier = plan.params, plan.split, plan.earlier
    old = None if earlier is None else earlier.halves
    with ExitStack() as drawn:

        def watch(party: Party) -> list[TrainingCallback]:
            bar = TrainingProgress(party, "the feature party", params.all_rounds)
            return [drawn.enter_context(bar)]

        return train_alone(params, split.train, split.sides, plan.seed, (), watch, plan.ways, old)


def _simulate(plan: _Plan, run: RunDirectory, form: Format) -> None:
    """Say what two companies would be told, train, predict the test rows, print, keep."""
    params, split, seed, method = plan.params, plan.split, plan.seed, plan.ways.method
    assert method is not None  # a flag or its default names one
    aligned, remarks = plan.aligned, plan.remarks
    for remark in remarks:
        note(remark)
    uncut = _tell(params, split)
    training = _train(plan)
    halves = training.results
    prediction = predict_alone(halves, split.test, split.sides, REQUEST, seed, method)
    margins = prediction.results[0]
    assert margins is not None
    secure = objective_of(params).predictions(margins)
    facts = facts_of_training(params, split, training, method)
    for warning in bits_warnings(halves[0].numbers):
        note(f"warning: {warning}")
    facts["numbers"] = bits_line(halves[0].numbers)
    leaks = after_training(halves[0])
    facts["trees_sha256"] = trees_sha256(halves)
    facts["leaks"] = [leak.to_mapping() for leak in leaks]
    facts["alignment"] = None if aligned is None else asdict(aligned)
    before = [] if aligned is None else aligned.ledger
    facts["ledger"] = add_ledgers(before, training.ledger, prediction.ledger)
    facts["columns_without_cut"] = uncut
    plain = plain_models(params, split, plan.earlier)
    facts |= quality_facts(params, split, secure, plain)
    record = RunRecord(
        ledger=facts["ledger"],
        costs_of="both parties in one process",
        costs=costs_of_training(training),
        offline_source=facts["offline_source"],
        dealer_evidence="none",
        dealer=None,
        missing_rates=split.train.missing_rates,
        classes=split.train.classes,
        class_shares=split.train.class_shares,
        leaks=leaks,
        slowest_shards=tuple(training.slowest_shards),
    )
    terms = {**vars(method), "training": params.to_mapping()}
    parts = side_data(split.train, split.sides)
    quality = _judged(params, split, halves, secure)
    quality = replace(quality, remarks=[*quality.remarks, *remarks])
    keep_for_later(run, split.train, plain)
    exported = export_alone(halves, split.sides, split.train.column_names, seed)
    run.write(EXPORTED, exported.decode())
    write_simulation(run, halves, parts, terms, record, quality)
    facts |= {"run": str(run.path), "report": str(report_path(run))}
    result(facts, closing_text(facts, leaks, report_sentence(run)), form)


def _judged(
    params: TrainingParams, split: Split, halves: Sequence[ModelHalf], secure: Reals
) -> Quality:
    """For the report: the training rows beside the test rows.

    The former are predicted for the report alone, by the fastest method, and count nowhere.
    """
    margins = predict_alone(tuple(halves), split.train, split.sides, REQUEST, 0).results[0]
    assert margins is not None
    seen = objective_of(params).predictions(margins)
    remark = (
        "the training rows were predicted for this report alone, and are not in the ledger: "
        "between two companies that is one more prediction, of rows with known labels"
    )
    scores = {TRAINING: (split.train, seen), "test rows": (split.test, secure)}
    return Quality.of(scores, params, [remark])


def _tell(params: TrainingParams, split: Split) -> dict[str, list[str]]:
    """What two companies would be told before; columns without a cut, by role."""
    note(WARNING)
    note(splits_line(params))
    floors = Floors().of(params)
    for sentence in floors.sentences(split.train.count):
        note(f"between two companies this would be refused: {sentence}")
    note(f"at worst: {leaks_text(before_training(params, split.layout(params)))}")
    train = split.train
    numbering = numbering_sentence(train.numbering_columns, "--ignore")
    is_multi = params.traits.is_multi
    kinds = classes_sentence(train.classes, train.class_shares, is_multi=is_multi)
    for sentence in (kinds, numbering):
        if sentence:
            note(sentence)
    uncut = _uncut(split)
    for role, names in uncut.items():
        note(f"{role} party: {uncut_sentence(names)}")
    return uncut


def _load(path: Path | None, roles: ColumnRoles, ignore: tuple[str, ...] | None) -> Rows:
    """The whole table: all columns, labels as numbers."""
    kinds = roles.labels
    is_binary = kinds.count is not None and not kinds.is_multi
    if kinds.positive is not None and not is_binary:
        raise UsageError("--positive-label is for two classes, and the objective has none")
    if path is None:
        from sklearn.datasets import load_breast_cancer  # noqa: PLC0415  (slow, and needed here only)

        apart = roles.label, roles.id, roles.base_margin, ignore, roles.categorical or None
        if any(given is not None for given in apart):
            raise UsageError(
                "--label, --id, --base-margin, --ignore and --categorical are for DATA, and no "
                "DATA is given"
            )
        found = load_breast_cancer()
        names = tuple(str(name) for name in found.feature_names)
        labels, classes = found.target.astype(np.float64), None
        if kinds.count is not None:
            texts = found.target_names[found.target]
            if is_binary:  # as the data set has it
                kinds = replace(kinds, positive=kinds.positive or "benign")
            labels, classes = class_labels(texts, "simulation: label column 'target'", kinds)
        return Rows(found.data, names, labels, classes=classes)
    if roles.label is None:
        raise UsageError("name the label column of DATA by --label")
    return read_side(path, roles, "simulation", leave_out=ignore or ())


def _uncut(split: Split) -> dict[str, list[str]]:
    """By role, the columns of which no split can make use."""
    sides = zip(ROLES, side_data(split.train, split.sides), strict=True)
    named = {role: data.columns_without_cut for role, data in sides}
    return {role: names for role, names in named.items() if names}
