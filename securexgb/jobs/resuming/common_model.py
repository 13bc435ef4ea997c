"""Which finished model both sides use: one of which each has a half, known by its model id.

Names of directories say when a run began by the clock of one side, and the newest of both need not
be the same run. So each side tells the models that it has, its newest first, and the first of the
label party's that the feature party has too is used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from securexgb.errors import MalformedFrame, SecureXGBError, TermsDiffer
from securexgb.federation.session import Federation
from securexgb.jobs.runs import FinishedRun, RunDirectory, finished_run
from securexgb.mpc.party import Party

_MOST = 100
"""So many of this side's newest models are told."""
_IDS = TypeAdapter(list[str])


def own_models(federation: Federation, path: Path | None) -> list[FinishedRun]:
    """The run at ``path``, or all finished ones of these terms, the newest name first.

    Errors as ``finished_run``'s for the first; of others, what cannot be read is left out.
    """
    found = [finished_run(federation, path)]
    if path is None:
        root, digest = federation.config.run_directory, federation.digest
        older = RunDirectory.all(root, digest)
        for run in older[:_MOST]:
            if run.path != found[0].run.path and run.half(federation.role).exists():
                with suppress(SecureXGBError):
                    found.append(finished_run(federation, run.path))
    return found


def common_model(party: Party, federation: Federation, own: Sequence[FinishedRun]) -> FinishedRun:
    """That of this side's models which both use; TermsDiffer at both where there is none."""
    mine = [finished.half.model_id for finished in own]
    with party.step("model"):
        try:
            theirs = _IDS.validate_json(party.exchange_bytes(json.dumps(mine).encode()))
        except ValidationError as error:
            raise MalformedFrame("the other side's list of its models is malformed") from error
    label, feature = (mine, theirs) if party.rank == 0 else (theirs, mine)
    for model_id in label:
        if model_id in feature:
            return own[mine.index(model_id)]
    raise TermsDiffer(
        f"the two sides have no finished model in common: {federation.config.name} has "
        f"{len(mine)}, of which the newest is in {own[0].run.path} (model {mine[0][:8]}), and "
        f"{federation.peer_name} has {len(theirs)} others: where one side's training did not end, "
        "`train --resume` at both finishes it"
    )
