"""The worker's end of scores by shards, see ``cluster.scores``."""

from __future__ import annotations

from securexgb.boost.predict import check_rows, training_margins
from securexgb.cluster.commands import Said, model_of, pack, unpack
from securexgb.cluster.data import FileShard
from securexgb.errors import DataError, MalformedFrame, UsageError
from securexgb.jobs.data.files import needed_file
from securexgb.jobs.rows import Rows
from securexgb.mpc.party import Party
from securexgb.mpc.shared import Shared

PREDICT = "predict"
SCORES = "scores"


class ScoringShard:
    """Answers what its head asks of one session's rows."""

    def __init__(self, party: Party, data: FileShard) -> None:
        self._party, self._data = party, data

    def answer(self, command: bytes) -> bytes:
        """This party's share of what the trees add, (outputs, own rows)."""
        said = unpack(command)
        if said.name != SCORES or len(said.texts) != 1 or len(said.numbers) != 1:
            raise MalformedFrame(
                f"a head asks {said.name[:40]!r}, which this version does not know"
            )
        model, party = model_of(said), self._party
        values = self._read(said.texts[0]).values
        if values.shape[0] != said.numbers[0]:
            raise DataError(
                f"{party.role} party: a shard holds {values.shape[0]} of the rows to score, and "
                f"its head counts {said.numbers[0]}: give both one file"
            )
        check_rows(party, model, values)
        moved = Shared.zeros(model.outputs, 0)
        if values.shape[0]:
            with party.step(SCORES):
                moved = training_margins(party, model, model.rounds, [values])
        return pack(Said(SCORES, arrays=(moved.own_share(),)))

    def _read(self, data_set: str) -> Rows:
        config = self._data.federation.config
        kind, _, name = data_set.partition(".")
        if data_set == PREDICT:
            path = needed_file(config.predict_data, "predict_data", config.name)
        elif kind == "eval" and name in config.eval_data:
            path = config.eval_data[name]
        else:
            raise UsageError(
                f"{config.name}: the head asks for the rows {data_set!r}, which party.toml of its "
                "shards does not name: give all of them the same settings"
            )
        return self._data.read(path, data_set, is_label_optional=data_set == PREDICT)
