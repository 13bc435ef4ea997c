"""The shaped link has the rate and the latency that it was asked for."""

import pytest


@pytest.mark.parametrize(("megabits", "milliseconds"), [(100, 20), (20, 10)])
def test_rate_and_latency(megabits, milliseconds):
    """When bytes come out follows from when they came; no clock has a say in it."""
    import relay

    line, piece, began = relay._Line(megabits, milliseconds), 10 * relay.PACKET, 5.0
    due = [line.due(piece, began) for _ in range(100)]
    seconds = piece * (1 + relay.HEADERS / relay.PACKET) * 8e-6 / megabits
    latency = milliseconds / 1e3 - relay._FORWARDING_SECONDS
    assert due == pytest.approx([began + latency + (n + 1) * seconds for n in range(100)])
    queued = 100 * seconds
    assert line.room(began) == pytest.approx(queued - relay._BUFFER_SECONDS)
    assert line.room(began + queued) < 0
    later = began + 2 * queued  # it has been idle in between, and saves nothing up
    assert line.due(piece, later) == pytest.approx(later + latency + seconds)
    assert line.bytes == 101 * piece


def test_a_link_is_never_faster_than_its_latency():
    """On a busy machine it is slower, so nothing is said of how much."""
    import shaper

    assert shaper.check(shaper.Profile("test", 100, 20), 0.1)["milliseconds_each_way"] > 19


def test_what_passes_is_counted_and_whole():
    import socket
    import threading

    import shaper

    counted = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=shaper._echo, args=(server,), daemon=True).start()
        link = shaper.link(shaper.Profile("fast", 1000, 0), counted)
        sent, received = bytes(range(256)) * 400, b""
        with (
            link(server.getsockname()[1]) as port,
            socket.create_connection(("127.0.0.1", port)) as end,
        ):
            threading.Thread(target=end.sendall, args=(sent,), daemon=True).start()
            while len(received) < len(sent):
                received += end.recv(1 << 16)
    assert received == sent
    assert counted == [{"megabytes_there": len(sent) / 1e6, "megabytes_back": len(sent) / 1e6}]
