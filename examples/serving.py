"""Two companies score single customers on request, on this machine.

    python examples/serving.py [FOLDER] [--trees N]

After ``two_companies.py``, whose companies these are: they set up, agree, align and train. Then
each starts a replica with ``securexgb serve``: the bureau's listens, the bank's dials and answers
HTTP. The script asks the bank's as its application would, by the Open Inference Protocol, and ends
both with SIGTERM, as systemd and Kubernetes do.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import two_companies as companies

MODEL = "v2/models/defaults"
WAIT_SECONDS = 120


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("folder", type=Path, nargs="?")
    options.add_argument("--trees", type=int, default=10)
    options.add_argument("--rows", type=int, default=600)
    given = options.parse_args()
    root = (given.folder or Path(tempfile.mkdtemp(prefix="serving-"))).absolute()
    print(f"working in {root}")
    train(root, given.trees, given.rows)
    with ExitStack() as ending:
        ports = {name: start(root / name, ending) for name in ("bureau", "bank")}
        wait_until_ready(ports["bank"])
        ask(ports["bank"], given.rows)
        print("\n== figures")
        for name, port in ports.items():
            scored = [line for line in figures(port) if line.startswith("securexgb_rows_total")]
            print(f"{name:7} {scored[0]}")
    print("\nboth replicas have ended in order")


def train(root: Path, trees: int, rows: int) -> None:
    """A model whose halves both have, and settings by which they serve it."""
    companies.write_data(root, rows)
    companies.set_up(root, {name: companies.free_port() for name in ("bank", "dealer")})
    companies.agree(root, trees, "--splits", "owner")
    for name in companies.SIDES:
        open_table(root / name / "job.toml")
    companies.align(root)
    companies.print_training(companies.both(root, "train"))
    link, addresses = f"127.0.0.1:{companies.free_port()}", {"bank": "connect", "bureau": "listen"}
    for name, here in addresses.items():
        folder = root / name
        other = {"connect": "listen", "listen": "connect"}[here]
        companies.edit(folder, **{here: link})
        path = folder / "party.toml"
        lines = path.read_text().split("\n")
        path.write_text("\n".join(line for line in lines if not line.startswith(f"{other} =")))
        open_table(path)
        companies.edit(
            folder,
            http=f"127.0.0.1:{companies.free_port()}",
            features="test.csv",
            stock_rows=64,
            drain_seconds=0,
        )


def open_table(path: Path) -> None:
    """Make ``[serve]`` a part of a file that has it as a comment."""
    path.write_text(path.read_text().replace("# [serve]\n", "[serve]\n"))


def start(folder: Path, ending: ExitStack) -> int:
    """A replica after its check; the port where it answers HTTP."""
    for line in companies.run(folder, "serve", "--check")["checks"]:
        print(f"{folder.name:7} {line['status']:7} {line['check']}: {line['detail']}")
    process = companies.start(folder, "serve", "--format", "json")
    ending.callback(end, folder, process)
    assert process.stdout is not None
    port: int = json.loads(process.stdout.readline())["http_port"]
    return port


def end(folder: Path, process: subprocess.Popen[str]) -> None:
    """SIGTERM, and the code of an end in order: 0."""
    process.terminate()
    process.communicate()
    if process.returncode:
        raise SystemExit(f"{folder.name} ended with exit code {process.returncode}")


def wait_until_ready(port: int) -> None:
    """As a balancer does."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        status, told = http(port, "v2/health/ready")
        if status == 200:
            return
        if time.monotonic() > until:
            raise SystemExit(f"the replica does not become ready: {told}")
        time.sleep(0.2)


def ask(port: int, rows: int) -> None:
    """Four customers, in either company's spelling: the last two are unknown to one of them."""
    numbers = [next(n for n in range(rows - 10, rows) if n % 10 == end) for end in (2, 3, 0, 1)]
    spellings = ("zü-{:05}", " ZÜ-{:05}", "zü-{:05}", "zü-{:05}")
    keys = [spelling.format(n) for spelling, n in zip(spellings, numbers, strict=True)]
    given = {"name": "key", "datatype": "BYTES", "shape": [len(keys)], "data": keys}
    status, told = http(port, f"{MODEL}/infer", {"id": "42", "inputs": [given]})
    print(f"\n== answer {status} of model {told['model_version'][:8]}, call {told['id']}")
    score, state, _ = (output["data"] for output in told["outputs"])
    for row, key in enumerate(keys):
        print(f"{key!r}: {score[row]}, {state[row]}")


def http(port: int, path: str, body: object = None) -> tuple[int, Any]:
    """Status and JSON of one call."""
    content = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", content)
    try:
        with urllib.request.urlopen(call) as answer:  # noqa: S310  (an address of this script's own)
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def figures(port: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text: str = answer.read().decode()
    return text.splitlines()


if __name__ == "__main__":
    main()
