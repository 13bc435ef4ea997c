"""Prediction: scores of rows of which each party holds its own columns.

From its own splits alone each party marks the leaves that are still possible for a row;
exactly one leaf of a tree is possible at both. With marks a of the label party and b of
the feature party, and leaf values w = w_0 + w_1 shared,

    score = base + sum over all leaves of (w_0 a) b + (w_1 b) a,

two products of a vector that one party holds with bits that the other one holds: one
``multiplex_private`` for all rows, trees and leaves at once (prediction "transfers"), exact; or
products under homomorphic encryption (prediction "ckks", ``hybrid.ckks_scores``), off by 2^-10 at
most.
No path, leaf or value of a single tree is opened. The score is rounded in shares, before it
is opened to whom the terms name. Scores of a regression are relative to the centre of the
targets, and in units of their scale. The centre is the label party's: it adds it to what was opened
to it alone, and, rounded, to its share of what the feature party gets.

Under CKKS the label party holds the key and is the only one that gets scores: whoever computes
on ciphertexts must not see what they decrypt to, with its noise. And scores are rounded to steps
of at least ten times the error, so that it shows only in a score next to a boundary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from securexgb.arith.fixedpoint import LEAF_WEIGHT_INTEGER_BITS, MARGIN_BITS
from securexgb.boost.columns.binning import check_categories, check_columns
from securexgb.boost.ensemble import ModelHalf, Round, owned
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.objective.start import check_base_margin, margins_to_begin
from securexgb.boost.splits.hidden_scores import HiddenScores
from securexgb.errors import DataError, TermsDiffer, UsageError
from securexgb.hybrid.ckks_products import agree_keys
from securexgb.hybrid.ckks_scores import Limbs, tree_scores
from securexgb.mpc.multiplex import multiplex_private
from securexgb.mpc.numbers.truncate import round_off
from securexgb.mpc.open import open_shared, open_to
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal
from securexgb.mpc.share import share
from securexgb.mpc.shared import Shared, Words

Floats = NDArray[np.float64]
Recipient = Literal["label", "feature", "both"]
Prediction = Literal["transfers", "ckks"]
PREDICTIONS: tuple[Prediction, ...] = ("transfers", "ckks")

BATCH_WORDS = 1 << 20
"""Leaves times rows in one message, at most: 8 MiB."""
MOST_DECIMALS = 12
STEPS_UNDER_CKKS = 100
"""Of a margin's unit, at most: its error is below a tenth of such a step."""
_BASE_INTEGER_BITS = 10
"""Log odds of any base_score, and base margins, are below 2^_BASE_INTEGER_BITS."""


@dataclass(frozen=True)
class Request:
    """What both parties ask for: the same at both.

    ``recipient``: who gets scores; ``decimals``: to which margins are rounded before they are
    opened, but to a hundredth of their unit at the finest under CKKS; ``prediction``: how
    scores are computed. A regression's margins are in units of 2^target_exponent, so a
    step of its predictions is 10^-decimals of that.
    """

    recipient: Recipient = "label"
    decimals: int = 6
    prediction: Prediction = "transfers"

    def __post_init__(self) -> None:
        if not 0 <= self.decimals <= MOST_DECIMALS:
            raise UsageError(f"decimals must be at least 0 and at most {MOST_DECIMALS}")
        if self.prediction not in PREDICTIONS:
            raise UsageError(
                f"prediction {self.prediction!r} is not supported; choose among "
                f"{', '.join(PREDICTIONS)}"
            )
        if self.prediction == "ckks" and self.recipient != "label":
            raise UsageError(
                'prediction "ckks" gives scores to the label party alone, which holds the key: '
                'choose predictions_to "label", or prediction "transfers"'
            )


