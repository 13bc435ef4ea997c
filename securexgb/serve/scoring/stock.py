"""How much is made ahead of requests: correlations for so many rows of the dearest open model.

Both ends count alike, from public numbers, and make the same at the same place of the program; a
batch takes of it, and what was taken is made again beside the requests.
"""

from __future__ import annotations

from securexgb.boost.scoring.row_scores import RowScores
from securexgb.correlations.counting import Budget
from securexgb.mpc.party import Party
from securexgb.offline.two_party import TwoPartySource

_BATCH_ROWS = (64, 256)
"""Rows whose correlations are reckoned together: what a batch of a few takes alone is less. Of
hidden splits larger batches take others."""
LOW_WATER = 0.25
"""Of the stock, below which a replica takes no more requests for now."""


class Stock:
    """The stock of one session; where correlations are dealt there is none, and it is full."""

    def __init__(self, party: Party, rows: int) -> None:
        """``rows``: the smaller of both sides' settings."""
        self._source = party.source if isinstance(party.source, TwoPartySource) else None
        self._rows = rows
        self._kept = Budget()

    def open(self, scores: RowScores) -> None:
        """One more model; at both ends at the same time."""
        for rows in _BATCH_ROWS:
            wanted = scores.cost(rows).correlations.times(-(-self._rows // rows))
            kinds = {*self._kept.counts, *wanted.counts}
            self._kept = Budget(
                {kind: max(wanted[kind], self._kept[kind]) for kind in kinds},
                row_nodes=max(wanted.row_nodes, self._kept.row_nodes),
            )
        if self._source is not None:
            self._source.keep(self._kept)

    @property
    def share(self) -> float:
        """Which part of it is there."""
        return 1.0 if self._source is None else min(self._source.ready_share(), 1.0)

    @property
    def rows(self) -> int:
        """For how many rows correlations are there."""
        return int(self.share * self._rows)

    def fill(self) -> None:
        """Return when it is full."""
        if self._source is not None:
            self._source.fill()
