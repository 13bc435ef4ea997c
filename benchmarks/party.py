"""One party's process of a benchmark: trains, and says what each tree cost.

    python benchmarks/party.py FOLDER ROLE LABEL_PORT CONNECT_PORT DEALER_PORT

Reads work.json and its own rows in the folder, writes ROLE.json there. What happens before
the first tree (keys, matrices, labels) is the set-up.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from time import monotonic, perf_counter, process_time
from typing import Any

import loopback
import numpy as np
from works import Work

from securexgb.attestation.trust import Appraisals
from securexgb.attestation.verdict import Verdict
from securexgb.boost.callbacks import TrainingCallback
from securexgb.boost.ensemble import History, ModelHalf
from securexgb.boost.predict import Request
from securexgb.jobs.estimating import link
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.prediction import Predictor
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.report import metrics


@dataclass(frozen=True)
class Snapshot:
    """What this party has spent so far; bytes are payload that it sent.

    ``offline_seconds``: those in which it made correlations, on a thread of their own;
    ``waited_seconds``: those in which its protocols waited for them.
    ``offline_bytes``: what it sent for them, and all it exchanged with a dealer.
    """

    seconds: float
    offline_seconds: float
    waited_seconds: float
    cpu_seconds: float
    online_bytes: int
    offline_bytes: int
    rounds: int

    @staticmethod
    def of(party: Party) -> Snapshot:
        account = party.source.account
        return Snapshot(
            seconds=perf_counter(),
            offline_seconds=account.seconds,
            waited_seconds=account.waited_seconds,
            cpu_seconds=process_time(),
            online_bytes=party.channel.traffic.bytes_sent - account.channel_bytes,
            offline_bytes=account.dealer_bytes + account.channel_bytes,
            rounds=party.rounds,
        )

    def since(self, before: Snapshot) -> dict[str, float]:
        return {f.name: getattr(self, f.name) - getattr(before, f.name) for f in fields(self)}


class Appraised:
    """Counts challenges to the dealer, and lets them come each second: a policy has a minute at
    the least between two, in which a small work is done."""

    SECONDS = 1.0

    def __init__(self) -> None:
        self.count = 0
        appraise = Appraisals.appraise

        def counted(appraisals: Appraisals) -> Verdict:
            self.count += 1
            verdict = appraise(appraisals)
            appraisals._again = monotonic() + self.SECONDS
            return verdict

        Appraisals.appraise = counted  # type: ignore[method-assign]


class Watch(TrainingCallback):
    """Takes a snapshot before the first tree and after each one."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self.taken = [Snapshot.of(party)]

    def before_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        if epoch == 0:
            self.taken.append(Snapshot.of(self._party))
        return False

    def after_iteration(self, model: ModelHalf, epoch: int, evals_log: History) -> bool:
        self.taken.append(Snapshot.of(self._party))
        return False

    @property
    def steps(self) -> list[dict[str, float]]:
        """The set-up, then every tree."""
        pairs = zip(self.taken[1:], self.taken[:-1], strict=True)
        return [after.since(before) for after, before in pairs]


def run(folder: Path, role: loopback.Role, ports: loopback.Ports) -> dict[str, Any]:
    work = Work.from_json((folder / "work.json").read_text(encoding="utf-8"))
    with np.load(folder / f"{role}.npz") as saved:
        rows = dict(saved)
    fitted = rows["fitted"]
    names = tuple(f"column {i}" for i in range(fitted.shape[1]))
    data = Rows(np.ascontiguousarray(fitted), names, rows.get("labels"))
    before, appraised = loopback.own_peak_rss_mb(), Appraised()
    with loopback.federation(folder, role, ports, work).session("train") as party:
        party.exchange_bytes(b"both are here")
        party.round_words = link.measured(party).round_words  # as `securexgb train` does
        watch = Watch(party)
        held = np.ascontiguousarray(rows["held"])
        evals = ()
        if work.metrics:
            evals = (("held", Rows(held, names, rows.get("held_labels"))),)
        half = train(party, TrainingJob(work.params, data, evals, callbacks=(watch,)))
        setup, *trees = watch.steps
        result: dict[str, Any] = {
            "setup": setup,
            "trees": trees,
            "peak_rss_mb": loopback.own_peak_rss_mb(),
            "rss_before_mb": before,
            "source": party.source.name,
            "ledger": party.ledger.rows(),
            "appraisals": appraised.count,
        }
        if len(held):
            start = Snapshot.of(party)
            scores = Predictor(party, half, Request()).score(Rows(held, names))
            result["prediction"] = Snapshot.of(party).since(start)
            if scores is not None:
                result["auc"] = metrics.auc(rows["held_labels"], scores)
    return result


def main() -> None:
    folder, role, *ports = sys.argv[1:]
    label, connect, dealer = map(int, ports)
    found = loopback.Ports(label, connect, dealer)
    result = run(Path(folder), "label" if role == "label" else "feature", found)
    (Path(folder) / f"{role}.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
