#!/bin/sh
# nyoka: the PMML file of a model of xgboost lacks a classifier's base score, the log link of count data, and
# where rows without a value go.
#
# Seen with nyoka 5.5.0, xgboost-cpu 3.2.0 on CPython 3.11, Linux, x86-64. PMML is what scorecard engines
# read. Expected: what the file says by the standard is what the model predicts, or the conversion fails.
# Seen, without an error:
#   - of a classifier the intercept is 0, whatever base_score is (0.2 here);
#   - of count:poisson there is no exponential function: sums of leaves, to which base_score is added as it
#     is (rescaleConstant);
#   - no node has a default child, and nothing says how missing values are treated, though the model has a
#     direction for them in every node. By the standard nothing is known of such rows then.
# The script reads the file by the few rules of the standard that it uses.
#
# Output seen:
#   classifier  mean prediction 0.38, of the file 0.66
#   count:poisson  predictions from 1.58 to 2.44, of the file for these rows 1.76 and 2.03
#   missing values: the model predicts True, the file says where they go False
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check "nyoka==5.5.0" "xgboost-cpu==3.2.0" \
  "scikit-learn==1.9.1" "numpy==2.4.6" "pandas==3.1.1" "lxml==6.1.3"
cat > "$folder/scorecard.py" <<'PYTHON'
import sys
import warnings
import xml.etree.ElementTree as tree

import numpy as np
import pandas
import xgboost
from nyoka import xgboost_to_pmml
from sklearn.pipeline import Pipeline

warnings.simplefilter("ignore")
drawn = np.random.default_rng(0)
rows = pandas.DataFrame(drawn.normal(size=(500, 3)), columns=["a", "b", "c"])
labels = (rows.a + drawn.normal(size=500) > 0).astype(int)
counts = drawn.poisson(np.exp(0.3 * rows.a + 0.5))


def file_of(model):
    xgboost_to_pmml(Pipeline([("model", model)]), list(rows.columns), "y", "model.pmml")
    text = open("model.pmml").read()
    root = tree.fromstring(text)
    for element in root.iter():
        element.tag = element.tag.split("}")[1]
    return root, text


def leaf(node, row):
    for child in node.findall("Node"):
        test = child.find("SimplePredicate")
        value, cut = row[test.get("field")], float(test.get("value"))
        if value < cut if test.get("operator") == "lessThan" else value >= cut:
            return leaf(child, row)
    return float(node.get("score"))


def sums(root):
    trees = [found.find("Node") for found in root.iter("TreeModel")]
    return np.array([sum(leaf(one, row) for one in trees) for _, row in rows.iterrows()])


shape = {"n_estimators": 3, "max_depth": 2}
model = xgboost.XGBClassifier(base_score=0.2, **shape).fit(rows, labels)
root, _ = file_of(model)
intercept = max((float(t.get("intercept")) for t in root.iter("RegressionTable")), key=abs)
of_file = float(np.mean(1 / (1 + np.exp(-sums(root) - intercept))))
of_model = float(model.predict_proba(rows)[:, 1].mean())
print(f"classifier  mean prediction {of_model:.2f}, of the file {of_file:.2f}")
is_wrong = abs(of_file - of_model) > 0.1

model = xgboost.XGBRegressor(objective="count:poisson", base_score=2.0, **shape).fit(rows, counts)
root, text = file_of(model)
constant = sum(float(t.get("rescaleConstant", 0)) for t in root.iter("Target"))
of_file, of_model = sums(root) + constant, model.predict(rows)
least, most = int(np.argmin(of_model)), int(np.argmax(of_model))
print(f"count:poisson  predictions from {of_model[least]:.2f} to {of_model[most]:.2f}, "
      f"of the file for these rows {of_file[least]:.2f} and {of_file[most]:.2f}")
is_wrong = is_wrong and float(np.abs(of_file - of_model).max()) > 0.1 and "exp" not in text

gaps = rows.mask(drawn.random(rows.shape) < 0.3)
model = xgboost.XGBClassifier(base_score=0.5, **shape).fit(gaps, labels)
root, text = file_of(model)
says = any(node.get("defaultChild") or node.get("missingValueStrategy") for node in root.iter())
predicts = bool(np.isfinite(model.predict_proba(gaps)).all())
print(f"missing values: the model predicts {predicts}, the file says where they go {says}")
sys.exit(not is_wrong or says or not predicts)
PYTHON
(cd "$folder" && env/bin/python scorecard.py)
