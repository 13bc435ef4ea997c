"""What number formats cost: the product's models beside xgboost's, on the same bins.

    python benchmarks/accuracy.py                       # two hours on a core
    python benchmarks/accuracy.py --group rates --draws 2
    python benchmarks/accuracy.py --old CHECKOUT        # an older revision in the product's place
    python benchmarks/accuracy.py --largest             # 10 million rows, 16 GB of memory
    python benchmarks/accuracy.py --quick               # tiny sets: does it run?
    python benchmarks/accuracy.py --shares              # ten sets, in shares and in plaintext
    python benchmarks/accuracy.py --itself              # xgboost beside xgboost on fewer rows

A JSON line for each draw of each problem. Trees are grown on the plaintext backend, which
computes the functionality of every protocol in the clear; --shares says whether shares give
the same bits, --itself how far xgboost is from itself when it has hardly fewer rows. The page
docs/accuracy.md is made of the lines by report.py.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import judged
import numpy as np
import xgboost
from judged import Margins
from numpy.typing import NDArray
from problems import LARGEST, Problem, Rows, problems

Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]
HERE = Path(__file__).resolve().parent
_QUICK_ROWS = 400
_QUICK_TREES = 3
_QUICK_SETS = 2
_LEFT_OUT = 3e-3
"""Share of the rows that xgboost does without, beside itself."""
_SHARED = (
    "0.5", "0.001", "0.0001", "four segments", "1e-4, 20,000 rows", "all 1e-7", "lognormal 0 3",
    "scale_pos_weight 10000", "f + 1e6", "f, weights lognormal 0 3",
)  # fmt: skip
"""Sets that are trained on in shares as well; the largest has 200,000 rows."""


class Build:
    """A revision of the product at work in a process of its own."""

    def __init__(self, checkout: Path, worker: subprocess.Popen[str]) -> None:
        self.checkout, self._worker = checkout, worker
        found = self._answer()["from"]
        if Path(found).resolve() != checkout.resolve():
            raise SystemExit(f"{checkout} holds no securexgb of its own: {found} was imported")

    @staticmethod
    @contextmanager
    def at(checkout: Path) -> Iterator[Build]:
        """The build of a checkout."""
        with subprocess.Popen(
            [sys.executable, str(HERE / "grown.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(checkout)},
        ) as worker:
            yield Build(checkout, worker)
            assert worker.stdin is not None
            worker.stdin.close()

    def __call__(
        self, job: Job, backend: str = "plaintext", predict: bool = False
    ) -> tuple[dict[str, Any], Margins | None]:
        """What it answered, and margins; none where it refused."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            job.save(folder, backend, predict)
            assert self._worker.stdin is not None
            print(folder, file=self._worker.stdin, flush=True)
            answer = self._answer()
            if "refused" in answer:
                return answer, None
            files = (folder / f"{name}_margins.npy" for name in ("train", "test"))
            return answer, Margins(*(np.load(file) for file in files))

    def _answer(self) -> dict[str, Any]:
        assert self._worker.stdout is not None
        line = self._worker.stdout.readline()
        if not line:
            raise SystemExit(f"the build of {self.checkout} has ended, see above")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Job:
    """One draw of a problem."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem, self.seed = problem, seed
        self.train, self.test = problem.drawn(seed)

    def save(self, folder: Path, backend: str, predict: bool) -> None:
        """Everything that a build needs."""
        labels = self.test.target
        arrays = {"train": self.train.values, "labels": self.train.target}
        arrays |= {"test": self.test.values, "test_labels": labels}
        if self.train.weights is not None:
            arrays["weights"] = self.train.weights
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        asked = {"params": self.problem.settings, "backend": backend}
        asked |= {"metric": self.problem.metric, "predict": predict}
        (folder / "job.json").write_text(json.dumps(asked), encoding="utf-8")


def plain(job: Job, kept: Flags | None = None) -> tuple[dict[str, Any], Margins]:
    """xgboost's answer and margins of all rows; ``kept``: those that it is trained on.

    Targets of a regression are centred, since its numbers have 24 bits; those that spread over
    less than 1 are brought to 1, since it splits for no gain below 1e-6.
    """
    train, test, settings = job.train, job.test, job.problem.settings
    less, unit = _scale(train) if job.problem.is_regression else (0.0, 1.0)
    known = {"max_depth", "reg_lambda", "min_child_weight", "scale_pos_weight"}
    terms = {name: settings[name] for name in known & set(settings)}
    terms |= {"objective": settings.get("objective", "binary:logistic"), "max_bin": 512}
    terms |= {"tree_method": "hist", "learning_rate": 0.3, "nthread": 1}
    rows = train if kept is None else train[kept]
    fitted = xgboost.DMatrix(rows.values, (rows.target - less) / unit, weight=rows.weights)
    held = xgboost.DMatrix(test.values, (test.target - less) / unit)
    seen: dict[str, dict[str, list[float]]] = {}
    stops = settings.get("early_stopping_rounds")
    model = xgboost.train(
        terms,
        fitted,
        settings["n_estimators"],
        evals=[(held, "test")] if job.problem.metric else [],
        evals_result=seen,
        early_stopping_rounds=stops,
        verbose_eval=False,
    )
    best = model.best_iteration if stops else None

    def margins(rows: xgboost.DMatrix, trees: int) -> Reals:
        found = model.predict(rows, output_margin=True, iteration_range=(0, trees))
        return np.asarray(found, np.float64) * unit + less

    path: list[float] = []
    if job.problem.group == "flat":
        first = xgboost.DMatrix(test.values[:1])
        path = [float(margins(first, n + 1)[0]) for n in range(settings["n_estimators"])]
    history = {name: [v * unit for v in values] for name, values in seen.get("test", {}).items()}
    until = 0 if best is None else best + 1
    answer = {"history": history, "best": best, "path": path}
    whole = fitted if kept is None else xgboost.DMatrix(train.values)
    return answer, Margins(margins(whole, until), margins(held, until))


def _scale(train: Rows) -> tuple[float, float]:
    """The mean of the targets, and a power of two above their spread, 1 at most."""
    mean = float(np.average(train.target, weights=train.weights))
    spread = float(np.sqrt(np.mean((train.target - mean) ** 2)))
    return mean, min(1.0, 2.0 ** float(np.ceil(np.log2(spread))))


def compared(job: Job, build: Build) -> dict[str, Any]:
    """The line of one draw."""
    problem, train, test = job.problem, job.train, job.test
    answer, margins = build(job)
    other, reference = plain(job)
    positives = None if problem.is_regression else int(train.target.sum())
    line = _described(problem) | {"draw": job.seed, "positives": positives}
    line["seconds"] = answer.get("seconds")
    if margins is None:
        return line | {"refused": answer["refused"]}
    if problem.group == "flat":
        kept = {name: _at(path["path"]) for name, path in (("ours", answer), ("xgboost", other))}
        return line | kept
    if problem.metric:
        return line | _opened(test, (answer, other), (margins, reference))
    return line | _figures(job, margins, reference)


def _figures(job: Job, margins: Margins, reference: Margins) -> dict[str, Any]:
    """What two models give, and how far they are apart."""
    train, test = job.train, job.test
    if job.problem.is_regression:
        one, other = (judged.of_amounts(test, m.test) for m in (margins, reference))
        apart = judged.amounts_apart(test, margins.test, reference.test)
        return {"ours": one, "xgboost": other, "apart": apart}
    one, other = (judged.of_events(train, test, m) for m in (margins, reference))
    apart = judged.events_apart(one, other, (margins, reference))
    return {"ours": one, "xgboost": other, "apart": apart}


def beside_itself(job: Job) -> dict[str, Any]:
    """xgboost without a few rows in the product's place."""
    kept = np.random.default_rng(job.seed).random(job.problem.rows) >= _LEFT_OUT
    line = _described(job.problem) | {"group": "itself", "of": job.problem.group, "draw": job.seed}
    return line | _figures(job, plain(job, kept)[1], plain(job)[1])


