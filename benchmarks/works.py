"""What is trained in a benchmark: rows, columns, shape of the trees, and under which terms."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args

from securexgb.boost.params import TrainingParams
from securexgb.offline.method import Algorithm, Method, Offline, PaillierBits, Scheme


@dataclass(frozen=True)
class Work:
    """A training. ``columns``: of each side, of synthetic data.

    ``data``: a CSV file, or "breast-cancer", in place of synthetic rows. ``algorithm`` to
    ``splits`` are the terms of the same names. ``metrics``: those by which rows held out are
    evaluated after each tree, comma-separated.
    """

    name: str = "synthetic"
    rows: int = 10_000
    columns: int = 10
    depth: int = 3
    bins: int = 16
    trees: int = 10
    seed: int = 0
    test_fraction: float = 0.0
    data: str = ""
    label: str = ""
    label_columns: str = ""
    algorithm: str = "hybrid"
    offline: str = "two-party"
    he: str = "bfv"
    paillier_bits: int = 2048
    splits: str | None = None
    metrics: str = ""

    @property
    def params(self) -> TrainingParams:
        params = TrainingParams(
            n_estimators=self.trees,
            max_depth=self.depth,
            max_bin=self.bins,
            missing_values="refused",
            base_score=0.5,
            splits=self.splits,
            eval_metric=tuple(name for name in self.metrics.split(",") if name),
        )
        return params.decided(can_hide=self.method.can_hide)

    @property
    def method(self) -> Method:
        """How correlations are made; the terms' own checks are done here too."""
        return Method(
            algorithm=_one_of(get_args(Algorithm), self.algorithm),
            offline=_one_of(get_args(Offline), self.offline),
            he=_one_of(get_args(Scheme), self.he),
            paillier_bits=_one_of(get_args(PaillierBits), self.paillier_bits),
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Work:
        return Work(**json.loads(text))


def _one_of(choices: tuple[Any, ...], value: object) -> Any:
    return next(choice for choice in choices if choice == value)


WORKS = {
    "W1": Work("W1", 10_000, 10, 3, 16, 32),
    "W2": Work("W2", 50_000, 12, 5, 32, 8),
    "W3": Work("W3", 200_000, 10, 4, 32, 8),
    "1M": Work("1M", 1_000_000, 10, 4, 16, 4),
}
"""The standard works, with as many trees as take whole batches of products, but for the last."""


def add_options(parser: argparse.ArgumentParser, **defaults: Any) -> None:
    """A flag for each field of a work; what is not given is the work's."""
    parser.add_argument("--work", choices=sorted(WORKS), help="a standard work to start from")
    choices = {
        "algorithm": get_args(Algorithm),
        "offline": get_args(Offline),
        "he": get_args(Scheme),
        "splits": ("hidden", "owner"),
    }
    for entry in fields(Work):
        flag = "--" + entry.name.replace("_", "-")
        kind = {"int": int, "float": float}.get(str(entry.type), str)
        parser.add_argument(flag, type=kind, choices=choices.get(entry.name))
    parser.set_defaults(**defaults)


def chosen(options: argparse.Namespace) -> Work:
    """The work that the flags describe."""
    given = {f.name: getattr(options, f.name) for f in fields(Work)}
    given = {name: value for name, value in given.items() if value is not None}
    if "data" in given:
        given = {"name": Path(given["data"]).name} | given
    return replace(WORKS[options.work] if options.work else Work(), **given)


def varied(
    base: Work, values: Mapping[str, Sequence[int]], names: Sequence[str]
) -> Iterator[tuple[str, int, Work]]:
    """Name, value and work of every point: the base with one field changed, which is named."""
    for name in names:
        for value in values[name]:
            yield name, value, replace(base, **{name: value})