class Scoring:
    """How one session computes the trees' part of margins, from its first rows on.

    Under CKKS both parties make its keys then, once; of a hidden model its tables are encrypted.
    """

    def __init__(self) -> None:
        self._scores: Callable[[Sequence[Round], Floats], Shared] | None = None
        self._of: tuple[Request, list[Round]] | None = None

    def of(
        self, party: Party, model: ModelHalf, request: Request, rows: int
    ) -> Callable[[Sequence[Round], Floats], Shared]:
        """For so many rows. UsageError for other trees, or another request, than those of the
        first rows."""
        asked = request, model.best_rounds
        if self._scores is None:
            self._scores, self._of = _scores_of(party, model, request, rows), asked
        if self._of != asked:
            raise UsageError(
                f"the {party.role} party's model or request has changed since this session scored "
                "its first rows: open a new session for it"
            )
        return self._scores


def predict(
    party: Party,
    model: ModelHalf,
    features: Floats,
    request: Request,
    base_margin: Floats | None = None,
) -> Floats | None:
    """Predictions for rows, own columns (n, f): probabilities, or values of the target.

    Shape (n,), or (n, classes).
    ``base_margin``: (n,) at the label party where the model asks for them.

    Margins are rounded in shares and then opened to whom ``request`` names; a probability is
    a public function of a margin. Returns None at a party that is not named.
    """
    margins = predict_margins(party, model, features, request, base_margin=base_margin)
    return None if margins is None else objective_of(model.params).predictions(margins)


def predict_margins(
    party: Party,
    model: ModelHalf,
    features: Floats,
    request: Request,
    scoring: Scoring | None = None,
    base_margin: Floats | None = None,
) -> Floats | None:
    """The same before the link function: log odds, margins of classes, or values of the target.

    Shape (n,), or (n, outputs) where a row has several.

    ``scoring``: of a session in which the same model scores the same request more than once.
    """
    rows, rounds = features.shape[0], model.best_rounds
    check_base_margin(party.rank, model.params, base_margin, rows, "the rows to predict")
    _check_request(party, model, features, request)

    def scores() -> Callable[[slice], Shared]:
        of_rows = (scoring or Scoring()).of(party, model, request, rows)
        return lambda batch: of_rows(rounds, features[batch])

    return _opened(party, model, request, base_margin, rows, scores)


def predict_moved(
    party: Party, model: ModelHalf, moved: Shared, request: Request, base_margin: Floats | None
) -> Floats | None:
    """``predict_margins`` of rows that lie elsewhere: what the best rounds add to their margins is
    known in shares, (outputs, rows)."""
    rows = moved.shape[1]
    check_base_margin(party.rank, model.params, base_margin, rows, "the rows to predict")
    _same_request(party, model, rows, request)
    return _opened(party, model, request, base_margin, rows, lambda: lambda at: moved[:, at])


def _opened(
    party: Party,
    model: ModelHalf,
    request: Request,
    base_margin: Floats | None,
    rows: int,
    scores: Callable[[], Callable[[slice], Shared]],
) -> Floats | None:
    """Margins, rounded and opened; ``scores``: makes what gives the trees' part for a batch."""
    rounds, recipient = model.best_rounds, request.recipient
    steps = rounding_steps(request.decimals)
    if request.prediction == "ckks":
        steps = min(steps, STEPS_UNDER_CKKS)
    check_range(model, len(rounds), steps)
    base, centre = margins_to_begin(party, model, base_margin, rows)
    mine = np.zeros(rows, np.uint64)
    if recipient != "label":
        mine += _centre_steps(model, centre, steps)
    score, opened = scores(), []
    with party.ledger.announced({(Reveal.PREDICTION, recipient): model.outputs * rows}):
        for start, stop in row_batches(rows, rounds):
            batch = slice(start, stop)
            rounded = _rounded(party, base[:, batch] + score(batch), steps)
            centred = rounded + share(party, mine[batch], 0, (stop - start,))
            opened.append(_open(party, centred, recipient))
    if any(words is None for words in opened):
        return None
    words = np.concatenate([words for words in opened if words is not None], axis=1)
    own = centre if recipient == "label" else 0.0
    return opened_margins(words, steps, model.numbers.target_scale, own)


