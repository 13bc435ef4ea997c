#!/bin/sh
# xgboost: interaction_constraints of "[]" are no absence of constraints: every column is left alone with
# itself; and a group may name columns that do not exist.
#
# Seen with xgboost-cpu 3.2.0 on CPython 3.11, Linux, x86-64. Five columns, of which products of pairs
# make the target; trees of depth 3. Expected of "[]", a list without groups: what no argument gives, as
# for monotone_constraints of "()"; and of a column number 99 of 5: an error. Seen: with "[]" each tree
# splits by one column only, since columns outside of all groups interact with nothing; "[[0, 99], [1, 2]]"
# and "[[0, 1], [-1]]" are taken without a word, so a mistyped number leaves a column alone in silence.
#
# It matters to who builds the parameter from a list that may be empty, and to who numbers columns by a
# table that has changed since.
#
# Output seen:
#   xgboost 3.2.0, columns in one tree: none given 3, "" 3, "[]" 1, "[[0, 99], [1, 2]]" taken, "[[0, 1], [-1]]" taken
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    "xgboost-cpu==3.2.0" "numpy==2.4.6" "scipy==1.17.1"
cat > "$folder/constrained.py" <<'PYTHON'
import json
import sys

import numpy as np
import xgboost

draws = np.random.default_rng(0)
x = draws.normal(size=(500, 5))
y = x[:, 0] * x[:, 1] + x[:, 2] + x[:, 3] * x[:, 4]
data = xgboost.DMatrix(x, y)


def columns(node):
    below = [columns(child) for child in node.get("children", [])]
    own = {node["split"]} if "split" in node else set()
    return own.union(*below)


def most(groups):
    usual = {"tree_method": "hist", "max_depth": 3}
    more = {} if groups is None else {"interaction_constraints": groups}
    model = xgboost.train(usual | more, data, 5)
    return max(len(columns(json.loads(tree))) for tree in model.get_dump(dump_format="json"))


seen = {str(groups): most(groups) for groups in (None, "", "[]")}
for strange in ("[[0, 99], [1, 2]]", "[[0, 1], [-1]]"):
    try:
        most(strange)
        seen[strange] = "taken"
    except xgboost.core.XGBoostError:
        seen[strange] = "refused"
said = ", ".join(f'"{groups}" {found}' for groups, found in seen.items() if groups != "None")
print(f"xgboost {xgboost.__version__}, columns in one tree: none given {seen['None']}, {said}")
good = seen["None"] > 1 and seen[""] == seen["None"] and seen["[]"] == 1
sys.exit(not good or [seen[s] for s in ("[[0, 99], [1, 2]]", "[[0, 1], [-1]]")] != ["taken"] * 2)
PYTHON
"$folder/env/bin/python" "$folder/constrained.py"
