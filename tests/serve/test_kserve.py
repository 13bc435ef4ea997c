"""A second client that others wrote: kserve's, over HTTP.

It asks for pandas below 3, so it is in no extra: these tests run where somebody has installed it
beside an older pandas.
"""

import asyncio

import numpy as np
import pytest

kserve = pytest.importorskip(
    "kserve", reason="kserve is not installed: it asks for pandas below 3, see docs/dependencies.md"
)

from kserve.inference_client import RESTConfig  # noqa: E402

from tests.serve.fakes import score_of  # noqa: E402

MODEL = "credit risk"


def asked(front, work):
    """What a client's work on this front gives: ``work(client, base address)``."""

    async def run():
        client = kserve.InferenceRESTClient(RESTConfig(protocol="v2", retries=1))
        try:
            return await work(client, f"http://127.0.0.1:{front.port}")
        finally:
            await client.close()

    return asyncio.run(run())


def request(*texts, is_binary=True, request_id=None):
    keys = kserve.InferInput("key", [len(texts)], "BYTES")
    keys.set_data_from_numpy(np.array(texts, object), binary_data=is_binary)
    return kserve.InferRequest(MODEL, [keys], request_id=request_id)


@pytest.mark.parametrize("is_binary", [True, False])
def test_scores_by_either_form_of_data(front, is_binary):
    given = request("c7", "unknown here 1", "zü-9", is_binary=is_binary, request_id="42")
    found = asked(front, lambda client, base: client.infer(base, given, model_name=MODEL))
    outputs = {output.name: output for output in found.outputs}
    scores = [score_of("c7"), np.nan, score_of("zü-9")]
    assert np.array_equal(outputs["score"].as_numpy(), scores, equal_nan=True)
    assert list(outputs["status"].data) == ["scored", "unknown here", "scored"]
    assert found.id == "42"  # and the version of the answer is dropped by this client


def test_health(front):
    async def work(client, base):
        states = [
            await client.is_server_live(base),
            await client.is_server_ready(base),
            await client.is_model_ready(base, MODEL),
        ]
        front.scorer.is_ready = False
        states.append(await client.is_server_live(base))
        with pytest.raises(Exception, match=r"this replica is not ready.*503"):
            await client.is_server_ready(base)
        return states

    assert asked(front, work) == [True] * 4


def test_errors_come_with_their_sentence_and_status(front):
    for texts, model, status, text in (
        (("budget here 1",), MODEL, 429, "too many rows a day"),
        (("c7",), "other", 404, "no such model"),
    ):
        given = request(*texts)
        with pytest.raises(Exception, match=text) as error:
            asked(front, lambda client, base, given=given, model=model: client.infer(
                base, given, model_name=model
            ))  # fmt: skip
        assert str(status) in str(error.value)
