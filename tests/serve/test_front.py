"""The routes over a real port, asked by plain HTTP."""

import hashlib
import logging
import threading

import numpy as np
import pytest

from securexgb.errors import (
    DataError,
    FeaturesUnavailable,
    FileError,
    NotReady,
    PeerGone,
    ProtocolDesync,
    StoppedByPeer,
    UnknownModel,
)
from tests.serve.conftest import serve
from tests.serve.fakes import FakeScorer, call, keys_of, score_of

INFER = "/v2/models/credit%20risk/infer"
MODEL = "/v2/models/credit%20risk"


def test_scores_come_in_the_order_of_the_keys(front):
    status, headers, told = call(front.port, INFER, keys_of("c7", "unknown there 1", "c9"))
    assert status == 200
    assert headers["content-type"] == "application/json"
    assert (told["model_name"], told["model_version"]) == ("credit risk", "new")
    score, state, why = told["outputs"]
    assert score["data"] == [score_of("c7"), None, score_of("c9")]
    assert state["data"] == ["scored", "unknown there", "scored"]
    assert why["data"] == ["", "", ""]
    (asked,) = front.scorer.asked
    assert (asked.keys, asked.model, asked.caller) == (("c7", "unknown there 1", "c9"), None, "")


def test_a_version_is_asked_by_its_name(front):
    _, _, told = call(front.port, f"{MODEL}/versions/old/infer", keys_of("c7"))
    assert told["model_version"] == "old"
    status, _, told = call(front.port, f"{MODEL}/versions/older/infer", keys_of("c7"))
    assert (status, list(told)) == (404, ["error"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2", 200),
        ("/v2/health/live", 200),
        ("/v2/health/ready", 200),
        (MODEL, 200),
        (f"{MODEL}/ready", 200),
        (f"{MODEL}/versions/old", 200),
        (f"{MODEL}/versions/old/ready", 200),
        (f"{MODEL}/versions/older", 404),
        (f"{MODEL}/versions/older/ready", 404),
        ("/v2/models/other", 404),
        ("/v2/models/other/ready", 404),
        ("/v1/models", 404),
        ("/", 404),
        (INFER, 405),
    ],
)
def test_every_path_answers_json(front, path, status):
    found, headers, told = call(front.port, path)
    assert found == status
    assert headers["content-type"] == "application/json"
    assert status == 200 or list(told) == ["error"]


def test_metadata_say_what_the_model_takes_and_gives(front):
    _, _, told = call(front.port, MODEL)
    assert told["versions"] == ["old", "new"]
    assert told["inputs"] == [{"name": "key", "datatype": "BYTES", "shape": [-1]}]
    assert [output["name"] for output in told["outputs"]] == ["score", "status", "why"]
    _, _, one = call(front.port, f"{MODEL}/versions/old")
    assert one["versions"] == ["old"]
    _, _, server = call(front.port, "/v2")
    assert set(server) == {"name", "version", "extensions"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        ({"inputs": []}, 400),
        (b'{"inputs": [{"name": "key", "data": [NaN]}]}', 400),
        (b" " * (1 << 20) + b"{}", 413),
        (keys_of("c" * 257), 400),
        (keys_of("budget here 1", "budget there 2"), 429),
        (keys_of("budget here 1", "c2"), 200),
        (keys_of("c1") | {"parameters": {"reasons": True}}, 400),
        (
            {"inputs": [*keys_of("c1")["inputs"],
                        {"name": "base_margin", "datatype": "FP64", "shape": [1], "data": [0.5]}]},
            400,
        ),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_answered_says_why(front, body, status):
    found, _, told = call(front.port, INFER, body, {"Content-Type": "text/plain"})
    assert found == status
    assert status == 200 or list(told) == ["error"]


def test_compressed_bodies_are_refused(front):
    found, _, told = call(front.port, INFER, b"x", {"Content-Encoding": "gzip"})
    assert (found, "compressed" in told["error"]) == (415, True)


def late(seconds: float) -> NotReady:
    error = NotReady("no correlations are left")
    error.retry_seconds = seconds
    return error


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (late(2.5), 503, "3"),
        (PeerGone("the link broke"), 503, "1"),
        (StoppedByPeer("the other side ended"), 503, "1"),
        (FeaturesUnavailable("no answer"), 503, "1"),
        (FileError("the disk is full"), 503, "1"),
        (UnknownModel("which?"), 404, None),
        (DataError("a row"), 400, None),
        (ProtocolDesync("another step"), 500, None),
        (RuntimeError("key c77 scored 0.5"), 500, None),
    ],
)
@pytest.mark.parametrize("when", ["error", "late"])
def test_errors_have_their_status(front, caplog, error, status, retry, when):
    setattr(front.scorer, when, error)
    found, headers, told = call(front.port, INFER, keys_of("c77"))
    assert (found, headers.get("retry-after")) == (status, retry)
    assert "c77" not in told["error"] + caplog.text
    assert ("unexpected RuntimeError" in caplog.text) == isinstance(error, RuntimeError)


