"""Routes over ASGI, as thin as a call of a millisecond wants them: paths, bodies, answers.

A server (uvicorn) reads HTTP and hands a call over as ASGI says: a mapping of what was asked, and
two functions to receive the body and to send the answer. Between that and the routes a framework's
layers took as long as the routes themselves, at every call. Here a path is cut at its slashes once
and compared part by part; every error is an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
JSON = "application/json"


class HttpError(Exception):
    """What a call is answered instead: ``{"error": "text"}`` with this status and these headers."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, dict(headers or {})


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    content: bytes
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON

    async def leave(self, send: Send, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """With ``more`` headers."""
        headers = [
            (b"content-type", self.media_type.encode()),
            (b"content-length", b"%d" % len(self.content)),
            *[(name.lower().encode(), value.encode()) for name, value in self.headers.items()],
            *more,
        ]
        await send({"type": "http.response.start", "status": int(self.status), "headers": headers})
        await send({"type": "http.response.body", "body": self.content})


@dataclass(frozen=True, repr=False)
class Asked:
    """A call; ``named``: the parts of its path that the route has names for."""

    scope: Scope
    next_part: Receive
    named: Mapping[str, str]

    def header(self, name: bytes) -> str | None:
        """The first of this name, in small letters."""
        for found, value in self.scope["headers"]:
            if found == name:
                return bytes(value).decode("latin-1")
        return None

    async def body(self, most: int) -> bytes:
        """HttpError where it is compressed, or has more bytes."""
        if (self.header(b"content-encoding") or "identity") != "identity":
            raise HttpError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a compressed body is not read: send it plain"
            )
        content, is_whole = b"", False
        while not is_whole:
            message = await self.next_part()
            if message["type"] == "http.disconnect":
                raise HttpError(HTTPStatus.BAD_REQUEST, "the caller has gone")
            content += message.get("body", b"")
            is_whole = not message.get("more_body", False)
            if len(content) > most:
                raise HttpError(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"a call has at most {most:,} bytes: send fewer rows",
                )
        return content


Handler = Callable[[Asked], Awaitable[Answer]]


@dataclass(frozen=True)
class Route:
    """``path``: with names in braces for parts of any text; ``method``: GET or POST."""

    path: str
    handler: Handler
    method: str = "GET"

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.path.split("/"))


def _named(route: Sequence[str], asked: Sequence[str]) -> dict[str, str] | None:
    """The named parts, where the path is the route's."""
    found = {}
    for wanted, part in zip(route, asked, strict=True):
        if wanted[:1] == "{" and part:
            found[wanted[1:-1]] = part
        elif wanted != part:
            return None
    return found


class Routes:
    """Routes by the number of their parts, and the application that ASGI asks for.

    ``answered``: makes an answer of a call to a route, or of an error where there is none.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        answered: Callable[[Asked, Route | HttpError], Awaitable[Answer]],
        more: Callable[[], Sequence[tuple[bytes, bytes]]],
    ) -> None:
        """``more``: headers of every answer."""
        self._by_length: dict[int, list[tuple[tuple[str, ...], Route]]] = {}
        for route in routes:
            self._by_length.setdefault(len(route.parts), []).append((route.parts, route))
        self._answered, self._more = answered, more

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call."""
        found, named = self._found(scope["method"], scope["path"].split("/"))
        answer = await self._answered(Asked(scope, receive, named), found)
        await answer.leave(send, self._more())

    def _found(self, method: str, asked: list[str]) -> tuple[Route | HttpError, dict[str, str]]:
        """The call's route, and the named parts of its path."""
        allowed = []
        for parts, route in self._by_length.get(len(asked), ()):
            named = _named(parts, asked)
            if named is None:
                continue
            if method == route.method or (method, route.method) == ("HEAD", "GET"):
                return route, named
            allowed.append(route.method)
        if allowed:
            headers = {"Allow": ", ".join(allowed)}
            return HttpError(HTTPStatus.METHOD_NOT_ALLOWED, "Method Not Allowed", headers), {}
        return HttpError(HTTPStatus.NOT_FOUND, "Not Found"), {}
