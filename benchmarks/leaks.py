"""What follows from what a job opens? Attacks from one party's view, on trainings in this process.

    python benchmarks/leaks.py --credit credit_default.csv
    python benchmarks/leaks.py --only labels --rows 60 --columns 5 --trees 20 --depth 3
    CREDIT_CSV=credit_default.csv python benchmarks/leaks.py --only scores,dummies,columns

Each attack runs against jobs whose splits are owned, and against the same jobs with hidden ones. It
has what its side has in that mode: own splits and owners, or a half of shares. Attacks on halves
of hidden models therefore train by the protocols themselves, on shares; all others on the plaintext
backend, whose trees and openings are those of the protocols bit for bit. One JSON line a figure:
``attack``; ``splits``, ``data``, ``rows``, ``columns`` (of label + feature party), ``trees``,
``depth``, ``setting``; ``what`` was found, ``value``, and ``base``: what is known without the job.
Made-up rows, and those of credit_default.csv where it is given.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import loopback
import numpy as np
from attacks import View, first_component, owners_read, rebuilt_labels, scores_without_labels
from inputs import synthetic
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from securexgb.boost.ensemble import ModelHalf, owned
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict_margins
from securexgb.boost.tree import HiddenTree
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.mpc.shared import SharedBits
from securexgb.report.metrics import auc
from securexgb.testing.harness import Backend, run_parties

Reals = NDArray[np.float64]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Line = dict[str, Any]
LABEL, MINE = "default.payment.next.month", ("LIMIT_BAL", "SEX", "EDUCATION", "MARRIAGE", "AGE")
WIDE = {"min_child_weight": 100.0, "max_bin": 8, "n_estimators": 3}
"""What seems to help against a scoring model, and does not."""
GAMMA = ({"gamma": 0.0, "n_estimators": 10}, {"gamma": 20.0, "n_estimators": 10})
"""On half of the rows."""
KNOWN_ROWS = 200
HOURS = 3 * 3600.0


@dataclass(frozen=True, eq=False)
class Table:
    """Rows: the label party holds ``label`` and ``labels``, the feature party ``feature``."""

    name: str
    label: Reals
    feature: Reals
    labels: Reals

    def rows(self, chosen: slice) -> Table:
        return Table(self.name, self.label[chosen], self.feature[chosen], self.labels[chosen])

    def sides(self) -> tuple[Rows, Rows]:
        return (
            Rows(self.label, tuple(f"l{i}" for i in range(self.label.shape[1])), self.labels),
            Rows(self.feature, tuple(f"f{i}" for i in range(self.feature.shape[1]))),
        )

    def line(self, attack: str, params: TrainingParams, setting: str = "") -> Line:
        return {
            "question": "leaks",
            "attack": attack,
            "splits": params.splits,
            "data": self.name,
            "rows": len(self.labels),
            "columns": f"{self.label.shape[1]} + {self.feature.shape[1]}",
            "trees": params.n_estimators,
            "depth": params.max_depth,
            "setting": setting,
        }


@dataclass(frozen=True)
class Sizes:
    """Flags; None is each attack's own size."""

    rows: int | None
    columns: int | None
    trees: int | None
    depth: int | None
    repeat: int
    sweeps: int
    credit: Path | None
    splits: tuple[str, ...]

    def params(self, trees: int, depth: int, **more: Any) -> TrainingParams:
        shape = {"n_estimators": self.trees or trees, "max_depth": self.depth or depth}
        return TrainingParams.from_mapping(shape | {"missing_values": "refused"} | more)

    def tables(self, rows: int) -> Iterator[Table]:
        """So many made-up rows, and as many of the credit data where there are any."""
        count = self.rows or rows
        columns, labels = synthetic(count, self.columns or 10, seed=1)
        half = columns.shape[1] // 2
        yield Table("synthetic", _whole(columns[:, :half]), _whole(columns[:, half:]), labels)
        if self.credit is not None:
            yield credit(self.credit, count)


