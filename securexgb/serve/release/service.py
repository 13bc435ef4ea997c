"""The key service: asks a replica a question, judges the evidence, wraps the key.

A process of the same company as its replicas, on a machine that is not theirs. Only who holds the
replicas' certificate gets a question; only evidence that the policy accepts, about that question
and about a key pair made for it, gets an answer. A question is good for one answer, right or wrong,
and for a minute.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from securexgb._pb import keyservice_pb2 as pb
from securexgb.attestation.trust import AttestationRequirement
from securexgb.attestation.verify import Challenge
from securexgb.channel.keys import Credentials
from securexgb.dealer.evidence import Evidence
from securexgb.dealer.identity import key_hash
from securexgb.dealer.refusal import AttestationError
from securexgb.errors import SecureXGBError, UsageError
from securexgb.serve.release.kept import KeptKeys
from securexgb.serve.release.wrapping import (
    CHALLENGE,
    MESSAGE_BYTES,
    NONCE_BYTES,
    POINT_BYTES,
    RELEASE,
    Asking,
    Wanted,
    wrap,
)

QUESTIONS = 256
"""So many may be open; the oldest is forgotten for one more."""
_OPEN_SECONDS = 60.0
_THREADS = 4
_NAME_LENGTH = 128
_log = logging.getLogger(__name__)


class Refusal(Exception):
    """Goes to the replica as status and text."""

    def __init__(self, status: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class _Question:
    wanted: Wanted
    until: float


class KeyService:
    """What the service does, without a network. ``own`` and ``party``: hashes of the public keys in
    its certificate and in the replicas'."""

    def __init__(
        self, kept: KeptKeys, requirement: AttestationRequirement, own: bytes, party: bytes
    ) -> None:
        self._kept, self._requirement = kept, requirement
        self._own, self._party = own, party
        self._open: dict[bytes, _Question] = {}
        self._lock = threading.Lock()

    def challenge(self, ask: pb.Ask) -> pb.Question:
        """A nonce for this job and model; Refusal where no key of that job is kept."""
        wanted = Wanted(ask.job, ask.model)
        if not 0 < len(wanted.model) <= _NAME_LENGTH or self._kept.key(wanted.job) is None:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "no key is kept for that job")
        nonce = secrets.token_bytes(NONCE_BYTES)
        with self._lock:
            while len(self._open) >= QUESTIONS:
                self._open.pop(next(iter(self._open)))
            self._open[nonce] = _Question(wanted, time.monotonic() + _OPEN_SECONDS)
        return pb.Question(nonce=nonce, policy_sha256=self._requirement.policy.sha256)

    def release(self, proof: pb.Proof) -> pb.Wrapped:
        """The wrapped key; Refusal (PERMISSION_DENIED, with the reason's code) for other evidence
        than the policy's."""
        with self._lock:
            question = self._open.pop(bytes(proof.nonce), None)
        try:
            return self._released(proof, question)
        except AttestationError as error:
            _log.warning("no key was released (%s): %s", error.code, error.detail)
            raise Refusal(grpc.StatusCode.PERMISSION_DENIED, error.code) from None

    def _released(self, proof: pb.Proof, question: _Question | None) -> pb.Wrapped:
        if question is None or time.monotonic() > question.until:
            raise AttestationError("nonce", "that question was not asked, or answered before")
        if len(proof.public_key) != POINT_BYTES:
            raise AttestationError("malformed", f"an X25519 key has {POINT_BYTES} bytes")
        requirement = self._requirement
        policy = requirement.policy
        asking = Asking(question.wanted, proof.nonce, policy.sha256, self._own, self._party)
        evidence = Evidence(proof.type, proof.body, proof.claims, proof.endorsements)
        source = requirement.collateral
        collateral = None if source is None else source.collateral(evidence)
        challenge = Challenge(asking.binding(proof.public_key), policy)
        verdict = challenge.accept(evidence, requirement.now(), collateral, requirement.roots)
        key = self._kept.key(question.wanted.job)
        if key is None:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "no key is kept for that job")
        _log.info(
            "released the key of job %s for model %s to %s evidence (%s), measurement %s",
            question.wanted.job[:10],
            question.wanted.model,
            verdict.type,
            verdict.assurance,
            verdict.measurement,
        )
        return pb.Wrapped(sealed=wrap(key, proof.public_key, asking))


@contextmanager
def serving(
    listen: str, credentials: Credentials, kept: KeptKeys, requirement: AttestationRequirement
) -> Iterator[int]:
    """A running service; gives its port. ``credentials``: its own, with the replicas' as peer's."""
    own, party = key_hash(credentials.own.pem), key_hash(credentials.peer.pem)
    service = KeyService(kept, requirement, own, party)
    pool = ThreadPoolExecutor(_THREADS, "keyservice")
    server = grpc.server(pool, options=_OPTIONS)
    methods = {
        CHALLENGE.rsplit("/", 1)[1]: _handler(service.challenge, pb.Ask, party),
        RELEASE.rsplit("/", 1)[1]: _handler(service.release, pb.Proof, party),
    }
    name = CHALLENGE.split("/")[1]
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, methods),))
    tls = grpc.ssl_server_credentials(
        [(credentials.key, credentials.own.pem)],
        root_certificates=credentials.peer.pem,
        require_client_auth=True,
    )
    try:
        port = server.add_secure_port(listen, tls)
    except RuntimeError as error:
        raise UsageError(f"the key service cannot listen on {listen}: {error}") from None
    server.start()
    try:
        yield int(port)
    finally:
        server.stop(grace=1.0).wait()
        pool.shutdown()


_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.server_handshake_timeout_ms", 10_000),
)


def _handler(answer: Callable[[Any], Message], kind: type[Message], party: bytes) -> Any:
    def served(content: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            shown = context.auth_context().get("x509_pem_cert", (b"",))[0]
            if key_hash(shown) != party:
                raise Refusal(grpc.StatusCode.UNAUTHENTICATED, "this is not the pinned key")
            return answer(kind.FromString(content)).SerializeToString()
        except Refusal as refusal:
            context.abort(refusal.status, str(refusal))
        except SecureXGBError:
            _log.exception("a request failed")
            context.abort(grpc.StatusCode.INTERNAL, "see the key service's log")
        except (DecodeError, ValueError):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "this is no message of a replica")
        raise RuntimeError("abort raises, always")

    return grpc.unary_unary_rpc_method_handler(served)
