#!/bin/sh
# xgboost: a model that was trained with base_margin holds an intercept that no tree was grown with, and
# adds it to rows that come without a base_margin.
#
# Seen with xgboost-cpu 3.2.0 on CPython 3.11, Linux, x86-64. A regression is trained with base_margin,
# from which training starts; no base_score is given. Expected: rows that are predicted without a
# base_margin start at 0, as the trees know no other start, or an error. Seen: base_score is fitted to
# the labels, as if no base_margin were there, written into the model, left out where a base_margin is
# given and added where none is: predictions are off by the mean of the labels, without a warning.
#
# It matters in credit and insurance, where base_margin is a champion's score or an exposure: who forgets
# it in production, or wants the trees' own part, gets another constant than 0.
#
# Output seen:
#   xgboost 3.2.0: labels' mean 10.0, base_score in the model 10.0
#   predictions with base_margin 0 and without one differ by 10.0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check \
    "xgboost-cpu==3.2.0" "numpy==2.4.6" "scipy==1.17.1"
cat > "$folder/start.py" <<'PYTHON'
import json
import sys

import numpy as np
import xgboost

x = np.arange(100.0)[:, None]
y = 10.0 + np.where(x[:, 0] < 50, -1.0, 1.0)
train = xgboost.DMatrix(x, y, base_margin=np.full(100, 10.0))
model = xgboost.train({"max_depth": 1}, train, 3)
config = json.loads(model.save_config())["learner"]["learner_model_param"]["base_score"]
held = float(str(config).strip("[]"))
with_zero = model.predict(xgboost.DMatrix(x, base_margin=np.zeros(100)))
without = model.predict(xgboost.DMatrix(x))
apart = float(np.mean(without - with_zero))
print(f"xgboost {xgboost.__version__}: labels' mean {y.mean():.1f}, base_score in the model {held:.1f}")
print(f"predictions with base_margin 0 and without one differ by {apart:.1f}")
sys.exit(abs(held - 10.0) > 1e-3 or abs(apart - 10.0) > 1e-3)
PYTHON
"$folder/env/bin/python" "$folder/start.py"
