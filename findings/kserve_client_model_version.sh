#!/bin/sh
# kserve: its REST inference client (protocol v2) asks for no version of a model, whatever version the
# request names, and drops the version that the answer names.
#
# Seen with kserve 0.21.0 (httpx 0.28.1) on CPython 3.11, Linux, x86-64. Expected of an InferRequest with
# model_version="1": the path /v2/models/M/versions/1/infer of the Open Inference Protocol, or an error; and
# of an answer with "model_version": "2" an InferResponse whose model_version is "2", as from_rest and the
# gRPC client give it. Seen: a POST to /v2/models/M/infer, whose body does not name the version either, so
# that a server answers with its newest one; and model_version None, so that nobody notices: the answer is
# read by InferResponse.from_bytes, which has no place for it.
#
# It matters during a rolling update: who pins a version gets scores of another one, without a word.
#
# Output seen:
#   kserve 0.21.0: asked for version 1 at /v2/models/credit/infer
#                  version in the request's body: None
#                  the server says version 2, the client: None
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check "kserve==0.21.0"
cat > "$folder/version.py" <<'PYTHON'
import asyncio
import json
import sys

import httpx
import kserve
from kserve.inference_client import RESTConfig

seen = []


def server(request):
    seen.append((request.url.path, json.loads(request.content)))
    output = {"name": "score", "datatype": "FP64", "shape": [1], "data": [0.5]}
    return httpx.Response(
        200, json={"model_name": "credit", "model_version": "2", "outputs": [output]}
    )


async def main():
    config = RESTConfig(protocol="v2", transport=httpx.MockTransport(server))
    client = kserve.InferenceRESTClient(config)
    key = kserve.InferInput("key", [1], "INT64", data=[7])
    asked = kserve.InferRequest("credit", [key], model_version="1")
    return await client.infer("http://server", asked, model_name="credit")


found = asyncio.run(main())
(path, body), = seen
print(f"kserve {kserve.__version__ if hasattr(kserve, '__version__') else '0.21.0'}: "
      f"asked for version 1 at {path}")
print(f"               version in the request's body: {body.get('model_version')}")
print(f"               the server says version 2, the client: {found.model_version}")
sys.exit("versions" in path or found.model_version is not None)
PYTHON
"$folder/env/bin/python" "$folder/version.py"
