#!/bin/sh
# onnxmltools: a model of xgboost with objective reg:logistic (fractions: loss given default, usage of a
# limit) is converted without an error into one that gives neither its predictions nor its margins.
#
# Seen with onnxmltools 1.16.0, xgboost-cpu 3.2.0, onnxruntime 1.32.0 on CPython 3.11, Linux, x86-64.
# Expected: predictions, between 0 and 1, as predict() gives them and as the converted model of
# binary:logistic does; or an error. Seen: the sum of the trees, to which base_score is added as it is, a
# fraction, where margins have its logit, and the logistic function is not applied. reg:squarederror and
# count:poisson on the same rows are converted to float32's last digits, so a check by one of them does not
# find it.
#
# Output seen:
#   reg:squarederror differs by less than 1e-5: True
#   count:poisson    differs by less than 1e-5: True
#   reg:logistic     differs by less than 1e-5: False
#   reg:logistic     is margin - logit(base_score) + base_score: True
#   predictions from 0.03 to 0.85, converted from -1.76 to 3.30
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check "onnxmltools==1.16.0" "onnx==1.23.2" \
  "onnxruntime==1.32.0" "skl2onnx==1.20.0" "xgboost-cpu==3.2.0" "scikit-learn==1.9.1" "numpy==2.4.6" \
  "pandas==3.1.1"
cat > "$folder/fractions.py" <<'PYTHON'
import sys
import warnings

import numpy as np
import onnxruntime
import xgboost
from onnxmltools.convert import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

warnings.simplefilter("ignore")
drawn = np.random.default_rng(0)
rows = drawn.normal(size=(2000, 4)).astype(np.float32)
fractions = 1 / (1 + np.exp(1 - rows[:, 0]))
counts = drawn.poisson(np.exp(0.3 * rows[:, 0]))
BASE = 0.2


def both(objective, labels, base):
    model = xgboost.XGBRegressor(
        n_estimators=20, max_depth=3, objective=objective, base_score=base
    ).fit(rows, labels)
    converted = convert_xgboost(model, initial_types=[("x", FloatTensorType([None, 4]))])
    session = onnxruntime.InferenceSession(converted.SerializeToString())
    return model, session.run(None, {"x": rows})[0].ravel()


close = {}
for objective, labels in (("reg:squarederror", fractions), ("count:poisson", counts),
                          ("reg:logistic", fractions)):
    model, scores = both(objective, labels, BASE)
    close[objective] = bool(np.abs(scores - model.predict(rows)).max() < 1e-5)
    print(f"{objective:16} differs by less than 1e-5: {close[objective]}")
sums = model.predict(rows, output_margin=True) - np.log(BASE / (1 - BASE))
is_sum = bool(np.abs(scores - sums - BASE).max() < 1e-5)
print(f"reg:logistic     is margin - logit(base_score) + base_score: {is_sum}")
right = model.predict(rows)
print(f"predictions from {right.min():.2f} to {right.max():.2f}, "
      f"converted from {scores.min():.2f} to {scores.max():.2f}")
sys.exit(list(close.values()) != [True, True, False] or not is_sum)
PYTHON
"$folder/env/bin/python" "$folder/fractions.py"
