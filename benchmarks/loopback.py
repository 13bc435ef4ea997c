"""Three processes on loopback: label party, feature party and dealer, mutual TLS between all.

Everything that a benchmark of the network needs: keys, settings and terms in a folder,
the dealer's process, and both parties' processes running the same script.
"""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from securexgb.boost.params import TrainingParams
from securexgb.channel.keys import create_keys
from securexgb.config import JobTerms, PartyConfig
from securexgb.federation import Federation

Role = Literal["label", "feature"]
Source = Literal["dealt", "bfv", "paillier"]
"""Correlations from a dealer, or made by both parties with this scheme for the histograms."""
ROLES: tuple[Role, Role] = ("label", "feature")


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


@contextmanager
def dealer(folder: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The dealer's process while the block runs: its port and handle."""
    program = "import sys; from pathlib import Path; from securexgb.dealer.server import main; "
    command = [sys.executable, "-c", program + "sys.exit(main(Path(sys.argv[1])))"]
    process = subprocess.Popen(
        [*command, str(folder / "dealer.toml")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(json.loads(process.stdout.readline())["port"]), process
    finally:
        process.terminate()
        process.wait(timeout=10)


def federation(
    folder: Path, role: Role, ports: tuple[int, int], params: TrainingParams, source: Source
) -> Federation:
    """One side's membership; ``ports``: of the label party and of the dealer."""
    address = f"127.0.0.1:{ports[0]}"
    config = PartyConfig(
        role=role,
        name=f"{role}-party",
        key=folder / f"{role}.key",
        certificate=folder / f"{role}.pem",
        peer_certificate=folder / f"{ROLES[1 - ROLES.index(role)]}.pem",
        dealer_certificate=folder / "dealer.pem",
        listen=address if role == "label" else None,
        connect=address if role == "feature" else None,
        dealer_address=f"127.0.0.1:{ports[1]}",
        timeout_seconds=600,
    )
    terms = JobTerms(
        name="benchmark",
        label_party="label-party",
        feature_party="feature-party",
        algorithm="ss" if source == "dealt" else "hybrid",
        offline="dealt" if source == "dealt" else "two-party",
        he="paillier" if source == "paillier" else "bfv",
        paillier_bits=2048,
        training=params,
    )
    return Federation(config, terms)


def run_sides(script: str, arguments: list[str]) -> list[dict[str, Any]]:
    """Run ``script --side ROLE ARGUMENTS`` for both roles; the JSON line each one prints."""
    processes = [
        subprocess.Popen(
            [sys.executable, script, "--side", role, *arguments], stdout=subprocess.PIPE, text=True
        )
        for role in ROLES
    ]
    outputs = [process.communicate()[0] for process in processes]
    for role, process in zip(ROLES, processes, strict=True):
        if process.returncode:
            sys.exit(f"the {role} party ended with code {process.returncode}")
    return [json.loads(output) for output in outputs]


def own_peak_rss_mb() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def peak_rss_mb(process: subprocess.Popen[str]) -> float:
    """Peak resident memory of a running child (Linux)."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def cpu_seconds(process: subprocess.Popen[str]) -> float:
    """Processor time of a running child so far (Linux)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
