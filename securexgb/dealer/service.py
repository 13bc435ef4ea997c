"""The dealer's process: mutual TLS, two pinned parties, one conversation a session.

The order of a session is in ``proto/securexgb/v1/dealer.proto``. Party and rank come
from the certificate that TLS has verified, never from a message. Corrections are made
when party 1 asks and go straight into its stream; flow control of the stream bounds
what is held. When either party's stream ends without Leave the session is over for
both. The log names sessions and counts, never a value.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol, TypeVar

import grpc
import grpc.aio
import numpy as np

from securexgb._pb import dealer_pb2 as pb
from securexgb.correlations.matrices import Products
from securexgb.dealer.claims import Binding, attest
from securexgb.dealer.evidence import Attester, Evidence
from securexgb.dealer.identity import key_hash
from securexgb.dealer.refusal import AttestationError
from securexgb.dealer.session import FRAME_WORDS, Refused, Session
from securexgb.dealer.wire import VERSION, series_of

SESSIONS = 16
"""Most sessions at a time; another is refused. In half of them a party may wait for the other."""
STREAMS = 2 * SESSIONS
"""Most streams of a party at a time: what waits for its first message is one, too."""
HASH_BYTES = NAME_BYTES = 32

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Context(Protocol):
    """The part of gRPC's servicer context that is used here."""

    def auth_context(self) -> Mapping[str, list[bytes]]: ...

    async def read(self) -> object: ...

    async def write(self, message: pb.DealResponse) -> None: ...

    async def abort(self, code: grpc.StatusCode, details: str) -> NoReturn: ...


class Refusal(Exception):
    """Ends a party's stream with a status and a sentence for it."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass
class Meeting:
    """Who is present in a session, and how the two handlers wait for each other."""

    session: Session
    present: set[int] = field(default_factory=set)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    broken: asyncio.Event = field(default_factory=asyncio.Event)
    reason: Refusal | None = None

    def end(self, reason: Refusal | None = None) -> None:
        """Stop both conversations."""
        self.reason = reason or self.reason
        self.broken.set()

    async def until(self, ready: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for the other party's step."""
        async with self.changed:
            try:
                await asyncio.wait_for(self.changed.wait_for(ready), seconds)
            except TimeoutError:
                raise Refusal(
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                    f"the other party has not {what} within {seconds:g} s",
                ) from None

    async def tell(self) -> None:
        """Wake whoever waits."""
        async with self.changed:
            self.changed.notify_all()

    async def unless_broken(self, conversation: Coroutine[Any, Any, T]) -> T:
        """Run one side's conversation; stop it when the other side breaks off."""
        talk = asyncio.ensure_future(conversation)
        broken = asyncio.ensure_future(self.broken.wait())
        try:
            await asyncio.wait({talk, broken}, return_when=asyncio.FIRST_COMPLETED)
            if talk.done():
                return talk.result()
            ended = "the other party's connection to the dealer ended"
            raise self.reason or Refusal(grpc.StatusCode.ABORTED, ended)
        finally:
            for task in (talk, broken):
                task.cancel()
            await asyncio.gather(talk, broken, return_exceptions=True)


