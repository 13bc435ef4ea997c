"""Own columns by key from the company's own HTTP service.

The contract: a POST of ``{"keys": ["c7", "c8"], "columns": ["income", "region"]}`` as JSON is
answered with status 200 and

    {"known": [true, false], "columns": {"income": [2100.5, null], "region": ["north", null]}}

one entry a key in every list, in the order of the keys. null is a missing value; a categorical
column has its categories' names as text or whole numbers; other columns have numbers. What is in
the lists at a key that is not known counts for nothing. Keys come as both companies spell them
(``serve.spelling``), may come twice, and the list may be empty: so a check asks. Where the terms
have base margins, the label party's column of these is among the columns asked for.

A connection stays open from one look-up to the next; one that the service has closed meanwhile is
opened anew, once. A look-up, connecting included, ends within ``feature_seconds``; only a service
that sends the head of its answer in drops can make it take longer. No error says what the service
answered: it may hold values.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from securexgb import __version__
from securexgb.errors import FeaturesUnavailable, UsageError
from securexgb.federation.session import Federation
from securexgb.jobs.data.categories import Names, numbered
from securexgb.serve.parts import NO_CATEGORIES, Floats, Found
from securexgb.serve.scoring.allowed import serving
from securexgb.serve.spelling import Spelling

_BLOCK = 1 << 16
_VALUE_BYTES, _HEAD_BYTES = 128, 1 << 16
"""An answer has at most so many bytes a value, and so many beside."""
_HEADERS = {"Content-Type": "application/json", "User-Agent": f"securexgb/{__version__}"}
_TROUBLE = (OSError, http.client.HTTPException)


class ServiceFeatures:
    """The columns that a service knows, by key."""

    def __init__(self, federation: Federation, address: str) -> None:
        """UsageError for an address that is none; nothing is asked yet."""
        config = federation.config
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise UsageError(
                f"{config.name}: features in [serve] must be a file, or an address as "
                "http://host:port/path or https://host/path, without a name and a password"
            )
        self._side, self._parts = config.name, parts
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._seconds = serving(federation).feature_seconds
        self._margins = (
            config.base_margin_column if federation.terms.training.has_base_margin else None
        )
        self._spelling = Spelling.of(federation)
        self._secure = ssl.create_default_context() if parts.scheme == "https" else None
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def look_up(
        self,
        keys: Sequence[str],
        columns: Sequence[str],
        categories: Mapping[str, Names] = NO_CATEGORIES,
    ) -> Found:
        """As ``Features.look_up``."""
        names = list(dict.fromkeys([*columns, *([self._margins] if self._margins else [])]))
        body = json.dumps({"keys": self._spelling(keys), "columns": names}).encode()
        most = _HEAD_BYTES + _VALUE_BYTES * len(keys) * (len(names) + 1)
        answer = _parsed(self._asked(body, most), self._side)
        known = _known(answer.get("known"), len(keys), self._side)
        held = answer.get("columns")
        if not isinstance(held, dict):
            raise _strange(self._side, 'has no table "columns"')
        made = {name: self._column(held, name, known, categories.get(name)) for name in names}
        values = np.full((len(keys), len(columns)), np.nan)
        for place, name in enumerate(columns):
            values[:, place] = made[name]
        return Found(values, known, made[self._margins] if self._margins else None)

    def close(self) -> None:
        """End the connections that wait for the next look-up."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _column(
        self,
        held: Mapping[str, Any],
        name: str,
        known: np.typing.NDArray[np.bool_],
        names: Names | None,
    ) -> Floats:
        """One column's numbers, NaN at unknown keys."""
        entries = held.get(name)
        if not isinstance(entries, list) or len(entries) != known.size:
            raise _strange(self._side, f"has no list {name!r} with one entry for each key")
        entries = [
            entry if is_known else None
            for entry, is_known in zip(entries, known.tolist(), strict=True)
        ]
        if names is not None:
            if not all(entry is None or isinstance(entry, (str, int, float)) for entry in entries):
                raise _strange(self._side, f"has a category in {name!r} that is no text")
            return numbered(entries, names)
        if not all(entry is None or isinstance(entry, (int, float)) for entry in entries):
            raise _strange(self._side, f"has a value in {name!r} that is no number")
        try:
            column = np.array([np.nan if e is None else float(e) for e in entries], np.float64)
        except OverflowError:
            column = np.array([np.inf])
        if np.isinf(column).any():
            raise _strange(self._side, f"has a value in {name!r} that is too large for a number")
        return column

    def _asked(self, body: bytes, most: int) -> bytes:
        """The answer to one POST, in time."""
        deadline = time.monotonic() + self._seconds
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None:
            try:
                return self._exchanged(connection, body, most, deadline)
            except (http.client.RemoteDisconnected, ConnectionError):
                connection.close()  # it was closed while it was idle
            except _TROUBLE as error:
                raise self._unavailable(error, deadline) from None
        try:
            return self._exchanged(self._connection(), body, most, deadline)
        except _TROUBLE as error:
            raise self._unavailable(error, deadline) from None

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._secure is None:
            return http.client.HTTPConnection(host, port)
        return http.client.HTTPSConnection(host, port, context=self._secure)

    def _exchanged(
        self, connection: http.client.HTTPConnection, body: bytes, most: int, deadline: float
    ) -> bytes:
        try:
            connection.timeout = _left(deadline)
            if connection.sock is None:
                connection.connect()
            line: socket.socket = connection.sock
            line.settimeout(_left(deadline))
            connection.request("POST", self._target, body, _HEADERS)
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise FeaturesUnavailable(
                    f"{self._side}: the service of the features answers with status "
                    f"{response.status}: look at its log"
                )
            content = bytearray()
            while block := response.read1(_BLOCK):
                content += block
                if len(content) > most:
                    raise _strange(self._side, f"has more than {most:,} bytes")
                line.settimeout(_left(deadline))
            if response.length:
                raise http.client.IncompleteRead(b"")
            response.close()  # the connection is free for the next one
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return bytes(content)

    def _unavailable(self, error: Exception, deadline: float) -> FeaturesUnavailable:
        where = f"{self._side}: the service of the features at {self._parts.netloc}"
        if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
            return FeaturesUnavailable(
                f"{where} did not answer within {self._seconds:g} s (feature_seconds in [serve])"
            )
        said = error.strerror if isinstance(error, OSError) else None
        return FeaturesUnavailable(
            f"{where} cannot be asked: {said or type(error).__name__}; see that it runs"
        )


def _left(deadline: float) -> float:
    """Seconds until then; TimeoutError where none are left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _parsed(content: bytes, side: str) -> Mapping[str, Any]:
    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        answer = json.loads(content, parse_constant=refuse)
    except (ValueError, RecursionError):
        raise _strange(side, "is not JSON; a missing value is null, not NaN") from None
    if not isinstance(answer, dict):
        raise _strange(side, "is no JSON object")
    return answer


def _known(entries: object, count: int, side: str) -> np.typing.NDArray[np.bool_]:
    marks = entries if isinstance(entries, list) else [None]
    if len(marks) != count or not all(isinstance(mark, bool) for mark in marks):
        raise _strange(side, 'has no list "known" with true or false for each key')
    return np.array(marks, np.bool_)


def _strange(side: str, what: str) -> FeaturesUnavailable:
    return FeaturesUnavailable(
        f"{side}: what the service of the features answers {what}: docs/serving.md says what it "
        "must be"
    )