def opened_margins(words: Words, steps: int, scale: float, centre: Floats | float) -> Floats:
    """Margins (n,), or (n, outputs), of what was opened: words (outputs, n), in steps; ``scale``:
    of the targets."""
    values: Floats = words.view(np.int64).astype(np.float64).T / steps * scale
    return (values if words.shape[0] > 1 else values[:, 0]) + centre


def tree_margins(party: Party, rounds: Sequence[Round], features: Floats) -> Shared:
    """The sums of owned trees' leaf values for each row: shared (outputs, n), margin_bits.

    At least one round.
    """
    rows, outputs = features.shape[0], len(rounds[0])
    trees = owned([tree for trees in rounds for tree in trees])
    possible = np.concatenate([tree.possible_leaves(features) for tree in trees], axis=1)
    mine = np.concatenate([tree.leaf_values for tree in trees])
    # Row r: bits of party r, values of the other one.
    bits = np.zeros((2, possible.size), np.bool_)
    values = np.zeros((2, possible.size), np.uint64)
    bits[party.rank] = possible.reshape(-1)
    values[1 - party.rank] = np.where(possible, mine, np.uint64(0)).reshape(-1)
    kept = multiplex_private(party, np.array([0, 1]), bits, Shared(values[:, None]), (64,))
    sums = kept.reshape(2, rows, len(rounds), outputs, -1).sum(axis=0).sum(axis=3).sum(axis=1)
    return sums.transpose(1, 0)


def _scores_of(
    party: Party, model: ModelHalf, request: Request, rows: int
) -> Callable[[Sequence[Round], Floats], Shared]:
    """What computes the trees' part of margins; for CKKS both parties make its keys here."""
    if not model.best_rounds:
        return lambda _, features: Shared.zeros(model.outputs, features.shape[0])
    if model.params.is_hidden:
        hidden = HiddenScores(party, model, model.best_rounds, rows)
        return lambda _, features: hidden.margins(features)
    if request.prediction == "transfers":
        return lambda rounds, features: tree_margins(party, rounds, features)
    keys = agree_keys(party)
    depth, numbers = model.params.max_depth, model.numbers
    integers = LEAF_WEIGHT_INTEGER_BITS
    limbs = Limbs.of(len(model.best_rounds), depth, numbers.margin_bits, integers)

    def under_ckks(rounds: Sequence[Round], features: Floats) -> Shared:
        outputs = []
        for trees in zip(*rounds, strict=True):
            marks = np.stack([tree.possible_leaves(features) for tree in owned(trees)])
            values = Shared(np.stack([tree.leaf_values for tree in trees]))
            outputs.append(tree_scores(party, keys, marks, values, limbs))
        return Shared.stack(outputs)

    return under_ckks


def training_margins(
    party: Party, model: ModelHalf, rounds: Sequence[Round], tables: Sequence[Floats]
) -> Shared:
    """``tree_margins`` in batches of rows, of all tables one after the other; 0 without a round.

    What a hidden model sends before its first row is sent once.
    """
    rows = sum(table.shape[0] for table in tables)
    if not rounds or not rows:
        return Shared.zeros(model.outputs, rows)
    if model.params.is_hidden:
        scores = HiddenScores(party, model, rounds, rows).margins
    else:
        scores = partial(tree_margins, party, rounds)
    parts = [
        scores(table[start:stop])
        for table in tables
        for start, stop in row_batches(table.shape[0], rounds)
    ]
    return Shared.concatenate(parts, axis=1)