def in_shares(job: Job, build: Build) -> dict[str, Any]:
    """Whether a training in shares gives the bits of the plaintext backend."""
    answers = [build(job, backend, predict=True)[0] for backend in ("shared", "plaintext")]
    line = _described(job.problem) | {"draw": job.seed, "group": "shares"}
    line["seconds"] = [answer.get("seconds") for answer in answers]
    for name in ("digest", "opened"):
        values = {answer.get(name, "refused") for answer in answers}
        line[name] = (
            "refused" if "refused" in values else "equal" if len(values) == 1 else "differs"
        )
    return line


def _described(problem: Problem) -> dict[str, Any]:
    settings = problem.settings
    return {
        "question": "numbers",
        "group": problem.group,
        "problem": problem.name,
        "rows": problem.rows,
        "test_rows": problem.test_rows,
        "trees": settings["n_estimators"],
        "depth": settings["max_depth"],
    }


def _at(path: list[float]) -> dict[str, float]:
    """Chances of the one row after so many trees."""
    return {
        str(trees): float(judged.chances(np.array(path[trees - 1])))
        for trees in (1, 10, 50, 500)
        if trees <= len(path)
    }


def _opened(
    test: Rows, answers: tuple[dict[str, Any], dict[str, Any]], margins: tuple[Margins, Margins]
) -> dict[str, Any]:
    """What a metric was opened as after the best tree, and what it is."""
    line: dict[str, Any] = {}
    for name, answer, both in zip(("ours", "xgboost"), answers, margins, strict=True):
        ((metric, history),) = answer["history"].items()
        gaps = both.test - test.target
        true = float(np.sqrt(np.mean(gaps**2)))
        if metric == "logloss":
            true = float(np.mean(np.logaddexp(0, both.test) - test.target * both.test))
        best = answer["best"] if answer["best"] is not None else len(history) - 1
        line[name] = {"opened": history[best], "true": true, "trees": len(history), "best": best}
    return line


