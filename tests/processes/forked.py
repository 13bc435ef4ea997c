"""Processes of ``securexgb`` that begin where its imports are done.

Hundreds of processes of tests would each import the same modules, which takes longer than what
most of them do. One process has imported them and forks whoever is asked for: a process of its
own, with its own folder, environment, arguments and pipes, adopted by the process of the tests,
which waits for it and sends it signals as for any that it has started.
"""

from __future__ import annotations

import array
import atexit
import ctypes
import json
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGELESS = ROOT / "tests" / "pageless"
RELAYED = ROOT / "tests" / "relayed"
ADDRESS = f"securexgb-tests-{os.getpid()}"
"""Where the server of this process's tests listens, in the abstract name space."""
_BECOME_PARENT_OF_ORPHANS = 36  # prctl's PR_SET_CHILD_SUBREAPER

SERVER = Path(__file__).parent / "fork_server.py"


class Forked(subprocess.Popen[str]):
    """``securexgb`` or ``-c`` and what follows, without pages; its output into pipes, as text."""

    def __init__(self, *command: str, folder: Path, **environment: str) -> None:
        self.request = json.dumps(
            {
                "arguments": command,
                "folder": str(folder),
                "environment": environment,
            }
        )
        super().__init__(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _execute_child(self, *given: Any) -> None:
        """In the place of fork and exec; the pipes' ends come as subprocess makes them."""
        ends = given[10:16]
        of_child = array.array("i", [ends[0], ends[3], ends[5]])
        asked, _ = server()
        asked.sendmsg([self.request.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, of_child)])
        self.pid = int(asked.recv(20))
        self._child_created = True
        self._close_pipe_fds(*ends)


def relayed(*paths: Path) -> dict[str, str]:
    """The environment of a process whose own processes are forked; ``paths``: of its modules."""
    server()
    found = os.pathsep.join(str(path) for path in (RELAYED, *paths))
    return os.environ | {"PYTHONPATH": found, "SECUREXGB_TESTS_SERVER": ADDRESS}


@cache
def server() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """The way to the process that forks, once it is ready; its orphans are this one's children."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_BECOME_PARENT_OF_ORPHANS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        started = subprocess.Popen(
            [sys.executable, SERVER, str(theirs.fileno()), ADDRESS],
            env={"PYTHONPATH": f"{PAGELESS}:{ROOT}", "PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    ours.recv(20)
    atexit.register(_dismiss, os.getpid(), ours, started)
    return ours, started


def _dismiss(owner: int, asked: socket.socket, started: subprocess.Popen[bytes]) -> None:
    """Where the tests end; not where a process ends that one of them has forked."""
    if os.getpid() == owner:
        asked.shutdown(socket.SHUT_RDWR)
        asked.close()
        started.wait()
