"""For processes that examples and benchmarks start in tests: importing takes most of their time.

A Python that is about to run the ``securexgb`` command or a script of a party asks the tests'
fork server (``processes/fork_server.py``) for it, which has imported everything. It hands over its
folder, environment, arguments and files, passes signals on, and ends with the other's exit code.
Any other Python goes on by itself.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

_ADDRESS = "SECUREXGB_TESTS_SERVER"
_SCRIPTS = ("party.py", "spent.py")


def _asked() -> list[str]:
    """The arguments of a process that the server can be; none of any other."""
    given = sys.orig_argv[1:]
    if given[:2] == ["-m", "securexgb"]:
        return ["securexgb", *given[2:]]
    return given if given and Path(given[0]).name in _SCRIPTS else []


def _relay(arguments: list[str]) -> int:
    """Be relayed; the exit code."""
    import array
    import json
    import signal
    import socket

    request = {
        "arguments": arguments,
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect("\0" + os.environ[_ADDRESS])
        files = array.array("i", [0, 1, 2])
        server.sendmsg(
            [json.dumps(request).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)]
        )
        child = int(server.recv(20))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: os.kill(child, number))
        code = int(server.recv(20))
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if _ADDRESS in os.environ:
    if found := _asked():
        os._exit(_relay(found))
    for place in sys.path:
        if place.endswith("pageless"):  # there is but one module of this name
            runpy.run_path(f"{place}/sitecustomize.py")
