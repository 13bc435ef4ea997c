"""The HTTP front of a replica: seven thin routes of the Open Inference Protocol, and figures.

    GET  /v2                                     who answers
    GET  /v2/health/live                         the process runs: 200 as long as it answers
    GET  /v2/health/ready                        it scores: else 503, and a balancer goes elsewhere
    GET  /v2/models/M[/versions/V][/ready]       the model and its versions
    POST /v2/models/M[/versions/V]/infer         scores
    GET  /metrics                                figures for Prometheus

M is the job's name of the terms, V a model's id; a call without V gets the newest model that both
sides have. The feature party's replica has health and figures alone.

Every error is ``{"error": "text"}``, the framework's own included: 400 a call that is none, 401 no
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
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

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
from securexgb.serve.front.callers import Callers
from securexgb.serve.meter import CONTENT_TYPE, PrometheusMeter
from securexgb.serve.scoring.messages import MOST_KEY
from securexgb.serve.spelling import Spelling

_LOG = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]
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
            self.route("/v2", self._about),
            self.route("/v2/health/live", self._live),
            self.route("/v2/health/ready", self._ready),
            self.route("/metrics", self._figures),
        ]

    def route(self, path: str, handler: Handler, method: str = "GET") -> Route:
        """A route whose every answer is counted, and whose every error is JSON."""

        async def answered(request: Request) -> Response:
            began = time.perf_counter()
            try:
                response = await handler(request)
            except Exception as error:
                response = error_answer(error)
            seconds = time.perf_counter() - began if path.endswith("/infer") else None
            self.meter.answered(response.status_code, seconds)
            if self.is_leaving:
                response.headers["connection"] = "close"
            return response

        return Route(path, answered, methods=[method])

    def app(self, more: list[Route]) -> Starlette:
        """The application with these routes beside health and figures."""

        async def refused(_: Request, error: Exception) -> Response:
            response = error_answer(error)
            self.meter.answered(response.status_code)
            return response

        handlers = {HTTPException: refused}
        return Starlette(routes=[*self.routes(), *more], exception_handlers=handlers)

    async def _about(self, _: Request) -> Response:
        return _json(_NAMES)

    async def _live(self, _: Request) -> Response:
        return _json({"live": True})

    async def _ready(self, _: Request) -> Response:
        self.check_ready()
        return _json({"ready": True})

    async def _figures(self, _: Request) -> Response:
        return Response(self.meter.text(), media_type=CONTENT_TYPE)


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
        route, at = self._health.route, "/v2/models/{name}"
        return [
            made
            for place in (at, at + "/versions/{version}")
            for made in (
                route(place, self._about),
                route(f"{place}/ready", self._ready),
                route(f"{place}/infer", self._infer, "POST"),
            )
        ]

    async def _infer(self, request: Request) -> Response:
        caller = self._caller(request)
        name, version = self._named(request)
        body = await _body(request)
        call = oip.parse(body, request.headers.get("inference-header-content-length"))
        self._check(call)
        keys = self._spelling(call.keys)
        if any(len(key) > MOST_KEY for key in keys):
            raise UsageError(f"a key has more than {MOST_KEY} characters")
        asked = parts.Request(keys, version, caller, call.reasons, call.base_margins)
        scores = await asyncio.wrap_future(self._scorer.submit(asked))
        refusal = oip.refusal(scores)
        if refusal is not None:
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, refusal)
        return _json(oip.answer(call, name, scores))

    async def _ready(self, request: Request) -> Response:
        name, version = self._named(request)
        self._health.check_ready()
        _check_version(version, self._scorer.models)
        return _json({"name": name, "ready": True})

    async def _about(self, request: Request) -> Response:
        self._caller(request)
        name, version = self._named(request)
        models = self._scorer.models
        _check_version(version, models)
        training = self._terms.training
        versions = models if version is None else (version,)
        outputs = objective_of(training).outputs
        return _json(oip.about_model(name, versions, outputs, training.has_base_margin))

    def _caller(self, request: Request) -> str:
        if self._callers is None:
            return ""
        name = self._callers.name_of(request.headers.get("authorization"))
        if name is None:
            raise HTTPException(
                HTTPStatus.UNAUTHORIZED,
                "no token, or one that nobody has: send Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )
        return name

    def _named(self, request: Request) -> tuple[str, str | None]:
        """The model's name and version of the path."""
        name, version = request.path_params["name"], request.path_params.get("version")
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


def error_answer(error: Exception) -> Response:
    """``{"error": "text"}`` with the status that fits; the log hears of what nobody foresaw."""
    headers: dict[str, str] = {}
    if isinstance(error, HTTPException):
        status, text, headers = error.status_code, str(error.detail), dict(error.headers or {})
    elif isinstance(error, SecureXGBError):
        status, text = _status(error), str(error)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            seconds = error.retry_seconds if isinstance(error, NotReady) else 1.0
            headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    else:
        status, text = HTTPStatus.INTERNAL_SERVER_ERROR, "an unexpected error: see the log here"
        places = "".join(traceback.format_tb(error.__traceback__)).rstrip()
        _LOG.error("unexpected %s in a call\n%s", type(error).__name__, places)
    return Response(oip.dumped({"error": text}), status, headers, "application/json")


def _status(error: SecureXGBError) -> int:
    if isinstance(error, UnknownModel):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, (FileError, PeerError, StoppedByPeer)):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(error, (UsageError, DataError)):
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.INTERNAL_SERVER_ERROR


async def _body(request: Request) -> bytes:
    """The body, refused where it is too large or compressed."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a compressed body is not read: send it plain"
        )
    content = bytearray()
    async for block in request.stream():
        content += block
        if len(content) > oip.MOST_BYTES:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"a call has at most {oip.MOST_BYTES:,} bytes: send fewer rows",
            )
    return bytes(content)


def _check_version(version: str | None, models: tuple[str, ...]) -> None:
    if version is not None and version not in models:
        raise UnknownModel("there is no such version that both sides serve")


def _json(content: oip.Json) -> Response:
    return Response(oip.dumped(content), media_type="application/json")
