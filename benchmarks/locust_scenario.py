"""A scenario for locust: callers who ask the label party's replica for scores, over and over.

    pip install locust     # in no extra; the figures of docs/serving.md are by arrivals.py
    SERVE_MODEL=credit SERVE_KEYS=keys.txt locust --headless -f benchmarks/locust_scenario.py \
        --host http://127.0.0.1:8080 -u 20 -r 5 -t 60s

``SERVE_KEYS``: a file with a key a line; ``SERVE_ROWS``: of a call (1); ``SERVE_TOKEN``: the
caller's, where callers have tokens. Locust is a closed loop: each of its users waits for an answer
before it asks again, so a server that stalls is asked less, and the stall shows in few calls.
"""

from __future__ import annotations

import os
import random
from http import HTTPStatus
from pathlib import Path

from locust import HttpUser, between, task

KEYS = Path(os.environ["SERVE_KEYS"]).read_text(encoding="utf-8").split("\n")[:-1]
ROWS = int(os.environ.get("SERVE_ROWS", "1"))
TOKEN = os.environ.get("SERVE_TOKEN")
PATH = f"/v2/models/{os.environ['SERVE_MODEL']}/infer"


class Caller(HttpUser):
    """Asks for rows at random, ten times a second at most."""

    wait_time = between(0.1, 1.0)

    @task
    def score(self) -> None:
        chosen = random.sample(KEYS, min(ROWS, len(KEYS)))
        asked = {"name": "key", "datatype": "BYTES", "shape": [len(chosen)], "data": chosen}
        headers = {} if TOKEN is None else {"Authorization": f"Bearer {TOKEN}"}
        with self.client.post(
            PATH, json={"inputs": [asked]}, headers=headers, name="score", catch_response=True
        ) as answer:
            if answer.status_code != HTTPStatus.OK:
                answer.failure(f"{answer.status_code}: {answer.text[:200]}")
