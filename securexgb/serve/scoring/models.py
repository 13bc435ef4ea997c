"""Which models this side serves: those named in its settings, or every finished run, as they come.

A half is loaded once, when its run is first seen. Names of runs begin with the time, so that the
last one is the newest.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from time import monotonic

from securexgb.boost.ensemble import ModelHalf
from securexgb.errors import SecureXGBError, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.runs import RunDirectory, finished_run
from securexgb.serve.release.client import key_for
from securexgb.serve.scoring.messages import MOST_MODELS
from securexgb.terms.serving import ServeSettings

LOOK_SECONDS = 1.0
"""Between looks into the folder of runs."""


class Models:
    """This side's halves by id. Threads may ask at the same time."""

    def __init__(self, federation: Federation, settings: ServeSettings) -> None:
        """Errors as ``finished_run``'s for a model that the settings name; UsageError where there
        is none at all."""
        self._federation, self._named = federation, settings.models
        self._key = partial(key_for, federation)
        self._lock = threading.Lock()
        self._halves: dict[Path, ModelHalf | None] = {}
        self._looked_at = 0.0
        for path in self._named:
            self._halves[path] = finished_run(federation, path, self._key).half
        self._by_id = self._known()
        if not self.looked():
            # Says where it looked and what to do.
            finished_run(federation, None, self._key)
            raise UsageError(f"{federation.config.name}: no finished run can be read")

    def looked(self) -> Mapping[str, ModelHalf]:
        """Of those that are there now, too: a new one is read, which may take a while."""
        with self._lock:
            if not self._named and monotonic() - self._looked_at >= LOOK_SECONDS:
                self._look()
                self._looked_at = monotonic()
                self._by_id = self._known()
        return self._by_id

    def halves(self) -> Mapping[str, ModelHalf]:
        """By id, the newest last, as they were seen last; what cannot be read is left out."""
        return self._by_id

    def _known(self) -> Mapping[str, ModelHalf]:
        found = [half for half in self._halves.values() if half is not None]
        return {half.model_id: half for half in found[-MOST_MODELS:]}

    def _look(self) -> None:
        federation = self._federation
        root, role = federation.config.run_directory, federation.role
        runs = RunDirectory.all(root, federation.digest)[:MOST_MODELS]
        seen: dict[Path, ModelHalf | None] = {}
        for run in reversed(runs):
            if not run.half(role).exists():
                continue
            half = self._halves.get(run.path)
            if run.path not in self._halves:
                try:
                    half = finished_run(federation, run.path, self._key).half
                except SecureXGBError:
                    half = None
            seen[run.path] = half
        self._halves = seen
