"""Processes on one machine: label party, feature party and dealer, mutual TLS between all.

Everything that a benchmark of the network needs: keys, settings and terms in a folder,
the dealer's process, and both parties' processes.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

from works import Work

from securexgb import _kernels
from securexgb.attestation.policy import Policy
from securexgb.channel.keys import create_keys
from securexgb.dealer.attesters.dev import DevAttester
from securexgb.federation.session import Federation
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig

Role = Literal["label", "feature"]
How = Literal["bare", "confined", "attested"]
"""A dealer as it is; as its manifest confines it; and that with evidence (see confined.py)."""
ROLES: tuple[Role, Role] = ("label", "feature")
POLICY = "policy.toml"
Link = Callable[[int], AbstractContextManager[int]]
"""Something between two processes: takes the port to reach, gives the port to call."""
_HERE = Path(__file__).resolve().parent
_KILL_AFTER_SECONDS = 10.0
_GLANCE_SECONDS = 0.05


class Ports(NamedTuple):
    """Where the label party listens, where the feature party calls, where the dealer is.

    The first two differ where a shaped link lies between; no dealer: 0.
    """

    label: int
    connect: int
    dealer: int


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment() -> dict[str, str]:
    """Children find the package where this process found it."""
    paths = [str(_HERE.parent), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def prepare(folder: Path) -> None:
    """Keys of both parties and the dealer's settings."""
    for role in ROLES:
        create_keys(f"{role}-party", folder / f"{role}.key", folder / f"{role}.pem")
    lines = [
        'role = "dealer"',
        'listen = "127.0.0.1:0"',
        'label_certificate = "label.pem"',
        'feature_certificate = "feature.pem"',
        'certificate = "dealer.pem"',
    ]
    (folder / "dealer.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def demand_evidence(folder: Path) -> None:
    """A policy that accepts evidence by a key in a file, which is made."""
    made = DevAttester.new_key()
    (folder / "dev.key").write_bytes(made)
    key = DevAttester.from_pem(made, "dev.key").key_hash
    lines = ["version = 1", 'accept = ["dev"]', "reattest_seconds = 60", f'[[dev]]\nkey = "{key}"']
    (folder / POLICY).write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def dealer(folder: Path, how: How = "bare") -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The dealer's process while the block runs: its port and handle."""
    program = "import sys; from pathlib import Path; from securexgb.dealer.server import main; "
    command = [sys.executable, "-c", program + "sys.exit(main(Path(sys.argv[1])))"]
    more: list[str] = []
    if how != "bare":
        command, more = [sys.executable, "-B", str(_HERE / "confined.py")], [how]
    process = subprocess.Popen(
        [*command, str(folder / "dealer.toml"), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if how == "bare" else None,
        text=True,
        env=environment() | {"OPENBLAS_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            sys.exit("the dealer did not start")
        yield int(json.loads(line)["port"]), process
    finally:
        process.terminate()
        process.wait(timeout=_KILL_AFTER_SECONDS)


def dealer_of(work: Work, folder: Path, how: How = "bare") -> Any:
    """A dealer's process if the work needs one, else (0, None)."""
    return dealer(folder, how) if work.offline == "dealt" else nullcontext((0, None))


def identity(folder: Path, role: Role) -> dict[str, Any]:
    """Settings of a side that say who it is, with the keys that ``prepare`` has made."""
    return {
        "role": role,
        "name": f"{role}-party",
        "key": folder / f"{role}.key",
        "certificate": folder / f"{role}.pem",
        "peer_certificate": folder / f"{ROLES[role == 'label']}.pem",
    }


def federation(folder: Path, role: Role, ports: Ports, work: Work) -> Federation:
    """One side's membership."""
    is_label = role == "label"
    policy = folder / POLICY if (folder / POLICY).exists() else None
    config = PartyConfig(
        **identity(folder, role),
        dealer_certificate=folder / "dealer.pem",
        dealer_policy=policy,
        listen=f"127.0.0.1:{ports.label}" if is_label else None,
        connect=None if is_label else f"127.0.0.1:{ports.connect}",
        dealer_address=f"127.0.0.1:{ports.dealer}" if ports.dealer else None,
        timeout_seconds=600,
    )
    terms: dict[str, Any] = {
        "name": "benchmark",
        "label_party": "label-party",
        "feature_party": "feature-party",
        "algorithm": work.algorithm,
        "offline": work.offline,
        "he": work.he,
        "paillier_bits": work.paillier_bits,
        "training": work.params,
    }
    if policy is not None:
        terms["dealer"] = {
            "evidence": ["dev"],
            "policy_sha256": Policy.from_file(policy).sha256.hex(),
        }
    return Federation(config, JobTerms.from_mapping(terms, "the benchmark's terms"))


def run_sides(folder: Path, ports: Ports, script: str = "party.py") -> list[dict[str, Any]]:
    """Run the script for both roles; what each one found. Where one fails both end."""
    numbers = [str(port) for port in ports]
    processes = [
        subprocess.Popen(
            [sys.executable, str(_HERE / script), str(folder), role, *numbers],
            env=environment(),
        )
        for role in ROLES
    ]
    try:
        while any(process.poll() is None for process in processes):
            if any(process.returncode for process in processes):
                break
            time.sleep(_GLANCE_SECONDS)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()
    for role, process in zip(ROLES, processes, strict=True):
        if process.returncode:
            sys.exit(f"the {role} party ended with code {process.returncode}")
    return [json.loads((folder / f"{role}.json").read_text("utf-8")) for role in ROLES]


def own_peak_rss_mb() -> float:
    """Peak resident memory of this process so far (Linux)."""
    return _peak_rss_mb("self")


def peak_rss_mb(process: subprocess.Popen[str]) -> float:
    """Peak resident memory of a running child (Linux)."""
    return _peak_rss_mb(str(process.pid))


def _peak_rss_mb(process: str) -> float:
    # Not getrusage: its peak is inherited from the process that started this one.
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def cpu_seconds(process: int | str) -> float:
    """Processor time so far of a process, or of a thread, "self/task/7" (Linux)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processor() -> str:
    """The processor's model, and the widest instructions that the kernels have for it."""
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":", 1)[1].strip() for line in cpu if "model name" in line), "unknown")
    return f"{model} ({_kernels.simd_paths()[-1]})"


def stamped(line: dict[str, Any]) -> str:
    """The line as JSON on one line, numbers to six digits, with the processor and the day."""
    when = {"processor": processor(), "date": time.strftime("%Y-%m-%d", time.gmtime())}
    return json.dumps(_rounded(line | when)) + "\n"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value
