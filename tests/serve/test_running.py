"""A replica's end: it says that it leaves, answers what is there, and ends with code 0."""

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from securexgb.errors import UsageError
from securexgb.serve.front.server import listen
from tests.serve.fakes import call, keys_of

ROOT = Path(__file__).resolve().parents[2]
INFER = "/v2/models/credit%20risk/infer"


@pytest.fixture
def started():
    processes = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.serve.run_fake", *arguments],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        return process, int(process.stdout.readline())

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_a_replica_that_is_asked_to_end_leaves_in_order(started):
    process, port = started("6", "hold")
    assert call(port, "/v2/health/ready")[0] == 200
    answers = []
    asking = [
        threading.Thread(target=lambda: answers.append(call(port, INFER, keys_of("c7"))))
        for _ in range(2)
    ]
    asking[0].start()
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGTERM)
    while call(port, "/v2/health/ready")[0] == 200:
        assert process.poll() is None
    asking[1].start()  # it leaves, and scores on
    stdout, stderr = process.communicate()
    for one in asking:
        one.join()
    assert (process.returncode, stdout) == (0, "asked\ndraining\n")
    assert [status for status, _, _ in answers] == [200, 200]
    assert {headers["connection"] for _, headers, _ in answers} == {"close"}
    assert "asked to end" in stderr
    assert "Traceback" not in stderr
    assert "c7" not in stderr


def test_a_port_that_is_taken_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="cannot listen at"):
            listen(f"127.0.0.1:{taken.getsockname()[1]}", "bank")
    with pytest.raises(UsageError, match="cannot listen at"):
        listen("no-such-host.invalid:1", "bank")
