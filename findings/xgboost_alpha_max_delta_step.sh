#!/bin/sh
# xgboost: with alpha > 0, a max_delta_step so large that it ends no weight changes every gain.
#
# Seen with xgboost-cpu 3.2.0 on CPython 3.11, Linux, x86-64, tree_method hist. 50 rows have gradient 1,
# 50 have -0.5, all hessians are 1; lambda is 1, alpha 5. max_delta_step = 0 means no limit, 1e6 limits
# nothing here: the leaves are equal to the last bit. Expected: the same gain. Seen: 43.59 becomes 54.35.
# monotone_constraints of (0), which constrain nothing, do the same. With alpha 0 nothing changes.
#
# Where a limit or a constraint is there, the gain is reckoned from the gradient sum before the L1
# threshold is taken off. So splits, gamma's pruning and importance differ from a model without limit,
# and gamma must be chosen anew when a limit is added.
#
# Output seen:
#   xgboost 3.2.0, alpha 0: no limit 55.0864, max_delta_step 1e6 55.0864, constraints (0) 55.0864
#   xgboost 3.2.0, alpha 5: no limit 43.5886, max_delta_step 1e6 54.3535, constraints (0) 54.3535
#   leaves equal: True
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    "xgboost-cpu==3.2.0" "numpy==2.4.6" "scipy==1.17.1"
cat > "$folder/gains.py" <<'PYTHON'
import json
import sys

import numpy as np
import xgboost

x = np.repeat([0.0, 1.0], 50)[:, None]
gradient, hessian = np.repeat([1.0, -0.5], 50), np.ones(100)
usual = {"tree_method": "hist", "max_depth": 1, "eta": 1, "lambda": 1, "base_score": 0.0}
ways = {
    "no limit": {},
    "max_delta_step 1e6": {"max_delta_step": 1e6},
    "constraints (0)": {"monotone_constraints": "(0)"},
}


def grown(more):
    data = xgboost.DMatrix(x, np.zeros(100))
    model = xgboost.train(usual | more, data, 1, obj=lambda *_: (gradient, hessian))
    tree = json.loads(model.get_dump(dump_format="json", with_stats=True)[0])
    return round(tree["gain"], 4), [child["leaf"] for child in tree["children"]]


gains, leaves = {}, {}
for alpha in (0, 5):
    found = {name: grown({"alpha": alpha} | more) for name, more in ways.items()}
    gains[alpha] = [gain for gain, _ in found.values()]
    leaves[alpha] = [of_leaves for _, of_leaves in found.values()]
    said = ", ".join(f"{name} {gain}" for name, (gain, _) in found.items())
    print(f"xgboost {xgboost.__version__}, alpha {alpha}: {said}")
equal = all(one == of_alpha[0] for of_alpha in leaves.values() for one in of_alpha)
print("leaves equal:", equal)
sys.exit(len(set(gains[0])) != 1 or gains[5] != [43.5886, 54.3535, 54.3535] or not equal)
PYTHON
"$folder/env/bin/python" "$folder/gains.py"
