"""A head's session with its own shards, from its opening to its end, whatever they run on."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from securexgb.cluster.dask import DaskShards
from securexgb.cluster.link import LinkedShards
from securexgb.cluster.messages import SESSION_BYTES, Opening
from securexgb.cluster.parts import Shards, check_shards, failing_together
from securexgb.cluster.rows import RowCounts, ShardedRows
from securexgb.errors import MalformedFrame
from securexgb.federation.session import Federation, Purpose
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.table import Table
from securexgb.mpc.party import Party


@contextmanager
def training_shards(
    federation: Federation, party: Party, run: str, job: TrainingJob
) -> Iterator[ShardedRows]:
    """The rows of a training, held by this side's shards; both heads come here together.

    ``run``: the name of this head's run. ShardGone where a shard does not come.
    """
    check_shards(job.data.count, federation.terms.shards)
    counts = RowCounts(job.data.count, tuple(data.count for _, data in job.evals))
    with shards_in_session(federation, party, "train", run, job.data) as shards:
        yield ShardedRows(party, shards.handles, counts)


@contextmanager
def shards_in_session(
    federation: Federation, party: Party, purpose: Purpose, run: str, like: Table
) -> Iterator[Shards]:
    """This side's shards, each linked to the other side's; where the block fails, so do they."""
    shards = own_shards(federation)
    with failing_together(shards):
        # Where the other side has not reached its own, its reason is heard here, not a shard that
        # waits in vain for its partner.
        opening = Opening(
            session=_common_session(party),
            purpose=purpose,
            run=run,
            columns=like.column_names,
            classes=like.classes,
            categories=like.categories,
        )
        shards.open(opening)
        yield shards
    shards.close()


def own_shards(federation: Federation) -> DaskShards | LinkedShards:
    """This side's shards, each reached; ``open`` says what the session is about."""
    is_of_dask = federation.cluster.engine == "dask"
    return DaskShards(federation) if is_of_dask else LinkedShards(federation)


def _common_session(party: Party) -> bytes:
    """Bytes that name this session at both sides, and no other ever."""
    mine = secrets.token_bytes(SESSION_BYTES)
    with party.step("shards"):
        theirs = party.exchange_bytes(mine)
    if len(theirs) != SESSION_BYTES:
        raise MalformedFrame("the other side's name of the session of its shards is malformed")
    both = mine + theirs if party.rank == 0 else theirs + mine
    return hashlib.sha256(b"securexgb shards" + both).digest()[:SESSION_BYTES]
