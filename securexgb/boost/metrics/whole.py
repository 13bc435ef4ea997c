"""The auc of all rows, once, when a training has ended that measured a sample of them (auc_rows).

It is of the model that predicts: of the best rounds, where the terms stop early. Where a callback
of one side has ended the training, it is not opened. One message each way says whether a side has
it already, as after a resumption: nothing is measured again where both have, else the same is.
"""

from __future__ import annotations

from dataclasses import replace

from securexgb.boost.importance import ended_rounds
from securexgb.boost.metrics.measuring import Measured, measured_metrics
from securexgb.boost.metrics.schedule import is_sampled
from securexgb.boost.state import State
from securexgb.errors import MalformedFrame
from securexgb.mpc.party import Party
from securexgb.mpc.reveals import Reveal


def whole_auc(party: Party, state: State) -> dict[str, float]:
    """By evaluation set of which a sample was measured, at both parties."""
    model = state.model
    sets = [one for one in state.sets if is_sampled(model.params, one.truth.rows)]
    count = ended_rounds(model)
    if not sets or not count:
        return {}
    if _have_both(party, bool(model.whole_auc)):
        return model.whole_auc
    if count == len(model.rounds):
        parts = [state.rows.margins(one.rows) for one in sets]
    else:
        margins, first = state.rows.evaluated(model.rounds[:count]), model.layout.rows
        parts = [margins[:, one.rows.start - first : one.rows.stop - first] for one in sets]
    measured = [Measured(one.name, part, one.truth) for one, part in zip(sets, parts, strict=True)]
    with party.ledger.announced({(Reveal.METRIC, "both"): len(sets)}):
        found = measured_metrics(party, replace(model.params, auc_rows=0), measured, ("auc",))
    return {one.name: value for one, (value,) in zip(sets, found, strict=True)}


def _have_both(party: Party, has: bool) -> bool:
    """Whether this side has it, and the other one, too; one round of one byte."""
    theirs = party.exchange_bytes(bytes([has]))
    if theirs not in (b"\0", b"\1"):
        raise MalformedFrame("the other side's word on the auc of all rows is malformed")
    return has and theirs == b"\1"
