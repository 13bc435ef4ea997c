"""Scores of rows on request: margins in one exchange, rounded and opened by two more messages.

What ``predict`` computes, to the last bit, for a service: the same trees score a few rows at a time
over one long session, to the label party. Of owned trees the products of ``forest`` are all that is
sent for margins, modulo the few bits that the public bound of a margin asks for; of hidden ones it
is what ``hidden_scores`` sends. Rows of a batch that are not to be opened are scored like all
others, and left out of the opening.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import MARGIN_BITS
from securexgb.boost.ensemble import ModelHalf
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.objective.start import margins_to_begin
from securexgb.boost.predict import check_range, most_margin, opened_margins, rounding_steps
from securexgb.boost.scoring.forest import Forest
from securexgb.boost.splits.hidden_scores import HiddenScores
from securexgb.correlations.counting import Budget
from securexgb.mpc.multiplex import (
    multiplex_apart,
    multiplex_private_cost,
)
from securexgb.mpc.numbers.round_to import Rounding, rounded_to
from securexgb.mpc.open import open_numbers_to
from securexgb.mpc.party import Party
from securexgb.mpc.protocol import Cost
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.share import constant
from securexgb.mpc.shared import Shared
from securexgb.mpc.strongest import number_bits, strongest

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Numbers = NDArray[np.intp]
SESSION_ROWS = 1 << 14
"""For so many rows hidden tables are laid out: a few minutes of a service."""
REASON_BITS = 1
"""Of margins whose differences are compared: so many more than a margin needs."""


class RowScores:
    """One model's half in one session, ready for rows; both parties make it alike.

    ``decimals``: to which margins are rounded, as ``predict.Request`` says. Of a hidden model its
    tables are sent here.
    """

    def __init__(self, party: Party, model: ModelHalf, decimals: int) -> None:
        rounds, steps = model.best_rounds, rounding_steps(decimals)
        check_range(model, len(rounds), steps)
        ring_bits = math.ceil(math.log2(most_margin(model, len(rounds)))) + 2
        self.rounding = Rounding(ring_bits, MARGIN_BITS, steps)
        self.model, self._scale = model, model.numbers.target_scale
        self._party, self._objective = party, objective_of(model.params)
        self._forest: Forest | None = None
        self._hidden: HiddenScores | None = None
        if rounds and model.params.is_hidden:
            self._hidden = HiddenScores(party, model, rounds, SESSION_ROWS, serves=True)
        elif rounds:
            self._forest = Forest(party.rank, rounds)

    def margins(
        self, values: Floats, base_margin: Floats | None, more_bits: int = 0
    ) -> tuple[Shared, Floats | float]:
        """Margins of rows, own columns (n, f): shared (outputs, n), and each row's centre.

        ``base_margin``: (n,) at the label party where the model asks for them. Margins are right
        modulo 2^ring_bits of the rounding, or by ``more_bits`` more.
        """
        ring_bits = self.rounding.ring_bits + more_bits
        rows = values.shape[0]
        base, centre = margins_to_begin(self._party, self.model, base_margin, rows)
        if self._hidden is not None:
            return base + self._hidden.margins(values, ring_bits), centre
        if self._forest is not None:
            return base + self._of_trees(self._forest, values, ring_bits), centre
        return base, centre

    def opened(self, margins: Shared, centre: Floats | float, rows: Rows) -> Floats | None:
        """Rounded margins of these rows at the label party, (k,) or (k, outputs); else None."""
        chosen = margins[:, rows]
        flat = chosen.reshape(-1)
        words = rounded_to(self._party, 0, flat, self.rounding, Reveal.PREDICTION)
        if words is None:
            return None
        own = centre if isinstance(centre, float) else centre[rows]
        return opened_margins(words.reshape(chosen.shape), self.rounding.steps, self._scale, own)

    def strongest(self, margins: Shared, count: int, *, raised: bool) -> Numbers:
        """Numbers (n, count) at the label party of those of several changes that moved a margin
        most, the strongest first; zeros at the other.

        ``margins`` (1 + changes, n): of the rows as they are, and of each change; with
        ``REASON_BITS`` more. ``raised``: what is strong makes the margin greater as it is.
        """
        gaps = margins[:1].broadcast_to(margins.shape[0] - 1, margins.shape[1]) - margins[1:]
        changes, bits = gaps.shape[0], self.rounding.ring_bits
        shifted = (gaps if raised else -gaps) + constant(self._party, 1 << (bits - 1), gaps.shape)
        width = number_bits(changes)
        found = strongest(self._party, shifted, bits + 1, count)
        if not width:
            return np.zeros((gaps.shape[1], count), np.intp)
        words = open_numbers_to(self._party, 0, found, width, Reveal.REASON_CODES)
        return words.T.astype(np.intp)

    def predictions(self, margins: Floats) -> Floats:
        """Probabilities or values of rounded margins."""
        return self._objective.predictions(margins)

    def cost(self, rows: int) -> Cost:
        """Of margins of so many rows and of opening all of them."""
        total = self.rounding.cost(rows * self.model.outputs, 0)
        if self._hidden is not None:
            trees, depth = len(self.model.best_trees), self.model.params.max_depth
            total += self._hidden.cost(rows, self.rounding.ring_bits)
            nodes = rows * trees * ((1 << depth) - 1)
            total += Cost(correlations=Budget(row_nodes=nodes))
        if self._forest is not None:
            label, feature = (self._forest.nodes(rank) * rows for rank in (0, 1))
            total += multiplex_private_cost(label, feature, (self.rounding.ring_bits,))
        return total

    def _of_trees(self, forest: Forest, values: Floats, ring_bits: int) -> Shared:
        party, rows = self._party, values.shape[0]
        own, other = party.rank, 1 - party.rank
        made = forest.marks(values)
        counts = [forest.nodes(rank) * rows for rank in (0, 1)]
        bits = [np.zeros(counts[rank], np.bool_) for rank in (0, 1)]
        words = [Shared.zeros(counts[rank]) for rank in (0, 1)]
        bits[own], words[other] = made.bits.reshape(-1), Shared(made.offered.reshape(-1))
        products = multiplex_apart(party, (bits[0], bits[1]), (words[0], words[1]), ring_bits)
        total = Shared(made.sums)
        for rank, product in enumerate(products):
            total += forest.sums(rank, product.reshape(-1, rows))
        return total


__all__ = ["RowScores"]
