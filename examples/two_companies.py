"""Two processes on this machine, a bank and a bureau, over mutual TLS.

    python examples/two_companies.py [FOLDER] [--trees N] [--offline dealt]

The bank has the labels and three columns of its customers, the bureau four columns of
its own: most are both's, and the files have them in different orders. Each company gets
a folder with its settings and keys; the script plays both operators and the telephone
between them: it makes keys, exchanges certificates, writes the terms, finds the
customers that both have, checks, trains, evaluates and predicts. Between two real
companies the same commands run on two machines. Nobody else is needed: the two make their
correlations alone. With ``--offline dealt`` a dealer, a third process, deals them.
"""

from __future__ import annotations

import argparse
import csv
import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

SECUREXGB = [sys.executable, "-m", "securexgb"]
SIDES = {"bank": "label", "bureau": "feature"}
NO_FLOORS = ("--min-training-rows", "1", "--min-evaluation-rows", "1", "--min-common", "1")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("folder", type=Path, nargs="?")
    options.add_argument("--trees", type=int, default=10)
    options.add_argument("--rows", type=int, default=600)
    options.add_argument("--offline", choices=("two-party", "dealt"), default="two-party")
    given = options.parse_args()
    root = (given.folder or Path(tempfile.mkdtemp(prefix="two-companies-"))).absolute()
    print(f"working in {root}")
    write_data(root, given.rows)
    ports = {name: free_port() for name in ("bank", "dealer")}
    set_up(root, ports)
    agree(root, given.trees, "--offline", given.offline)
    if given.offline == "two-party":
        work_together(root)
        return
    with start(root / "dealer", "dealer", "serve", "--format", "json") as dealer:
        try:
            assert dealer.stdout is not None
            listening = json.loads(dealer.stdout.readline())
            for name in SIDES:
                run(root / name, "keys", "trust", listening["certificate"], "--whose", "dealer")
            work_together(root)
        finally:
            dealer.terminate()


def work_together(root: Path) -> None:
    """What both companies do with the agreed terms."""
    align(root)
    print("\n== check")
    print_checks(both(root, "check"))
    print("\n== train")
    print_training(both(root, "train"))
    print("\n== evaluate")
    print(both(root, "evaluate")["bank"]["metrics"])
    print("\n== predict")
    predicted = both(root, "predict")
    print(f"the bureau gets {predicted['bureau']['predictions']}")
    print(f"the bank gets {predicted['bank']['predictions']}")
    found = predicted["bank"]["metrics"]
    print(f"AUC {found['auc']:.4f}, KS {found['ks']:.4f} at score {found['ks_score']:.4f}")


def align(root: Path) -> None:
    """Find the customers that both have; those to predict are of the test's file."""
    print("\n== align")
    for chosen in (["train"], ["eval", "test"]):
        print_alignment(both(root, "align", "--set", *chosen))


