"""Intel's part is played by a laboratory; the verifier is the real one.

    python examples/laboratory.py

No machine with SGX is needed: a laboratory's own root signs a machine's certificate, quotes
and collateral in Intel's formats, and dcap-qvl verifies them as it would Intel's. The package
itself trusts Intel's root alone and has no setting to change that; this script brings the
laboratory's root in code, and the verdict therefore says "dev", not "hardware". The
laboratory is in the tests, so run this from a clone.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from securexgb.arith.prg import Prg
from securexgb.attestation.collateral import FileCollateral
from securexgb.attestation.trust import AttestationRequirement
from securexgb.attestation.verify import VENDORS
from securexgb.boost.params import TrainingParams
from securexgb.channel.memory import memory_pair
from securexgb.jobs.job import TrainingJob
from securexgb.jobs.rows import Rows
from securexgb.jobs.training import train
from securexgb.mpc.party import Party
from securexgb.testing.harness import run_both
from tests.attestation.examples import SIGNED, LaboratoryAttester, policy, roots
from tests.attestation.laboratory import Laboratory, Window
from tests.dealer.running import RunningDealer, Terms, connect_both, connected, dealer_thread


def main() -> None:
    laboratory = Laboratory()
    with tempfile.TemporaryDirectory() as folder:
        requirement = AttestationRequirement(
            policy(), collateral(laboratory, Path(folder)), roots(laboratory)
        )
        with dealer_thread(attester=LaboratoryAttester(laboratory)) as dealer:
            trees = grow(dealer, requirement)
            print(f"{trees} trees with correlations from the verified dealer\n")
            print("the same quote by the root that the package trusts:")
            show_refusal(dealer, replace(requirement, roots=VENDORS))
        old = LaboratoryAttester(laboratory, isv_svn=6)
        with dealer_thread(attester=old) as dealer:
            print("an older version of the program than the policy wants:")
            show_refusal(dealer, replace(requirement, policy=policy(entries=SIGNED)))


def collateral(laboratory: Laboratory, folder: Path) -> FileCollateral:
    """What the laboratory says of its machine, in a file as a party would hold it."""
    now = datetime.now(UTC)
    window = Window(now - timedelta(days=2), now + timedelta(days=28))
    path = folder / "collateral.json"
    path.write_bytes(laboratory.collateral("sgx", window=window))
    return FileCollateral(path)


def demanding(dealer: RunningDealer, requirement: AttestationRequirement) -> Terms:
    ends = dealer.endpoint(0, requirement=requirement), dealer.endpoint(1, requirement=requirement)
    return Terms(endpoints=ends)


def grow(dealer: RunningDealer, requirement: AttestationRequirement) -> int:
    """Both parties verify, then train; how many trees."""
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(80, 4))
    labels = (columns[:, 0] + columns[:, 3] > 0).astype(np.float64)
    sides = (
        Rows(np.ascontiguousarray(columns[:, :2]), ("a", "b"), labels),
        Rows(np.ascontiguousarray(columns[:, 2:]), ("c", "d")),
    )
    channels = memory_pair(60)
    with connected(dealer, replace(demanding(dealer, requirement), channels=channels)) as sources:
        verdict = sources[0].verdict
        print(f"assurance {verdict.assurance}, type {verdict.type}, TCB {verdict.tcb_status}")
        print(f"measurement {verdict.measurement}")
        for sentence in verdict.checked:
            print(f"  checked: {sentence}")
        for sentence in verdict.not_checked:
            print(f"  not checked: {sentence}")
        parties = [
            Party(
                rank,
                channels[rank],
                sources[rank],
                private=Prg.fresh(),
                coins=Prg(b"public coins 123"),
                lasting=Prg.fresh(),
            )
            for rank in (0, 1)
        ]
        halves = run_both(one_side, parties, sides)
    return len(halves[0].trees)


def one_side(party: Party, side: Rows):
    params = TrainingParams(n_estimators=2, max_depth=2, max_bin=8, splits="hidden")
    return train(party, TrainingJob(params=params, data=side))


def show_refusal(dealer: RunningDealer, requirement: AttestationRequirement) -> None:
    refusals = connect_both(dealer, demanding(dealer, requirement))
    for name, refusal in zip(("bank", "bureau"), refusals, strict=True):
        print(f"  {name}: {refusal}")


if __name__ == "__main__":
    main()
