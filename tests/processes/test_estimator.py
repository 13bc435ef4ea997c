"""The estimator as one side of a real job: two processes, each with its own columns."""

import numpy as np
import pytest

from tests.processes.companies import SIDES, finish

pytestmark = pytest.mark.timeout(200)

COMMON = """
import json, pickle, sys
import pandas as pd
from sklearn.base import clone
from securexgb import Federation, SecureXGBClassifier, errors, load_model

own, test = (pd.read_csv(f"{part}.csv", dtype={"customer": str}) for part in ("train", "test"))
ids, test_ids = own.pop("customer"), test.pop("customer")
given = {"ids": ids, "eval_set_ids": [test_ids]}
federation = Federation.from_file("party.toml", job="job.toml")
model = clone(SecureXGBClassifier(federation=federation))
"""

BANK = (
    COMMON
    + """
y, truth = own.pop("default"), test.pop("default")
model.fit(own, y, eval_set=[(test, truth)], **given)
model.save_model("model")
scores = model.predict_proba(test, ids=test_ids)[:, 1]
again = load_model("model")
again.federation = federation
same = again.predict(test, ids=test_ids)
print(json.dumps({
    "scores": scores.tolist(), "same": bool(((scores > 0.5) == same).all()),
    "classes": model.classes_.tolist(), "history": model.evals_result(),
    "importances": model.feature_importances_.tolist(),
    "ledger": model.ledger_, "pickle": len(pickle.dumps(model)),
}))
"""
)

BUREAU = (
    COMMON
    + """
model.fit(own, eval_set=[(test, None)], **given)
answers = [model.predict_proba(test, ids=test_ids), model.predict(test, ids=test_ids)]
print(json.dumps({"answers": answers, "history": model.evals_result()}))
"""
)

REFUSED = (
    COMMON
    + """
try:
    SecureXGBClassifier(federation=federation, max_depth=7).fit(own, ids=ids)
except errors.UsageError as error:
    print(json.dumps({"error": str(error)}))
"""
)


SHUFFLED = (
    COMMON
    + """
y = own.pop("default") if "default" in own else None
if "shuffled" in sys.argv:
    own, ids = own.iloc[::-1], ids.iloc[::-1]
try:
    model.fit(own, y, ids=ids)
except (errors.DataError, errors.PeerGone) as error:
    print(json.dumps({"error": type(error).__name__, "text": str(error)}))
"""
)

STOPPED = (
    COMMON
    + """
from securexgb.boost.callbacks import TrainingCallback

class Stop(TrainingCallback):
    def after_iteration(self, model, epoch, evals_log):
        return True

y = own.pop("default") if "default" in own else None
if "stops" in sys.argv:
    model.set_params(callbacks=[Stop()])
model.fit(own, y, ids=ids)
try:
    model.feature_importances_
except errors.NotAvailable as error:
    print(json.dumps({"error": str(error), "ledger": model.ledger_}))
"""
)

NONE = (
    COMMON
    + """
found = []
for given in (None, ids.iloc[1:], [1.5] * len(own)):
    try:
        model.fit(own, ids=given)
    except (errors.UsageError, errors.DataError) as error:
        found.append(str(error))
print(json.dumps(found))
"""
)


def test_each_side_gets_its_half(with_dealer):
    with_dealer.terms(*SIDES, training={"eval_metric": ["auc"], "importance": "weight"})
    sides = [with_dealer.start("bank", code=BANK), with_dealer.start("bureau", code=BUREAU)]
    bank, bureau = [finish(process) for process in sides]
    assert (bank.code, bureau.code) == (0, 0), (bank, bureau)
    found = bank.json
    assert bureau.json["answers"] == [None, None]
    assert found["history"] == bureau.json["history"]
    assert found["same"]
    assert found["classes"] == [0, 1]
    assert np.unique(found["scores"]).size > 2
    assert len(found["importances"]) == 3
    assert {row["reveal"] for row in found["ledger"]} == {"METRIC", "IMPORTANCE"}


def test_where_one_side_stops_both_say_why_there_is_no_importance(with_dealer):
    with_dealer.terms(*SIDES, training={"importance": "cover"})
    stops = with_dealer.start("bank", "stops", code=STOPPED)
    sides = [finish(side) for side in (stops, with_dealer.start("bureau", code=STOPPED))]
    for side in sides:
        assert "a callback of one side stopped the training after 1 of 2" in side.json["error"]
        assert side.json["ledger"] == []
        assert "the model has no importance: a callback of one side" in side.stderr


def test_a_parameter_that_the_terms_do_not_say_is_refused(with_dealer):
    refused = finish(with_dealer.start("bureau", code=REFUSED))
    assert "max_depth=7 differs from the job's terms, which say 2" in refused.json["error"]


def test_rows_in_another_order_are_refused_at_both_sides(with_dealer):
    with_dealer.terms(*SIDES)
    sides = [
        with_dealer.start("bank", code=SHUFFLED),
        with_dealer.start("bureau", "shuffled", code=SHUFFLED),
    ]
    for found in [finish(process) for process in sides]:
        assert found.json["error"] == "DataError", found
        assert "the ids in column 'customer' differ from the other side's" in found.json["text"]


def test_ids_are_asked_for_before_anything_is_sent(with_dealer):
    missing, fewer, floats = finish(with_dealer.start("bureau", code=NONE)).json
    assert "the terms name the id column 'customer'" in missing
    assert "ids of the shape (" in fewer
    assert "must be texts or whole numbers" in floats
