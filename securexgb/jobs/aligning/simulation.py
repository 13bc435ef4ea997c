"""An alignment with both parties in this process: a file's rows, as two companies would have them.

Of each part of the file (training, test) each side gets a part of the rows in an order of its own:
those that both have, and half of the others. The protocol then finds the common ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from securexgb.align.intersect import Limits, intersect
from securexgb.arith.prg import KEY_BYTES, Prg
from securexgb.errors import SecureXGBError, UsageError
from securexgb.federation.coins import draw_coins
from securexgb.jobs.ledgers import add_ledgers
from securexgb.jobs.rows import Rows
from securexgb.jobs.runs import LedgerRows
from securexgb.jobs.simulation import Simulation, Split, simulate_parties
from securexgb.mpc.party import Party
from securexgb.offline.method import Method
from securexgb.terms.alignment import MOST_KEYS, AlignTerms

Places = NDArray[np.intp]


@dataclass(frozen=True)
class SimulatedAlignment:
    """What two companies would have seen: training rows at each side and in common, and costs."""

    label_rows: int
    feature_rows: int
    common: int
    megabytes: float
    seconds: float
    ledger: LedgerRows

    @property
    def sentence(self) -> str:
        """For people."""
        text = (
            f"aligned by ids: {self.label_rows:,} training rows at the label party, "
            f"{self.feature_rows:,} at the feature party, {self.common:,} in common; test rows "
            f"too; {self.megabytes:.3g} MB, {self.seconds:.3g} s"
        )
        least = AlignTerms(keys=("id",)).min_common
        if self.common < least:
            text += f"; between two companies fewer than {least:,} in common would be refused"
        return text


def align_alone(split: Split, overlap: float, seed: int) -> tuple[Split, SimulatedAlignment]:
    """The parts of a table, each with the rows that the two sides found in common.

    ``overlap``: share of the rows that both sides have; of the others each has half.
    """
    if not 0.0 < overlap <= 1.0:
        raise UsageError(f"--overlap must lie between 0 and 1, it is {overlap}")
    draws = Prg(sha256(f"securexgb rows of a simulation {seed}".encode()).digest()[:KEY_BYTES])
    parts, runs = [], []
    places = [_held(rows.count, overlap, draws) for rows in (split.train, split.test)]
    for rows, (label, feature) in zip((split.train, split.test), places, strict=True):
        run = _found(rows, (label, feature), seed)
        runs.append(run)
        common = label[run.results[0]]
        if not np.array_equal(common, feature[run.results[1]]):
            raise SecureXGBError("the two sides of an alignment ended with different rows")
        parts.append(rows.take(common))
    sent = sum(run.costs.online_bytes + run.costs.offline_bytes for run in runs)
    seconds = sum(run.costs.total_seconds for run in runs)
    ledger = add_ledgers(*(run.ledger for run in runs))
    label_rows, feature_rows = (own.size for own in places[0])
    result = SimulatedAlignment(
        label_rows, feature_rows, parts[0].count, sent / 1e6, seconds, ledger
    )
    return replace(split, train=parts[0], test=parts[1]), result


def _held(count: int, overlap: float, draws: Prg) -> tuple[Places, Places]:
    """Which rows each side has, in its order."""
    order = _shuffled(np.arange(count), draws)
    common = max(1, round(overlap * count))
    half = common + (count - common) // 2
    others = np.concatenate([order[:common], order[half:]])
    return _shuffled(order[:half], draws), _shuffled(others, draws)


def _shuffled(rows: Places, draws: Prg) -> Places:
    return rows[np.argsort(draws.words(rows.size))]


def _found(rows: Rows, places: Sequence[Places], seed: int) -> Simulation[Places]:
    """Positions among each side's own rows, in the common order."""
    ids = rows.ids
    if ids is None:
        raise UsageError("--overlap needs --id: the column by which rows are aligned")

    def program(party: Party, own: Places) -> Places:
        coin = draw_coins(party.channel, party.rank, "simulation").key
        keys = [ids[place].encode() for place in own]
        return intersect(party, keys, Limits(1, MOST_KEYS), coin).rows.astype(np.intp)

    return simulate_parties(program, places, seed, Method())
