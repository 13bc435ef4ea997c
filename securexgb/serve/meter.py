"""Figures of a replica for operators, as Prometheus reads them: never a key, never a score.

One process has one registry, its own: nothing else that runs here is counted, and there is no mode
of several processes, whose dead workers' gauges stay. ``securexgb_queue_seconds`` is what scaling
goes by: how long rows waited before their batch began, on average over the last half minute; 0
where none came. The processor's load says nothing of it: a replica waits for the other side most of
the time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric

Stage = Literal["queue", "look up", "gate", "rounds"]
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_SECONDS = (
    0.0005, 0.001, 0.002, 0.003, 0.004, 0.006, 0.008, 0.012, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2,
    5, 10,
)  # fmt: skip
_RECENT_SECONDS = 30.0
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class PrometheusMeter:
    """What a replica counts and measures; threads may tell at the same time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock``: seconds, for the recent ones."""
        self.registry = CollectorRegistry()
        self._clock = clock
        self._lock = threading.Lock()
        self._waits: deque[tuple[int, float, int]] = deque()
        self._requests = self._counter("requests", "Calls answered, by status code.", "code")
        self._rows = self._counter("rows", "Rows scored.")
        self._padding = self._counter("padding_rows", "Rows scored for nobody, to fill batches.")
        self._refusals = self._counter("refused_rows", "Rows without a score, by why.", "reason")
        self._batches = self._histogram("batch_rows", "Rows that a batch has.", _BATCHES)
        self._stages = self._histogram("stage_seconds", "What takes how long.", _SECONDS, "stage")
        self._stage = {stage: self._stages.labels(stage) for stage in get_args(Stage)}
        self._calls = self._histogram("request_seconds", "How long calls take.", _SECONDS)
        self._stock = self._gauge("stock_rows", "Rows for which correlations are ready.")
        self._links = self._gauge("linked_sessions", "Replicas of the other side that are linked.")
        self._up = self._gauge("peer_up", "Whether any is.")
        queued = self._gauge("queue_seconds", "How long rows waited lately, on average.")
        queued.set_function(self._recent)
        ProcessCollector(registry=self.registry)

    def answered(self, code: int, seconds: float | None = None) -> None:
        """A call was answered; ``seconds``: of one that asked for scores."""
        self._requests.labels(str(code)).inc()
        if seconds is not None:
            self._calls.observe(seconds)

    def scored(self, rows: int, padded: int) -> None:
        """As ``Meter.scored``: a batch of ``padded`` rows, of which ``rows`` were asked for."""
        self._rows.inc(rows)
        self._padding.inc(max(padded - rows, 0))
        self._batches.observe(rows)

    def refused(self, status: str, rows: int) -> None:
        """As ``Meter.refused``."""
        self._refusals.labels(status).inc(rows)

    def took(self, stage: Stage, seconds: float) -> None:
        """As ``Meter.took``."""
        self._stage[stage].observe(seconds)
        if stage == "queue":
            with self._lock:
                self._forget()
                self._waits.append(self._grown(seconds))

    def stock(self, rows: int) -> None:
        """As ``Meter.stock``."""
        self._stock.set(rows)

    def linked(self, sessions: int) -> None:
        """As ``Meter.linked``."""
        self._links.set(sessions)
        self._up.set(1 if sessions else 0)

    def follow(self, models: Callable[[], Iterable[str]], is_ready: Callable[[], bool]) -> None:
        """Show which models are served, and whether this replica is ready, whenever asked."""
        self.registry.register(_State(models, is_ready))

    def text(self) -> bytes:
        """All figures as they are now."""
        return generate_latest(self.registry)

    def _grown(self, seconds: float) -> tuple[int, float, int]:
        """This second's waits with one more."""
        now = int(self._clock())
        if not self._waits or self._waits[-1][0] != now:
            return now, seconds, 1
        _, total, count = self._waits.pop()
        return now, total + seconds, count + 1

    def _recent(self) -> float:
        with self._lock:
            self._forget()
            total = sum(seconds for _, seconds, _ in self._waits)
            count = sum(number for _, _, number in self._waits)
        return total / count if count else 0.0

    def _forget(self) -> None:
        oldest = self._clock() - _RECENT_SECONDS
        while self._waits and self._waits[0][0] < oldest:
            self._waits.popleft()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"securexgb_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"securexgb_{name}", text, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"securexgb_{name}", text, labels, buckets=buckets, registry=self.registry)


class _State:
    """What is asked for when figures are."""

    def __init__(self, models: Callable[[], Iterable[str]], is_ready: Callable[[], bool]) -> None:
        self._models, self._is_ready = models, is_ready

    def collect(self) -> Iterable[Metric]:
        """Prometheus's name for it."""
        ready = GaugeMetricFamily("securexgb_ready", "Whether this replica is ready.")
        ready.add_metric([], float(self._is_ready()))
        yield ready
        served = GaugeMetricFamily(
            "securexgb_model_info", "Models that are served, 1 the default.", labels=["model"]
        )
        models = tuple(self._models())
        for model in models:
            served.add_metric([model], float(model == models[-1]))
        yield served
