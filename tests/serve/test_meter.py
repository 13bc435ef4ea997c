"""What scaling goes by: the waits of the last half minute."""

import pytest
from prometheus_client import CollectorRegistry, Histogram

from securexgb.serve.meter import _SECONDS, PrometheusMeter


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def queued(meter):
    return meter.registry.get_sample_value("securexgb_queue_seconds")


def test_waits_count_for_half_a_minute():
    clock = Clock()
    meter = PrometheusMeter(clock)
    assert queued(meter) == 0
    for seconds in (0.1, 0.3):
        meter.took("queue", seconds)
    assert queued(meter) == pytest.approx(0.2)
    clock.now += 20
    meter.took("queue", 0.8)
    meter.took("rounds", 50.0)
    assert queued(meter) == pytest.approx(0.4)
    clock.now += 15
    assert queued(meter) == pytest.approx(0.8)
    clock.now += 20
    assert queued(meter) == 0
    stages = meter.registry.get_sample_value("securexgb_stage_seconds_count", {"stage": "queue"})
    assert stages == 3


def test_links_and_stock_are_shown():
    meter = PrometheusMeter()
    meter.linked(2)
    meter.stock(512)
    value = meter.registry.get_sample_value
    assert (value("securexgb_linked_sessions"), value("securexgb_peer_up")) == (2, 1)
    assert value("securexgb_stock_rows") == 512
    meter.linked(0)
    assert value("securexgb_peer_up") == 0


def test_histograms_are_those_of_prometheus():
    library = Histogram("own", "", buckets=_SECONDS, registry=(registry := CollectorRegistry()))
    meter = PrometheusMeter()
    for seconds in (0.0, 0.0005, 0.00051, 0.003, 1, 4.9, 10, 11, 0.02):
        library.observe(seconds)
        meter.answered(200, seconds)
    expected = {
        (sample.name.removeprefix("own"), *sample.labels.items()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    name = "securexgb_request_seconds"
    found = {
        (sample.name.removeprefix(name), *sample.labels.items()): sample.value
        for family in meter.registry.collect()
        if family.name == name
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    assert found == expected
    assert b'securexgb_stage_seconds_bucket{le="0.0005",stage="queue"} 0.0' in meter.text()