def quick(problem: Problem) -> Problem:
    """The problem at a size that says nothing."""
    settings = dict(problem.params)
    settings["n_estimators"] = min(problem.settings["n_estimators"], _QUICK_TREES)
    rows = min(problem.rows, _QUICK_ROWS)
    held = min(problem.test_rows, _QUICK_ROWS)
    return replace(problem, rows=rows, test_rows=held, draws=1, params=settings)


def _has_both_labels(problem: Problem) -> bool:
    """Of rare events a few rows may have none, and xgboost 3.0 refuses labels that are alike."""
    return problem.is_regression or len(np.unique(problem.drawn(0)[0].target)) > 1


def shortened(problem: Problem) -> Problem:
    """The problem with as many trees as shares grow in a minute."""
    trees = min(problem.settings["n_estimators"], 20)
    return replace(problem, params=dict(problem.params) | {"n_estimators": trees})


def _is_compared(problem: Problem) -> bool:
    """Whether there are figures of it to lay beside xgboost's on fewer rows."""
    return problem.group != "flat" and not problem.metric


def chosen(options: argparse.Namespace) -> list[Problem]:
    """The problems that the flags ask for."""
    if options.largest:
        return [quick(LARGEST) if options.quick else LARGEST]
    found = [
        problem
        for problem in problems()
        if not options.group or problem.group in options.group
        if not options.problem or problem.name in options.problem
        if not options.shares or problem.name in _SHARED
        if not options.itself or _is_compared(problem)
    ]
    if options.quick:
        groups: dict[str, list[Problem]] = {}
        for problem in found:
            if _has_both_labels(tiny := quick(problem)):
                groups.setdefault(problem.group, []).append(tiny)
        found = [problem for group in groups.values() for problem in group[:_QUICK_SETS]]
    return [shortened(problem) for problem in found] if options.shares else found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--group", action="append", help="of these problems only")
    parser.add_argument("--problem", action="append", help="these only")
    parser.add_argument("--draws", type=int, help="at most so many of each")
    parser.add_argument("--old", type=Path, help="a checkout to grow trees by, not this one")
    parser.add_argument("--shares", action="store_true", help="compare shares with plaintext")
    parser.add_argument("--itself", action="store_true", help="xgboost beside xgboost")
    parser.add_argument("--largest", action="store_true", help="10 million rows only")
    parser.add_argument("--quick", action="store_true", help="tiny sets: does it run?")
    options = parser.parse_args()
    with Build.at(options.old or HERE.parent) as build:
        for problem in chosen(options):
            draws = 1 if options.shares else min(problem.draws, options.draws or problem.draws)
            for seed in range(draws):
                print(json.dumps(_line(Job(problem, seed), build, options)), flush=True)


def _line(job: Job, build: Build, options: argparse.Namespace) -> dict[str, Any]:
    if options.itself:
        return beside_itself(job)
    return in_shares(job, build) if options.shares else compared(job, build)


if __name__ == "__main__":
    main()
