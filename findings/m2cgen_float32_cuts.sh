#!/bin/sh
# m2cgen: code that is generated from a model of xgboost sends rows that lie on a cut to the other child,
# where the features are float32.
#
# Seen with m2cgen 0.10.0, xgboost-cpu 3.2.0 on CPython 3.11, Linux, x86-64. Cuts of tree_method=hist, the
# default, are values that training rows have, and x < cut is strict, so such rows are common. Expected: the
# code's score of a row is the model's. Seen: cuts are written by the shortest digits that tell a float32
# apart (0.7377291 for 0.737729072...), and the code compares doubles, so a float32 that equals its cut
# may be less than what is written: some rows in a thousand go left that go right in the model. Where
# features are short decimals (0.1 as a double) nothing is wrong, nor where they are rounded to the same
# digits first.
#
# It matters where scores of production code are compared with a model's, row by row.
#
# Output seen:
#   float32 rows on their way as doubles: 13 of 2000 scores differ, by up to 0.117
#   the same rows by their shortest decimals: 0 of 2000
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check "m2cgen==0.10.0" "xgboost-cpu==3.2.0" \
  "scikit-learn==1.9.1" "numpy==2.4.6" "scipy==1.17.1"
cat > "$folder/code.py" <<'PYTHON'
import sys

import m2cgen
import numpy as np
import xgboost

drawn = np.random.default_rng(0)
rows = drawn.normal(size=(2000, 4)).astype(np.float32)
labels = (rows[:, 0] + drawn.normal(size=2000) > 1).astype(int)
model = xgboost.XGBClassifier(n_estimators=20, max_depth=2, base_score=0.5).fit(rows, labels)
code = {}
exec(m2cgen.export_to_python(model), code)  # its own output
right = model.predict_proba(rows)[:, 1]


def differing(table):
    return np.abs(np.array([code["score"](row)[1] for row in table]) - right)


doubles = differing(rows.astype(np.float64).tolist())
decimals = differing([[float(str(value)) for value in row] for row in rows])
many, none = int((doubles > 1e-5).sum()), int((decimals > 1e-5).sum())
print(f"float32 rows on their way as doubles: {many} of 2000 scores differ, by up to {doubles.max():.3f}")
print(f"the same rows by their shortest decimals: {none} of 2000")
sys.exit(many == 0 or none != 0)
PYTHON
"$folder/env/bin/python" "$folder/code.py"