class DealerService:
    """Serves the two parties whose certificates are given in order of rank.

    ``own``: the dealer's certificate, whose key the evidence of ``attester`` is about.
    """

    def __init__(
        self,
        own: bytes,
        certificates: tuple[bytes, bytes],
        attester: Attester,
        timeout_seconds: float,
    ) -> None:
        self._key_hash = key_hash(own)
        self._roster = (key_hash(certificates[0]), key_hash(certificates[1]))
        self._attester = attester
        self.timeout_seconds = timeout_seconds
        self._meetings: dict[bytes, Meeting] = {}
        self._streams = [0, 0]
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="deal")

    def close(self) -> None:
        """Start no more work."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def deal(self, _: object, context: Context) -> None:
        """One party's stream, from Join to its end."""
        try:
            rank = self._authenticate(context)
            if self._streams[rank] >= STREAMS:
                raise Refusal(grpc.StatusCode.UNAVAILABLE, "the dealer is busy with this party")
            self._streams[rank] += 1
            try:
                join = (await self._next(context, "join", self.timeout_seconds)).join
                meeting = self._join(rank, join)
                await self._attend(meeting, rank, context)
            finally:
                self._streams[rank] -= 1
        except Refused as refused:
            _log.warning("refused: %s", refused)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(refused))
        except Refusal as refusal:
            _log.warning("ended: %s", refusal.text)
            await context.abort(refusal.code, refusal.text)

    def _authenticate(self, context: Context) -> int:
        certificates = context.auth_context().get("x509_pem_cert", [])
        found = key_hash(certificates[0]) if certificates else b""
        if found not in self._roster:
            raise Refusal(grpc.StatusCode.PERMISSION_DENIED, "this certificate is not pinned here")
        return self._roster.index(found)

    def _join(self, rank: int, join: pb.Join) -> Meeting:
        if join.version != VERSION:
            raise Refusal(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"the dealer speaks version {VERSION} of its protocol, the party {join.version}",
            )
        if not 8 <= len(join.session) <= NAME_BYTES or len(join.digest) > 2 * HASH_BYTES:
            raise Refused("the names of session and job are malformed")
        if join.rank != rank or tuple(join.roster) != self._roster:
            raise Refusal(
                grpc.StatusCode.FAILED_PRECONDITION,
                "party and dealer do not name the same two certificates in the same order",
            )
        meeting = self._meetings.get(join.session)
        if meeting is None:
            alone = sum(other.present == {rank} for other in self._meetings.values())
            if alone >= SESSIONS // 2 or len(self._meetings) >= SESSIONS:
                raise Refusal(grpc.StatusCode.UNAVAILABLE, "the dealer is busy")
            meeting = self._meetings[join.session] = Meeting(Session(join.session, join.digest))
        if meeting.session.digest != join.digest:
            differ = Refusal(
                grpc.StatusCode.FAILED_PRECONDITION, "the two parties name different job terms"
            )
            meeting.end(differ)
            raise differ
        if rank in meeting.present:
            raise Refused("this party is in the session already")
        meeting.present.add(rank)
        return meeting

    async def _attend(self, meeting: Meeting, rank: int, context: Context) -> None:
        session = meeting.session
        short = session.name.hex()[:8]
        _log.info("session %s: party %d joined", short, rank)
        has_left = False
        try:
            await meeting.unless_broken(self._converse(meeting, rank, context))
            has_left = True
        finally:
            _log.info("session %s: party %d %s", short, rank, "left" if has_left else "is gone")
            if not (has_left and session.is_seeded):
                meeting.end()
            if rank == 1 or meeting.broken.is_set():
                self._meetings.pop(session.name, None)

    async def _converse(self, meeting: Meeting, rank: int, context: Context) -> None:
        session, patience = meeting.session, self.timeout_seconds
        await _send(context, pb.DealResponse(offer=pb.Offer(instance=session.instance)))
        message = await self._next(context, None, patience)
        while message.WhichOneof("message") == "attest":
            await self._attest(session, message.attest, context)
            message = await self._next(context, None, patience)
        if message.WhichOneof("message") == "leave":
            return
        session.add_seed(rank, _expected(message, "seed").seed.seed)
        await meeting.tell()
        await meeting.until(lambda: session.is_seeded, patience, "given its seed")
        await _send(context, pb.DealResponse(ready=pb.Ready()))
        while True:
            message = await self._next(context, None, None)
            match message.WhichOneof("message"):
                case "matrix":
                    matrix = message.matrix
                    shape = (matrix.rows, matrix.columns)
                    session.register(rank, Products(matrix.owner, matrix.number), shape)
                    await meeting.tell()
                case "request" if rank == 1:
                    await self._serve(meeting, message.request, context)
                case "attest":
                    await self._attest(session, message.attest, context)
                case "leave":
                    return
                case _:
                    raise Refused("this message has no place here")

    async def _next(
        self, context: Context, expected: str | None, seconds: float | None
    ) -> pb.DealRequest:
        """The next message of a party, of the kind ``expected`` if one is."""
        try:
            message = await asyncio.wait_for(context.read(), seconds)
        except TimeoutError:
            raise Refusal(
                grpc.StatusCode.DEADLINE_EXCEEDED, f"no message came within {seconds:g} s"
            ) from None
        if not isinstance(message, pb.DealRequest):
            raise Refusal(grpc.StatusCode.CANCELLED, "the party ended its stream without leaving")
        return message if expected is None else _expected(message, expected)

    async def _attest(self, session: Session, asked: pb.Attest, context: Context) -> None:
        """Answer one challenge; "none" where no evidence can be made."""
        try:
            named = session.name + session.instance
            binding = Binding(self._key_hash, asked.nonce, named, self._roster, asked.policy_sha256)
        except AttestationError as error:
            raise Refused(error.detail) from None
        loop = asyncio.get_running_loop()
        try:
            made = await loop.run_in_executor(self._pool, attest, self._attester, binding)
        except AttestationError as error:
            _log.warning("no evidence: %s", error.detail)
            made = Evidence("none")
        answer = pb.Evidence(
            type=made.type, body=made.body, claims=made.claims, endorsements=made.endorsements
        )
        await _send(context, pb.DealResponse(evidence=answer))

    async def _serve(self, meeting: Meeting, wanted: pb.Request, context: Context) -> None:
        """Answer one request, frame by frame."""
        session, series = meeting.session, series_of(wanted)
        await meeting.until(
            lambda: session.knows(series), self.timeout_seconds, "named that matrix"
        )
        at = wanted.start
        loop = asyncio.get_running_loop()
        for work in session.corrections(series, wanted.start, wanted.words):
            if not isinstance(series, Products):
                words = work()  # a tenth of a millisecond: not worth a change of thread
            else:
                words = await loop.run_in_executor(self._pool, work)
            flat = np.ascontiguousarray(words).reshape(-1)
            for first in range(0, flat.size, FRAME_WORDS):
                words = flat[first : first + FRAME_WORDS]
                frame = pb.Correction(
                    kind=wanted.kind, owner=wanted.owner, number=wanted.number,
                    start=at, words=words.tobytes(),
                )  # fmt: skip
                await _send(context, pb.DealResponse(correction=frame))
                at += words.size


def _expected(message: pb.DealRequest, kind: str) -> pb.DealRequest:
    if message.WhichOneof("message") != kind:
        raise Refused(f"the message expected here is {kind}")
    return message


async def _send(context: Context, message: pb.DealResponse) -> None:
    """Write one message; to be stopped only between messages, since gRPC cannot end a
    stream while one is being written."""
    writing = asyncio.ensure_future(context.write(message))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait({writing})
        raise
