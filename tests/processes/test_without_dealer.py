"""The default terms, end to end and when they fail: two processes and nobody else."""

import json
import signal

import numpy as np
import pytest

from securexgb.terms.job import JobTerms
from tests.processes.companies import DEALT, SIDES, Companies
from tests.processes.test_failures import codes, end_in_a_tree, kill_in_training
from tests.processes.test_resume import TREES, leaves, scores

pytestmark = pytest.mark.timeout(300)


def test_from_check_to_predictions(without_dealer):
    terms = JobTerms.from_file(without_dealer.root / "bank" / "job.toml")
    assert (terms.algorithm, terms.he, terms.offline) == ("hybrid", "bfv", "two-party")
    measured = without_dealer.both("estimate", "--measure")
    links = [ended.json["link"] for ended in measured.values()]
    assert links[0] == links[1]
    for command in ("check", "train", "predict"):
        ended = without_dealer.both(command)
        assert set(codes(ended).values()) == {0}, ended
        if command == "train":
            said = {side: one.stderr for side, one in ended.items()}
    (report,) = without_dealer.root.glob("bank/run/*/report.json")
    facts = json.loads(report.read_text())
    assert facts["labels"].startswith("positive class: ")
    assert "% of the training rows" in facts["labels"]
    assert facts["labels"] in said["bank"]
    assert "positive class" not in said["bureau"]
    assert facts["offline_source"] == "two-party"
    assert facts["estimate"]["rounds"]["ratio"] == 1.0
    # A job of some megabytes: pools are filled a little earlier or later.
    assert facts["estimate"]["bytes"]["ratio"] == pytest.approx(1.0, abs=0.1)
    assert not list(without_dealer.root.glob("*/keys/dealer.pem"))


def test_predictions_under_ckks_are_near_the_exact_ones(without_dealer):
    pytest.importorskip("tenseal")
    found = {}
    for prediction in ("ckks", "transfers"):
        without_dealer.terms(*SIDES, prediction=prediction, prediction_decimals=2)
        for command in ("train", "predict"):
            ended = without_dealer.both(command)
            assert set(codes(ended).values()) == {0}, ended
        assert ended["bureau"].json["predictions"] is None
        path = without_dealer.root / "bank" / ended["bank"].json["predictions"]
        lines = path.read_text().splitlines()[1:]
        found[prediction] = [float(line.split(",")[1]) for line in lines]
    # Margins differ by one step at most, probabilities by a quarter of it.
    assert found["ckks"] == pytest.approx(found["transfers"], abs=0.0026)


@pytest.mark.parametrize("victim", SIDES)
def test_one_side_is_killed(without_dealer, victim):
    ended = kill_in_training(without_dealer, victim)
    assert ended.code == 3
    assert victim in ended.error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_one_side_is_stopped(without_dealer, number):
    end_in_a_tree(without_dealer, "bureau", number)


GROWN = {"n_estimators": TREES, "max_depth": 2}


@pytest.fixture(scope="module")
def grown_alone(tmp_path_factory):
    """Leaves and scores of a training by the default terms, which the next test compares twice."""
    companies = Companies(tmp_path_factory.mktemp("alone"), GROWN, method={})
    try:
        assert set(codes(companies.both("train")).values()) == {0}
        return leaves(companies), scores(companies)
    finally:
        companies.stop()


@pytest.mark.parametrize("method", [{"offline": "dealt"}, DEALT], ids=["bfv and dealer", "dealer"])
def test_the_trees_are_those_of_a_dealer(grown_alone, tmp_path, method):
    with_dealer = Companies(tmp_path, GROWN, method=method)
    try:
        with_dealer.start_dealer()
        assert set(codes(with_dealer.both("train")).values()) == {0}
        np.testing.assert_array_equal(leaves(with_dealer), grown_alone[0])
        assert scores(with_dealer) == grown_alone[1]
    finally:
        with_dealer.stop()
