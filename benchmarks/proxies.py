"""Real proxies that forward TCP between the parties, and somebody who scans ports meanwhile."""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
_SCANS = (
    b"",
    b"GET / HTTP/1.0\r\n\r\n",
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",  # a greeting of TLS that is none
    b"\xff" * 400,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)
_SCAN_SECONDS = 0.1


def _haproxy(folder: Path, port: int, target: int) -> list[str]:
    """A balancer of one target, which it asks twice a second whether it is up."""
    path = folder / "haproxy.cfg"
    path.write_text(
        "defaults\n  mode tcp\n  timeout connect 2s\n  timeout client 30s\n  timeout server 30s\n"
        f"listen link\n  bind 127.0.0.1:{port}\n"
        f"  server party 127.0.0.1:{target} check inter 500ms\n"
    )
    return ["-db", "-f", str(path)]


def _nginx(folder: Path, port: int, target: int) -> list[str]:
    path = folder / "nginx.conf"
    module = f"load_module {_STREAM_MODULE};\n" if _STREAM_MODULE.exists() else ""
    path.write_text(
        f"{module}daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        "events {}\nstream {\n  server {\n"
        f"    listen 127.0.0.1:{port};\n    proxy_pass 127.0.0.1:{target};\n"
        "    proxy_connect_timeout 2s;\n    proxy_timeout 30s;\n  }\n}\n"
    )
    return ["-p", str(folder), "-c", str(path)]


PROXIES: dict[str, tuple[str, Callable[[Path, int, int], list[str]]]] = {
    "HAProxy": ("haproxy", _haproxy),
    "nginx": ("nginx", _nginx),
}
"""The binary of each, and what writes its settings: folder, own port, the port behind it."""


def is_there(name: str) -> bool:
    """Whether this machine has the proxy, and what it needs to forward TCP."""
    binary = _binary(name)
    if binary is None or name != "nginx" or _STREAM_MODULE.exists():
        return binary is not None
    built = subprocess.run([binary, "-V"], capture_output=True, text=True, check=False).stderr
    return re.search(r"--with-stream(?!=dynamic)\b", built) is not None


def _binary(name: str) -> str | None:
    return shutil.which(PROXIES[name][0], path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin")


class Proxy:
    """One that runs, as long as it is open."""

    def __init__(self, name: str, folder: Path, port: int, target: int) -> None:
        binary = _binary(name)
        assert binary is not None
        self._command = [binary, *PROXIES[name][1](folder, port, target)]
        self._port = port
        self._start()

    def restart(self, seconds: float) -> None:
        """All connections break, and for some time nobody listens."""
        self.close()
        time.sleep(seconds)
        self._start()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _start(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, stdin=quiet, stdout=quiet, stderr=quiet)
        while self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port)):
                return
            time.sleep(0.05)
        raise SystemExit(f"{self._command} ended with {self._process.returncode}")


@contextlib.contextmanager
def scanned(*ports: int) -> Iterator[None]:
    """Somebody knocks at these ports again and again: says nothing, or something else."""
    over = threading.Event()

    def scan() -> None:
        held: list[socket.socket] = []
        for port, said in itertools.cycle(itertools.product(ports, _SCANS)):
            if over.wait(_SCAN_SECONDS):
                break
            with contextlib.suppress(OSError):
                knock = socket.create_connection(("127.0.0.1", port), 1.0)
                held.append(knock)
                knock.sendall(said)
            while len(held) > len(_SCANS):
                held.pop(0).close()
        for knock in held:
            knock.close()

    thread = threading.Thread(target=scan, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