def write_data(root: Path, rows: int) -> None:
    """Each company's own customers, most of them also the other's; the bank knows who defaulted.

    A tenth of all is unknown to the bank, another to the bureau. The bureau writes its customers'
    numbers in its own way.
    """
    draws = np.random.default_rng(7)
    columns = dict(
        zip(
            ("income", "age", "loan", "arrears", "cards", "inquiries", "utilisation"),
            draws.normal(size=(7, rows)),
            strict=True,
        )
    )
    risk = columns["arrears"] + columns["utilisation"] + columns["loan"] - columns["income"]
    columns["default"] = (risk + draws.normal(size=rows) > 1.0).astype(int)
    columns["arrears"][draws.random(rows) < 0.1] = np.nan
    held = {
        "bank": ("income", "age", "loan", "default"),
        "bureau": ("arrears", "cards", "inquiries", "utilisation"),
    }
    spelling = {"bank": "ZÜ-{:05}", "bureau": " zü-{:05}"}
    missing = {"bank": 0, "bureau": 1}
    parts = {"train": np.arange(rows * 2 // 3), "test": np.arange(rows * 2 // 3, rows)}
    for side, names in held.items():
        (root / side).mkdir(parents=True, exist_ok=True)
        for part, numbers in parts.items():
            own = draws.permutation(numbers[numbers % 10 != missing[side]])
            path = root / side / f"{part}.csv"
            with path.open("w", newline="", encoding="utf-8") as stream:
                writer = csv.writer(stream)
                writer.writerow(["customer", *names])
                for row in own:
                    cells = [columns[name][row] for name in names]
                    known = ["" if np.isnan(cell) else cell for cell in cells]
                    writer.writerow([spelling[side].format(row), *known])


def set_up(root: Path, ports: dict[str, int]) -> None:
    """Settings, keys, pinned certificates: what operators do once."""
    for name, role in (*SIDES.items(), ("dealer", "dealer")):
        (root / name).mkdir(exist_ok=True)
        run(root / name, "init", "--role", role, "--name", name)
    edit(root / "bank", listen=f"127.0.0.1:{ports['bank']}", label_column="default")
    edit(root / "bureau", connect=f"127.0.0.1:{ports['bank']}")
    edit(root / "dealer", listen=f"127.0.0.1:{ports['dealer']}")
    for name in SIDES:
        edit(
            root / name,
            dealer_address=f"127.0.0.1:{ports['dealer']}",
            train_data="train.csv",
            predict_data="test.csv",
            eval_data={"test": "test.csv"},
        )
        run(root / name, "keys", "create")
    (root / "dealer" / "keys").mkdir(exist_ok=True)
    for name, other in (("bank", "bureau"), ("bureau", "bank")):
        certificate = root / other / "keys" / "own.pem"
        run(root / name, "keys", "trust", certificate)
        run(root / "dealer", "keys", "trust", certificate, "--whose", SIDES[other])
        fingerprints = run(root / name, "keys", "show")["certificates"]
        print(f"{name} sees", {row["whose"]: row.get("readable", "-")[:19] for row in fingerprints})


def agree(root: Path, trees: int, *options: str) -> None:
    """The terms of the job, the same at both sides.

    They lower the floors of rows: these customers are invented and there is nobody to protect.
    With real ones, splits and metrics on so few rows would tell the bureau who defaulted.
    """
    run(
        root / "bank", "job", "new", "--name", "defaults", "--label-party", "bank",
        "--feature-party", "bureau", "--align-keys", "customer",
        "--normalise", "nfc,strip,casefold",
        "--param", f"n_estimators={trees}", "--param", "max_depth=3", "--param", "max_bin=16",
        "--param", 'eval_metric=["logloss", "auc"]', *NO_FLOORS, *options,
    )  # fmt: skip
    (root / "bureau" / "job.toml").write_text((root / "bank" / "job.toml").read_text())
    digests = [run(root / name, "job", "show")["digest"] for name in SIDES]
    print("digests of the terms, read over the telephone:", *digests)


def edit(folder: Path, **values: Any) -> None:
    """Set keys of party.toml, as its owner would in an editor."""
    path = folder / "party.toml"
    lines = path.read_text().split("\n")
    for key, value in values.items():
        text = f"{key} = {toml(value)}"
        plain = [line.removeprefix("# ") for line in lines]
        places = [n for n, line in enumerate(plain) if line.startswith(f"{key} =")]
        lines[places[-1]] = text
    path.write_text("\n".join(lines))


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(entry)}" for key, entry in value.items()) + " }"
    return json.dumps(value)


def run(folder: Path, *arguments: Any) -> dict[str, Any]:
    """One command, to its end; its JSON result."""
    with start(folder, *arguments, "--format", "json") as process:
        return finish(folder, process)


def both(root: Path, *command: str) -> dict[str, dict[str, Any]]:
    """The same command at both sides at once; both results."""
    processes = {name: start(root / name, *command, "--format", "json") for name in SIDES}
    return {name: finish(root / name, process) for name, process in processes.items()}


def start(folder: Path, *arguments: Any) -> subprocess.Popen[str]:
    command = [*SECUREXGB, *(str(argument) for argument in arguments)]
    return subprocess.Popen(  # noqa: S603  (arguments of this script's own)
        command, cwd=folder, stdout=subprocess.PIPE, text=True
    )


def finish(folder: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    stdout, _ = process.communicate(timeout=300)
    if process.returncode:
        raise SystemExit(f"{folder.name} ended with exit code {process.returncode}")
    result: dict[str, Any] = json.loads(stdout)
    return result


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def print_alignment(results: dict[str, dict[str, Any]]) -> None:
    for name, facts in results.items():
        print(
            f"{name:7} {facts['set']}: {facts['rows']} own rows, {facts['common']} in common, "
            f"{facts['megabytes']:.2f} MB"
        )


def print_checks(results: dict[str, dict[str, Any]]) -> None:
    for name, facts in results.items():
        for row in facts["checks"]:
            print(f"{name:7} {row['status']:6} {row['check']}: {row['detail']}")


def print_training(results: dict[str, dict[str, Any]]) -> None:
    for name, facts in results.items():
        costs = facts["costs"]
        print(
            f"{name:7} {facts['trees']} trees, {costs['total_seconds']:.1f} s, "
            f"{costs['bytes_sent'] / 1e6:.1f} MB sent, {costs['rounds']} rounds, {facts['model']}"
        )
    for leak in results["bank"]["leaks"]:
        print(leak["sentence"])
    print("revealed:")
    for row in results["bank"]["ledger"]:
        print(f"  {row['values']:5} x {row['meaning']} -> {row['to']}")


if __name__ == "__main__":
    main()
