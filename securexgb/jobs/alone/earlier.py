"""A finished simulation that another one goes on from, ``simulate --continue RUN``.

Its run has both halves of the model, and plain xgboost's models beside it, on the same bins and on
its own. All of them go on, so what is compared went the same way: earlier trees on the earlier rows
by the earlier parameters, and new ones on these. The earlier run is read, and stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from securexgb.boost.continued.going_on import check_old
from securexgb.boost.ensemble import ModelHalf, check_pair
from securexgb.boost.params import TrainingParams
from securexgb.errors import DataError, UsageError
from securexgb.jobs.alone.plain import Plain, PlainPast
from securexgb.jobs.rows import Rows
from securexgb.jobs.runs import RunDirectory, RunRecord
from securexgb.jobs.simulation import Halves, Sides, Split, in_order_of_sides, side_data
from securexgb.model.files import load_half
from securexgb.mpc.party import ROLES
from securexgb.storage.records import read_record
from securexgb.storage.whole import make_directory, read_own

_RECORD, FORMAT = "simulated.json", 1
"""What a simulation keeps for those that go on from it, and the format of that."""
_PLAIN = "xgboost"
"""The folder of plain xgboost's models."""


@dataclass(frozen=True)
class _Simulated:
    """``training_rows``: the digest of all rows that it was trained on, in any order."""

    training_rows: str


_FILE = TypeAdapter(_Simulated)


def keep_for_later(run: RunDirectory, rows: Rows, plain: Mapping[str, Plain]) -> None:
    """Leave in a run what another simulation needs to go on from it, beside the halves."""
    run.write_json(_RECORD, {"format": FORMAT, "training_rows": rows.fingerprint_of_set()})
    if plain:
        make_directory(run.path / _PLAIN)
    for name, model in plain.items():
        run.write(f"{_PLAIN}/{name}.json", model.booster.decode())


@dataclass(frozen=True, eq=False, repr=False)
class EarlierSimulation:
    """``classes``: of a classification. ``plain``: xgboost's models by name, as JSON; none where
    it was not installed. ``training_rows``: see ``_Simulated``."""

    run: RunDirectory
    halves: Halves
    classes: tuple[Any, ...] | None
    plain: Mapping[str, bytes]
    training_rows: str

    @staticmethod
    def read(path: Path) -> EarlierSimulation:
        """What is in ``path``; UsageError where that is no finished simulation."""
        run = RunDirectory(path)
        if not all(run.half(role).is_file() for role in ROLES):
            raise UsageError(
                f"{path} has not both halves of a model, so it is no finished simulation: name the "
                "directory that `simulate` said; a run of `train` goes on by `train --continue`"
            )
        halves = tuple(load_half(run.half(role)) for role in ROLES)
        check_pair(*halves)
        found, classes = sorted((path / _PLAIN).glob("*.json")), RunRecord.read(run).classes
        return EarlierSimulation(
            run,
            halves,
            None if classes is None else tuple(classes),
            {file.stem: read_own(file) for file in found},
            read_record(path / _RECORD, _FILE, FORMAT).training_rows,
        )

    @property
    def model(self) -> ModelHalf:
        """The label party's half, for what both halves say."""
        return self.halves[0]

    @property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """Of both sides' categorical columns."""
        return {name: of for half in self.halves for name, of in half.categories.items()}

    @property
    def sentence(self) -> str:
        """For people."""
        trees, model_id = len(self.model.best_rounds), self.model.model_id[:8]
        return f"goes on from the {trees} rounds of model {model_id} in {self.run.path}"

    def remarks(self, rows: Rows) -> list[str]:
        """What is to be known of a simulation of these training rows that goes on from this."""
        found = [self.sentence]
        if rows.fingerprint_of_set() != self.training_rows:
            found.append(
                f"{self.run.path} was trained on other rows than these: figures are too good where "
                "the test rows have some of them, as after another --seed or --test-fraction"
            )
        if not self.plain:
            found.append(
                f"{self.run.path} has no model of plain xgboost's, which was not installed: "
                "nothing is compared with it"
            )
        return found

    def plain_past(self, name: str, sides: Sides) -> PlainPast | None:
        """What xgboost's model of this name goes on from; None where there is none."""
        if name not in self.plain:
            return None
        cuts = np.empty((sum(side.size for side in sides), self.model.params.max_bin))
        for side, half in zip(sides, self.halves, strict=True):
            cuts[side] = half.cuts
        return PlainPast(self.plain[name], cuts)

    def check(self, params: TrainingParams, split: Split) -> None:
        """Refuse, before there is a new run, rows or terms that these trees do not go with."""
        known = in_order_of_sides(params, split.train.column_names, split.sides)
        for half, rows in zip(self.halves, side_data(split.train, split.sides), strict=True):
            check_old(half.rank, known, rows.column_names, rows.categories, half)
        if self.classes != split.train.classes:
            raise DataError(
                f"the labels are other ones than those of {self.run.path}, or another class "
                "counts as 1 (--positive-label): a model goes on with the same classes"
            )
