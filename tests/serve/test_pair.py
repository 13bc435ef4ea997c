"""Two replicas over a real link: scores are those of a prediction job, whatever happens between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from securexgb.boost.predict import Request as Job
from securexgb.boost.predict import predict
from securexgb.errors import DataError, NotReady, UnknownModel, UsageError
from securexgb.mpc.party import Party
from securexgb.serve.parts import Request, Scores
from securexgb.serve.scoring.feature import FeatureReplica
from securexgb.serve.scoring.label import LabelScorer
from securexgb.testing import run_parties
from tests.serve.pair import Companies

SECONDS = 30.0


def expected(companies: Companies, name: str, rows: list[int]) -> np.ndarray:
    """What a prediction job says of these rows."""

    def program(party: Party, given: Any) -> Any:
        half, values = given
        return predict(party, half, values, Job("label", companies.terms.prediction_decimals))

    halves = companies.halves[name]
    inputs = [(half, data.values[rows]) for half, data in zip(halves, companies.data, strict=True)]
    return run_parties(program, inputs, seed=5)[0]


def until(scorer: Any, holds: Callable[[], bool]) -> None:
    """Wait for an event of the scorer's."""
    with scorer._changed:
        assert scorer._changed.wait_for(holds, SECONDS), scorer.problem


def ask(scorer: LabelScorer, keys: list[str], **more: Any) -> Scores:
    until(scorer, lambda: scorer.is_ready)
    return scorer.submit(Request(tuple(keys), **more)).result(SECONDS)


@pytest.fixture(scope="module")
def companies(tmp_path_factory: pytest.TempPathFactory) -> Companies:
    made = Companies(tmp_path_factory.mktemp("companies"))
    made.train("20260101T000000Z")
    return made


@pytest.fixture(scope="module")
def pair(companies: Companies) -> Iterator[tuple[LabelScorer, FeatureReplica]]:
    feature = FeatureReplica(*companies.feature.parts)
    feature.start()
    label = LabelScorer(*companies.label.parts)
    until(label, lambda: label.is_ready)
    yield label, feature
    label.drain(5.0)
    feature.drain(5.0)


def test_scores_are_those_of_a_job(companies: Companies, pair: Any) -> None:
    rows = list(range(0, 90, 7))
    found = ask(pair[0], [companies.keys[row] for row in rows])
    assert found.statuses == ("scored",) * len(rows)
    assert np.array_equal(found.values, expected(companies, "20260101T000000Z", rows))
    assert found.model == companies.halves["20260101T000000Z"][0].model_id


def test_many_requests_at_a_time_go_together(companies: Companies, pair: Any) -> None:
    futures = [pair[0].submit(Request((key,))) for key in companies.keys]
    found = np.array([future.result(SECONDS).values[0] for future in futures])
    assert np.array_equal(found, expected(companies, "20260101T000000Z", list(range(90))))
    assert len(companies.label.meter.seconds["rounds"]) < 90


def test_a_key_that_a_side_lacks_gets_no_score(companies: Companies, pair: Any) -> None:
    here, there = companies.label.features, companies.feature.features
    here_only, there_only = "key 3", "key 5"
    moved = there.place.pop(here_only), here.place.pop(there_only)
    found = ask(pair[0], [here_only, "key 4", there_only, "nobody"])
    there.place[here_only], here.place[there_only] = moved
    assert found.statuses == ("unknown there", "scored", "unknown here", "unknown here")
    assert np.isnan(found.values).tolist() == [True, False, True, True]
    asked = companies.label.gate.asked[-1]
    assert asked.keys == (here_only, "key 4", there_only, "nobody")
    assert asked.known == (True, True, False, False)
    asked = companies.feature.gate.asked[-1]
    assert (asked.keys, asked.known) == ((here_only, "key 4"), (False, True))


def test_budgets_of_each_side(companies: Companies, pair: Any) -> None:
    companies.label.gate.seen["key 6"] = companies.feature.gate.seen["key 7"] = 10**6
    found = ask(pair[0], ["key 6", "key 7", "key 8"], caller="app")
    assert found.statuses == ("budget here", "budget there", "scored")
    assert found.why == ("rows a key", "rows a key", None)
    assert companies.label.gate.asked[-1].callers == ("app",) * 3
    assert companies.feature.gate.asked[-1].keys == ("key 7", "key 8")


def test_requests_that_cannot_be_sent(pair: Any) -> None:
    until(pair[0], lambda: pair[0].is_ready)
    for keys, message in (((), "no key"), (("k" * 300,), "256 bytes"), (("\ud800",), "no text")):
        with pytest.raises(UsageError, match=message):
            pair[0].submit(Request(keys))
    with pytest.raises(DataError, match="base_margin_bound"):
        pair[0].submit(Request(("key 1",), base_margins=np.ones(1)))
    assert ask(pair[0], ["key 1"]).statuses == ("scored",)


def test_what_the_other_side_cannot_look_up_fails_alone(companies: Companies, pair: Any) -> None:
    companies.feature.features.fails = True
    with pytest.raises(Exception, match="other side cannot look"):
        ask(pair[0], ["key 1"])
    companies.feature.features.fails = False
    assert ask(pair[0], ["key 1"]).statuses == ("scored",)


def test_a_model_that_comes_later_is_the_default(
    companies: Companies, pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found while rows are asked for all the time."""
    monkeypatch.setattr("securexgb.serve.scoring.label.HEAR_SECONDS", 0.2)
    label, _ = pair
    first = label.models
    with pytest.raises(UnknownModel, match="not served by both"):
        label.submit(Request(("key 1",), model="other"))
    newest = companies.train("20260102T000000Z", seed=1)
    while newest not in label.models:
        assert ask(label, ["key 1"], model=first[0]).statuses == ("scored",)
        with label._changed:
            label._changed.wait(0.05)
    assert label.models == (*first, newest)
    found = ask(label, ["key 1", "key 2"])
    assert found.model == newest
    assert np.array_equal(found.values, expected(companies, "20260102T000000Z", [1, 2]))
    older = ask(label, ["key 1"], model=first[0])
    assert np.array_equal(older.values, expected(companies, "20260101T000000Z", [1]))


def test_a_link_is_opened_anew_while_requests_come(companies: Companies, pair: Any) -> None:
    label, feature = pair
    former, settings = label._link, label.settings
    label.settings = settings.model_copy(update={"redial_seconds": 0.0})
    found = []
    while label._link is former:
        with suppress(NotReady):  # on a busy machine a stock is used faster than it is filled
            found.append(ask(label, ["key 2"]))
    label.settings = settings
    found += [ask(label, ["key 2"]) for _ in range(3)]
    assert {scores.statuses for scores in found} == {("scored",)}
    assert len({scores.values[0] for scores in found}) == 1
    former.join(SECONDS)
    assert former.is_gone
    with feature._changed:
        assert feature._changed.wait_for(lambda: len(feature._links) == 1, SECONDS)


def test_another_replica_takes_over(companies: Companies, pair: Any) -> None:
    label, feature = pair
    feature.drain(0.0)
    until(label, lambda: not label.is_ready)
    waiting = label.submit(Request(("key 9",)))
    other = FeatureReplica(*companies.feature.parts)
    other.start()
    assert waiting.result(SECONDS).statuses == ("scored",)
    until(label, lambda: label.is_ready)
    label.drain(5.0)
    with pytest.raises(NotReady, match="about to end"):
        label.submit(Request(("key 1",)))
    other.drain(5.0)