def _whole(columns: Reals) -> Reals:
    return np.ascontiguousarray(columns)


def credit(path: Path, rows: int) -> Table:
    """Rows of the file in an order of their own; the label party holds what a bank's form asks."""
    with path.open(encoding="utf-8", newline="") as file:
        names, *lines = csv.reader(file)
    table = np.array(lines, dtype=np.float64)
    table = table[np.random.default_rng(0).permutation(len(table))[:rows]]
    others = [name for name in names if name not in {LABEL, "ID", *MINE}]
    label, feature = (
        _whole(table[:, [names.index(name) for name in side]]) for side in (MINE, others)
    )
    return Table("credit", label, feature, table[:, names.index(LABEL)])


def trained(
    table: Table,
    params: TrainingParams,
    held: Table | None = None,
    seed: int = 0,
    lasting: int | None = None,
    backend: Backend = "plaintext",
) -> list[ModelHalf]:
    """Both halves; ``held`` is the evaluation set. ``seed``: of everything random in the run;
    ``lasting``: of what both sides keep from run to run, None where they keep nothing. Shares
    are shares where ``backend`` is ``shared``."""
    evals: list[tuple[tuple[str, Rows], ...]] = [(), ()]
    if held is not None:
        evals = [(("held", side),) for side in held.sides()]

    def program(party: Party, own: Rows) -> ModelHalf:
        return train(party, TrainingJob(params=params, data=own, evals=evals[party.rank]))

    sides = table.sides()
    return run_parties(program, sides, backend, seed, timeout_seconds=HOURS, lasting=lasting)


def real(params: TrainingParams) -> Backend:
    """Where halves of this job are what they are between two companies."""
    return "shared" if params.is_hidden else "plaintext"


def margins(halves: Sequence[ModelHalf], table: Table, decimals: int) -> Reals:
    """What a prediction opens."""

    def program(party: Party, own: Rows) -> Reals | None:
        request = Request("label", decimals)
        return predict_margins(party, halves[party.rank], own.values, request)

    found = run_parties(program, table.sides(), "plaintext", timeout_seconds=HOURS)[0]
    assert found is not None
    return found


def labels(sizes: Sizes) -> Iterator[Line]:
    """All labels of a small job, from the feature party's own splits; labels are coin tosses."""
    settings: list[tuple[int, int, int, int, dict[str, float]]] = [
        (40, 0, 5, 20, {}),
        (60, 0, 5, 20, {}),
        (100, 0, 5, 20, {}),
        (60, 0, 5, 5, {}),
        (60, 0, 5, 20, {"min_child_weight": 4.0}),
        (60, 5, 5, 20, {}),
    ]
    chosen = settings if sizes.rows is None else settings[:1]
    for splits, (rows, mine, theirs, trees, more) in product(sizes.splits, chosen):
        params = sizes.params(trees, 3, splits=splits, **more)
        right, base, line = [], [], Line()
        for seed in range(sizes.repeat):
            rng = np.random.default_rng(seed)
            shape = (sizes.rows or rows, sizes.columns or theirs)
            truth = (rng.random(shape[0]) < 0.5).astype(np.float64)
            truth[:2] = (0.0, 1.0)
            own = rng.normal(size=(shape[0], mine))
            table = Table("coin labels", own, rng.normal(size=shape), truth)
            halves = trained(table, params, seed=seed, backend=real(params))
            view = View.of(table.feature, halves[1])
            found = rebuilt_labels(view, sizes.sweeps, 3, seed)
            right.append(_up_to_a_flip(float((found == truth).mean())))
            base.append(_up_to_a_flip(float(truth.mean())))
            line = table.line("labels", params, _setting(more))
        yield line | {
            "what": f"labels right, mean of {sizes.repeat} jobs",
            "value": mean(right),
            "least": min(right),
            "base": mean(base),
        }


def _up_to_a_flip(share: float) -> float:
    return max(share, 1 - share)


def _setting(more: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in more.items())


