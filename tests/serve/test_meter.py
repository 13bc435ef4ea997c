"""What scaling goes by: the waits of the last half minute."""

import pytest

from securexgb.serve.meter import PrometheusMeter


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
