"""One party's process of SecretFlow's SGB, for ``rivals.py``: run by an interpreter that has it.

SGB is SecureBoost: the label party holds the key of an additively homomorphic scheme and learns
every split's sums of the other party's columns. What is timed is a second training in the same
session less a first one of a single tree, so that setting up counts for nothing.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import secretflow
import spu
from secretflow.data import FedNdarray, PartitionWay
from secretflow.ml.boost.sgb_v import Sgb

KEY_BITS = 2048
NAMES = {"label": "alice", "feature": "bob"}


def main() -> None:
    """``folder role port port asked``: the parties' ports, depth, bins and trees as JSON."""
    folder, role, *ports, asked = sys.argv[1:]
    work = json.loads(asked)
    addresses = [f"127.0.0.1:{port}" for port in ports]
    parties = {
        name: {"address": address, "listen_addr": address}
        for name, address in zip(NAMES.values(), addresses, strict=True)
    }
    cluster = {"parties": parties, "self_party": NAMES[role]}
    secretflow.init(cluster_config=cluster, ray_mode=False, logging_level="error")
    devices = {role: secretflow.PYU(name) for role, name in NAMES.items()}
    key = {"schema": "ou", "key_pair": {"generate": {"bit_size": KEY_BITS}}}
    scheme = secretflow.HEU(
        {
            "sk_keeper": {"party": NAMES["label"]},
            "evaluators": [{"party": NAMES["feature"]}],
            "mode": "PHEU",
            "he_parameters": key,
        },
        spu.FieldType.FM128,
    )

    def read(role: str, member: str) -> object:
        path = f"{folder}/{role}.npz"
        return devices[role](lambda: np.load(path)[member].reshape(-1, work["columns"][member]))()

    table = {device: read(role, "fitted") for role, device in devices.items()}
    labels = {devices["label"]: read("label", "labels")}
    sides = [FedNdarray(parts, PartitionWay.VERTICAL) for parts in (table, labels)]
    model = Sgb(scheme)

    def seconds(trees: int) -> float:
        params = {
            "num_boost_round": trees,
            "max_depth": work["depth"],
            "sketch_eps": 1 / work["bins"],
            "objective": "logistic",
            "reg_lambda": 1.0,
            "learning_rate": 0.3,
            "base_score": 0.5,
            "tree_growing_method": "level",
        }
        began = time.monotonic()
        secretflow.wait(model.train(params, *sides).trees)
        return time.monotonic() - began

    first = seconds(1)
    print(json.dumps({"a_tree": (seconds(1 + work["trees"]) - first) / work["trees"]}))
    secretflow.shutdown()


if __name__ == "__main__":
    main()