def scores(sizes: Sizes) -> Iterator[Line]:
    """A scoring model without labels; beside it the joint model, and what needs no job.

    ``base``: of owned splits the first own one alone, of hidden ones the same replay of splits
    drawn by dice; ``own_columns``: the first principal component of the feature party's columns.
    """
    one_each = [{name: value} for name, value in WIDE.items()]
    settings = [dict[str, float](), *one_each, WIDE, *GAMMA]
    for whole, splits, more in product(sizes.tables(10_000), sizes.splits, settings):
        given = dict(more)
        trees = int(given.pop("n_estimators", 20))
        params = sizes.params(trees, 4, splits=splits, **given)
        table = whole.rows(slice(0, len(whole.labels) // (2 if "gamma" in more else 1)))
        halves = trained(table, params, backend=real(params))
        view = View.of(table.feature, halves[1])
        if not any(tree.chosen.size for tree in view.trees):
            continue
        joint = margins(halves, table, 6)
        opened, unsplit = opened_in_vain(halves)
        yield table.line("scores", params, _setting(more)) | {
            "what": "AUC of scores made without a label",
            **_replayed(view, table, params),
            "joint": auc(table.labels, joint),
            "own_columns": _up_to_a_flip(auc(table.labels, first_component(table.feature)) or 0.5),
            "opened": opened,
            "in_unsplit_nodes": unsplit,
        }


def _replayed(view: View, table: Table, params: TrainingParams) -> Line:
    """Of hidden splits the mean over all trees to start from: one start alone is a toss of dice."""

    def value(view: View, start: int) -> float:
        return _up_to_a_flip(auc(table.labels, scores_without_labels(view, start)) or 0.5)

    if not params.is_hidden:
        return {"value": value(view, 0), "base": _first_split(view, table.labels)}
    starts, rng = range(params.n_estimators), np.random.default_rng(1)
    dice = View.by_dice(table.feature, params, rng)
    return {
        "value": mean(value(view, start) for start in starts),
        "base": mean(value(dice, start) for start in starts),
    }


def _first_split(view: View, truth: Reals) -> float:
    tree = next(tree for tree in view.trees if tree.chosen.size)
    return _up_to_a_flip(auc(truth, view.below[:, tree.chosen[0]]) or 0.5)


def opened_in_vain(halves: Sequence[ModelHalf]) -> tuple[int, int]:
    """Splits opened by all trees, and those of them in nodes that the model does not split."""
    opened = unsplit = 0
    if halves[0].params.is_hidden:
        return 0, 0
    for first, second in zip(*(half.trees for half in halves), strict=True):
        leaves = first.leaf_values + second.leaf_values
        for level in range(first.depth):
            below = leaves.reshape(1 << level, -1)
            opened += len(below)
            unsplit += int((below == below[:, :1]).all(axis=1).sum())
    return opened, unsplit


def positives(sizes: Sizes) -> Iterator[Line]:
    """The number of positive rows, which the base score hides, from ``error`` at the first tree."""
    for table, splits in product(sizes.tables(10_000), sizes.splits):
        cut = len(table.labels) // 2
        params = sizes.params(1, 4, eval_metric=("error",), splits=splits)
        for count in (200, 1000, 5000):
            held = table.rows(slice(cut, cut + count))
            halves = trained(table.rows(slice(0, cut)), params, held)
            total = len(held.labels)
            found = round(halves[1].history["held"]["error"][0] * total)
            truth = int(min(held.labels.sum(), total - held.labels.sum()))
            yield held.line("positives", params, "rows are those of the evaluation set") | {
                "what": "rows of the rarer class",
                "value": found,
                "base": None,
                "truth": truth,
            }


def evaluation(sizes: Sizes) -> Iterator[Line]:
    """All labels of a small evaluation set, from one logloss and the predictions of its rows."""
    for table, splits in product(sizes.tables(5_000), sizes.splits):
        fitted = table.rows(slice(0, len(table.labels) // 2))
        for count, decimals in product((8, 12, 16), (6, 4)):
            more = {"metric_exponent": -decimals, "splits": splits}
            params = sizes.params(10, 4, eval_metric=("logloss",), **more)
            right, fits, base = [], [], []
            for number in range(max(2, 3 * sizes.repeat)):
                start = len(fitted.labels) + count * number
                held = table.rows(slice(start, start + count))
                if len(held.labels) < count:
                    break
                halves = trained(fitted, params, held)
                opened = halves[0].history["held"]["logloss"][-1]
                all_labels, misfit = _fitting(margins(halves, held, 4), opened)
                truth = (all_labels == held.labels).all(axis=1).argmax()
                right.append(float((all_labels[misfit.argmin()] == held.labels).mean()))
                fits.append(int((misfit <= misfit[truth]).sum()))
                base.append(_up_to_a_flip(float(held.labels.mean())))
            if not right:
                continue
            setting = f"{decimals} decimals of the loss"
            yield table.rows(slice(0, count)).line("evaluation", params, setting) | {
                "what": f"labels right, mean of {len(right)} sets",
                "value": mean(right),
                "all_right": sum(share == 1.0 for share in right),
                "sets": len(right),
                "label_vectors_that_fit": float(np.median(fits)),
                "base": mean(base),
            }


def _fitting(scores: Reals, opened: float) -> tuple[Reals, Reals]:
    """All label vectors, and how far the logloss of each is from the opened one."""
    rows = scores.size
    vectors = ((np.arange(1 << rows)[:, None] >> np.arange(rows)) & 1).astype(np.float64)
    loss = (np.log1p(np.exp(scores)).sum() - vectors @ scores) / rows
    return vectors, np.abs(loss - opened)


def dummies(sizes: Sizes) -> Iterator[Line]:
    """Which splits are dummies: those whose owner is another one in another run of the job.

    So it would be if dummies were drawn anew in every run, and so it is with secrets that are kept.
    Of hidden splits the label party takes for the owner what its half looks most like, see
    ``Splits.read``; ``others``: how many of its other splits look like one.
    """
    drawn = {"owner": ((None, "if drawn anew in every run"), (0, "as they are"))}
    for table in sizes.tables(3_000):
        is_dummy = None
        for splits in ("hidden", "owner"):
            params = sizes.params(20, 5, min_child_weight=5.0, splits=splits)
            for lasting, setting in drawn.get(splits, ((None, "nothing is opened"),)):
                runs = [
                    trained(table, params, seed=run, lasting=lasting, backend=real(params))
                    for run in range(3 * sizes.repeat)
                ]
                if is_dummy is None:
                    is_dummy = _without_candidates(runs[0])
                if splits in sizes.splits:
                    owners = np.array([owners_read(halves[0]) for halves in runs])
                    yield from _told_apart(table, params, setting, owners, is_dummy)


def _told_apart(
    table: Table, params: TrainingParams, setting: str, owners: Numbers, is_dummy: Flags
) -> Iterator[Line]:
    """``owners``: (runs, nodes)."""
    for runs in (2, len(owners)):
        changed = (owners[:runs] != owners[0]).any(axis=0)
        asked, others = (kind & (owners[0] == 1) for kind in (is_dummy, ~is_dummy))
        yield table.line("dummies", params, f"{runs} runs, {setting}") | {
            "what": "dummies of the feature party that the label party sees",
            "value": float(changed[asked].mean()) if asked.any() else 0.0,
            "dummies": int(asked.sum()),
            "others": float(changed[others].mean()) if others.any() else 0.0,
            "base": 0.0,
        }


def _without_candidates(halves: Sequence[ModelHalf]) -> Flags:
    """Nodes of a hidden model in which no candidate was valid: their tables are empty."""
    found = []
    for first, second in zip(*(half.trees for half in halves), strict=True):
        assert isinstance(first, HiddenTree)
        assert isinstance(second, HiddenTree)
        tables = SharedBits(first.tables ^ second.tables, first.nodes).flags()
        found.append(~tables.any(axis=(0, 1)))
    return np.concatenate(found)


def columns(sizes: Sizes) -> Iterator[Line]:
    """A column of the other side, from the scores of training rows with so many decimals."""
    for table, splits in product(sizes.tables(10_000), sizes.splits):
        is_credit = table.name == "credit"
        name, threshold = ("PAY_0 >= 2", 2.0) if is_credit else ("first column >= 0", 0.0)
        wanted = (table.feature[:, 0] >= threshold).astype(np.float64)
        params = sizes.params(20, 4, splits=splits)
        halves = trained(table, params)
        exact = margins(halves, table, 6)
        paths = np.zeros((len(wanted), 0), np.bool_)
        if not params.is_hidden:
            own_splits = [tree.goes_left(table.label) for tree in owned(halves[0].trees)]
            paths = np.concatenate(own_splits, axis=1)
        own = np.column_stack([table.label, table.labels])
        for decimals in (6, 4, 3, 2, 1, 0):
            given = np.round(exact, decimals)
            yield table.line("columns", params, f"{decimals} decimals") | {
                "what": f"AUC for {name}, {KNOWN_ROWS} rows known",
                "decimals": decimals,
                "value": _learnt(np.column_stack([own, given]), wanted),
                "base": _learnt(own, wanted),
                "from_score_alone": _up_to_a_flip(auc(wanted, _without_own(table, given)) or 0.5),
                "rows_alone": _alone(paths, given),
            }


def _learnt(known: Reals, wanted: Reals) -> float:
    """AUC for the column of a model of what else the label party knows, fitted on some rows."""
    cut = min(KNOWN_ROWS, len(wanted) // 2)
    if np.unique(wanted[:cut]).size < 2:
        return 0.5
    model = HistGradientBoostingClassifier(max_iter=60, min_samples_leaf=10, random_state=0)
    model.fit(known[:cut], wanted[:cut])
    return _up_to_a_flip(auc(wanted[cut:], model.predict_proba(known[cut:])[:, 1]) or 0.5)


def _without_own(table: Table, given: Reals) -> Reals:
    """The score less what the label party's own columns explain of it: no row need be known."""
    model = HistGradientBoostingRegressor(max_iter=80, random_state=0)
    rest: Reals = given - model.fit(table.label, given).predict(table.label)
    return rest


def _alone(paths: NDArray[np.bool_], given: Reals) -> float:
    """Share of rows that no other one equals in the label party's own path and in the score."""
    whole = np.column_stack([np.packbits(paths, axis=1), np.round(given * 1e6).astype(np.int64)])
    _, which, counts = np.unique(whole, axis=0, return_inverse=True, return_counts=True)
    return float((counts[which.ravel()] == 1).mean())


ATTACKS: dict[str, Callable[[Sizes], Iterator[Line]]] = {
    "labels": labels,
    "scores": scores,
    "positives": positives,
    "evaluation": evaluation,
    "dummies": dummies,
    "columns": columns,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", default=",".join(ATTACKS), help="attacks, by comma")
    for name in ("rows", "columns", "trees", "depth"):
        parser.add_argument(f"--{name}", type=int, help="default: each attack's own")
    parser.add_argument("--repeat", type=int, default=2, help="jobs of an attack")
    parser.add_argument("--sweeps", type=int, default=100, help="of an annealing over all labels")
    parser.add_argument("--credit", type=Path, help="credit_default.csv; or CREDIT_CSV")
    parser.add_argument("--splits", default="owner,hidden", help="modes, by comma")
    options = vars(parser.parse_args())
    options["splits"] = tuple(options["splits"].split(","))
    chosen = options.pop("only").split(",")
    given = options["credit"] or os.environ.get("CREDIT_CSV")
    options["credit"] = Path(given) if given and Path(given).is_file() else None
    if options["credit"] is None:
        sys.stderr.write("no credit_default.csv is given: made-up rows only\n")
    for attack in chosen:
        for line in ATTACKS[attack](Sizes(**options)):
            sys.stdout.write(loopback.stamped(line))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
