"""A process that has imported the package and forks whoever is asked for; see ``forked``.

    python fork_server.py FILE_OF_A_SOCKET ADDRESS

It is asked in two ways. The tests that it serves ask through the socket that they gave it, and
adopt what it forks. Any other process asks at an abstract address (``tests/relayed``): it keeps
its connection, hears the exit code there, and what was forked for it ends where it is gone.
"""

from __future__ import annotations

import array
import gc
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import sitecustomize  # that of tests/pageless, under which this process runs

from securexgb.boost.params import TrainingParams
from securexgb.cli.app import COMMANDS, main
from securexgb.jobs.rows import Rows
from securexgb.jobs.simulation import Ways, split_columns, train_alone
from securexgb.offline.method import Method
from securexgb.terms.toml import TomlFile, comments

PAGELESS = str(Path(sitecustomize.__file__).parent)


def serve(asked: socket.socket, listening: socket.socket) -> None:
    """Fork for each request, until the asking process is gone; a child returns."""
    while True:
        for ready in select.select([asked, listening], [], [], 1.0)[0]:
            if ready is listening:
                caller, _ = listening.accept()
                if not is_ours(caller):
                    caller.close()
                    continue
                keeper = os.fork()
                if keeper == 0:
                    asked.close()
                    listening.close()
                    return keep(caller)
                caller.close()
                continue
            text, files = request(asked)
            if not text:
                sys.exit()
            reading, writing = os.pipe()
            between = os.fork()
            if between == 0:
                child = os.fork()
                if child:
                    os.write(writing, str(child).encode())
                    os._exit(0)
                for file in (reading, writing):
                    os.close(file)
                asked.close()
                listening.close()
                return become(text, files)
            os.waitpid(between, 0)  # from here on the child is the test's
            asked.sendall(os.read(reading, 20))
            for file in (reading, writing, *files):
                os.close(file)
        with_ended_keepers()


def is_ours(caller: socket.socket) -> bool:
    """Whether the caller is a process of the same user: an abstract address has no permissions."""
    credentials = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[1] == os.getuid()


def with_ended_keepers() -> None:
    """Keepers that have ended are waited for."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def request(connection: socket.socket) -> tuple[bytes, list[int]]:
    """The next request and the files that come with it; nothing where nobody is there any more."""
    text, ancillary, _, _ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(12))
    return text, list(array.array("i", ancillary[0][2])) if ancillary else []


def keep(caller: socket.socket) -> None:
    """Fork what the caller asks for and tell it the exit code; kill it where the caller is gone."""
    text, files = request(caller)
    child = os.fork()
    if child == 0:
        caller.close()
        become(text, files)
        if PAGELESS not in os.environ["PYTHONPATH"]:
            for name in sitecustomize.HIDDEN:
                sys.modules.pop(name)
        return
    for file in files:
        os.close(file)
    caller.sendall(str(child).encode())
    ended = os.pidfd_open(child)
    if ended not in select.select([ended, caller], [], [])[0]:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    try:
        caller.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    finally:
        os._exit(0)


def become(text: bytes, files: list[int]) -> None:
    """Take the place of the process that was asked for; ``run`` is what it does."""
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    given = json.loads(text)
    os.chdir(given["folder"])
    os.environ.clear()
    os.environ.update(given["environment"])
    sys.argv = given["arguments"]


def run() -> None:
    """The command, the code behind ``-c``, or the script that the first argument names."""
    if sys.argv[0] == "-c":
        code = sys.argv.pop(1)
        sys.modules["__main__"] = ModuleType("__main__")
        exec(code, vars(sys.modules["__main__"]))
        return
    script = Path(sys.argv[0])
    if script.suffix != ".py":
        sys.exit(main())
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name="__main__")


def read_settings(of: type[TomlFile] = TomlFile) -> None:
    """What settings may be, and what is said of them: otherwise each child would find it out."""
    for one in of.__subclasses__():
        one.model_rebuild()
        comments(one)
        read_settings(one)


def train_once() -> None:
    """A training of both parties here, for the tables and costs that a process makes once."""
    values = np.random.default_rng(0).normal(size=(64, 4))
    rows = Rows(values, tuple("abcd"), labels=(values[:, 0] > 0).astype(np.float64))
    params = TrainingParams(n_estimators=2, max_depth=3)
    train_alone(params, rows, split_columns(4, None), 0, ways=Ways(Method()))


if __name__ == "__main__":
    for name in COMMANDS:
        import_module(f"securexgb.cli.{name}")
    read_settings()
    train_once()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as at_address:
        at_address.bind(f"\0{sys.argv[2]}")
        at_address.listen(16)
        by_tests = socket.socket(fileno=int(sys.argv[1]))
        # A child's collector would make copies of all these pages.
        gc.freeze()
        by_tests.sendall(b"ready")
        serve(by_tests, at_address)
    run()
