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
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Literal, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric

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
        self._batches = _Histogram("batch_rows", "Rows that a batch has.", _BATCHES)
        self._stages = _Histogram(
            "stage_seconds", "What takes how long.", _SECONDS, "stage", get_args(Stage)
        )
        self._calls = _Histogram("request_seconds", "How long calls take.", _SECONDS)
        for histogram in (self._batches, self._stages, self._calls):
            self.registry.register(histogram)
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
        self._stages.observe(seconds, stage)
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


class _Histogram:
    """How often which value came. ``Histogram`` of the library looks at its buckets one by one and
    takes a lock for each of two figures: as long, for the five of a row, as a message takes."""

    def __init__(
        self,
        name: str,
        text: str,
        buckets: Sequence[float],
        label: str = "",
        values: Sequence[str] = ("",),
    ) -> None:
        """``values``: all that ``label`` may have, where there is one."""
        self._name, self._text, self._buckets = f"securexgb_{name}", text, buckets
        self._label = label
        self._lock = threading.Lock()
        self._counts = {value: [0] * (len(buckets) + 1) for value in values}
        self._sums = dict.fromkeys(values, 0.0)

    def observe(self, found: float, value: str = "") -> None:
        """``value``: of the label."""
        place = bisect_left(self._buckets, found)
        with self._lock:
            self._counts[value][place] += 1
            self._sums[value] += found

    def collect(self) -> Iterable[Metric]:
        """Prometheus's name for it."""
        labels = [self._label] if self._label else []
        family = HistogramMetricFamily(self._name, self._text, labels=labels)
        bounds = [*map(str, map(float, self._buckets)), "+Inf"]
        with self._lock:
            for value, counts in self._counts.items():
                named = [value] if self._label else []
                upto = zip(bounds, accumulate(counts), strict=True)
                family.add_metric(named, [*upto], self._sums[value])
        yield family


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
