"""The HTTP front of a replica: seven thin routes of the Open Inference Protocol, and figures.

    GET  /v2                                     who answers
    GET  /v2/health/live                         the process runs: 200 as long as it answers
    GET  /v2/health/ready                        it scores: else 503, and a balancer goes elsewhere
    GET  /v2/models/M[/versions/V][/ready]       the model and its versions
    POST /v2/models/M[/versions/V]/infer         scores
    GET  /metrics                                figures for Prometheus

M is the job's name of the terms, V a model's id; a call without V gets the newest model that both
sides have. The feature party's replica has health and figures alone.

Every error is ``{"error": "text"}``: 400 a call that is none, 401 no
token or a wrong one, 404 no such model or path, 405, 413, 415, 429 budgets, 503 with Retry-After
where nothing can be scored now, 500 else. No line of the log has a key or a score: of an
unexpected error its kind and place, never its message.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from securexgb import __version__
from securexgb.boost.objective.registry import objective_of
from securexgb.boost.objective.start import check_base_margin
from securexgb.errors import (
    DataError,
    FileError,
    NotReady,
    PeerError,
    SecureXGBError,
    StoppedByPeer,
    UnknownModel,
    UsageError,
)
from securexgb.federation.session import Federation
from securexgb.serve import parts
from securexgb.serve.front import oip
from securexgb.serve.front.asgi import Answer, Asked, HttpError, Route, Routes
from securexgb.serve.front.callers import Callers
from securexgb.serve.meter import CONTENT_TYPE, PrometheusMeter
from securexgb.serve.scoring.messages import MOST_KEY
from securexgb.serve.spelling import Spelling

_LOG = logging.getLogger(__name__)
_NAMES = {"name": "securexgb", "version": __version__, "extensions": []}


class Replica(Protocol):
    """What health and figures are about."""

    @property
    def models(self) -> tuple[str, ...]: ...

    @property
    def is_ready(self) -> bool: ...

    @property
    def problem(self) -> SecureXGBError | None: ...


@dataclass(eq=False)
class Health:
    """Whether a replica is to be sent more; ``is_leaving``: it was asked to end."""

    replica: Replica
    meter: PrometheusMeter
    is_leaving: bool = field(default=False)

    @property
    def is_ready(self) -> bool:
        """Whether a balancer may choose it."""
        return self.replica.is_ready and not self.is_leaving

    def check_ready(self) -> None:
        """NotReady, with the reason, where no balancer should choose it."""
        if self.is_leaving:
            raise NotReady("this replica ends: ask another one")
        if not self.replica.is_ready:
            problem = self.replica.problem
            why = "the other side is not linked yet" if problem is None else str(problem)
            raise NotReady(f"this replica is not ready: {why}")

    def routes(self) -> list[Route]:
        """Health and figures."""
        return [
            Route("/v2", self._about),
            Route("/v2/health/live", self._live),
            Route("/v2/health/ready", self._ready),
            Route("/metrics", self._figures),
        ]

    def app(self, more: list[Route]) -> Routes:
        """The application with these routes beside health and figures."""
        return Routes([*self.routes(), *more], self._answered, self._headers)

    async def _answered(self, asked: Asked, route: Route | HttpError) -> Answer:
        """Every answer is counted, and every error is JSON."""
        began, seconds = time.perf_counter(), None
        try:
            if isinstance(route, HttpError):
                raise route
            answer = await route.handler(asked)
        except Exception as error:
            answer = error_answer(error)
        if isinstance(route, Route) and route.method == "POST":
            seconds = time.perf_counter() - began
        self.meter.answered(answer.status, seconds)
        return answer

    def _headers(self) -> Sequence[tuple[bytes, bytes]]:
        return ((b"connection", b"close"),) if self.is_leaving else ()

    async def _about(self, _: Asked) -> Answer:
        return _json(_NAMES)

    async def _live(self, _: Asked) -> Answer:
        return _json({"live": True})

    async def _ready(self, _: Asked) -> Answer:
        self.check_ready()
        return _json({"ready": True})

    async def _figures(self, _: Asked) -> Answer:
        return Answer(self.meter.text(), media_type=CONTENT_TYPE)


class Front:
    """The label party's routes over one scorer."""

    def __init__(
        self, federation: Federation, scorer: parts.Scorer, health: Health, callers: Callers | None
    ) -> None:
        """``callers``: who may ask; None: whoever reaches the port."""
        self._terms, self._scorer = federation.terms, scorer
        self._health, self._callers = health, callers
        self._spelling = Spelling.of(federation)

    def routes(self) -> list[Route]:
        """The models' routes."""
        at = "/v2/models/{name}"
        return [
            made
            for place in (at, at + "/versions/{version}")
            for made in (
                Route(place, self._about),
                Route(f"{place}/ready", self._ready),
                Route(f"{place}/infer", self._infer, "POST"),
            )
        ]

    async def _infer(self, asked: Asked) -> Answer:
        caller = self._caller(asked)
        name, version = self._named(asked)
        body = await asked.body(oip.MOST_BYTES)
        call = oip.parse(body, asked.header(b"inference-header-content-length"))
        self._check(call)
        keys = self._spelling(call.keys)
        if any(len(key) > MOST_KEY for key in keys):
            raise UsageError(f"a key has more than {MOST_KEY} characters")
        request = parts.Request(keys, version, caller, call.reasons, call.base_margins)
        scores = await _answered(self._scorer.submit(request))
        refusal = oip.refusal(scores)
        if refusal is not None:
            raise HttpError(HTTPStatus.TOO_MANY_REQUESTS, refusal)
        return _json(oip.answer(call, name, scores))

    async def _ready(self, asked: Asked) -> Answer:
        name, version = self._named(asked)
        self._health.check_ready()
        _check_version(version, self._scorer.models)
        return _json({"name": name, "ready": True})

    async def _about(self, asked: Asked) -> Answer:
        self._caller(asked)
        name, version = self._named(asked)
        models = self._scorer.models
        _check_version(version, models)
        training = self._terms.training
        versions = models if version is None else (version,)
        outputs = objective_of(training).outputs
        return _json(oip.about_model(name, versions, outputs, training.has_base_margin))

    def _caller(self, asked: Asked) -> str:
        if self._callers is None:
            return ""
        name = self._callers.name_of(asked.header(b"authorization"))
        if name is None:
            raise HttpError(
                HTTPStatus.UNAUTHORIZED,
                "no token, or one that nobody has: send Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )
        return name

    def _named(self, asked: Asked) -> tuple[str, str | None]:
        """The model's name and version of the path."""
        name, version = asked.named["name"], asked.named.get("version")
        if name != self._terms.name:
            raise UnknownModel(f"there is no such model here: there is {self._terms.name!r}")
        return name, version

    def _check(self, call: oip.Call) -> None:
        """Refuse what the terms do not have."""
        served, training = self._terms.serve, self._terms.training
        if call.reasons and (served is None or served.reasons_to == "none"):
            raise UsageError("the terms allow no reasons (reasons_to in [serve] of job.toml)")
        if call.base_margins is None:
            return
        if not training.has_base_margin:
            raise UsageError("the terms have no base margins: leave the input base_margin out")
        check_base_margin(0, training, call.base_margins, len(call.keys), "rows of this call")


async def _answered(scores: Future[parts.Scores]) -> parts.Scores:
    """As ``asyncio.wrap_future``, whose layers a row waits for. A caller that has gone leaves its
    rows to be scored."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        if not told.done():
            told.set_result(None)

    def done(_: Future[parts.Scores]) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell)

    scores.add_done_callback(done)
    await told
    return scores.result()


def error_answer(error: Exception) -> Answer:
    """``{"error": "text"}`` with the status that fits; the log hears of what nobody foresaw."""
    headers: dict[str, str] = {}
    if isinstance(error, HttpError):
        status, text, headers = error.status, error.text, error.headers
    elif isinstance(error, SecureXGBError):
        status, text = _status(error), str(error)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            seconds = error.retry_seconds if isinstance(error, NotReady) else 1.0
            headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    else:
        status, text = HTTPStatus.INTERNAL_SERVER_ERROR, "an unexpected error: see the log here"
        places = "".join(traceback.format_tb(error.__traceback__)).rstrip()
        _LOG.error("unexpected %s in a call\n%s", type(error).__name__, places)
    return Answer(oip.dumped({"error": text}), status, headers)


def _status(error: SecureXGBError) -> int:
    if isinstance(error, UnknownModel):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, (FileError, PeerError, StoppedByPeer)):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(error, (UsageError, DataError)):
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.INTERNAL_SERVER_ERROR


def _check_version(version: str | None, models: tuple[str, ...]) -> None:
    if version is not None and version not in models:
        raise UnknownModel("there is no such version that both sides serve")


def _json(content: oip.Json) -> Answer:
    return Answer(oip.dumped(content))
