"""Do xgboost's versions and treelite read an exported model, and predict what both sides do?

    python benchmarks/exports.py                             # one environment a version, from PyPI
    python benchmarks/exports.py --credit credit_default.csv # with the credit data
    python benchmarks/exports.py --here                      # the xgboost that is installed here

One JSON line a reader and model: the largest difference of margins from those that both sides
compute together, beside the largest margin, over the training rows and over as many whose values
are those of the training rows and of cuts in a new order, with missing ones among them. Models are
those of the plaintext backend, which are a secure training's bit for bit. Environments are made
under --folder, a temporary one where it is not given, and used again where they are there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import inputs
import numpy as np
import works
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.objective.proposals import with_scales
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict_margins
from securexgb.boost.scales import Outcomes
from securexgb.jobs.export import joint_export
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.testing import run_parties

Reals = NDArray[np.float64]
READERS = ("xgboost-cpu==2.1.4", "xgboost-cpu==3.0.5", "xgboost-cpu==3.2.0", "treelite==4.8.1")
MORE = ("numpy", "scipy")
SIDES = ("bank", "bureau")
CREDIT_LABEL = "default.payment.next.month"
READ = """
import json, sys
import numpy as np
model, rows, out = sys.argv[1:]
table = np.load(rows)
names = json.load(open(model))["learner"]["feature_names"]
try:
    import treelite
    found = treelite.frontend.load_xgboost_model(model)
    margins = treelite.gtil.predict(found, table.astype(np.float32), pred_margin=True)
    version = treelite.__version__
except ImportError:
    import xgboost
    found = xgboost.Booster(model_file=model)
    data = xgboost.DMatrix(table, feature_names=names)
    margins = found.predict(data, output_margin=True)
    version = xgboost.__version__
