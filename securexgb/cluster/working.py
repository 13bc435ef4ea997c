"""What a shard's process does in a session: with which rows, and where it keeps their margins."""

from __future__ import annotations

from collections.abc import Callable

from securexgb.cluster.data import FileShard
from securexgb.cluster.messages import Opening
from securexgb.cluster.scoring import ScoringShard
from securexgb.cluster.shard import Shard
from securexgb.cluster.worker import Answers, Work
from securexgb.errors import UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.resuming.checkpoint import CheckpointStore
from securexgb.jobs.rows import Rows
from securexgb.mpc.party import Party
from securexgb.storage.sealed import find_key
from securexgb.storage.whole import make_directory


def work_of(federation: Federation, number: int, tell: Callable[[str], None]) -> Work:
    """That of own shard ``number``, on the files of this side's settings."""

    def work(party: Party, opening: Opening) -> Answers:
        like = Rows.none_of(opening.columns, opening.classes, opening.categories)
        data = FileShard(federation, like, number, federation.terms.shards)
        if opening.purpose in ("predict", "evaluate"):
            return ScoringShard(party, data).answer
        if opening.purpose != "train":
            raise UsageError(f"a shard has no part in {opening.purpose!r}")
        return Shard(party, data, _store(federation, number, opening.run, tell)).answer

    return work


def _store(
    federation: Federation, number: int, run: str, tell: Callable[[str], None]
) -> CheckpointStore:
    """In the run's directory of the shard's machine, which may be the head's."""
    settings = federation.config
    folder = settings.run_directory / run / f"shard-{number}"
    make_directory(settings.run_directory)
    make_directory(folder)
    return CheckpointStore(folder, find_key(settings.model_key), tell)
