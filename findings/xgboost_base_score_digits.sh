#!/bin/sh
# xgboost 2.1 and 3.0 read a base_score of more than nine significant digits as 0.5, silently.
#
# Seen with xgboost-cpu 2.1.4, 3.0.5 and 3.2.0 on CPython 3.11, Linux, x86-64. A regression is saved as
# JSON, where base_score is a text. The same number is then written with other numbers of digits, as a
# program does that writes models with repr() or %.17g of a double. Expected: the same predictions, or
# an error. Seen: with ten digits or more 2.1.4 and 3.0.5 predict as if it were 0.5, without a warning;
# with nine digits they read it. 3.2.0 reads all of them.
#
# It matters to who writes xgboost's JSON by another program: the reader's version decides whether every
# prediction is off by the same amount.
#
# Output seen:
#   xgboost 2.1.4: digits 2 right, 9 right, 10 read as 0.5, 17 read as 0.5
#   xgboost 3.0.5: digits 2 right, 9 right, 10 read as 0.5, 17 read as 0.5
#   xgboost 3.2.0: digits 2 right, 9 right, 10 right, 17 right
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/read.py" <<'PYTHON'
import json
import sys

import numpy as np
import xgboost

x = np.arange(100.0)[:, None]
train = xgboost.DMatrix(x, x[:, 0] / 1000)
params = {"base_score": 0.25, "max_depth": 2}
told = xgboost.train(params, train, 3)
right = told.predict(train)
text = json.loads(told.save_raw("json").decode())


def read(base_score):
    text["learner"]["learner_model_param"]["base_score"] = base_score
    model = xgboost.Booster()
    model.load_model(bytearray(json.dumps(text).encode()))
    off = float(np.abs(model.predict(train) - right).mean())
    return "right" if off < 1e-6 else "read as 0.5" if abs(off - 0.25) < 1e-6 else f"off by {off}"


seen = [f"{digits} {read(f'{0.25:.{digits - 1}E}')}" for digits in (2, 9, 10, 17)]
line = f"xgboost {xgboost.__version__}: digits {', '.join(seen)}"
print(line)
wrong = "right" if xgboost.__version__.startswith("3.2") else "read as 0.5"
sys.exit(seen != ["2 right", "9 right", f"10 {wrong}", f"17 {wrong}"])
PYTHON
for version in 2.1.4 3.0.5 3.2.0; do
    python3.11 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check \
        "xgboost-cpu==$version" "numpy==1.26.4" "scipy==1.13.1"
    "$folder/$version/bin/python" "$folder/read.py"
done
