"""What stands in for the parts of a replica that a test is not about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Future
from http.client import HTTPConnection
from typing import Any

import numpy as np

from securexgb.errors import NotReady, SecureXGBError, UnknownModel
from securexgb.federation.session import Federation
from securexgb.serve.parts import Request, Scores, Status
from securexgb.terms.job import JobTerms
from securexgb.terms.party import PartyConfig

TERMS: dict[str, Any] = {
    "name": "credit risk",
    "label_party": "bank",
    "feature_party": "bureau",
    "id_column": "customer",
    "serve": {},
}


def federation(
    role: str = "label",
    terms: Mapping[str, Any] | None = None,
    serve: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Federation:
    """A side with these settings; nothing is on disk."""
    name = "bank" if role == "label" else "bureau"
    values = {"role": role, "name": name, "serve": dict(serve or {})} | settings
    agreed = JobTerms.from_mapping(TERMS | dict(terms or {}), "the terms")
    return Federation(PartyConfig.model_validate(values), agreed)


class FakeScorer:
    """Scores a key by its digits; keys that say so are refused.

    ``asked``: every request. ``error``: what submit raises, or, as ``late``, what the future holds.
    """

    def __init__(self, models: tuple[str, ...] = ("old", "new")) -> None:
        self.models = models
        self.is_ready = True
        self.problem: SecureXGBError | None = None
        self.asked: list[Request] = []
        self.error: Exception | None = None
        self.late: Exception | None = None
        self.waiting: list[tuple[Request, Future[Scores]]] = []
        self.holds = False
        self.drained: list[float] = []
        self.classes = 1

    def submit(self, request: Request) -> Future[Scores]:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        if not self.models:
            raise NotReady("no model yet")
        if request.model is not None and request.model not in self.models:
            raise UnknownModel("no such version")
        future: Future[Scores] = Future()
        if self.late is not None:
            future.set_exception(self.late)
        elif self.holds:
            self.waiting.append((request, future))
        else:
            future.set_result(self.scores(request))
        return future

    def release(self) -> None:
        for request, future in self.waiting:
            future.set_result(self.scores(request))

    def drain(self, seconds: float) -> None:
        self.drained.append(seconds)
        self.is_ready = False
        self.release()

    def scores(self, request: Request) -> Scores:
        statuses = tuple(status_of(key) for key in request.keys)
        values = np.array([score_of(key) for key in request.keys])
        values[[status != "scored" for status in statuses]] = np.nan
        if self.classes > 1:
            values = np.repeat(values[:, None], self.classes, axis=1)
        why = tuple("too many rows a day" if "budget" in s else None for s in statuses)
        reasons = tuple(("income", "age") for _ in statuses) if request.reasons else None
        return Scores(request.model or self.models[-1], values, statuses, why, reasons)


def score_of(key: str) -> float:
    return int("0" + "".join(filter(str.isdigit, key))) / 7


def status_of(key: str) -> Status:
    known: tuple[Status, ...] = ("unknown here", "unknown there", "budget here", "budget there")
    return next((status for status in known if key.startswith(status)), "scored")


def call(
    port: int, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and what the body says; POST where there is a body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        content = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        method = "GET" if content is None else "POST"
        connection.request(method, path, content, dict(headers or {}))
        answer = connection.getresponse()
        said = answer.read()
        kind = answer.headers.get("Content-Type", "")
        return (
            answer.status,
            {name.lower(): value for name, value in answer.headers.items()},
            json.loads(said) if kind == "application/json" else said.decode(),
        )
    finally:
        connection.close()


def keys_of(*keys: str) -> dict[str, Any]:
    """A call's body for these keys."""
    given = {"name": "key", "datatype": "BYTES", "shape": [len(keys)], "data": list(keys)}
    return {"inputs": [given]}
