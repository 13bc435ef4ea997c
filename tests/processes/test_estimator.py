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

own, test = (pd.read_csv(f"{part}.csv") for part in ("train", "test"))
federation = Federation.from_file("party.toml", job="job.toml")
model = clone(SecureXGBClassifier(federation=federation))
"""

BANK = (
    COMMON
    + """
y, truth = own.pop("default"), test.pop("default")
model.fit(own, y, eval_set=[(test, truth)])
model.save_model("model")
scores = model.predict_proba(test)[:, 1]
again = load_model("model")
again.federation = federation
same = again.predict(test)
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
ids, test_ids = own.pop("customer"), test.pop("customer")
model.fit(own, eval_set=[(test, None)], ids=ids, eval_set_ids=[test_ids])
answers = [model.predict_proba(test, ids=test_ids), model.predict(test, ids=test_ids)]
print(json.dumps({"answers": answers, "history": model.evals_result()}))
"""
)

REFUSED = (
    COMMON
    + """
try:
    SecureXGBClassifier(federation=federation, max_depth=7).fit(own)
except errors.UsageError as error:
    print(json.dumps({"error": str(error)}))
"""
)


def test_each_side_gets_its_half(with_dealer):
    with_dealer.terms(*SIDES, training={"eval_metric": ["auc"]})
    sides = [with_dealer.start("bank", code=BANK), with_dealer.start("bureau", code=BUREAU)]
    bank, bureau = [finish(process, 120) for process in sides]
    assert (bank.code, bureau.code) == (0, 0), (bank, bureau)
    found = bank.json
    assert bureau.json["answers"] == [None, None]
    assert found["history"] == bureau.json["history"]
    assert found["same"]
    assert found["classes"] == [0, 1]
    assert np.unique(found["scores"]).size > 2
    assert len(found["importances"]) == 3
    assert {row["reveal"] for row in found["ledger"]} == {"SPLIT_OWNER", "SPLIT_INDEX", "METRIC"}


def test_a_parameter_that_the_terms_do_not_say_is_refused(with_dealer):
    refused = finish(with_dealer.start("bureau", code=REFUSED))
    assert "max_depth=7 differs from the job's terms, which say 2" in refused.json["error"]