np.save(out, np.asarray(margins, np.float64))
print(version)
"""
"""What each environment runs: a model and rows in, margins out."""


@dataclass(frozen=True)
class Case:
    """A model to be trained on a whole table, and what it is called."""

    name: str
    table: Reals
    labels: Reals
    settings: dict[str, Any]


def cases(credit: str | None, trees: int) -> Iterator[Case]:
    """Every objective, missing values, bases near 1, tables of many kinds."""
    draws = np.random.default_rng(0)
    known: dict[str, Any] = {"n_estimators": trees, "max_depth": 4, "max_bin": 32}
    cancer, diabetes = load_breast_cancer(), load_diabetes(scaled=False)
    holes = np.where(draws.random(cancer.data.shape) < 0.1, np.nan, cancer.data)
    yield Case("breast cancer", cancer.data, cancer.target, known)
    yield Case("breast cancer, a tenth missing", holes, cancer.target, known | {"gamma": 1.0})
    yield Case("diabetes, regression", diabetes.data, diabetes.target,
               known | {"objective": "reg:squarederror"})  # fmt: skip
    far = 1e6 + 1e3 * diabetes.target
    yield Case("diabetes x 1,000 + 10^6", diabetes.data, far,
               known | {"objective": "reg:squarederror"})  # fmt: skip
    counts = np.rint(diabetes.target / 20)
    for named, objective, labels in (
        ("diabetes, counts", "count:poisson", counts),
        ("diabetes, gamma", "reg:gamma", diabetes.target),
        ("diabetes, Tweedie", "reg:tweedie", np.maximum(counts - 5, 0)),
    ):
        yield Case(named, diabetes.data, labels, known | {"objective": objective})
    wine = load_wine()
    yield Case("wine, three classes", wine.data, wine.target,
               known | {"objective": "multi:softprob", "num_class": 3})  # fmt: skip
    noise = draws.normal(size=(4_000, 8)) * np.logspace(-12, 12, 8)
    rare = noise[:, 0] / 1e-12 + draws.normal(size=4_000) > -4.0
    yield Case("made up, positives 99.7 %", noise, rare.astype(float), known | {"max_depth": 6})
    if credit is not None:
        work = works.Work(name="", data=credit, label=CREDIT_LABEL, label_columns="SEX")
        data = inputs.Data.of(work)
        yield Case("credit", data.table, data.labels, known | {"max_depth": 6})


def trained(case: Case, splits: str) -> tuple[ModelHalf, ModelHalf]:
    """Both halves, the columns cut in the middle."""
    params = TrainingParams(**case.settings, splits=splits)
    params = with_scales(params, Outcomes(case.labels.astype(float), None), [])
    names = tuple(f"x{column}" for column in range(case.table.shape[1]))
    middle = len(names) // 2
    parts = halves_of(case.table)
    label = Rows(parts[0], names[:middle], case.labels.astype(float))
    jobs = [TrainingJob(params, label, ()), TrainingJob(params, Rows(parts[1], names[middle:]), ())]
    found = run_parties(train, jobs, backend="plaintext")
    return found[0], found[1]


def halves_of(table: Reals) -> list[Reals]:
    middle = table.shape[1] // 2
    return [np.ascontiguousarray(table[:, :middle]), np.ascontiguousarray(table[:, middle:])]


def rows_to_score(table: Reals, halves: tuple[ModelHalf, ModelHalf]) -> Reals:
    """The training rows, then values of each column and its cuts drawn anew, some missing."""
    draws = np.random.default_rng(1)
    new = np.empty_like(table)
    for column, cuts in enumerate(np.concatenate([half.cuts for half in halves])):
        values = np.concatenate([table[:, column], cuts[np.isfinite(cuts)].repeat(4)])
        new[:, column] = draws.choice(values, len(table))
    new[draws.random(new.shape) < 0.02] = np.nan
    return np.concatenate([table, new])


def together(halves: tuple[ModelHalf, ModelHalf], table: Reals) -> tuple[bytes, Reals]:
    """The file, and the margins that both sides compute."""
    parts = halves_of(table)

    def program(party: Party, half: ModelHalf) -> tuple[bytes | None, Reals | None]:
        content = joint_export(party, half, "label", SIDES)
        return content, predict_margins(party, half, parts[party.rank], Request(decimals=12))

    content, margins = run_parties(program, halves, backend="plaintext")[0]
    assert content is not None
    assert margins is not None
    return content, margins


def environment(folder: Path, reader: str) -> Path:
    """The interpreter of an environment with this reader; made where it is not there."""
    place = folder / reader.replace("==", "-")
    python = place / "bin" / "python"
    if not (place / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", reader, *MORE]
        subprocess.run(install, check=True)
        (place / "done").touch()
    return python


def read(python: Path, model: Path, rows: Path) -> tuple[str, Reals]:
    """Which version has read a model, and its margins."""
    out = model.with_suffix(".npy")
    done = subprocess.run(
        [str(python), "-c", READ, str(model), str(rows), str(out)],
        check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    return done.stdout.split()[-1], np.load(out).reshape(len(np.load(rows)), -1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--credit", help="credit_default.csv: measured too")
    parser.add_argument(
        "--here", action="store_true", help="one table, and the installed xgboost alone"
    )
    parser.add_argument("--folder", type=Path, help="where environments are and stay")
    parser.add_argument("--trees", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        pythons = {"xgboost": Path(sys.executable)}
        if not options.here:
            pythons = {reader: environment(folder, reader) for reader in READERS}
        every = list(cases(options.credit, options.trees))
        for case in every[:1] if options.here else every:
            for splits in ("owner", "hidden"):
                halves = trained(case, splits)
                table = rows_to_score(case.table, halves)
                content, known = together(halves, table)
                model, rows = Path(temporary) / "model.json", Path(temporary) / "rows.npy"
                model.write_bytes(content)
                np.save(rows, table)
                sizes = np.maximum(1.0, np.abs(known).reshape(len(table), -1).max(axis=1))
                for reader, python in pythons.items():
                    version, found = read(python, model, rows)
                    gaps = np.abs(found - known.reshape(found.shape))
                    line = {
                        "question": "exports", "reader": reader.split("=")[0].removesuffix("-cpu"),
                        "version": version, "data": case.name, "splits": splits,
                        "trees": options.trees, "depth": case.settings["max_depth"],
                        "rows": len(table), "largest_difference": float(gaps.max()),
                        "rows_beyond": int((gaps.max(axis=1) > 1e-5 * sizes).sum()),
                        "largest_margin": float(np.abs(known).max()),
                    }  # fmt: skip
                    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