def row_batches(rows: int, rounds: Sequence[Round]) -> Iterable[tuple[int, int]]:
    """Ranges of rows that keep a message below BATCH_WORDS."""
    leaves = max(1, sum(tree.leaf_values.size for trees in rounds for tree in trees))
    size = max(1, BATCH_WORDS // leaves)
    return [(start, min(start + size, rows)) for start in range(0, rows, size)]


def rounding_steps(decimals: int) -> int:
    """Into how many steps the unit of a margin is divided: margins have no more themselves."""
    return int(min(10**decimals, 1 << MARGIN_BITS))


def _rounded(party: Party, margins: Shared, steps: int) -> Shared:
    if steps == 1 << MARGIN_BITS:
        return margins
    return round_off(party, margins.scale(steps), MARGIN_BITS)


def _centre_steps(model: ModelHalf, centre: Floats | float, steps: int) -> Words:
    """The centre, or each row's, in steps, for this party's share; 0 at the feature party."""
    found = np.asarray(centre) / model.numbers.target_scale * steps
    if bool(np.any(np.abs(found) >= 2.0**62)):
        raise UsageError(
            f"the targets of the {model.role} party are too far from 0, relative to their spread, "
            "for predictions that the feature party receives: ask for fewer decimals, or give "
            'them to the label party (predictions_to "label")'
        )
    words: Words = np.rint(found).astype(np.int64).view(np.uint64)
    return words


def _open(party: Party, scores: Shared, recipient: Recipient) -> Words | None:
    if recipient == "both":
        return open_shared(party, scores, Reveal.PREDICTION)
    return open_to(party, 0 if recipient == "label" else 1, scores, Reveal.PREDICTION)


def check_rows(party: Party, model: ModelHalf, features: Floats) -> None:
    """Refuse own rows (n, f) that are not of this half's model, before anything is sent."""
    if model.rank != party.rank:
        raise UsageError(f"this half of the model belongs to the {model.role} party")
    if features.ndim != 2 or features.shape[1] != len(model.columns):
        raise DataError(
            f"the {party.role} party's rows must have the {len(model.columns)} columns that the "
            "model was trained on, in their order"
        )
    names, may_be_missing = list(model.columns), model.layout.missing
    check_columns(features, party.role, names, may_be_missing)
    check_categories(features, party.role, names, model.categorical, None)


def _check_request(party: Party, model: ModelHalf, features: Floats, request: Request) -> None:
    """Refuse what cannot be predicted; both parties compare model and row count."""
    if features.shape[0] == 0:
        raise DataError(f"the {party.role} party has no rows to predict")
    check_rows(party, model, features)
    if request.prediction == "ckks" and model.params.is_hidden:
        raise UsageError(
            "the splits of this model are hidden, so no side has the marks that prediction "
            '"ckks" computes on: choose prediction "transfers"'
        )
    if request.prediction == "ckks" and model.outputs > 1:
        raise UsageError(
            'prediction "ckks" is for one score a row, and this model has one for each class: '
            'choose prediction "transfers"'
        )
    _same_request(party, model, features.shape[0], request)


def _same_request(party: Party, model: ModelHalf, rows: int, request: Request) -> None:
    asked = f"{request.recipient} {request.decimals} {request.prediction}"
    mine = f"{model.model_id} {len(model.best_rounds)} {rows} {asked}"
    theirs = party.exchange_bytes(mine.encode()).decode(errors="replace")
    if theirs != mine:
        raise TermsDiffer(
            "the two sides do not ask for the same prediction (model, trees, rows, recipient, "
            f"decimals, way): here {mine!r}, at the other side {theirs[:120]!r}"
        )


def most_margin(model: ModelHalf, rounds: int) -> float:
    """What no margin after so many rounds reaches, with MARGIN_BITS fraction bits."""
    leaf = 2.0 ** (LEAF_WEIGHT_INTEGER_BITS + MARGIN_BITS) * model.params.most_rate
    return rounds * leaf + 2.0 ** (MARGIN_BITS + _BASE_INTEGER_BITS)


def check_range(model: ModelHalf, trees: int, steps: int) -> None:
    """The product with ``steps`` must stay below 2^62, see arith.fixedpoint."""
    if most_margin(model, trees) * steps + 2.0**MARGIN_BITS >= 2.0**62:
        raise UsageError(f"{trees} trees are too many for this many decimals: ask for fewer")


__all__ = [
    "Prediction",
    "Recipient",
    "Request",
    "Scoring",
    "check_rows",
    "predict",
    "predict_margins",
    "predict_moved",
    "row_batches",
    "training_margins",
    "tree_margins",
]
