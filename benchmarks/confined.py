"""The dealer's process, held by the kernel to what its manifest for an enclave leaves it.

    python benchmarks/confined.py DEALER.TOML confined|attested

What parties/dealer/dealer.manifest.template says, as far as Linux can say it of a usual process:
2 GiB of memory, all mappings counted (RLIMIT_AS); files: the interpreter, the libraries, the
package, its settings and both parties' certificates to read, its own certificate to write, and
nothing else (Landlock); no TCP connection to anywhere, a listening port alone (Landlock); no other
kind of socket and no other program (seccomp). Each of these is tried before the dealer starts, and
what is not refused ends it. An enclave's own costs, encrypted memory and the way in and out of it,
are not here. ``attested``: as well with evidence by a key in a file.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

ENCLAVE_BYTES = 2 << 30
"""``sgx.enclave_size`` of the manifest."""
_LIBC = ctypes.CDLL(None, use_errno=True)
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1, 2, 4, 8, 1 << 14
_ALL_FILES, _BIND, _CONNECT = (1 << 15) - 1, 1, 2
_PATH_RULE, _PORT_RULE = 1, 2
_LANDLOCK_OF_TCP = 4
_X86_64, _EXECVE, _EXECVEAT, _SOCKET = 0xC000003E, 59, 322, 41


class Attributes(ctypes.Structure):
    """What a ruleset handles: file rights, TCP rights."""

    _fields_ = (("files", ctypes.c_uint64), ("ports", ctypes.c_uint64))


class PathRule(ctypes.Structure):
    """Rights below a file or folder."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("rights", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


class PortRule(ctypes.Structure):
    """Rights to a port; 0 is any free one."""

    _fields_ = (("rights", ctypes.c_uint64), ("port", ctypes.c_uint64))


class Instruction(ctypes.Structure):
    """One of a seccomp filter's."""

    _fields_ = (("code", ctypes.c_uint16), ("then", ctypes.c_uint8), ("other", ctypes.c_uint8),
                ("operand", ctypes.c_uint32))  # fmt: skip


class Program(ctypes.Structure):
    """A seccomp filter."""

    _fields_ = (("length", ctypes.c_uint16), ("first", ctypes.POINTER(Instruction)))


def what_is_missing() -> str:
    """Why nothing can be confined here; empty where it can."""
    if platform.machine() != "x86_64" or sys.platform != "linux":
        return "the filter of system calls is written for Linux on x86-64"
    if _LIBC.syscall(_CREATE_RULESET, None, 0, 1) < _LANDLOCK_OF_TCP:
        return "this kernel's Landlock does not know TCP (Linux 6.7)"
    return ""


def confine(readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """This process from here on; before it has threads, which would not be confined.

    ``writable``: files that are there.
    """
    resource.setrlimit(resource.RLIMIT_AS, (ENCLAVE_BYTES, ENCLAVE_BYTES))
    _done(_LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no new privileges")
    attributes = Attributes(_ALL_FILES, _BIND | _CONNECT)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    rules = _done(_LIBC.syscall(_CREATE_RULESET, ctypes.byref(attributes), size, 0), "a ruleset")
    for path in (path for path in readable if path.exists()):
        _allow(rules, path, _EXECUTE | _READ_FILE | (_READ_DIR if path.is_dir() else 0))
    for path in writable:
        _allow(rules, path, _WRITE_FILE | _TRUNCATE)
    port = PortRule(_BIND, 0)
    _done(_LIBC.syscall(_ADD_RULE, rules, _PORT_RULE, ctypes.byref(port), 0), "a port's rule")
    _done(_LIBC.syscall(_RESTRICT_SELF, rules, 0), "Landlock")
    os.close(rules)
    _filter()


def _allow(rules: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = PathRule(rights, descriptor)
    _done(_LIBC.syscall(_ADD_RULE, rules, _PATH_RULE, ctypes.byref(rule), 0), f"a rule of {path}")
    os.close(descriptor)


def _filter() -> None:
    """Refuse to run a program, and sockets that are no streams."""
    load, equal, mask, give = 0x20, 0x15, 0x54, 0x06
    lines = (
        (load, 0, 0, 4),  # the kind of machine
        (equal, 0, 8, _X86_64),
        (load, 0, 0, 0),  # the call
        (equal, 6, 0, _EXECVE),
        (equal, 5, 0, _EXECVEAT),
        (equal, 0, 3, _SOCKET),
        (load, 0, 0, 24),  # its second argument
        (mask, 0, 0, 0xF),
        (equal, 0, 1, socket.SOCK_STREAM),
        (give, 0, 0, 0x7FFF0000),  # allowed
        (give, 0, 0, 0x00050001),  # EPERM
    )
    program = Program(len(lines), (Instruction * len(lines))(*lines))
    _done(_LIBC.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0), "seccomp")


def _done(result: int, what: str) -> int:
    if result < 0:
        sys.exit(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def check(forbidden: Path) -> None:
    """End this process where anything is possible that should not be."""
    attempts: dict[str, Callable[[], object]] = {
        "read another file": forbidden.read_bytes,
        "write beside the settings": lambda: forbidden.with_name("more").write_bytes(b""),
        "connect": lambda: socket.create_connection(("127.0.0.1", 9), 1),
        "make a datagram socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "run a program": lambda: subprocess.run([sys.executable, "-V"], check=True),
        "take 2 GiB": lambda: bytearray(ENCLAVE_BYTES),
    }
    for what, attempt in attempts.items():
        try:
            attempt()
        except (PermissionError, MemoryError):
            continue
        except OSError as error:
            sys.exit(f"confinement: {what} failed for another reason: {error}")
        sys.exit(f"confinement: it was possible to {what}")


def main() -> None:
    path, how = Path(sys.argv[1]).resolve(), sys.argv[2]
    settings = tomllib.loads(path.read_text(encoding="utf-8"))
    names = [settings[f"{role}_certificate"] for role in ("label", "feature")]
    certificate, key, forbidden = (
        path.with_name(name) for name in (settings["certificate"], "dev.key", "forbidden")
    )
    certificate.touch()
    forbidden.write_bytes(b"rows")
    roots = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/dev/urandom")
    package = Path(__file__).resolve().parents[1] / "securexgb"
    readable = [Path(sys.prefix), Path(sys.base_prefix), package.parent / "pyproject.toml", package]
    readable += [Path(root) for root in roots] + [path, key, *map(path.with_name, names)]
    confine(readable, [certificate])
    check(forbidden)

    from securexgb.dealer.attesters.choose import attester_for  # noqa: PLC0415
    from securexgb.dealer.attesters.dev import DevAttester  # noqa: PLC0415
    from securexgb.dealer.server import DealerSettings, run  # noqa: PLC0415

    evidence = "dev" if how == "attested" else "none"

    def started(port: int, pem: bytes) -> None:
        certificate.write_bytes(pem)
        print(json.dumps({"port": port}), flush=True)

    attester = attester_for(evidence, lambda: DevAttester.from_pem(key.read_bytes(), key.name))
    run(DealerSettings.from_file(path), attester, started)


if __name__ == "__main__":
    main()