def test_a_replica_that_is_not_ready_lives(front):
    front.scorer.is_ready = False
    front.scorer.problem = PeerGone("nobody listens")
    assert call(front.port, "/v2/health/live")[0] == 200
    for path in ("/v2/health/ready", f"{MODEL}/ready"):
        status, headers, told = call(front.port, path)
        assert (status, headers["retry-after"]) == (503, "1")
        assert told["error"] == "this replica is not ready: nobody listens"


def test_a_replica_that_leaves_says_so_and_scores_on(front):
    front.health.is_leaving = True
    assert call(front.port, "/v2/health/ready")[0] == 503
    status, headers, _ = call(front.port, INFER, keys_of("c7"))
    assert (status, headers["connection"]) == (200, "close")


def test_calls_that_are_there_are_answered_when_the_server_ends():
    front = serve(FakeScorer())
    front.scorer.holds = True
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(call(front.port, INFER, keys_of("c7"))[0])
    )
    asking.start()
    while not front.scorer.waiting:
        assert asking.is_alive()
    front.scorer.drain(1.0)
    front.server.close()
    asking.join()
    assert answers == [200]


def test_figures_count_and_name_no_key(fresh):
    front = fresh
    call(front.port, INFER, keys_of("c7", "unknown here 2"))
    call(front.port, "/nowhere")
    front.meter.scored(3, 8)
    front.meter.refused("budget here", 2)
    status, headers, text = call(front.port, "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        'securexgb_requests_total{code="200"} 1.0',
        'securexgb_requests_total{code="404"} 1.0',
        "securexgb_request_seconds_count 1.0",
        "securexgb_rows_total 3.0",
        "securexgb_padding_rows_total 5.0",
        'securexgb_refused_rows_total{reason="budget here"} 2.0',
        "securexgb_ready 1.0",
        'securexgb_model_info{model="old"} 0.0',
        'securexgb_model_info{model="new"} 1.0',
        "securexgb_queue_seconds 0.0",
    ):
        assert line in text.splitlines()
    assert "c7" not in text


@pytest.fixture
def guarded(tmp_path):
    path = tmp_path / "callers.toml"
    digest = hashlib.sha256(b"secret").hexdigest()
    path.write_text(f'[callers]\nloans = "{digest}"\n')
    made = serve(FakeScorer(), path)
    yield made, path
    made.server.close()


def test_who_has_no_token_gets_no_score(guarded):
    front, _ = guarded
    for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
        for at, body in ((INFER, keys_of("c7")), (MODEL, None)):
            status, headers, told = call(front.port, at, body, given)
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
            assert list(told) == ["error"]
    assert not front.scorer.asked
    assert call(front.port, "/v2/health/ready")[0] == 200
    assert call(front.port, "/metrics")[0] == 200
    bearer = {"Authorization": "Bearer secret"}
    assert call(front.port, INFER, keys_of("c7"), bearer)[0] == 200
    assert front.scorer.asked[0].caller == "loans"


def test_tokens_change_without_a_restart(guarded, caplog):
    caplog.set_level(logging.INFO)
    front, path = guarded
    old, new = ({"Authorization": f"bearer {token}"} for token in ("secret", "newer"))
    before = path.read_text()
    path.write_text("[callers]\nloans = 'short'\n")
    assert call(front.port, INFER, keys_of("c7"), old)[0] == 200
    assert "the callers stay as they were" in caplog.text
    path.write_text(before + f'cards = ["{hashlib.sha256(b"newer").hexdigest()}"]\n')
    assert [call(front.port, INFER, keys_of("c7"), one)[0] for one in (old, new)] == [200, 200]
    assert [asked.caller for asked in front.scorer.asked] == ["loans", "loans", "cards"]


def test_keys_are_spelt_as_the_terms_have_it():
    align = {"keys": ["surname", "birth_date"], "min_common": 1}
    align["normalise"] = {"surname": ["strip", "casefold"], "birth_date": ["iso_date"]}
    front = serve(FakeScorer(), terms={"id_column": None, "align": align})
    try:
        call(front.port, INFER, keys_of(" Meier; 31.12.1980", "meier"))
        assert front.scorer.asked[0].keys == ("meier; 1980-12-31", "meier")
    finally:
        front.server.close()


def test_scores_of_classes_and_margins_of_the_caller():
    training = {"objective": "multi:softprob", "num_class": 3}
    front = serve(FakeScorer(), terms={"training": training})
    front.scorer.classes = 3
    try:
        _, _, told = call(front.port, INFER, keys_of("c7"))
        assert told["outputs"][0]["shape"] == [1, 3]
        assert call(front.port, MODEL)[2]["outputs"][0]["shape"] == [-1, 3]
    finally:
        front.server.close()


def test_base_margins_are_those_that_the_terms_allow():
    front = serve(FakeScorer(), terms={"training": {"base_margin_bound": 2.0}})
    given = {"name": "base_margin", "datatype": "FP64", "shape": [1]}
    try:
        for margin, status in ((0.5, 200), (2.5, 400)):
            body = {"inputs": [*keys_of("c7")["inputs"], given | {"data": [margin]}]}
            assert call(front.port, INFER, body)[0] == status
        assert np.array_equal(front.scorer.asked[0].base_margins, [0.5])
        assert [one["name"] for one in call(front.port, MODEL)[2]["inputs"]] == [
            "key", "base_margin",
        ]  # fmt: skip
    finally:
        front.server.close()
