"""Memory that batches free is not given back to the system."""

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource
from threading import Thread

from securexgb.serve.memory import keep_freed_memory

assert keep_freed_memory()

def work():
    for turn in range(9):
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        for _ in range(20):
            bytearray(3 << 20)
    print(resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before)

for thread in (Thread(target=work), Thread(target=work)):
    thread.start()
    thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the switch")
def test_pieces_of_a_batch_come_from_what_was_freed():
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    faults = [int(line) for line in done.stdout.split()]
    assert max(faults) < 768, "the pages of one piece: twenty took them anew"
