"""A client that others wrote: tritonclient, over HTTP."""

import numpy as np
import pytest

triton = pytest.importorskip("tritonclient.http", reason="tritonclient is not installed")

from tests.serve.fakes import score_of  # noqa: E402

MODEL = "credit risk"


@pytest.fixture
def client(front):
    made = triton.InferenceServerClient(f"127.0.0.1:{front.port}")
    yield made
    made.close()


def keys(*texts, is_binary, column=False):
    shape = [len(texts), 1] if column else [len(texts)]
    made = triton.InferInput("key", shape, "BYTES")
    made.set_data_from_numpy(np.array(texts, object).reshape(shape), binary_data=is_binary)
    return made


@pytest.mark.parametrize("is_binary", [True, False])
@pytest.mark.parametrize("column", [True, False])
def test_scores_by_either_form_of_data(client, is_binary, column):
    asked = keys("c7", "unknown here 1", "zü-9", is_binary=is_binary, column=column)
    outputs = [triton.InferRequestedOutput(name, is_binary) for name in ("score", "status", "why")]
    found = client.infer(MODEL, [asked], outputs=outputs, request_id="42")
    scores = [score_of("c7"), np.nan, score_of("zü-9")]
    assert np.array_equal(found.as_numpy("score"), scores, equal_nan=True)
    assert found.as_numpy("status").tolist() == ["scored", "unknown here", "scored"]
    assert found.get_response()["id"] == "42"
    assert found.get_response()["model_version"] == "new"


def test_outputs_need_not_be_named_and_versions_may(client):
    found = client.infer(MODEL, [keys("c7", is_binary=True)], model_version="old")
    assert found.as_numpy("score").tolist() == [score_of("c7")]
    assert found.get_response()["model_version"] == "old"


def test_health_and_metadata(client, front):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, "old")
    assert not client.is_model_ready(MODEL, "older")
    assert client.get_server_metadata()["name"] == "securexgb"
    assert client.get_model_metadata(MODEL)["versions"] == ["old", "new"]
    front.scorer.is_ready = False
    assert client.is_server_live()
    assert not client.is_server_ready()


def test_errors_come_with_their_sentence_and_status(client):
    refused = triton.InferInput("key", [1], "BYTES")
    refused.set_data_from_numpy(np.array(["budget here 1"], object))
    for name, inputs, status, text in (
        (MODEL, [refused], "429", "too many rows a day"),
        ("other", [keys("c7", is_binary=True)], "404", "no such model"),
        (MODEL, [], "400", "no input"),
    ):
        with pytest.raises(triton.InferenceServerException, match=text) as error:
            client.infer(name, inputs)
        assert status in error.value.status()


def test_a_bare_nan_is_refused_in_words(client):
    margin = triton.InferInput("base_margin", [1], "FP32")
    margin.set_data_from_numpy(np.array([np.nan], np.float32), binary_data=False)
    with pytest.raises(triton.InferenceServerException, match="a missing value is null"):
        client.infer(MODEL, [keys("c7", is_binary=False), margin])
