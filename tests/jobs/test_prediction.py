"""A predictor stays open: one session, many tables, the scores of separate sessions."""

from contextlib import contextmanager

import numpy as np
import pytest

from securexgb.boost.params import TrainingParams
from securexgb.boost.predict import Request, predict, predict_margins
from securexgb.errors import DataError, StoppedByPeer
from securexgb.federation.session import Federation
from securexgb.hybrid.ckks_products import agree_keys
from securexgb.jobs.prediction import Predictor
from securexgb.mpc.party import ROLES
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig
from securexgb.testing.harness import insecure_parties, run_both
from tests.boost.data import sides, table, train_both

PARAMS = TrainingParams(n_estimators=3, max_depth=2, max_bin=8)
DATA = sides(*table(60), 2)
HALVES = train_both(PARAMS, DATA)
PARTS = (slice(0, 25), slice(25, 60))


def test_scores_of_a_session_are_those_of_a_session_each():
    def parts(party, own):
        predictor = Predictor(party, HALVES[party.rank], Request())
        return [predictor.score(own.take(np.arange(60)[part])) for part in PARTS]

    def whole(party, own):
        return predict(party, HALVES[party.rank], own.values, Request())

    label, feature = run_both(parts, insecure_parties(1), DATA)
    assert feature == [None, None]
    np.testing.assert_array_equal(
        np.concatenate(label), run_both(whole, insecure_parties(2), DATA)[0]
    )


def test_the_first_table_costs_what_a_prediction_of_its_own_costs():
    def first(party, own):
        Predictor(party, HALVES[party.rank], Request()).margins(own)
        return party.rounds, party.channel.traffic.bytes_sent

    def alone(party, own):
        predict_margins(party, HALVES[party.rank], own.values, Request())
        return party.rounds, party.channel.traffic.bytes_sent

    assert run_both(first, insecure_parties(1), DATA) == run_both(alone, insecure_parties(1), DATA)


def test_keys_of_ckks_are_made_once(monkeypatch):
    pytest.importorskip("tenseal")
    made = []

    def counted(party):
        made.append(party.rank)
        return agree_keys(party)

    monkeypatch.setattr("securexgb.boost.predict.agree_keys", counted)

    def program(party, own):
        predictor = Predictor(party, HALVES[party.rank], Request(prediction="ckks"))
        return [predictor.margins(own) for _ in range(3)]

    answers = run_both(program, insecure_parties(1), DATA)[0]
    assert sorted(made) == [0, 1]
    np.testing.assert_allclose(answers[0], answers[2], atol=0.02)


def test_open_compares_ids_and_close_ends_the_session(monkeypatch):
    ended = []
    parties = insecure_parties(1)

    @contextmanager
    def session(federation, purpose):
        try:
            yield parties[federation.config.rank]
        finally:
            ended.append(purpose)

    monkeypatch.setattr(Federation, "session", session)
    terms = JobTerms(name="n", label_party="bank", feature_party="bureau", id_column="customer")
    ids = tuple(f"c{row}" for row in range(60))

    def program(party, own):
        name = terms.name_of(ROLES[party.rank])
        federation = Federation(PartyConfig(role=ROLES[party.rank], name=name), terms)
        predictor = Predictor.open(federation, HALVES[party.rank])
        assert not ended
        scores = predictor.score(own.with_ids(ids))
        party.exchange_bytes(b"scored")
        predictor.close()
        with (
            pytest.raises((DataError, StoppedByPeer), match="differ from the other side's"),
            Predictor.open(federation, HALVES[party.rank]) as again,
        ):
            again.score(own.with_ids(ids if party.rank else ids[::-1]))
        return scores

    label, feature = run_both(program, parties, DATA)
    assert label.shape == (60,)
    assert feature is None
    assert ended == ["predict"] * 4
