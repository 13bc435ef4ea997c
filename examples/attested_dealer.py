"""The dealer shows evidence and both companies verify it before they trust it with a seed.

    python examples/attested_dealer.py [FOLDER]

The same bank, bureau and dealer as in two_companies.py. The evidence is of type ``dev``: a
key in a file plays the machine, so this rehearses every step and proves nothing; all that
is written says "dev" for ever. On a machine with SGX, TDX or SEV-SNP the dealer runs with
``--evidence auto`` and the policy names measurements: see parties/dealer/README.md.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from two_companies import (
    SIDES,
    agree,
    align,
    both,
    edit,
    free_port,
    run,
    set_up,
    start,
    write_data,
)

POLICY = """\
version = 1
accept = ["dev"]
reattest_seconds = 600

[[dev]]
key = "{key}"
"""


def main() -> None:
    given = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="attested-dealer-")
    root = Path(given).absolute()
    print(f"working in {root}")
    write_data(root, 150)
    ports = {name: free_port() for name in ("bank", "dealer")}
    set_up(root, ports)
    with start(
        root / "dealer", "dealer", "serve", "--evidence", "dev", "--format", "json"
    ) as dealer:
        try:
            assert dealer.stdout is not None
            listening = json.loads(dealer.stdout.readline())
            print(f"the dealer's key, for the policy: {listening['dev_key']}")
            for name in SIDES:
                (root / name / "policy.toml").write_text(POLICY.format(key=listening["dev_key"]))
                edit(root / name, dealer_policy="policy.toml")
                hashed = run(root / name, "dealer", "policy", "policy.toml")["policy_sha256"]
                print(f"{name} reads to the other over the telephone: {hashed[:16]}...")
            agree(root, 2, "--dealer-policy", "policy.toml")
            verify(root / "bank")
            align(root)  # needs no dealer
            print("\n== train: each side verifies again, for this session, before its seed leaves")
            for name, facts in both(root, "train").items():
                verdict = facts["dealer"]
                print(f"{name:7} {facts['trees']} trees, assurance {verdict['assurance']}")
            print("\n== a policy that names another program")
            (root / "bank" / "other.toml").write_text(POLICY.format(key="ab" * 32))
            refuse(root / "bank")
        finally:
            dealer.terminate()


def verify(folder: Path) -> None:
    """Ask and judge, without a job: no pinned certificate is needed, the evidence decides."""
    verdict = run(folder, "dealer", "verify")
    print(f"\nthe bank verifies: type {verdict['type']}, assurance {verdict['assurance']}")
    for head in ("checked", "not_checked"):
        for sentence in verdict[head]:
            print(f"  {head.replace('_', ' ')}: {sentence}")


def refuse(folder: Path) -> None:
    with start(folder, "dealer", "verify", "--policy", "other.toml") as process:
        said, _ = process.communicate(timeout=60)
    print(f"{said.strip()}\nexit code {process.returncode}")


if __name__ == "__main__":
    main()
